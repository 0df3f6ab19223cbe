"""A list of amounts, .xlsx or CSV: bytes in; lines, and every complaint, out. Pure.

All or nothing: one complaint and no line is taken. What the file is follows from its bytes, never from its name. What
a line says is each kind of list's own matter; headings, totals, counts and repeated lines are everybody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from app.kernel.money import to_yuan
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.wording import Language
from app.services.sheets.cells import cell_error, comparable, is_filled, shown
from app.services.sheets.labels import FIRMS, is_remark, is_subtotal, is_total, other_unit, stated_count
from app.services.sheets.layouts import (
    Column,
    Headings,
    Layout,
    find_headings,
    has_headings,
    joined_headings,
    read_headings,
)
from app.services.sheets.list_words import ListProblem
from app.services.sheets.places import column_letters
from app.services.sheets.refusals import Unreadable
from app.services.sheets.scanning import MAX_ROWS
from app.services.sheets.tables import Table, read_tables
from app.services.sheets.values import read_amount
from app.services.sheets.workbook import Cell

L = TypeVar("L")
T = TypeVar("T")

MAX_ERRORS = 1_000
"""Complaints listed in one answer; `count` says how many there are."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the sender says that the file holds, where he says it."""

    count: int | None = None
    total_fen: int | None = None


@dataclass(slots=True)
class ListFile(Generic[L]):
    """What a file says, and what is wrong with it. Without errors the lines are all there."""

    layout: Layout
    language: Language
    headings: Headings
    lines: list[L] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)

    def complain(self, row_no: int, problem: ListProblem, of: str | None = None) -> None:
        """Note a complaint at its place."""
        column = self.headings.columns.get(of) if of else None
        self.errors.append(
            FieldError(
                pointer=f"/rows/{row_no}" + (f"/{of}" if of else ""),
                code=problem.code,
                detail=self.layout.sentence(problem, self.language),
                limit=problem.limit,
                actual=problem.actual,
                row=row_no,
                column=column.name if column else None,
            )
        )

    def complain_of_form(self, name: str, problem: ListProblem) -> None:
        """Note a complaint about a figure of the form."""
        said = self.layout.sentence(problem, self.language)
        self.errors.append(FieldError(f"/{name}", problem.code, said, problem.limit, problem.actual))

    def require_sound(self) -> None:
        """Raise `sheet_invalid` with every complaint, by row, where there is one."""
        if self.errors:
            ordered = sorted(self.errors, key=lambda error: error.row or 0)
            raise AppError(Code.SHEET_INVALID, count=len(ordered), errors=ordered[:MAX_ERRORS])


class Row:
    """One line's cells, taken field by field; what cannot be taken is complained of and None."""

    def __init__(self, file: ListFile[L], row_no: int, cells: Sequence[Cell], *, typed: bool) -> None:
        self.row_no, self.typed = row_no, typed
        self._file, self._cells = file, cells

    def take(self, of: str, read: Callable[[Cell], T]) -> T | None:
        """What stands in a field, or None where nothing does or it cannot be taken."""
        cell = self.cell(of)
        if not is_filled(cell):
            return None
        if isinstance(cell, str) and (error := cell_error(cell)):
            self.complain(ListProblem(error[0], actual=error[1]), of)
            return None
        try:
            return read(cell)
        except ListProblem as problem:
            self.complain(problem, of)
            return None

    def amounts(self) -> dict[str, int]:
        """The amounts that stand there, in fen."""
        layout, columns = self._file.layout, self._file.headings.columns
        read = partial(read_amount, instead_of_negative=layout.instead_of_negative)
        found = {
            name: self.take(name, partial(read, in_fen=columns[name].in_fen))
            for name in layout.amounts
            if name in columns
        }
        return {name: fen for name, fen in found.items() if fen is not None}

    def is_line(self, fields: Iterable[str]) -> bool:
        """Whether one of these fields holds what is no remark and no signature."""
        return any(is_filled(cell) and not is_remark(cell) for cell in map(self.cell, fields))

    def is_filled(self, of: str) -> bool:
        """Whether anything stands in a field."""
        return is_filled(self.cell(of))

    def complain(self, problem: ListProblem, of: str | None = None) -> None:
        """Note a complaint about the row, or about one of its fields."""
        self._file.complain(self.row_no, problem, of)

    def cell(self, of: str) -> Cell:
        """What stands in a field; empty where the list has no such column."""
        column: Column | None = self._file.headings.columns.get(of)
        return self._cells[column.place] if column is not None and column.place < len(self._cells) else ""


