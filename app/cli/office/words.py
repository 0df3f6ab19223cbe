"""How answers are worded: both languages, or the one that was asked for; statuses, kinds, amounts, days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import typer

from app.kernel.clock import SHANGHAI
from app.kernel.money import format_yuan, parse_yuan

STATUSES: Mapping[str, str] = {
    "draft": "草稿",
    "submitted": "待审核",
    "published": "已发布",
    "paused": "已暂停",
    "closed": "已关闭",
    "pending": "待审核",
    "approved": "已通过",
    "rejected": "已驳回",
    "issued": "已发放",
    "proposed": "待审核",
    "listed": "入围",
    "suspended": "暂停",
    "delisted": "退出",
    "active": "可使用",
    "exhausted": "已用完",
    "frozen": "已冻结",
    "expired": "已过期",
    "voided": "已作废",
    "surrendered": "已退回",
    "running": "进行中",
    "succeeded": "已完成",
    "refused": "未通过",
    "failed": "失败",
    "lost": "中断",
    "withdrawn": "已撤回",
}
VOUCHER_STATUSES: Mapping[str, str] = {**STATUSES, "pending": "未生效"}
ACTS: Mapping[str, str] = {
    "publish_programme": "发布项目",
    "admit_provider": "机构入围",
    "appropriate": "下达预算",
    "issue_batch": "发放",
    "void_voucher": "作废",
    "freeze_voucher": "冻结",
    "unfreeze_voucher": "解冻",
    "grant_roles": "授予角色",
    "reset_password": "重置密码",
    "reset_second_factor": "重置二次验证",
    "publish_rule_version": "发布规则版本",
    "order_payment": "支付",
    "reverse_entry": "冲销",
    "close_year": "年度关账",
    "extend_voucher": "延期",
    "close_programme": "关闭项目",
    "suspend_provider": "暂停机构",
    "resume_provider": "恢复机构",
    "delist_provider": "机构退出",
    "move_quota": "额度分给区县",
    "allocate": "分配轮次",
    "cancel_allocation": "取消分配轮次",
    "promote_waiting": "递补",
    "end_waiting": "结束候补",
    "grant_applications": "同意申领",
    "reject_application": "不予通过申领",
    "waitlist_application": "列入候补",
    "publish_notice": "公示",
    "withdraw_notice": "撤回公示",
    "decide_objection": "答复异议",
    "debar": "列入失信名单",
    "lift_debarment": "移出失信名单",
    "resume_programme": "恢复项目",
    "set_approval_bands": "分级审批设置",
    "delegate_power": "委托授权",
    "change_payee_account": "收款账户",
}
ENTRIES: Mapping[str, str] = {
    "issue": "发放",
    "hold": "预扣",
    "release": "释放",
    "redeem": "核销",
    "refund": "退款",
    "expire": "到期收回",
    "void": "作废收回",
    "surrender": "退回",
    "recover": "追回",
    "reverse": "冲销",
    "move": "调剂",
}
KINDS: Mapping[str, str] = {
    "compute": "算力券",
    "assessment": "智评券",
    "training": "训力券",
    "model": "模型券",
    "corpus": "语料券",
    "token": "词元券",
    "data": "数据券",
    "innovation": "创新券",
    "enterprise_service": "服务券",
}
EFFECTS: Mapping[str, str] = {
    "programme": "项目",
    "title": "名称",
    "firm": "企业",
    "provider": "机构",
    "name": "姓名",
    "organisation": "单位",
    "roles": "角色",
    "status": "状态",
    "row_count": "张数",
    "count": "张数",
    "firm_count": "企业数",
    "total_fen": "总额（元）",
    "amount_fen": "金额（元）",
    "fund_source": "资金来源",
    "available_before_fen": "执行前可用（元）",
    "available_after_fen": "执行后可用（元）",
    "balance_fen": "余额（元）",
    "held_fen": "预扣（元）",
    "fiscal_year": "年度",
    "pools": "资金池",
    "warnings": "提示",
    "rules": "规则",
    "categories": "类别",
    "prices": "价目",
    "voucher": "券",
    "code": "券码",
    "act": "事项",
    "released_fen": "释放（元）",
    "document_no": "文号",
}
"""What an approval's effect names; what is not here is shown by its name in the API."""


@dataclass(frozen=True, slots=True)
class Words:
    """`language` is `zh`, `en`, or None for both."""

    language: str | None

    def sentence(self, zh: str, en: str) -> str:
        """One line."""
        return {"zh": zh, "en": en}.get(str(self.language), f"{zh} / {en}")

    def heading(self, zh: str, en: str) -> str:
        """The head of a column: both languages under each other."""
        return {"zh": zh, "en": en}.get(str(self.language), f"{zh}\n{en}" if en != zh else zh)

    def label(self, zh: str, en: str) -> str:
        """The name of a field, before its value."""
        return {"zh": zh, "en": en}.get(str(self.language), f"{zh} {en}" if en != zh else zh)

    def value(self, table: Mapping[str, str], code: str | None) -> str:
        """A status or kind; one that the service learnt later is shown as it came."""
        if code is None:
            return "-"
        return self.label(table[code], code) if code in table else code

    def effect(self, name: str) -> str:
        """What a part of an approval's effect is called."""
        english = name.removesuffix("_fen").replace("_", " ")
        return self.label(EFFECTS[name], english) if name in EFFECTS else english


def yuan(fen: int | None) -> str:
    """Fen as yuan for people: `1,234.50`."""
    return "-" if fen is None else format_yuan(fen)


def minute(instant: str | None) -> str:
    """An instant of the API as a minute in Asia/Shanghai."""
    return "-" if instant is None else f"{datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def last_day(instant: str | None) -> str:
    """An exclusive instant as the last day on which it holds, where it is a midnight of Shanghai; else a minute."""
    if instant is None:
        return "-"
    local = datetime.fromisoformat(instant).astimezone(SHANGHAI)
    is_midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
    return f"{local - timedelta(days=1):%Y-%m-%d}" if is_midnight else minute(instant)


def cell(name: str, value: Any) -> str:
    """A value of an effect or a command in one cell: amounts in yuan by the name, lists joined, documents as there."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, int):
        return yuan(value) if name.endswith("_fen") else str(value)
    if isinstance(value, list):
        return "、".join(cell(name, one) for one in value) if value else "-"
    if isinstance(value, dict):
        return (
            f"… ({len(value)})"
            if len(value) > 6
            else ", ".join(f"{key} {cell(key, one)}" for key, one in value.items())
        )
    return str(value)


def fen_of(text: str, option: str) -> int:
    """An amount in yuan as somebody gave it to an option, in fen. Raises BadParameter."""
    try:
        return parse_yuan(text)
    except ValueError as error:
        told = f"金额“{text}”无法识别：请用数字填写，以元为单位，最多两位小数，如 1234.50。 / {error}"
        raise typer.BadParameter(told, param_hint=option) from error
