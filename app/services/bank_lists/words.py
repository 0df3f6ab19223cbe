"""The columns of a list of the bank's results, and what can be wrong with one. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.kernel.vocabulary import BankLineStatus
from app.services.sheets import list_words
from app.services.sheets.layouts import Layout


class Field(StrEnum):
    """The fields of a line, by the names that stand in pointers."""

    ORDER_ID = "order_id"
    PAYEE_NAME = "payee_name"
    ACCOUNT = "account"
    AMOUNT = "amount"
    STATUS = "status"
    BANK_REFERENCE = "bank_reference"
    SETTLED_ON = "settled_on"


HEADINGS: Mapping[str, str] = {
    Field.ORDER_ID: "支付单号",
    Field.PAYEE_NAME: "收款人名称",
    Field.ACCOUNT: "收款账号",
    Field.AMOUNT: "金额（元）",
    Field.STATUS: "结果",
    Field.BANK_REFERENCE: "银行流水号",
    Field.SETTLED_ON: "日期",
}
"""As the template writes them, in its order."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    Field.ORDER_ID: (
        "支付单号", "支付单编号", "支付令编号", "支付令号", "order_id", "payment_order", "payment order", "order id",
    ),
    Field.PAYEE_NAME: (
        "收款人名称", "收款人", "收款人全称", "收款单位", "户名", "对方户名", "payee_name", "payee name", "payee",
    ),
    Field.ACCOUNT: ("收款账号", "收款人账号", "账号", "对方账号", "account", "payee account", "payee_account"),
    Field.AMOUNT: ("金额", "支付金额", "付款金额", "交易金额", "发生额", "amount"),
    Field.STATUS: ("结果", "支付结果", "处理结果", "状态", "支付状态", "付款状态", "交易状态", "status", "result"),
    Field.BANK_REFERENCE: (
        "银行流水号", "交易流水号", "流水号", "银行回单号", "回单号", "回单编号",
        "bank_reference", "bank reference", "reference",
    ),
    Field.SETTLED_ON: (
        "日期", "支付日期", "付款日期", "交易日期", "交易时间", "记账日期", "date", "settled_on", "value date",
    ),
}  # fmt: skip

STATUSES: Mapping[BankLineStatus, tuple[str, ...]] = {
    BankLineStatus.PAID: (
        "已支付", "支付成功", "成功", "交易成功", "已付款", "付款成功", "已到账", "已入账",
        "paid", "success", "successful", "succeeded", "confirmed",
    ),
    BankLineStatus.RETURNED: (
        "退票", "已退票", "退回", "已退回", "退汇", "已退汇", "支付失败", "交易失败", "失败",
        "returned", "bounced", "failed", "rejected",
    ),
    BankLineStatus.RECEIVED: ("收款", "已收款", "追回", "缴回", "收回", "received", "recovered"),
}  # fmt: skip
"""What a line says of the money: arrived, came back, or was paid back by a payee."""

_STATUSES_SHOWN = "、".join(words[0] for words in STATUSES.values())

SENTENCES: Mapping[str, tuple[str, str]] = {
    **list_words.SENTENCES,
    "amount_negative": (
        "{actual} is below 0. A return is a line of its own, with 退票 as its result and its amount above 0.",
        "{actual} 为负数。退票单独列行，结果填“退票”，金额填正数。",
    ),
    "amount_zero": ("The amount is 0. A line tells of money that moved.", "金额为 0。明细须为实际发生的款项。"),
    "order_id_unfit": (
        "{actual} is no payment order of {limit}, such as pyo_{limit}_…. Leave it empty for a payment without one.",
        "“{actual}”不是 {limit} 的支付单号（形如 pyo_{limit}_…）。没有支付单号的款项请留空。",
    ),
    "account_unfit": (
        "{actual} is no account: digits, of which all but the last four may be *.",
        "“{actual}”不是账号：应为数字，末四位以外可用 * 代替。",
    ),
    "status_unknown": (
        f"{{actual}} is no final result. Write {_STATUSES_SHOWN} (paid, returned, received). Leave out the rest.",
        f"“{{actual}}”不是最终结果。请填写{_STATUSES_SHOWN}，银行尚未办结的款项请勿列入。",
    ),
    "reference_unfit": (
        "A bank's reference has 1 to {limit} letters, digits and signs without spaces; this is {actual}.",
        "银行流水号应为 1 至 {limit} 个字母、数字或符号，不含空格，现为“{actual}”。",
    ),
    "name_too_long": ("A name has at most {limit} characters.", "名称最多 {limit} 个字符。"),
}
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves."""

LAYOUT = Layout(
    name_en="a bank list",
    name_zh="银行支付结果",
    headings=HEADINGS,
    aliases=ALIASES,
    amounts=(Field.AMOUNT,),
    counted=Field.AMOUNT,
    required=((Field.ORDER_ID,), (Field.AMOUNT,), (Field.STATUS,), (Field.BANK_REFERENCE,), (Field.SETTLED_ON,)),
    may_be_empty=(Field.ORDER_ID,),
    sentences=SENTENCES,
)


class CellProblem(list_words.ListProblem):
    """Why a cell of a bank list cannot be taken as it is."""

    sentences = SENTENCES