@dataclass(frozen=True, slots=True)
class Read(Generic[L]):
    """What was read of a row: its line, unless something that makes one is missing, and its amounts.

    `marks` are what may stand in one row only: the field, the mark, and how to tell of it.
    """

    line: L | None
    marks: Iterable[tuple[str, str, str]] = ()
    amounts: Mapping[str, int] = field(default_factory=dict)


def read_list(
    data: bytes,
    layout: Layout,
    declared: Declared,
    read_line: Callable[[Row], Read[L]],
    *,
    language: Language,
) -> ListFile[L]:
    """Read a list's file with everything that is wrong in it; the caller adds what only he knows.

    Raises AppError `file_unreadable` where it is no table that could be such a list.
    """
    table = _table(data, layout)
    rows = table.cells
    place = find_headings(rows, layout)
    if place is None:
        raise Unreadable(
            f"No row has the headings of {layout.name_en} ({', '.join(layout.headings.values())}).",
            f"没有任何一行包含{layout.name_zh}表头（{'、'.join(layout.headings.values())}）。",
        )
    heading, first = joined_headings(rows, place, layout)
    file: ListFile[L] = ListFile(layout, language, read_headings(heading, layout))
    for of, problem in file.headings.problems:
        file.errors.append(_about_heading(file, place + 1, of, problem))
    if layout.amounts and (found := other_unit(rows[:place])):
        problem = ListProblem("unit_not_yuan", actual=shown(rows[found[0]][found[1]]))
        file.errors.append(_about_heading(file, found[0] + 1, found[1], problem))
    for column in file.headings.columns.values():
        if column.place in table.hidden.columns:
            problem = ListProblem("column_hidden", actual=column.heading)
            file.errors.append(_about_heading(file, place + 1, column.place, problem))
    if not file.errors:
        reader = _Reader(file, declared, read_line, heading=heading, table=table)
        for row_no, cells in enumerate(rows[first:], start=first + 1):
            if any(map(is_filled, cells)):
                reader.read(row_no, cells)
        reader.finish(first + 1)
    return file


def _table(data: bytes, layout: Layout) -> Table:
    """The table of the file that has the headings; of a workbook without, the first one."""
    tables = list(read_tables(data))
    found = [table for table in tables if has_headings(table.cells, layout)]
    if len(found) > 1:
        raise Unreadable(
            f"Several sheets have the headings of {layout.name_en}. Upload one at a time.",
            f"多个工作表含有{layout.name_zh}表头，请逐一上传。",
        )
    return next(iter(found or tables), Table([], typed=True, merged=dict))


def _about_heading(file: ListFile[L], row_no: int, place: int, problem: ListProblem) -> FieldError:
    missing = problem.code == "heading_missing"
    column = None if missing else f"{column_letters(place + 1)} {problem.actual}"
    return FieldError(
        pointer=f"/rows/{row_no}" + ("" if missing else f"/{column_letters(place + 1)}"),
        code=problem.code,
        detail=file.layout.sentence(problem, file.language),
        limit=problem.limit,
        actual=problem.actual,
        row=row_no,
        column=str(problem.limit) if missing else column,
    )


