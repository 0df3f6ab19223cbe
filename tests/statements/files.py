"""Statement files as providers make them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.services.statements.sheet import Frame, StatementFile, read_statement

USCC = "91330106MA27XL0W1T"
FRAME = Frame("330100", USCC, date(2026, 11, 1), date(2026, 11, 30))
HEADINGS = ("订单号", "核销日期", "账单金额（元）", "补贴金额（元）")
ROW = ("A-1", "2026-11-05", "100.00", "30.00")


def as_csv(rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(rows: Sequence[Sequence[object]], *more: Sequence[Sequence[object]]) -> bytes:
    """Text stays text, numbers are numbers, days are days."""
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(file, options) as workbook:
        for sheet_rows in (rows, *more):
            sheet = workbook.add_worksheet()
            for place, row in enumerate(sheet_rows):
                sheet.write_row(place, 0, row)
    return file.getvalue()


def read(data: bytes, frame: Frame = FRAME) -> StatementFile:
    return read_statement(data, frame, language="en")


def wrong(data: bytes, frame: Frame = FRAME) -> list[tuple[int | None, str | None, str]]:
    """What is wrong with a file: row, column, code."""
    return [(error.row, error.column, error.code) for error in read(data, frame).errors]
