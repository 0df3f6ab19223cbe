"""A list of candidates as it is sent, and all that can be wrong with it under the rules' way of allocating. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.kernel.clock import rfc3339
from app.kernel.problems import AppError, Code, FieldError
from app.services.allocation.plans import Candidate
from app.services.issuance.plans import PlannedRow
from app.services.issuance.rows import MAX_ERRORS, GrantRow
from app.services.rules.terms import Allocation

MAX_CANDIDATES = 10_000
"""Rows of one list: a lottery's record is to be read and replayed as one document."""


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One candidate as it was sent. What it asks for stands in the grant, as the face value of its voucher to be."""

    grant: GrantRow
    score: str | None = None
    tier: str | None = None
    project: str | None = None
    project_level: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """How a lottery's seed is announced: which public number, how it is written, and from when on it is known."""

    announcement: str
    seed_format: str
    draws_at: datetime


def complaints(
    allocation: Allocation, rows: Sequence[ListedRow], draw: Draw | None, *, at: datetime
) -> list[FieldError]:
    """What the method needs and does not find, or finds and cannot use; by pointers into the request."""
    return [*_of_draw(allocation, draw, at), *(error for row in _of_rows(allocation, rows) for error in row)]


def named_firms_twice(allocation: Allocation, rows: Sequence[PlannedRow]) -> list[FieldError]:
    """In a lottery, every row whose firm stood in a row before: each firm has one lot."""
    if allocation.method != "lottery":
        return []
    return _twice([(row.row_no, row.firm_id) for row in rows], "firm_id", "firm_has_its_lot")


def refuse(found: Sequence[FieldError]) -> None:
    """Raise `validation_failed` with all that was found, where anything was."""
    if found:
        raise AppError(Code.VALIDATION_FAILED, count=len(found), errors=found[:MAX_ERRORS])


def candidates_of(
    listed: Sequence[ListedRow], planned: Sequence[PlannedRow], granted_before_fen: Mapping[str, int]
) -> tuple[Candidate, ...]:
    """The list as it is frozen; `granted_before_fen` by project."""
    return tuple(
        Candidate(
            place=place,
            reference_no=row.reference_no,
            firm_id=row.firm_id,
            asked_fen=row.face_value_fen,
            score=one.score,
            tier=one.tier,
            project=one.project,
            project_level=one.project_level,
            granted_before_fen=granted_before_fen.get(one.project or "", 0),
            terms=row.terms,
            application_id=row.application_id,
        )
        for place, (one, row) in enumerate(zip(listed, planned, strict=True), start=1)
    )


def _of_draw(allocation: Allocation, draw: Draw | None, at: datetime) -> Iterator[FieldError]:
    if (allocation.method == "lottery") != (draw is not None):
        code = "not_for_method" if draw else "needed_by_method"
        yield FieldError("/draw", code, limit=allocation.method)
    elif draw is not None and draw.draws_at <= at:
        yield FieldError("/draw/draws_at", "not_ahead", limit=rfc3339(at), actual=rfc3339(draw.draws_at))


def _of_rows(allocation: Allocation, rows: Sequence[ListedRow]) -> Iterator[list[FieldError]]:
    tiers = {quota.tier for quota in allocation.quotas}
    levels = allocation.entitlements_fen.keys()
    for row in rows:
        place = f"/rows/{row.grant.row_no - 1}"
        if allocation.method == "ranked" and row.score is None:
            yield [FieldError(f"{place}/score", "needed_by_method", limit=allocation.method)]
        if tiers:
            yield _known(f"{place}/tier", row.tier, tiers, allocation.method)
        if levels:
            yield _known(f"{place}/project_level", row.project_level, levels, allocation.method)
    if levels:
        yield _twice([(row.grant.row_no, row.project) for row in rows], "project", "project_has_its_row")


def _known(pointer: str, value: str | None, known: Collection[str], method: str) -> list[FieldError]:
    if value is None:
        return [FieldError(pointer, "needed_by_method", limit=method)]
    if value not in known:
        return [FieldError(pointer, "unknown_value", limit=", ".join(sorted(known)), actual=value)]
    return []


def _twice(rows: Sequence[tuple[int, str | None]], field: str, code: str) -> list[FieldError]:
    first: dict[str, int] = {}
    return [
        FieldError(f"/rows/{row_no - 1}/{field}", code, limit=first[value], actual=value)
        for row_no, value in rows
        if value is not None and first.setdefault(value, row_no) != row_no
    ]
