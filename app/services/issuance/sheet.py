"""A sheet of grants: the bytes of an .xlsx or CSV file in; rows, and every complaint about them, out. Pure.

The sheet is the visible one that has headings of its kind's template, such as 发放清单. Nothing is guessed and nothing
passed over in silence: what is not understood for certain is a complaint with its row and column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.problems import FieldError
from app.kernel.wording import Language
from app.services.issuance.cells import read_amount, readers, sound
from app.services.issuance.forms import ISSUANCE, Form
from app.services.issuance.headings import Headings, find_headings, is_heading_row, read_headings
from app.services.issuance.rows import GrantRow, Layout, duplicate_references
from app.services.issuance.words import MARKS, CellProblem, Field
from app.services.sheets.cells import is_filled
from app.services.sheets.labels import FIRMS, is_remark, is_subtotal, is_total, stated_count
from app.services.sheets.refusals import Unreadable
from app.services.sheets.tables import Table, read_tables
from app.services.sheets.workbook import Cell


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the sheet asks for, where its fields stand, and what is wrong with it.

    Where there are complaints, rows may be missing or incomplete: they serve to find what else is wrong.
    """

    form: Form
    rows: tuple[GrantRow, ...]
    layout: Layout
    errors: tuple[FieldError, ...]
    cells: Sequence[Sequence[Cell]]
    """Everything that stands in it, from the first row on."""
    headings: Headings
    marks: tuple[Mapping[Field, str], ...] = ()
    """What the row at the same place says besides, where the kind of sheet has columns for marks."""


def read_sheet(data: bytes, *, language: Language, form: Form = ISSUANCE) -> Sheet:
    """The rows of a sheet of that kind with every complaint about them; empty rows are passed over.

    Raises AppError `file_unreadable` where the file is no readable .xlsx or CSV, or has no such sheet.
    """
    table, place = _table_of(data, form)
    headings = read_headings(table.cells, place, form, language, hidden=table.hidden.columns)
    layout = Layout(language, headings.names, heading_row=place + 1)
    if headings.errors:
        return Sheet(form, (), layout, headings.errors, table.cells, headings)
    reader = _Reader(table, form, headings, layout)
    for row_no, cells in enumerate(table.cells[headings.first :], start=headings.first + 1):
        if cells.count("") != len(cells):
            reader.read(row_no, cells)
    reader.finish()
    return Sheet(form, tuple(reader.rows), layout, tuple(reader.errors), table.cells, headings, tuple(reader.marks))


def _table_of(data: bytes, form: Form) -> tuple[Table, int]:
    """The one table with the template's headings, and the row (from 0) in which they stand."""
    found = [(table, place) for table in read_tables(data) if (place := find_headings(table.cells, form)) is not None]
    used = [one for one in found if any(any(map(is_filled, row)) for row in one[0].cells[one[1] + 1 :])]
    if len(used) > 1:
        raise Unreadable(
            "Several sheets have the template's headings and rows below. Keep one, and send the others by themselves.",
            "多个工作表含有模板表头及数据。请只保留一张，其余分别提交。",
        )
    if not found:
        headings = form.headings.values()
        raise Unreadable(
            f"No visible sheet has a row with the template's headings ({', '.join(headings)}). Hidden sheets are not"
            " read; in a CSV file the headings are separated by commas.",
            f"没有任何可见的工作表包含模板表头（{'、'.join(headings)}）。隐藏的不读取；CSV 文件须以逗号分隔。",
        )
    return (used or found)[0]


