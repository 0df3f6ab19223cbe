"""The columns of a provider's statement, and what can be wrong with one. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.services.sheets import list_words
from app.services.sheets.layouts import Layout


class Field(StrEnum):
    """The fields of a line, by the names that stand in pointers."""

    ORDER_NO = "order_no"
    REDEMPTION_ID = "redemption_id"
    REDEEMED_ON = "redeemed_on"
    BILL_TOTAL = "bill_total"
    SUBSIDY = "subsidy"
    REFUNDED = "refunded"
    VOUCHER_CODE = "voucher_code"
    PROVIDER_USCC = "provider_uscc"


HEADINGS: Mapping[str, str] = {
    Field.ORDER_NO: "订单号",
    Field.REDEMPTION_ID: "核销编号",
    Field.REDEEMED_ON: "核销日期",
    Field.VOUCHER_CODE: "券码",
    Field.BILL_TOTAL: "账单金额（元）",
    Field.SUBSIDY: "补贴金额（元）",
    Field.REFUNDED: "已退补贴（元）",
    Field.PROVIDER_USCC: "统一社会信用代码",
}
"""As the template writes them, in its order."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    Field.ORDER_NO: ("订单号", "订单编号", "核销单号", "order_no", "order no", "order number"),
    Field.REDEMPTION_ID: ("核销编号", "核销流水号", "redemption_id", "redemption id"),
    Field.REDEEMED_ON: (
        "日期",
        "核销日",
        "核销日期",
        "核销时间",
        "date",
        "redeemed_on",
        "redeemed_at",
        "redemption date",
    ),
    Field.VOUCHER_CODE: ("券码", "算力券编码", "voucher_code", "voucher code"),
    Field.BILL_TOTAL: ("账单金额", "账单总额", "bill_total", "bill total"),
    Field.SUBSIDY: ("补贴金额", "核销金额", "抵扣金额", "subsidy", "subsidy amount"),
    Field.REFUNDED: ("已退补贴", "退款补贴", "退回补贴", "refunded", "refunded_subsidy"),
    Field.PROVIDER_USCC: ("统一社会信用代码", "provider_uscc", "uscc"),
}
"""Every heading that is read; an amount's may name its unit besides: `补贴金额（元）`, `subsidy_fen`."""

SENTENCES: Mapping[str, tuple[str, str]] = {
    **list_words.SENTENCES,
    "order_no_unfit": (
        "An order number has 1 to {limit} letters, digits and signs without spaces; this is {actual}.",
        "订单号应为 1 至 {limit} 个字母、数字或符号，不含空格，现为“{actual}”。",
    ),
    "redemption_id_unfit": (
        "{actual} is no id of a redemption in {limit}, such as rdm_{limit}_….",
        "“{actual}”不是 {limit} 的核销编号（形如 rdm_{limit}_…）。",
    ),
    "voucher_code_unfit": (
        "{actual} is no voucher code of {limit}: a character is missing, mistyped or of another region.",
        "“{actual}”不是 {limit} 的券码：可能缺字、录入有误或属于其他地区。",
    ),
    "amount_negative": (
        "{actual} is below 0. A refund is no line of its own: its subsidy stands in the column {limit}.",
        "{actual} 为负数。退款不单独列行，其补贴填入“{limit}”列。",
    ),
    "row_of_another_provider": (
        "This line belongs to another provider ({actual}); the statement is that of {limit}.",
        "该行属于其他机构（{actual}），本对账单为 {limit} 的对账单。",
    ),
}
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves."""

LAYOUT = Layout(
    name_en="a statement",
    name_zh="对账单",
    headings=HEADINGS,
    aliases=ALIASES,
    amounts=(Field.BILL_TOTAL, Field.SUBSIDY, Field.REFUNDED),
    counted=Field.SUBSIDY,
    required=((Field.ORDER_NO, Field.REDEMPTION_ID), (Field.SUBSIDY,)),
    sentences=SENTENCES,
    instead_of_negative=HEADINGS[Field.REFUNDED],
)


class CellProblem(list_words.ListProblem):
    """Why a cell of a statement cannot be taken as it is."""

    sentences = SENTENCES
