"""A provider's statement (对账单), .xlsx or CSV: bytes in; lines, and every complaint, out. Pure.

All or nothing: one complaint and no line is taken. What the file is follows from its bytes, never from its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar

from app.kernel.money import to_yuan
from app.kernel.problems import AppError, Code, FieldError
from app.services.sheets.cells import ERROR_VALUES, comparable, is_filled
from app.services.sheets.places import column_letters
from app.services.sheets.problems import Language
from app.services.sheets.refusals import Unreadable
from app.services.sheets.scanning import MAX_ROWS
from app.services.sheets.tables import csv_table
from app.services.sheets.workbook import Cell, read_sheets
from app.services.statements.cells import (
    read_amount,
    read_day,
    read_order_no,
    read_redemption_id,
    read_uscc,
    read_voucher_code,
)
from app.services.statements.columns import Column, Headings, find_headings, is_statement, read_headings
from app.services.statements.words import AMOUNTS, HEADINGS, IDENTIFYING, TOTALS, CellProblem, Field

T = TypeVar("T")

MAX_ERRORS = 1_000
"""Complaints listed in one answer; `count` says how many there are."""

_ARCHIVE, _OLD_OFFICE = b"PK", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Frame:
    """Whose statement it is and of which days (both included, Asia/Shanghai), and what is declared about it."""

    region_code: str
    provider_uscc: str
    period_from: date
    period_until: date
    declared_count: int | None = None
    declared_total_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One redemption as the provider has it; amounts in fen, `subsidy_fen` as it was drawn, before any refund."""

    row_no: int
    subsidy_fen: int
    order_no: str | None = None
    redemption_id: str | None = None
    redeemed_on: date | None = None
    bill_total_fen: int | None = None
    refunded_fen: int | None = None
    voucher_code: str | None = None


@dataclass(slots=True)
class StatementFile:
    """What a file says, and what is wrong with it. Without errors the lines are all there."""

    language: Language
    headings: Headings
    lines: list[Line] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)

    def complain(self, row_no: int, problem: CellProblem, of: Field | None = None) -> None:
        """Note a complaint at its place."""
        column = self.headings.columns.get(of) if of else None
        self.errors.append(
            FieldError(
                pointer=f"/rows/{row_no}" + (f"/{of}" if of else ""),
                code=problem.code,
                detail=problem.sentence(self.language),
                limit=problem.limit,
                actual=problem.actual,
                row=row_no,
                column=column.name if column else None,
            )
        )

    def complain_of_form(self, name: str, problem: CellProblem) -> None:
        """Note a complaint about a figure of the form."""
        said = problem.sentence(self.language)
        self.errors.append(FieldError(f"/{name}", problem.code, said, problem.limit, problem.actual))

    def require_sound(self) -> None:
        """Raise `sheet_invalid` with every complaint, by row, where there is one."""
        if self.errors:
            ordered = sorted(self.errors, key=lambda error: error.row or 0)
            raise AppError(Code.SHEET_INVALID, count=len(ordered), errors=ordered[:MAX_ERRORS])


def read_statement(data: bytes, frame: Frame, *, language: Language) -> StatementFile:
    """Read a statement's file with everything that is wrong in it; the caller adds what only he knows.

    Raises AppError `file_unreadable` where it is no table that could be a statement.
    """
    rows, typed = _rows(data)
    place = find_headings(rows)
    if place is None:
        raise Unreadable(
            f"No row has the headings of a statement ({', '.join(HEADINGS.values())}).",
            f"没有任何一行包含对账单表头（{'、'.join(HEADINGS.values())}）。",
        )
    headings = read_headings(rows[place])
    statement = StatementFile(language, headings)
    for of, problem in headings.problems:
        statement.errors.append(_about_heading(place + 1, of, problem, language))
    if not headings.problems:
        reader = _Reader(statement, frame, width=len(rows[place]), typed=typed)
        for row_no, cells in enumerate(rows[place + 1 :], start=place + 2):
            if any(map(is_filled, cells)):
                reader.read(row_no, cells)
        reader.finish(place + 2)
    return statement


def _rows(data: bytes) -> tuple[Sequence[Sequence[Cell]], bool]:
    """All rows of the file, and whether its text cells are as they were typed."""
    if not data.startswith((_ARCHIVE, _OLD_OFFICE)):
        return csv_table(data), False
    sheets = list(read_sheets(data))
    found = [sheet for sheet in sheets if is_statement(sheet)]
    if len(found) > 1:
        raise Unreadable(
            "Several sheets have the headings of a statement. Upload one at a time.",
            "多个工作表含有对账单表头，请逐一上传。",
        )
    return (found or sheets or [[]])[0], True


def _about_heading(row_no: int, place: int, problem: CellProblem, language: Language) -> FieldError:
    missing = problem.code == "heading_missing"
    column = None if missing else f"{column_letters(place + 1)} {problem.actual}"
    return FieldError(
        pointer=f"/rows/{row_no}" + ("" if missing else f"/{column_letters(place + 1)}"),
        code=problem.code,
        detail=problem.sentence(language),
        limit=problem.limit,
        actual=problem.actual,
        row=row_no,
        column=str(problem.limit) if missing else column,
    )


