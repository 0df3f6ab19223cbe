"""What a sentence is made of, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.kernel.money import format_yuan


@dataclass(frozen=True, slots=True)
class InWords:
    """The same sentence twice."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Act:
    """What a sentence is made of."""

    subject_id: str
    amount_fen: int | None
    command: Mapping[str, Any]
    effect: Mapping[str, Any]

    def yuan(self) -> str:
        """The amount without its sign, in 元; a dash where there is none."""
        return "-" if self.amount_fen is None else format_yuan(abs(self.amount_fen))


Sentence = Callable[[Act], InWords]
