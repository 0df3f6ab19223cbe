"""The empty sheet of grants that an authority downloads and fills in."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.money import MAX_FEN
from app.services.issuance.forms import Form, Shape
from app.services.sheets.writing import new_workbook

GUIDE_NAME = "说明"

_FORMATTED_ROWS = 1_000
"""Rows below the headings in which a value outside the limits is refused while it is typed."""
_MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - Excel's times have no zone; fixed, so that the file is always the same bytes
_SHAPES = {Shape.TEXT: "@", Shape.AMOUNT: "#,##0.00", Shape.DAY: "yyyy-mm-dd", Shape.NUMBER: "General"}


def write_template(form: Form) -> bytes:
    """The .xlsx, always the same bytes: a sheet with the headings only, and a sheet that explains them."""
    file = BytesIO()
    with new_workbook(file) as workbook:
        workbook.set_properties({"title": form.version, "created": _MADE_AT})
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        _write_sheet(workbook, form, heading)
        _write_guide(workbook, form, heading)
    return file.getvalue()


def _write_sheet(workbook: xlsxwriter.Workbook, form: Form, heading: xlsxwriter.format.Format) -> None:
    sheet = workbook.add_worksheet(form.name)
    formats = {shape: workbook.add_format({"num_format": shown}) for shape, shown in _SHAPES.items()}
    for place, column in enumerate(form.columns.values()):
        sheet.set_column(place, place, column.width, formats[column.shape])
        sheet.write_string(0, place, column.heading, heading)
    sheet.freeze_panes(1, 0)
    _refuse_while_typing(sheet, form)


def _refuse_while_typing(sheet: xlsxwriter.worksheet.Worksheet, form: Form) -> None:
    place, column = list(form.columns).index(form.amount), form.columns[form.amount]
    sheet.data_validation(
        1,
        place,
        _FORMATTED_ROWS,
        place,
        {
            "validate": "decimal",
            "criteria": "between",
            "minimum": 0.01,
            "maximum": MAX_FEN // 100,
            "error_title": column.heading,
            "error_message": column.guide[0],
        },
    )


def _write_guide(workbook: xlsxwriter.Workbook, form: Form, heading: xlsxwriter.format.Format) -> None:
    sheet = workbook.add_worksheet(GUIDE_NAME)
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 10)
    sheet.set_column(2, 3, 60)
    sheet.write_row(0, 0, ["模板版本 Template", form.version])
    sheet.write_row(2, 0, ["列 Column", "必填", "填写说明", "Guidance"], heading)
    for row, column in enumerate(form.columns.values(), start=3):
        sheet.write_row(row, 0, [column.heading, "是" if column.is_required else "否", *column.guide], wrapped)
