"""The empty list of the bank's results that finance downloads and fills in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from app.services.bank_lists.words import LAYOUT, Field
from app.services.sheets.list_template import write_list_template

TEMPLATE_VERSION = "voucher-bank-list/1"

_GUIDE: Mapping[str, tuple[str, str, str]] = {
    Field.ORDER_ID: (
        "列须保留",
        "支付单号 pyo_…，文本格式；没有支付单号的款项留空。",
        "The number of the payment order; empty for a payment without one.",
    ),
    Field.PAYEE_NAME: ("否", "填写时与支付单的收款人核对。", "Compared with the order's payee where it is given."),
    Field.ACCOUNT: ("否", "可用 * 遮盖，只保存末四位。", "May be masked; only its last four digits are kept."),
    Field.AMOUNT: (
        "是",
        "款项金额，大于 0；合计行为各行之和，退票行同样计入。",
        "Above 0; a total is the sum of all lines, returns included.",
    ),
    Field.STATUS: (
        "是",
        "已支付、退票或收款（收款方缴回的追回款）。",
        "已支付 paid, 退票 returned, or 收款 received (what a payee has paid back).",
    ),
    Field.BANK_REFERENCE: ("是", "银行回单的流水号，文本格式。", "The reference on the bank's slip, as text."),
    Field.SETTLED_ON: (
        "是",
        "银行办结日（北京时间），须在期间内。",
        "The day on which the bank settled it, within the period.",
    ),
}


@cache
def write_bank_list_template() -> bytes:
    """The .xlsx, always the same bytes."""
    return write_list_template(LAYOUT, _GUIDE, version=TEMPLATE_VERSION, days={Field.SETTLED_ON})
