"""The empty statement that a provider downloads and fills in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from app.services.sheets.list_template import write_list_template
from app.services.statements.words import LAYOUT, Field

TEMPLATE_VERSION = "voucher-statement/1"

_GUIDE: Mapping[str, tuple[str, str, str]] = {
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
    """The .xlsx, always the same bytes."""
    return write_list_template(LAYOUT, _GUIDE, version=TEMPLATE_VERSION, days={Field.REDEEMED_ON})
