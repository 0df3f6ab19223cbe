"""The columns of a provider's statement, and what can be wrong with one. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.services.sheets import problems


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


HEADINGS: Mapping[Field, str] = {
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

ALIASES: Mapping[Field, tuple[str, ...]] = {
    Field.ORDER_NO: ("订单号", "订单编号", "核销单号", "order_no", "order no", "order number"),
    Field.REDEMPTION_ID: ("核销编号", "核销流水号", "redemption_id", "redemption id"),
    Field.REDEEMED_ON: ("日期", "核销日期", "核销时间", "date", "redeemed_on", "redeemed_at", "redemption date"),
    Field.VOUCHER_CODE: ("券码", "算力券编码", "voucher_code", "voucher code"),
    Field.BILL_TOTAL: ("账单金额", "账单总额", "bill_total", "bill total"),
    Field.SUBSIDY: ("补贴金额", "核销金额", "抵扣金额", "subsidy", "subsidy amount"),
    Field.REFUNDED: ("已退补贴", "退款补贴", "退回补贴", "refunded", "refunded_subsidy"),
    Field.PROVIDER_USCC: ("统一社会信用代码", "provider_uscc", "uscc"),
}
"""Every heading that is read; an amount's may name its unit besides: `补贴金额（元）`, `subsidy_fen`."""

AMOUNTS = (Field.BILL_TOTAL, Field.SUBSIDY, Field.REFUNDED)
IDENTIFYING = (Field.ORDER_NO, Field.REDEMPTION_ID)
YUAN, FEN = frozenset({"元", "yuan", "rmb", "cny", "人民币", "人民币元"}), frozenset({"分", "fen"})
TOTALS = frozenset({"合计", "总计", "共计", "total", "totals", "sum"})
"""What the first filled cell of the total's row says."""

SENTENCES: Mapping[str, tuple[str, str]] = {
    "heading_missing": ("The file has no column {limit}.", "文件缺少“{limit}”列。"),
    "heading_duplicate": (
        "{actual} means the same as the column {limit}. Leave one of them.",
        "“{actual}”与“{limit}”列含义相同，请只保留一列。",
    ),
    "heading_unit": (
        "The unit of {actual} is neither yuan nor fen. Give the amounts in yuan.",
        "“{actual}”的单位既非元也非分，请以元为单位填写。",
    ),
    "no_rows": (
        "There is no line below the headings. If there was truly none, declare a count of 0.",
        "表头下没有任何明细。如确无明细，请将申报笔数填为 0。",
    ),
    "too_many_rows": ("At most {limit} lines are read; split the period.", "最多读取 {limit} 笔明细，请拆分期间。"),
    "cells_too_many": (
        "The row has {actual} cells under {limit} headings. An amount with a comma needs quotes in a CSV file.",
        "该行有 {actual} 格，而表头只有 {limit} 列。CSV 中带千分位逗号的金额须加引号。",
    ),
    "required": ("This cell must not be empty.", "此单元格不能为空。"),
    "formula_error": (
        "The cell's formula gives {actual}. Correct it or write the value itself.",
        "单元格公式结果为 {actual}。请更正公式或直接填写数值。",
    ),
    "number_mangled": (
        "{actual} was taken for a number, of which Excel keeps 15 digits. Format the column as text, enter it again.",
        "{actual} 曾被当作数字，Excel 仅保留 15 位有效数字。请将该列设为文本格式后重新填写。",
    ),
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
    "duplicate": ("{actual} stands in row {limit} already.", "{actual} 已出现在第 {limit} 行。"),
    "amount_unreadable": (
        "{actual} is not an amount. Write digits and at most two decimals, such as 1234.50.",
        "“{actual}”不是金额。请用数字填写，最多两位小数，如 1234.50。",
    ),
    "amount_decimals": (
        "{actual} is more exact than the fen. Round it; where it is a formula, with ROUND(…,2).",
        "{actual} 精确到分以下。请精确到分；如为公式，请使用 ROUND(…,2)。",
    ),
    "amount_negative": (
        "{actual} is below 0. A refund is no line of its own: its subsidy stands in the column {limit}.",
        "{actual} 为负数。退款不单独列行，其补贴填入“{limit}”列。",
    ),
    "date_unreadable": (
        "{actual} is not a date. Use a date cell, or text such as 2026-11-30, 2026/11/30 or 2026年11月30日.",
        "“{actual}”不是日期。请使用日期格式，或填写 2026-11-30、2026/11/30、2026年11月30日。",
    ),
    "date_outside_period": ("{actual} lies outside the period {limit}.", "{actual} 不在对账期间 {limit} 内。"),
    "row_of_another_provider": (
        "This line belongs to another provider ({actual}); the statement is that of {limit}.",
        "该行属于其他机构（{actual}），本对账单为 {limit} 的对账单。",
    ),
    "row_below_total": ("The line stands below the total. Move it up.", "该行位于合计行之后，请移至合计行之前。"),
    "subtotal": ("A subtotal is no line. Remove it.", "小计不是明细，请删除该行。"),
    "total_wrong": ("The total says {limit}; the lines add up to {actual}.", "合计为 {limit}，明细之和为 {actual}。"),
    "count_wrong": ("{limit} lines are declared; there are {actual}.", "申报 {limit} 笔，实际 {actual} 笔。"),
}  # fmt: skip
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves."""


class CellProblem(problems.CellProblem):
    """Why a cell of a statement cannot be taken as it is."""

    sentences = SENTENCES
