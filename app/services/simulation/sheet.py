"""A file of bills, CSV or .xlsx: bytes in, bills or every complaint out. Pure.

A row is one line of a bill; rows with the same firm and `bill_no` are one bill, a row without `bill_no` is a bill of
its own. All or nothing: one complaint and no bill is taken.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.kernel.problems import AppError, Code, FieldError
from app.services.rules.facts import Facts, Line, Value
from app.services.rules.model import Rules
from app.services.sheets.places import column_letters
from app.services.sheets.refusals import Unreadable
from app.services.sheets.text import csv_rows, decoded
from app.services.sheets.workbook import Cell, read_sheets
from app.services.simulation.bills import MAX_BILLS, MAX_ERRORS, SimulatedBill
from app.services.simulation.cells import CellProblem
from app.services.simulation.columns import (
    AMOUNTS,
    OF_THE_BILL,
    REQUIRED,
    Column,
    find_columns,
    is_bill_heading,
)

MAX_ROWS = 500_000
"""Rows of a CSV file; a workbook has its own limit."""

_ZIP = b"PK\x03\x04"
_MUST = frozenset({*REQUIRED, "amount_yuan", "amount_fen"})


def read_bill_file(data: bytes, versions: Sequence[Rules]) -> list[SimulatedBill]:
    """The bills of a CSV (UTF-8 with or without mark, GB18030) or .xlsx file, in the order of their first rows.

    Raises AppError `file_unreadable`, or `sheet_invalid` with every complaint at once: row, column, what is wrong.
    """
    rows = _workbook_rows(data) if data.startswith(_ZIP) else csv_rows(data)
    number, heading = next(rows, (1, []))
    columns, problems = find_columns(heading, versions)
    reader = _Reader(columns)
    for place, problem in problems:
        reader.complain(number, f"{column_letters(place + 1)}", problem)
    if not problems:
        for row_no, cells in rows:
            if reader.rows > MAX_ROWS:
                reader.complain(row_no, "", CellProblem("too_many_rows", limit=MAX_ROWS))
                break
            reader.read(row_no, cells, width=len(heading))
    return reader.bills_or_refusal()


def csv_heading(data: bytes) -> list[str]:
    """The first row of a CSV file, to tell what sort of file it is. Raises AppError `file_unreadable`."""
    return next(csv.reader(io.StringIO(decoded(data[:65536].rpartition(b"\n")[0] or data))), [])


def _workbook_rows(data: bytes) -> Iterator[tuple[int, Sequence[Cell]]]:
    for cells in read_sheets(data, as_stored=True):
        if cells and is_bill_heading(cells[0]):
            yield from enumerate(cells, start=1)
            return
    wanted = ", ".join(REQUIRED)
    raise Unreadable(f"No sheet has the columns {wanted} in its first row.", f"没有任何工作表的首行包含 {wanted} 列。")


@dataclass(slots=True)
class _Draft:
    """A bill under way: its first row, what all its rows must say, its lines so far."""

    row_no: int
    same: dict[str, Any]
    lines: list[Line]


class _Reader:
    """Takes rows in, and every complaint about them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._drafts: dict[tuple[str, str | int], _Draft] = {}
        self._errors: list[FieldError] = []
        self._error_count = 0
        self._shared: dict[tuple[tuple[str, Value], ...], Mapping[str, Value]] = {}
        self.rows = 0

    def read(self, row_no: int, cells: Sequence[Cell], *, width: int) -> None:
        """Take one row; one that holds nothing is passed over."""
        if all(cell == "" for cell in cells):
            return
        self.rows += 1
        if len(cells) != width:
            self.complain(row_no, "", CellProblem("cells_missing", limit=width, actual=len(cells)))
            return
        before = self._error_count
        values: dict[str, Any] = {}
        for column in self._columns:
            cell = cells[column.place]
            if cell == "":
                if column.name in _MUST:
                    self.complain(row_no, column.heading, CellProblem("required"))
                continue
            try:
                values[column.name] = column.read(cell)
            except CellProblem as problem:
                self.complain(row_no, column.heading, problem)
        if self._error_count == before:
            self._take(row_no, values)

    def complain(self, row_no: int, column: str, problem: CellProblem) -> None:
        """Note a complaint; only the first ones are kept, all are counted."""
        self._error_count += 1
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(
                FieldError(
                    pointer=f"/rows/{row_no}" + (f"/{column}" if column else ""),
                    code=problem.code,
                    detail=problem.sentence,
                    limit=problem.limit,
                    actual=problem.actual,
                    row=row_no,
                    column=column or None,
                )
            )

    def bills_or_refusal(self) -> list[SimulatedBill]:
        """All bills. Raises `sheet_invalid` where there is a complaint."""
        if not self.rows and not self._error_count:
            self.complain(2, "", CellProblem("no_rows"))
        if len(self._drafts) > MAX_BILLS:
            self.complain(1, "", CellProblem("too_many_bills", limit=MAX_BILLS))
        if self._error_count:
            raise AppError(Code.SHEET_INVALID, count=self._error_count, errors=self._errors)
        return [self._bill(firm, draft) for (firm, _), draft in self._drafts.items()]

    def _take(self, row_no: int, values: dict[str, Any]) -> None:
        firm, bill_no = values["firm"], values.get("bill_no")
        same = {name: values[name] for name in values if name in OF_THE_BILL or _is_of_the_bill(name)}
        # A bill without a number is known by its row, which no text can be.
        draft = self._drafts.setdefault((firm, row_no if bill_no is None else bill_no), _Draft(row_no, same, []))
        if draft.row_no != row_no and draft.same != same:
            names = sorted(name for name in {**draft.same, **same} if draft.same.get(name) != same.get(name))
            for name in names:
                self.complain(row_no, name, CellProblem("bill_differs", limit=draft.row_no))
        draft.lines.append(_line(values))

    def _bill(self, firm: str, draft: _Draft) -> SimulatedBill:
        at: datetime = draft.same["at"]
        facts = Facts(
            lines=draft.lines,
            at=at,
            holder=self._facts("holder", draft.same),
            provider=self._facts("provider", draft.same),
            claim=self._facts("claim", draft.same),
        )
        return SimulatedBill(firm, facts, draft.same.get("voucher_no"))

    def _facts(self, subject: str, values: Mapping[str, Any]) -> Mapping[str, Value]:
        """The facts of one subject; equal ones are kept once, since most bills of a firm say the same."""
        found = tuple(_facts_of(subject, values))
        return self._shared.setdefault(found, dict(found)) if found else _NOTHING


_NOTHING: Mapping[str, Value] = {}


def _is_of_the_bill(name: str) -> bool:
    return "." in name and not name.startswith("line.")


def _facts_of(subject: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for name, value in values.items():
        whose, _, key = name.partition(".")
        if whose == subject and key:
            yield key, value


def _line(values: Mapping[str, Any]) -> Line:
    amounts = {
        name: fen for name in AMOUNTS if (fen := values.get(f"{name}_fen", values.get(f"{name}_yuan"))) is not None
    }
    claimed_fen, other_grants_fen = amounts.pop("claimed", 0), amounts.pop("other_grants", 0)
    return Line(
        amount_fen=values["amount_fen"] if "amount_fen" in values else values["amount_yuan"],
        amounts_fen=amounts,
        claimed_fen=claimed_fen,
        other_grants_fen=other_grants_fen,
        facts=dict(_facts_of("line", values)) or _NOTHING,
        category=values["category"],
        quantity=values.get("quantity"),
        unit=values.get("unit"),
        unit_price=values.get("unit_price"),
        tax_rate=values.get("tax_rate"),
        used_from=values.get("used_from"),
        used_until=values.get("used_until"),
        facility_class=values.get("facility_class"),
    )
