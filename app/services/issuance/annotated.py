"""The annotated copy of a sheet of grants: what was sent, with every complaint beside its row, to be corrected and sent
again. Pure.

Every cell is written as the value that was read, rows and columns where they stood. What is wrong is red, and said in
a column of its own, which is passed over when the copy comes back; a second sheet lists all of it. Text is written as
text whatever it begins with, so nothing that was typed becomes a formula.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.places import in_language, told
from app.kernel.problems import FieldError
from app.kernel.wording import Language
from app.services.issuance.forms import Shape
from app.services.issuance.sheet import Sheet
from app.services.issuance.words import FINDINGS
from app.services.sheets.cells import comparable
from app.services.sheets.places import column_number
from app.services.sheets.workbook import Cell
from app.services.sheets.writing import new_workbook

REPORT_NAME = "校验报告"
LONGEST = 32_767
"""Characters that a cell of Excel holds."""
FIRST_YEAR = 1900

_REPORT_HEADINGS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Row", "Column", "What is wrong", "Limit or expected", "Found"),
    "zh": ("行", "列", "问题", "限值或应为", "现为"),
}
_LETTERS = re.compile("([A-Z]{1,3})(?: |$)")
_WIDTH, _FINDINGS_WIDTH = 22, 80


def write_annotated(sheet: Sheet, errors: Sequence[FieldError]) -> bytes:
    """The copy as an .xlsx; `errors` are all complaints, those of the sheet itself and those found besides."""
    file = BytesIO()
    with new_workbook(file, row_by_row=True) as workbook:
        _write_sheet(workbook, sheet, errors)
        _write_report(workbook, sheet.layout.language, errors)
    return file.getvalue()


def _write_sheet(workbook: xlsxwriter.Workbook, sheet: Sheet, errors: Sequence[FieldError]) -> None:
    page = workbook.add_worksheet(sheet.form.name)
    text, heading = {"num_format": "@"}, {"bold": True, "bottom": 1, "bg_color": "#DDEBF7"}
    shapes = {name: workbook.add_format(shape) for name, shape in {"text": text, "heading": heading}.items()}
    red = {"bg_color": "#FFC7CE"}
    formats = {
        (kind, wrong): workbook.add_format({"num_format": shape} | (red if wrong else {}))
        for kind, shape in {"text": "@", "number": "General", "day": "yyyy-mm-dd", "time": "yyyy-mm-dd hh:mm"}.items()
        for wrong in (False, True)
    }
    language = sheet.layout.language
    of_rows = _by_row(errors)
    place = _findings_column(sheet)
    page.set_column(0, place - 1, _WIDTH)
    for field, n in sheet.headings.columns.items():
        if sheet.form.columns[field].shape is Shape.TEXT:
            page.set_column(n, n, _WIDTH, shapes["text"])
    page.set_column(place, place, _FINDINGS_WIDTH)
    page.freeze_panes(sheet.headings.first, 0)
    for n, cells in enumerate(sheet.cells):
        found = of_rows.get(n + 1, ())
        wrong = {_column_of(error) for error in found}
        for column, cell in enumerate(cells[:place]):
            if n == sheet.headings.row and column not in wrong:
                page.write_string(n, column, str(cell), shapes["heading"])
            elif cell != "" or column in wrong:
                _write_cell(page, n, column, cell, formats, wrong=column in wrong)
        if n == sheet.headings.row:
            page.write_string(n, place, FINDINGS, shapes["heading"])
        if found and n != sheet.headings.row:
            page.write_string(
                n, place, "；".join(_said(error, language) for error in found)[:LONGEST], formats["text", True]
            )


def _write_cell(
    page: xlsxwriter.worksheet.Worksheet,
    row: int,
    column: int,
    cell: Cell,
    formats: Mapping[tuple[str, bool], xlsxwriter.format.Format],
    *,
    wrong: bool,
) -> None:
    if cell == "":
        page.write_blank(row, column, None, formats["text", wrong])
    elif isinstance(cell, bool):
        page.write_boolean(row, column, cell, formats["number", wrong])
    elif isinstance(cell, float) and math.isfinite(cell):
        page.write_number(row, column, cell, formats["number", wrong])
    elif isinstance(cell, date) and cell.year >= FIRST_YEAR:
        kind = "time" if isinstance(cell, datetime) and cell.time() != time.min else "day"
        page.write_datetime(row, column, cell, formats[kind, wrong])
    else:
        page.write_string(row, column, str(cell)[:LONGEST], formats["text", wrong])


def _write_report(workbook: xlsxwriter.Workbook, language: Language, errors: Sequence[FieldError]) -> None:
    page = workbook.add_worksheet(REPORT_NAME)
    page.set_column(0, 0, 8)
    page.set_column(1, 1, 30)
    page.set_column(2, 2, _FINDINGS_WIDTH)
    page.set_column(3, 4, _WIDTH)
    page.write_row(0, 0, _REPORT_HEADINGS[language], workbook.add_format({"bold": True, "bottom": 1}))
    page.freeze_panes(1, 0)
    for n, error in enumerate(errors, start=1):
        if error.row is not None:
            page.write_number(n, 0, error.row)
        said = (error.column or error.pointer, _sentence(error, language), error.limit, error.actual)
        for column, value in enumerate(said, start=1):
            if value is not None:
                page.write_string(n, column, str(value)[:LONGEST])


def _by_row(errors: Sequence[FieldError]) -> dict[int, list[FieldError]]:
    found: defaultdict[int, list[FieldError]] = defaultdict(list)
    for error in errors:
        if error.row is not None:
            found[error.row].append(error)
    return dict(found)


def _findings_column(sheet: Sheet) -> int:
    """Where what is wrong is told: where an earlier copy told it, else behind the last column that holds anything."""
    row = sheet.cells[sheet.headings.row]
    if row and comparable(row[-1]) == comparable(FINDINGS):
        return len(row) - 1
    return max(len(cells) for cells in sheet.cells)


def _column_of(error: FieldError) -> int | None:
    """The column (from 0) that a complaint is about; None where it names none of the sheet."""
    letters = _LETTERS.match(error.column or "")
    return column_number(letters[1]) - 1 if letters else None


def _said(error: FieldError, language: Language) -> str:
    sentence = _sentence(error, language)
    return f"{error.column}: {sentence}" if error.column else sentence


def _sentence(error: FieldError, language: Language) -> str:
    return in_language(told(error) or error.code, language)
