"""Workbooks for the tests: a good sheet by default, a test says what is different about its own."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

HEADINGS = ["申领编号", "统一社会信用代码", "企业名称", "面值（元）", "生效日期", "截止日期", "备注"]
USCC = "91330106MA0000015K"
NAME = "杭州云栖智能科技有限公司"
SHEET = "xl/worksheets/sheet1.xml"


def row_of(**changes: Any) -> dict[str, Any]:
    """One good row by its headings; `面值` may stand for 面值（元）."""
    values = {"申领编号": "R1", "统一社会信用代码": USCC, "企业名称": NAME, "面值（元）": 1000}
    return values | {("面值（元）" if name == "面值" else name): value for name, value in changes.items()}


def workbook(
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    headings: Sequence[str] = HEADINGS,
    sheet: str = "发放清单",
    **options: Any,
) -> bytes:
    """An .xlsx with one sheet: a row per mapping of heading to value; dates become date cells."""
    lines = [[row.get(heading, "") for heading in headings] for row in rows]
    return workbook_of({sheet: [headings, *lines]}, **options)


def workbook_of(sheets: Mapping[str, Sequence[Sequence[Any]]], *, hidden: Sequence[str] = ()) -> bytes:
    """An .xlsx with these sheets, cell by cell."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for row, line in enumerate(lines):
                for column, value in enumerate(line):
                    if isinstance(value, date):
                        sheet.write_datetime(row, column, value, day)
                    elif value != "":
                        sheet.write(row, column, value)
            if name in hidden:
                sheet.hide()
    return file.getvalue()


def altered(data: bytes, changes: Mapping[str, Callable[[bytes], bytes] | None]) -> bytes:
    """The workbook with some of its parts rewritten, left out (None) or added."""
    copy = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        for name in [*names, *(name for name in changes if name not in names)]:
            change = changes.get(name, _same)
            if change is not None:
                target.writestr(name, change(source.read(name) if name in names else b""))
    return copy.getvalue()


def _same(content: bytes) -> bytes:
    return content
