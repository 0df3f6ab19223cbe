"""The issuance sheet: the bytes of an .xlsx in, rows or every complaint out. Pure.

The sheet is the first visible one whose first row has headings of the template, normally 发放清单. All or nothing:
one complaint and no row is taken. Excel's floats never reach an amount: a number is read by its shortest decimal form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeVar

from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.money import format_yuan, parse_yuan
from app.kernel.problems import FieldError
from app.kernel.widths import half_width
from app.services.issuance.rows import (
    MAX_FACE_VALUE_FEN,
    NAME_LENGTH,
    NOTE_LENGTH,
    CellProblem,
    Field,
    GrantRow,
    Language,
    Layout,
    duplicate_references,
    read_reference,
    read_text,
    read_uscc,
)
from app.services.sheets.cells import ERROR_VALUES, comparable, is_filled, plain_number, shown, written_day
from app.services.sheets.workbook import Cell, Unreadable, column_letters, read_sheets

T = TypeVar("T")

SHEET_NAME = "发放清单"
TEMPLATE_VERSION = "voucher-issuance/1"

HEADINGS: Mapping[Field, str] = {
    Field.REFERENCE_NO: "申领编号",
    Field.USCC: "统一社会信用代码",
    Field.FIRM_NAME: "企业名称",
    Field.FACE_VALUE: "面值（元）",
    Field.VALID_FROM: "生效日期",
    Field.VALID_UNTIL: "截止日期",
    Field.NOTE: "备注",
}
"""In the order of the template; the field's own name (`reference_no` …) is read as well."""
REQUIRED = (Field.REFERENCE_NO, Field.USCC, Field.FIRM_NAME, Field.FACE_VALUE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the sheet asks for, and where its fields stand."""

    rows: tuple[GrantRow, ...]
    layout: Layout


def read_sheet(data: bytes, *, language: Language) -> Sheet:
    """The rows of an issuance sheet; empty rows are passed over.

    Raises AppError `file_unreadable` where the file is no readable .xlsx or has no such sheet, `sheet_invalid`
    with every complaint at once: row, column, what is wrong, the limit.
    """
    cells = _issuance_sheet(data)
    columns = _columns(cells, language)
    layout = Layout(language, {field: f"{column_letters(n + 1)} {HEADINGS[field]}" for field, n in columns.items()})
    reader = _Reader(columns, layout)
    for row_no, values in enumerate(cells[1:], start=2):
        if any(is_filled(value) for value in values):
            reader.read(row_no, values)
    return Sheet(reader.rows_or_refusal(), layout)


def _issuance_sheet(data: bytes) -> list[list[Cell]]:
    for cells in read_sheets(data):
        if cells and any(comparable(cell) in _FIELDS for cell in cells[0]):
            return cells
    raise Unreadable(
        f"No sheet has the template's headings in its first row ({', '.join(HEADINGS.values())}).",
        f"没有任何工作表的首行包含模板表头（{'、'.join(HEADINGS.values())}）。",
    )


def _columns(cells: Sequence[Sequence[Cell]], language: Language) -> dict[Field, int]:
    """Where each field stands. Raises `sheet_invalid` naming every column that is missing, foreign or there twice."""
    columns: dict[Field, int] = {}
    errors: list[FieldError] = []
    for place, heading in enumerate(cells[0]):
        field = _FIELDS.get(comparable(heading))
        if field is not None and field not in columns:
            columns[field] = place
            continue
        letters, words = column_letters(place + 1), shown(heading)
        if is_filled(heading):
            problem = CellProblem("heading_unknown" if field is None else "heading_duplicate", actual=words)
        else:
            used = next((row_no for row_no, values in enumerate(cells, start=1) if is_filled(values[place])), None)
            if used is None:
                continue
            problem = CellProblem("heading_empty", actual=used)
        errors.append(_about_heading(letters, f"{letters} {words}".strip(), problem, language))
    for field in REQUIRED:
        if field not in columns:
            heading = HEADINGS[field]
            errors.append(_about_heading(field, heading, CellProblem("heading_missing", limit=heading), language))
    if errors:
        raise Layout(language, {}).refusal(errors)
    return columns


def _about_heading(name: str, column: str, problem: CellProblem, language: Language) -> FieldError:
    return FieldError(
        pointer=f"/rows/1/{name}",
        code=problem.code,
        detail=problem.sentence(language),
        limit=problem.limit,
        actual=problem.actual,
        row=1,
        column=column,
    )


class _Reader:
    """Takes rows in, and every complaint about them."""

    def __init__(self, columns: Mapping[Field, int], layout: Layout) -> None:
        self._columns = columns
        self._layout = layout
        self._rows: list[GrantRow] = []
        self._references: list[tuple[int, str]] = []
        self._errors: list[FieldError] = []

    def read(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Take one row that holds anything."""

        def take(field: Field, read: Callable[[Cell], T]) -> T | None:
            cell = cells[self._columns[field]] if field in self._columns else ""
            if not is_filled(cell):
                if field in REQUIRED:
                    self._complain(row_no, field, CellProblem("required"))
                return None
            try:
                return read(_sound(cell))
            except CellProblem as problem:
                self._complain(row_no, field, problem)
                return None

        reference_no = take(Field.REFERENCE_NO, lambda cell: read_reference(_text(cell)))
        uscc = take(Field.USCC, lambda cell: read_uscc(_text(cell)))
        firm_name = take(Field.FIRM_NAME, lambda cell: read_text(_words(cell), max_length=NAME_LENGTH))
        face_value_fen = take(Field.FACE_VALUE, _face_value_fen)
        valid_from = take(Field.VALID_FROM, _day)
        valid_until = take(Field.VALID_UNTIL, _day)
        note = take(Field.NOTE, lambda cell: read_text(_words(cell), max_length=NOTE_LENGTH))
        if reference_no is not None:
            self._references.append((row_no, reference_no))
            if face_value_fen is not None:
                self._rows.append(
                    GrantRow(
                        row_no=row_no,
                        reference_no=reference_no,
                        face_value_fen=face_value_fen,
                        uscc=uscc,
                        firm_name=firm_name,
                        valid_from=valid_from,
                        valid_until=valid_until,
                        note=note,
                    )
                )

    def rows_or_refusal(self) -> tuple[GrantRow, ...]:
        """All rows. Raises `sheet_invalid` with every complaint where there is one."""
        errors = self._errors + duplicate_references(self._references, self._layout)
        if not self._rows and not errors:
            errors = [self._layout.complaint(2, Field.REFERENCE_NO, CellProblem("no_rows"))]
        if errors:
            raise self._layout.refusal(errors)
        return tuple(self._rows)

    def _complain(self, row_no: int, field: Field, problem: CellProblem) -> None:
        self._errors.append(self._layout.complaint(row_no, field, problem))


def _sound(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell in ERROR_VALUES:
        raise CellProblem("formula_error", actual=cell)
    return cell


def _text(cell: Cell) -> str:
    """Digits of an identifier are text: of a number only 15 would be left, and no leading zero."""
    if not isinstance(cell, str):
        raise CellProblem("text_required")
    return cell


def _words(cell: Cell) -> str:
    """Text for people: a number that Excel made of it is as good as what was typed."""
    return plain_number(cell) if isinstance(cell, float) else _text(cell)


def _face_value_fen(cell: Cell) -> int:
    if isinstance(cell, float) and math.isfinite(cell):
        typed = plain_number(cell)
    elif isinstance(cell, str):
        typed = half_width(cell).strip()
    else:
        raise CellProblem("amount_unreadable", actual=shown(cell))
    try:
        fen = parse_yuan(typed)
    except ValueError as error:
        raise _amount_problem(typed) from error
    if fen == 0:
        raise CellProblem("amount_not_positive", actual=shown(typed))
    return fen


def _amount_problem(typed: str) -> CellProblem:
    as_typed = shown(typed)
    whole, _, decimals = typed.removeprefix("-").replace(",", "").partition(".")
    if not re.fullmatch("[0-9]+", whole) or not re.fullmatch("[0-9]*", decimals):
        return CellProblem("amount_unreadable", actual=as_typed)
    if typed.startswith("-"):
        return CellProblem("amount_not_positive", actual=as_typed)
    if len(decimals) > 2:
        return CellProblem("amount_decimals", actual=as_typed)
    if int(whole[:32]) * 100 >= MAX_FACE_VALUE_FEN:
        return CellProblem("amount_too_large", limit=format_yuan(MAX_FACE_VALUE_FEN), actual=as_typed)
    return CellProblem("amount_unreadable", actual=as_typed)


def _day(cell: Cell) -> date:
    if isinstance(cell, datetime):
        if cell.time() != time.min:
            raise CellProblem("date_with_time", actual=shown(cell))
        day: date | None = cell.date()
    elif isinstance(cell, date):
        day = cell
    else:
        day = written_day(cell) if isinstance(cell, str) else None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise CellProblem("date_unreadable", actual=shown(cell))
    return day


_FIELDS: Mapping[str, Field] = {
    comparable(name): field for field, heading in HEADINGS.items() for name in (heading, field.value)
}
"""Every heading that is read, without the accidents of typing."""
