"""What can be found of a bill, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Sign
from app.services.redemption.bills import BillLine
from app.services.rules.bill_checks import Verdict

Numbered = tuple[int, BillLine]
"""A line with its number, from 1."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a bill is refused: `context` fills the sentence of the code, `extra` adds members to the problem."""

    code: Code
    context: Mapping[str, Any]
    extra: Mapping[str, str | int]
    errors: tuple[FieldError, ...]

    def problem(self) -> AppError:
        """The same to be raised."""
        return AppError(self.code, errors=self.errors, extra=dict(self.extra), **self.context)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against a line of a bill, and whether it refuses the bill or is only noted.

    `limit` and `actual` are what was allowed and what was billed, in words or decimals. `context` fills the sentence of
    the problem where it refuses.
    """

    code: Sign
    line: int
    member: str
    """The field of the line that is meant."""
    verdict: Verdict
    limit: str | None
    actual: str | None
    redemption_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As a flag of the trace."""
        return {"code": self.code.value, "line": self.line, "limit": self.limit, "actual": self.actual}
