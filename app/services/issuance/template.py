"""The empty issuance sheet that an authority downloads and fills in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.money import MAX_FEN
from app.services.issuance.sheet import SHEET_NAME, TEMPLATE_VERSION
from app.services.issuance.words import HEADINGS, NAME_LENGTH, NOTE_LENGTH, REFERENCE_LENGTH, REQUIRED, Field
from app.services.sheets.writing import new_workbook

GUIDE_NAME = "说明"

_FORMATTED_ROWS = 1_000
"""Rows below the headings in which a value outside the limits is refused while it is typed."""
_MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - Excel's times have no zone; fixed, so that the file is always the same bytes

_WIDTHS = {
    Field.REFERENCE_NO: 22,
    Field.USCC: 24,
    Field.FIRM_NAME: 36,
    Field.FACE_VALUE: 16,
    Field.VALID_FROM: 14,
    Field.VALID_UNTIL: 14,
    Field.NOTE: 40,
}
_GUIDE: Mapping[Field, tuple[str, str]] = {
    Field.REFERENCE_NO: (
        f"主管部门自编的申领编号，文本，最多 {REFERENCE_LENGTH} 个字符，同一项目内不得重复。",
        f"The authority's number of the grant: text, at most {REFERENCE_LENGTH} characters, unique in the programme.",
    ),
    Field.USCC: (
        "18 位统一社会信用代码，文本格式。企业须已登记。",
        "The firm's code of 18 characters, as text. The firm must be registered.",
    ),
    Field.FIRM_NAME: (
        f"须与登记名称一致（全角、半角和空格不计），最多 {NAME_LENGTH} 个字符。",
        f"As it is registered; widths and spaces do not count. At most {NAME_LENGTH} characters.",
    ),
    Field.FACE_VALUE: (
        "以元为单位，大于 0，最多两位小数。",
        "In yuan, above 0, at most two decimals.",
    ),
    Field.VALID_FROM: (
        "可不填：自发放时生效。填写日期，当日零时（北京时间）起生效。",
        "Optional: valid from the moment of issue. A date counts from its beginning, Shanghai time.",
    ),
    Field.VALID_UNTIL: (
        "可不填：按项目规则。填写日期，含当日。",
        "Optional: as the programme's rules say. A date counts to its end.",
    ),
    Field.NOTE: (f"可不填，最多 {NOTE_LENGTH} 个字符。", f"Optional, at most {NOTE_LENGTH} characters."),
}


@cache
def write_template() -> bytes:
    """The .xlsx, always the same bytes: a sheet with the headings only, and a sheet that explains them."""
    file = BytesIO()
    with new_workbook(file) as workbook:
        workbook.set_properties({"title": TEMPLATE_VERSION, "created": _MADE_AT})
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        _write_sheet(workbook, heading)
        _write_guide(workbook, heading)
    return file.getvalue()


def _write_sheet(workbook: xlsxwriter.Workbook, heading: xlsxwriter.format.Format) -> None:
    sheet = workbook.add_worksheet(SHEET_NAME)
    text = workbook.add_format({"num_format": "@"})
    amount = workbook.add_format({"num_format": "#,##0.00"})
    day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    formats = {Field.FACE_VALUE: amount, Field.VALID_FROM: day, Field.VALID_UNTIL: day}
    for column, (field, words) in enumerate(HEADINGS.items()):
        sheet.set_column(column, column, _WIDTHS[field], formats.get(field, text))
        sheet.write_string(0, column, words, heading)
    sheet.freeze_panes(1, 0)
    _refuse_while_typing(sheet, list(HEADINGS).index(Field.FACE_VALUE))


def _refuse_while_typing(sheet: xlsxwriter.worksheet.Worksheet, column: int) -> None:
    sheet.data_validation(
        1,
        column,
        _FORMATTED_ROWS,
        column,
        {
            "validate": "decimal",
            "criteria": "between",
            "minimum": 0.01,
            "maximum": MAX_FEN // 100,
            "error_title": HEADINGS[Field.FACE_VALUE],
            "error_message": _GUIDE[Field.FACE_VALUE][0],
        },
    )


def _write_guide(workbook: xlsxwriter.Workbook, heading: xlsxwriter.format.Format) -> None:
    sheet = workbook.add_worksheet(GUIDE_NAME)
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 10)
    sheet.set_column(2, 3, 60)
    sheet.write_row(0, 0, ["模板版本 Template", TEMPLATE_VERSION])
    sheet.write_row(2, 0, ["列 Column", "必填", "填写说明", "Guidance"], heading)
    for row, (field, (zh, en)) in enumerate(_GUIDE.items(), start=3):
        sheet.write_row(row, 0, [HEADINGS[field], "是" if field in REQUIRED else "否", zh, en], wrapped)
