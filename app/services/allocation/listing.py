"""A list of candidates as it is sent, and all that can be wrong with it under the rules' way of allocating. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.kernel.clock import rfc3339
from app.kernel.problems import AppError, Code, FieldError
from app.services.allocation.columns import LIST, METHODS, marks_of, words_of
from app.services.allocation.plans import Candidate
from app.services.issuance.plans import PlannedRow
from app.services.issuance.rows import MAX_ERRORS, GrantRow, Layout
from app.services.issuance.words import MARKS, CellProblem, Field
from app.services.rules.budget import Allocation
from app.services.sheets.cells import comparable


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
    allocation: Allocation, rows: Sequence[ListedRow], draw: Draw | None, layout: Layout, *, at: datetime
) -> list[FieldError]:
    """What the method needs and does not find, or finds and cannot use; by the places of what was sent."""
    return [
        *_of_draw(allocation, draw, layout, at),
        *_of_columns(allocation, layout),
        *_of_rows(allocation, rows, layout),
    ]


def spelled_as_in_rules(allocation: Allocation, rows: Sequence[ListedRow]) -> tuple[ListedRow, ...]:
    """Rows of a sheet with each mark written as the rules write it, where they differ only in width, spaces or case."""
    spellings = {
        field: {comparable(word): word for word in words if [*map(comparable, words)].count(comparable(word)) == 1}
        for field, words in words_of(allocation).items()
    }

    def spelled(field: Field, mark: str | None) -> str | None:
        return mark if mark is None else spellings[field].get(comparable(mark), mark)

    return tuple(
        replace(
            row,
            tier=spelled(Field.TIER, row.tier),
            project_level=spelled(Field.PROJECT_LEVEL, row.project_level),
        )
        for row in rows
    )


def named_firms_twice(
    allocation: Allocation, rows: Sequence[PlannedRow], listed: Sequence[ListedRow], layout: Layout
) -> list[FieldError]:
    """In a lottery, every row whose firm stood in a row before: each firm has one lot."""
    if allocation.method != "lottery":
        return []
    by_code = {row.grant.row_no for row in listed if row.grant.uscc}
    firms = [(row.row_no, Field.USCC if row.row_no in by_code else Field.FIRM_ID, row.firm_id) for row in rows]
    return _twice(firms, "firm_has_its_lot", layout)


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


def _of_draw(allocation: Allocation, draw: Draw | None, layout: Layout, at: datetime) -> Iterator[FieldError]:
    """In a form the three stand by themselves, in JSON together."""
    is_form = layout.columns is not None
    if (allocation.method == "lottery") != (draw is not None):
        code = "not_for_method" if draw else "needed_by_method"
        for name in ("announcement", "seed_format", "draws_at") if is_form else ("draw",):
            yield FieldError(f"/{name}", code, limit=allocation.method)
    elif draw is not None and draw.draws_at <= at:
        place = "/draws_at" if is_form else "/draw/draws_at"
        yield FieldError(place, "not_ahead", limit=rfc3339(at), actual=rfc3339(draw.draws_at))


def _of_columns(allocation: Allocation, layout: Layout) -> Iterator[FieldError]:
    """Of a sheet: a column too many or too few for the rules' way of allocating, told at its heading."""
    if layout.columns is None:
        return
    marks = marks_of(allocation)
    method = METHODS[allocation.method] if layout.language == "zh" else allocation.method
    for field in sorted(MARKS & layout.columns.keys() - marks.keys()):
        problem = CellProblem("heading_not_for_method", limit=method, actual=LIST.headings[field])
        yield layout.complaint(layout.heading_row, field, problem)
    for field, is_required in marks.items():
        if is_required and field not in layout.columns:
            problem = CellProblem("heading_missing", limit=LIST.headings[field])
            yield replace(layout.complaint(layout.heading_row, field, problem), column=LIST.headings[field])


def _of_rows(allocation: Allocation, rows: Sequence[ListedRow], layout: Layout) -> Iterator[FieldError]:
    """Marks that are missing or are none of the rules'. A column that is not there is told once, at the headings."""
    words = words_of(allocation)
    for field, is_required in marks_of(allocation).items():
        if layout.columns is not None and field not in layout.columns:
            continue
        for row in rows:
            mark: str | None = getattr(row, field)
            if mark is None and is_required:
                yield layout.at(row.grant.row_no, field, "needed_by_method", limit=allocation.method)
            elif mark is not None and mark not in words.get(field, (mark,)):
                limit = ", ".join(sorted(words[field]))
                yield layout.at(row.grant.row_no, field, "unknown_value", limit=limit, actual=mark)
    if allocation.entitlements_fen:
        projects = [(row.grant.row_no, Field.PROJECT, row.project) for row in rows]
        yield from _twice(projects, "project_has_its_row", layout)


def _twice(rows: Sequence[tuple[int, Field, str | None]], code: str, layout: Layout) -> list[FieldError]:
    first: dict[str, int] = {}
    return [
        layout.at(row_no, field, code, limit=first[value], actual=value)
        for row_no, field, value in rows
        if value is not None and first.setdefault(value, row_no) != row_no
    ]