class _Reader:
    """Takes rows in, and every complaint about them."""

    def __init__(self, statement: StatementFile, frame: Frame, *, width: int, typed: bool) -> None:
        self._statement, self._frame, self._width, self._typed = statement, frame, width, typed
        self._columns = statement.headings.columns
        self._total_row: int | None = None
        self._totals: dict[Field, int] = {}
        self._seen: dict[str, int] = {}
        self._count = 0

    def read(self, row_no: int, cells: Sequence[Cell]) -> None:
        """Take one row that holds anything."""
        first = comparable(next(filter(is_filled, cells))).rstrip(":")
        if first == "小计":
            self._complain(row_no, CellProblem("subtotal"))
        elif first in TOTALS:
            self._total_row, self._totals = row_no, self._amounts(row_no, cells)
        elif self._total_row is not None:
            # Below the total stand remarks and signatures; with an amount it would be a line that no total counts.
            if any(is_filled(self._cell(cells, name)) for name in AMOUNTS):
                self._complain(row_no, CellProblem("row_below_total"))
        elif any(map(is_filled, cells[self._width :])):
            self._complain(row_no, CellProblem("cells_too_many", limit=self._width, actual=len(cells)))
        else:
            self._count += 1
            self._line(row_no, cells)

    def _line(self, row_no: int, cells: Sequence[Cell]) -> None:
        frame = self._frame
        take = partial(self._take, row_no, cells)
        region = frame.region_code
        order_no = take(Field.ORDER_NO, lambda cell: read_order_no(cell, typed=self._typed))
        redemption_id = take(Field.REDEMPTION_ID, lambda cell: read_redemption_id(cell, region_code=region))
        redeemed_on = take(
            Field.REDEEMED_ON, lambda cell: read_day(cell, first=frame.period_from, last=frame.period_until)
        )
        voucher_code = take(Field.VOUCHER_CODE, lambda cell: read_voucher_code(cell, region_code=region))
        take(Field.PROVIDER_USCC, lambda cell: read_uscc(cell, expected=frame.provider_uscc))
        amounts = self._amounts(row_no, cells)
        if not any(is_filled(self._cell(cells, name)) for name in IDENTIFYING):
            self._complain(row_no, CellProblem("required"), next(name for name in IDENTIFYING if name in self._columns))
        if not is_filled(self._cell(cells, Field.SUBSIDY)):
            self._complain(row_no, CellProblem("required"), Field.SUBSIDY)
        for name, value in ((Field.ORDER_NO, order_no), (Field.REDEMPTION_ID, redemption_id)):
            if value is not None and (first := self._seen.setdefault(value, row_no)) != row_no:
                self._complain(row_no, CellProblem("duplicate", limit=first, actual=value), name)
        if Field.SUBSIDY in amounts:
            self._statement.lines.append(
                Line(
                    row_no=row_no,
                    subsidy_fen=amounts[Field.SUBSIDY],
                    order_no=order_no,
                    redemption_id=redemption_id,
                    redeemed_on=redeemed_on,
                    bill_total_fen=amounts.get(Field.BILL_TOTAL),
                    refunded_fen=amounts.get(Field.REFUNDED),
                    voucher_code=voucher_code,
                )
            )

    def finish(self, first_row: int) -> None:
        """Hold the lines against their number and totals, once all were read."""
        statement, declared = self._statement, self._frame.declared_count
        if not self._count and declared != 0 and not statement.errors:
            self._complain(first_row, CellProblem("no_rows"))
        if self._count > MAX_ROWS:
            self._complain(first_row, CellProblem("too_many_rows", limit=MAX_ROWS))
        if declared is not None and declared != self._count:
            statement.complain_of_form("declared_count", CellProblem("count_wrong", limit=declared, actual=self._count))
        if any(error.code.startswith(("amount", "required", "cells", "formula")) for error in statement.errors):
            return  # the sum of what could be read would only mislead
        sums = {
            Field.SUBSIDY: sum(line.subsidy_fen for line in statement.lines),
            Field.BILL_TOTAL: sum(line.bill_total_fen or 0 for line in statement.lines),
            Field.REFUNDED: sum(line.refunded_fen or 0 for line in statement.lines),
        }
        for name, total_fen in self._totals.items():
            if total_fen != sums[name]:
                self._complain(self._total_row or first_row, _wrong_total(total_fen, sums[name]), name)
        declared_fen = self._frame.declared_total_fen
        if declared_fen is not None and declared_fen != sums[Field.SUBSIDY]:
            statement.complain_of_form("declared_total_fen", _wrong_total(declared_fen, sums[Field.SUBSIDY]))

    def _amounts(self, row_no: int, cells: Sequence[Cell]) -> dict[Field, int]:
        found = {
            name: self._take(row_no, cells, name, partial(read_amount, in_fen=self._columns[name].in_fen))
            for name in AMOUNTS
            if name in self._columns
        }
        return {name: fen for name, fen in found.items() if fen is not None}

    def _take(self, row_no: int, cells: Sequence[Cell], name: Field, read: Callable[[Cell], T]) -> T | None:
        cell = self._cell(cells, name)
        if not is_filled(cell):
            return None
        if isinstance(cell, str) and cell in ERROR_VALUES:
            self._complain(row_no, CellProblem("formula_error", actual=cell), name)
            return None
        try:
            return read(cell)
        except CellProblem as problem:
            self._complain(row_no, problem, name)
            return None

    def _cell(self, cells: Sequence[Cell], name: Field) -> Cell:
        column: Column | None = self._columns.get(name)
        return cells[column.place] if column is not None and column.place < len(cells) else ""

    def _complain(self, row_no: int, problem: CellProblem, of: Field | None = None) -> None:
        self._statement.complain(row_no, problem, of)


def _wrong_total(stated_fen: int, counted_fen: int) -> CellProblem:
    return CellProblem("total_wrong", limit=to_yuan(stated_fen), actual=to_yuan(counted_fen))