class _Reader:
    """Takes rows in, and every complaint about them."""

    def __init__(self, table: Table, form: Form, headings: Headings, layout: Layout) -> None:
        self._form, self._headings, self._layout = form, headings, layout
        read = readers(typed=table.typed)
        self._typed, self._merged, self._hidden_rows = table.typed, table.merged(), table.hidden.rows
        self._plan = [(field, n, read[field], field in form.required) for field, n in headings.columns.items()]
        self._total: tuple[int, int | None] | None = None
        """The row of the total, and its amount where it has one that could be read."""
        self._has_marks = not MARKS.isdisjoint(form.columns)
        self.rows: list[GrantRow] = []
        self.marks: list[Mapping[Field, str]] = []
        self.errors: list[FieldError] = []

    def read(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Take one row. Only one that something is wrong with is looked at closely: it may be no row at all."""
        if self._total is not None:
            self._below_total(row_no, cells)
            return
        known = len(self.errors)
        values = self._values(row_no, cells)
        if len(self.errors) == known:
            self._keep(row_no, values)
            return
        of_cells = self.errors[known:]
        del self.errors[known:]
        if not any(is_filled(cell) for n, cell in enumerate(cells) if n not in self._headings.passed_over):
            return
        first = next(filter(is_filled, cells))
        if is_total(first):
            self._total = row_no, self._total_of(row_no, cells)
            self._hold_count(row_no, cells)
        elif is_subtotal(first):
            self._complain(row_no, Field.REFERENCE_NO, CellProblem("subtotal"))
        elif is_heading_row(cells, self._form):
            self._complain(row_no, Field.REFERENCE_NO, CellProblem("heading_repeated"))
        elif self._is_no_grant(row_no, cells):
            self._complain(row_no, Field.REFERENCE_NO, CellProblem("row_no_grant"))
        else:
            self._keep(row_no, values)
            self.errors += of_cells

    def finish(self) -> None:
        """Hold the rows against one another and against their total, once all were read."""
        references = [(row.row_no, row.reference_no) for row in self.rows if row.reference_no]
        self.errors += duplicate_references(references, self._layout)
        first = self._headings.first + 1
        if not self.rows and not self.errors:
            self._complain(first, Field.REFERENCE_NO, CellProblem("no_rows"))
        if len(self.rows) > self._form.max_rows:
            self._complain(first, Field.REFERENCE_NO, CellProblem("sheet_too_long", limit=self._form.max_rows))
        row_no, stated_fen = self._total or (0, None)
        if stated_fen is not None and all(row.face_value_fen for row in self.rows):
            counted_fen = sum(row.face_value_fen for row in self.rows)
            if stated_fen != counted_fen:
                problem = CellProblem("total_wrong", limit=format_yuan(stated_fen), actual=format_yuan(counted_fen))
                self._complain(row_no, self._form.amount, problem)

    def _hold_count(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Hold the rows against the number that the total states; of firms, each may have several rows."""
        stated = stated_count(cells)
        if stated is None:
            return
        known = {len(self.rows), *([len({row.uscc for row in self.rows})] if stated[1] in FIRMS else [])}
        if stated[0] not in known:
            problem = CellProblem("total_count_wrong", limit=stated[0], actual=len(self.rows))
            self._complain(row_no, Field.REFERENCE_NO, problem)

    def _values(self, row_no: int, cells: Sequence[Cell]) -> dict[Field, Any]:
        values: dict[Field, Any] = {}
        typed, width = self._typed, len(cells)
        for field, n, read, is_required in self._plan:
            cell = cells[n] if n < width else ""
            if self._merged and (merged := self._merged.get((row_no - 1, n))):
                # Also where something stands in it: nobody sees that, and what one sees is another row's.
                self._complain(row_no, field, CellProblem("merged_cell", limit=merged))
                continue
            if cell == "" or (isinstance(cell, str) and cell.isspace()):
                if is_required:
                    self._complain(row_no, field, CellProblem("required"))
                continue
            try:
                values[field] = read(sound(cell, typed=typed))
            except CellProblem as problem:
                self._complain(row_no, field, problem)
        if width > self._headings.width and any(map(is_filled, cells[self._headings.width :])):
            too_many = CellProblem("cells_too_many", limit=self._headings.width, actual=width)
            self._complain(row_no, Field.REFERENCE_NO, too_many)
        return values

    def _keep(self, row_no: int, values: Mapping[Field, Any]) -> None:
        if row_no - 1 in self._hidden_rows:
            self._complain(row_no, Field.REFERENCE_NO, CellProblem("row_hidden"))
        self.rows.append(
            GrantRow(
                row_no=row_no,
                reference_no=values.get(Field.REFERENCE_NO, ""),
                face_value_fen=values.get(self._form.amount, 0),
                uscc=values.get(Field.USCC),
                firm_name=values.get(Field.FIRM_NAME),
                valid_from=values.get(Field.VALID_FROM),
                valid_until=values.get(Field.VALID_UNTIL),
                note=values.get(Field.NOTE),
            )
        )
        if self._has_marks:
            self.marks.append({field: values[field] for field in MARKS if field in values})

    def _below_total(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Below a total stand remarks and signatures; with a required field it would be a row that no total counts."""
        for field in self._form.required:
            cell = self._cell(cells, field)
            if field is not Field.REFERENCE_NO and is_filled(cell) and not is_remark(cell):
                self._complain(row_no, field, CellProblem("row_below_total"))
                return

    def _is_no_grant(self, row_no: int, cells: Sequence[Cell]) -> bool:
        """Whether code and amount are both missing, not by a merge alone: a signature, or a row nobody filled in."""
        places = [self._headings.columns[field] for field in (Field.USCC, self._form.amount)]
        return len(cells) > max(places) and all(
            not is_filled(cells[n]) and (row_no - 1, n) not in self._merged for n in places
        )

    def _total_of(self, row_no: int, cells: Sequence[Cell]) -> int | None:
        cell = self._cell(cells, self._form.amount)
        if not is_filled(cell):
            return None
        try:
            return read_amount(sound(cell, typed=self._typed))
        except CellProblem as problem:
            self._complain(row_no, self._form.amount, problem)
            return None

    def _cell(self, cells: Sequence[Cell], field: Field) -> Cell:
        n = self._headings.columns[field]
        return cells[n] if n < len(cells) else ""

    def _complain(self, row_no: int, field: Field, problem: CellProblem) -> None:
        self.errors.append(self._layout.complaint(row_no, field, problem))
