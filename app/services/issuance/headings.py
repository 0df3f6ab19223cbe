"""Where the columns of a sheet of grants stand: its heading row found, each heading understood or told. Pure.

Titles may stand above the headings, and the headings may take two rows, as where 企业信息 is merged over two columns.
What is taken for a heading is known by its words alone, so nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.kernel.problems import FieldError
from app.kernel.wording import Language
from app.services.issuance.forms import Form
from app.services.issuance.words import PASSED_OVER, CellProblem, Field
from app.services.sheets.cells import comparable, is_filled, shown
from app.services.sheets.labels import other_unit
from app.services.sheets.places import column_letters
from app.services.sheets.workbook import Cell

SEARCHED = 20
"""Rows from the top in which the headings are looked for."""
ENOUGH = 2
"""Headings that make a heading row: one alone may be the label of something else."""

Cells = Sequence[Sequence[Cell]]

_PASSED_OVER = frozenset(map(comparable, PASSED_OVER))


@dataclass(frozen=True, slots=True)
class Headings:
    """The columns by field (from 0), the row they stand in and the first row of data (from 0), and what is wrong."""

    columns: Mapping[Field, int]
    names: Mapping[Field, str]
    """`B 统一社会信用代码` for every column."""
    row: int
    first: int
    width: int
    passed_over: frozenset[int]
    """Columns that mean nothing here, such as 序号: a row with nothing else is empty."""
    errors: tuple[FieldError, ...]


def is_heading_row(cells: Sequence[Cell], form: Form) -> bool:
    """Whether a row has headings and nothing else."""
    told = [cell for cell in cells if is_filled(cell)]
    fields = [form.field_of(cell) for cell in told]
    return len(set(fields) - {None}) >= ENOUGH and all(
        field is not None or comparable(cell) in _PASSED_OVER for cell, field in zip(told, fields, strict=True)
    )


def find_headings(cells: Cells, form: Form) -> int | None:
    """The first row (from 0) that has headings of the template, or None; in the very first row one is enough."""
    known = [len({field for cell in row if (field := form.field_of(cell))}) for row in cells[:SEARCHED]]
    found = next((place for place, count in enumerate(known) if count >= ENOUGH), None)
    return found if found is not None or not any(known[:1]) else 0


def read_headings(
    cells: Cells, place: int, form: Form, language: Language, *, hidden: Collection[int] = ()
) -> Headings:
    """Understand the headings in that row and, where they take two, in the one above or below.

    `hidden` are the columns (from 0) that nobody sees: none of them may be read.
    """
    row, first = list(cells[place]), place + 1
    if first < len(cells) and _goes_on(row, cells[first], form):
        row, first = _below(row, cells[first]), first + 1
    elif place > 0:
        row = _above(row, cells[place - 1], form)
    columns: dict[Field, int] = {}
    passed_over: set[int] = set()
    errors: list[FieldError] = []

    def complain(name: str, column: str, problem: CellProblem, row_no: int = place + 1) -> None:
        errors.append(
            FieldError(
                pointer=f"/rows/{row_no}/{name}",
                code=problem.code,
                detail=problem.sentence(language),
                limit=problem.limit,
                actual=problem.actual,
                row=row_no,
                column=column,
            )
        )

    is_amount_told = False
    for n, heading in enumerate(row):
        field = form.field_of(heading)
        letters, words = column_letters(n + 1), shown(heading)
        if field is not None and field not in columns:
            columns[field] = n
            if n in hidden:
                complain(letters, f"{letters} {words}", CellProblem("column_hidden", actual=words))
        elif comparable(heading) in _PASSED_OVER:
            passed_over.add(n)
        elif is_filled(heading):
            code = "heading_duplicate" if field is not None else "heading_unknown"
            if field is None and comparable(heading).startswith(form.amount_words):
                code, is_amount_told = "heading_unit", True
            limit = form.headings[form.amount] if code == "heading_unit" else None
            complain(letters, f"{letters} {words}", CellProblem(code, limit=limit, actual=words))
        elif (used := _first_used(cells, first, n)) is not None:
            complain(letters, letters, CellProblem("heading_empty", actual=used))
    for field in form.required:
        if field not in columns and not (field is form.amount and is_amount_told):
            complain(field, form.headings[field], CellProblem("heading_missing", limit=form.headings[field]))
    if (found := other_unit(cells[: place + 1])) and not is_amount_told:
        letters, words = column_letters(found[1] + 1), shown(cells[found[0]][found[1]])
        problem = CellProblem("unit_not_yuan", limit=form.headings[form.amount], actual=words)
        complain(letters, f"{letters} {words}", problem, found[0] + 1)
    names = {field: f"{column_letters(n + 1)} {form.headings[field]}" for field, n in columns.items()}
    return Headings(columns, names, place, first, len(row), frozenset(passed_over), tuple(errors))


def _goes_on(row: Sequence[Cell], below: Sequence[Cell], form: Form) -> bool:
    """Whether the row below says more precisely what stands above it: headings only, and none above them."""
    told = [n for n, cell in enumerate(below) if is_filled(cell)]
    return bool(told) and all(
        form.field_of(below[n]) is not None and (n >= len(row) or form.field_of(row[n]) is None) for n in told
    )


def _below(row: Sequence[Cell], below: Sequence[Cell]) -> list[Cell]:
    return [
        below[n] if n < len(below) and is_filled(below[n]) else row[n] if n < len(row) else ""
        for n in range(max(len(row), len(below)))
    ]


def _above(row: Sequence[Cell], above: Sequence[Cell], form: Form) -> list[Cell]:
    return [
        above[n] if not is_filled(cell) and n < len(above) and form.field_of(above[n]) is not None else cell
        for n, cell in enumerate(row)
    ]


def _first_used(cells: Cells, first: int, column: int) -> int | None:
    """The number (from 1) of the first row of data that has something in the column."""
    return next(
        (n + 1 for n in range(first, len(cells)) if column < len(cells[n]) and is_filled(cells[n][column])), None
    )