class _Reader(Generic[L]):
    """Takes rows in, and every complaint about them."""

    def __init__(
        self,
        file: ListFile[L],
        declared: Declared,
        read_line: Callable[[Row], Read[L]],
        *,
        heading: Sequence[Cell],
        table: Table,
    ) -> None:
        self._file, self._declared, self._read_line = file, declared, read_line
        self._width, self._merged, self._typed = len(heading), table.merged(), table.typed
        self._hidden_rows = table.hidden.rows
        self._numbering = {place for place, cell in enumerate(heading) if comparable(cell) == "序号"}
        self._owner: Cell = ""
        """Whom the line before was about, where several may be about the same."""
        self._totals: list[tuple[int, dict[str, int]]] = []
        """Each total with its row: `合计` in figures, `合计（大写）` in words, `总计`."""
        self._sums: Counter[str] = Counter()
        self._seen: dict[str, int] = {}
        self._count = 0

    def read(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Take one row that holds anything; a number in 序号 alone is nothing."""
        if self._numbering.issuperset(place for place, cell in enumerate(cells) if is_filled(cell)):
            return
        row = Row(self._file, row_no, cells, typed=self._typed)
        first = next(filter(is_filled, cells))
        if is_subtotal(first):
            row.complain(ListProblem("subtotal"))
        elif is_total(first):
            self._totals.append((row_no, row.amounts()))
            self._hold_count(row, cells)
        elif self._totals:
            # Below the total stand remarks and signatures; with an amount it would be a line that no total counts.
            if row.is_line(self._file.layout.amounts or self._file.layout.headings):
                row.complain(ListProblem("row_below_total"))
        elif any(map(is_filled, cells[self._width :])):
            row.complain(ListProblem("cells_too_many", limit=self._width, actual=len(cells)))
        else:
            self._count += 1
            if row_no - 1 in self._hidden_rows:
                row.complain(ListProblem("row_hidden"))
            self._line(row)

    def _hold_count(self, row: Row, cells: Sequence[Cell]) -> None:
        """Hold the number of lines against the one that a total states. Of firms a list does not know who is one."""
        stated = stated_count(cells)
        if stated is not None and stated[1] not in FIRMS and stated[0] != self._count:
            row.complain(ListProblem("total_count_wrong", limit=stated[0], actual=self._count))

    def _line(self, row: Row) -> None:
        read = self._read_line(row)
        layout = self._file.layout
        hidden = self._tell_merged(row)
        for group in layout.required:
            if hidden.isdisjoint(group) and not any(row.is_filled(of) or of in layout.may_be_empty for of in group):
                row.complain(ListProblem("required"), next(of for of in group if of in self._file.headings.columns))
        for of, mark, told in read.marks:
            if (first := self._seen.setdefault(mark, row.row_no)) != row.row_no:
                row.complain(ListProblem("duplicate", limit=first, actual=told), of)
        self._sums.update(read.amounts)
        if read.line is not None:
            self._file.lines.append(read.line)

    def _tell_merged(self, row: Row) -> set[str]:
        """Complain of each cell that a merge hides and that this line has to say, whatever stands in it; their fields.

        Nobody sees what is hidden, and what one sees is another line's.
        """
        layout = self._file.layout
        owner = row.cell(layout.shared_by) if layout.shared_by else ""
        continues = is_filled(owner) and owner == self._owner
        self._owner = owner
        hidden = set()
        for of, column in self._file.headings.columns.items():
            merge = self._merged.get((row.row_no - 1, column.place))
            if merge and not (continues and of in layout.shared):
                row.complain(ListProblem("merged_cell", limit=merge), of)
                hidden.add(of)
        return hidden

    def finish(self, first_row: int) -> None:
        """Hold the lines against their number and totals, once all were read."""
        file, declared = self._file, self._declared
        if not self._count and declared.count != 0 and not file.errors:
            file.complain(first_row, ListProblem("no_rows"))
        if self._count > MAX_ROWS:
            file.complain(first_row, ListProblem("too_many_rows", limit=MAX_ROWS))
        if declared.count is not None and declared.count != self._count:
            problem = ListProblem("count_wrong", limit=declared.count, actual=self._count)
            file.complain_of_form("declared_count", problem)
        if any(error.code.startswith(("amount", "required", "cells", "formula")) for error in file.errors):
            return  # the sum of what could be read would only mislead
        for row_no, totals in self._totals:
            for name, total_fen in totals.items():
                if total_fen != self._sums[name]:
                    file.complain(row_no, _wrong_total(total_fen, self._sums[name]), name)
        counted_fen = self._sums[file.layout.counted]
        if declared.total_fen is not None and declared.total_fen != counted_fen:
            file.complain_of_form("declared_total_fen", _wrong_total(declared.total_fen, counted_fen))


def _wrong_total(stated_fen: int, counted_fen: int) -> ListProblem:
    return ListProblem("total_wrong", limit=to_yuan(stated_fen), actual=to_yuan(counted_fen))
