"""An uploaded table, whether .xlsx or CSV: what it is follows from its bytes, never from its name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from app.services.sheets.cells import is_filled
from app.services.sheets.hidden import NOTHING_HIDDEN, Hidden
from app.services.sheets.refusals import Unreadable
from app.services.sheets.scanning import LAST_ROW, MAX_COLUMNS
from app.services.sheets.text import csv_rows
from app.services.sheets.workbook import MAX_FILE_BYTES, Cell, read_worksheets

_ARCHIVE, _OLD_OFFICE = b"PK", b"\xd0\xcf\x11\xe0"

Merged = Mapping[tuple[int, int], str]
"""Cells (row and column from 0) that a merge hides, each with its range: `B3:B5`."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file, row by row from the top."""

    cells: Sequence[Sequence[Cell]]
    typed: bool
    """Whether a text cell is as it was typed; in a CSV file nobody knows what a spreadsheet has made of it."""
    merged: Callable[[], Merged]
    hidden: Hidden = NOTHING_HIDDEN


def read_tables(data: bytes) -> Iterator[Table]:
    """The visible sheets of a workbook, or the one table of a CSV file (UTF-8 with or without mark, UTF-16, GB18030).

    Raises AppError `file_unreadable`.
    """
    if data.startswith((_ARCHIVE, _OLD_OFFICE)):
        for sheet in read_worksheets(data):
            yield Table(sheet.cells, typed=True, merged=partial(getattr, sheet, "merged"), hidden=sheet.hidden)
        return
    if data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise Unreadable(
            "The file is a web page or XML under the name of a spreadsheet.",
            "文件实为网页或 XML，仅扩展名为表格。",
            saved_anew=True,
        )
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(
            f"The file has {len(data)} bytes; at most {MAX_FILE_BYTES} are read.",
            f"文件大小 {len(data)} 字节，超过上限 {MAX_FILE_BYTES} 字节。",
        )
    yield Table(csv_table(data), typed=False, merged=dict)


def csv_table(data: bytes) -> list[Sequence[Cell]]:
    """The rows of a CSV file within the limits of a sheet; empty ones, and empty cells, beyond them are left out.

    (Line ends alone, 20 MiB of them, would take a gigabyte.) Raises AppError `file_unreadable`.
    """
    rows: list[Sequence[Cell]] = []
    for number, cells in csv_rows(data):
        if number <= LAST_ROW and len(cells) <= MAX_COLUMNS:
            rows.append(cells)
            continue
        beyond = cells if number > LAST_ROW else cells[MAX_COLUMNS:]
        if any(beyond) and any(map(is_filled, beyond)):
            raise Unreadable(
                f"Row {number} holds something beyond row {LAST_ROW} or column {MAX_COLUMNS}. Clear it, or split it.",
                f"第 {number} 行超出读取范围（{LAST_ROW} 行、{MAX_COLUMNS} 列）。请清除或拆分文件。",
            )
        if number <= LAST_ROW:
            rows.append(cells[:MAX_COLUMNS])
    return rows
