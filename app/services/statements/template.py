"""The empty statement that a provider downloads and fills in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.services.statements.words import AMOUNTS, HEADINGS, Field

SHEET_NAME = "对账单"
GUIDE_NAME = "说明"
TEMPLATE_VERSION = "voucher-statement/1"

_MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - Excel's times have no zone; fixed, so that the file is always the same bytes
_GUIDE: Mapping[Field, tuple[str, str, str]] = {
    Field.ORDER_NO: (
        "与核销编号二选一",
        "贵机构的订单号，文本格式，与核销时提交的一致。",
        "Your order number, as text.",
    ),
    Field.REDEMPTION_ID: (
        "与订单号二选一",
        "平台返回的核销编号 rdm_…",
        "The id of the redemption that the API gave you.",
    ),
    Field.REDEEMED_ON: ("否", "核销日（北京时间），须在对账期间内。", "The day in Asia/Shanghai, within the period."),
    Field.VOUCHER_CODE: ("否", "填写时核对券码。", "Compared where it is given."),
    Field.BILL_TOTAL: ("否", "账单总额，含税，填写时核对。", "The bill's total with VAT; compared where it is given."),
    Field.SUBSIDY: ("是", "核销时抵扣的补贴，不扣除其后的退款。", "The subsidy as drawn, before any refund."),
    Field.REFUNDED: (
        "否",
        "截至期末已退回的补贴，填写时核对。",
        "Subsidy given back until the end of the period; compared where it is given.",
    ),
    Field.PROVIDER_USCC: ("否", "如填写，须为贵机构的代码。", "Your own code, where it is given."),
}


@cache
def write_template() -> bytes:
    """The .xlsx, always the same bytes: a sheet with the headings only, and a sheet that explains them."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as workbook:
        workbook.set_properties({"title": TEMPLATE_VERSION, "created": _MADE_AT})
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        text = workbook.add_format({"num_format": "@"})
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        amount = workbook.add_format({"num_format": "#,##0.00"})
        sheet = workbook.add_worksheet(SHEET_NAME)
        for column, (field, words) in enumerate(HEADINGS.items()):
            shape = amount if field in AMOUNTS else day if field is Field.REDEEMED_ON else text
            sheet.set_column(column, column, 22, shape)
            sheet.write_string(0, column, words, heading)
        sheet.freeze_panes(1, 0)
        guide = workbook.add_worksheet(GUIDE_NAME)
        guide.set_column(0, 1, 22)
        guide.set_column(2, 3, 60)
        guide.write_row(0, 0, ["模板版本 Template", TEMPLATE_VERSION])
        guide.write_row(2, 0, ["列 Column", "必填", "填写说明", "Guidance"], heading)
        for row, (field, guidance) in enumerate(_GUIDE.items(), start=3):
            guide.write_row(row, 0, [HEADINGS[field], *guidance])
    return file.getvalue()
