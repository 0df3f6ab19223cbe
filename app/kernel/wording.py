"""Telling a problem in words: its title and its sentence, filled from the error's context, in English or Chinese. Pure.

`{x:local}` shows an instant to the second where it is no whole minute: at the end of a hold the minute is that of both
its end and the request.
"""

from __future__ import annotations

import string
from datetime import datetime
from typing import Any, Literal

from app.kernel.catalogue import CATALOGUE
from app.kernel.clock import SHANGHAI
from app.kernel.money import format_yuan
from app.kernel.problems import Code

NOT_JSON = "the body is not JSON"
"""Why a request cannot be read."""

UNPACKED = "a body without Content-Encoding"
"""What is expected where somebody sent a compressed one."""

TOO_DEEP = "its JSON is nested deeper than 64 levels, or its brackets do not match"
TOO_MANY_VALUES = "its JSON has more than 1,000,000 values"
MEMBER_TWICE = "an object of its JSON has two members of one name"
NOT_HTTP = "it is no request of HTTP/1.1"
NOT_A_CURSOR = "cursor is no next_cursor of an answer to this question; leave it out the first time"
"""Why a request is not even looked into."""

ROLE_NAMES = {
    "registrar": "登记员",
    "maker": "经办",
    "checker": "审核",
    "finance": "财政",
    "auditor": "审计",
    "provider": "服务机构",
    "firm": "企业",
    "system_admin": "系统管理员",
    "security_admin": "安全管理员",
    "audit_admin": "审计管理员",
}
"""What a role is called in Chinese."""

WORDS = {
    **ROLE_NAMES,
    NOT_JSON: "正文不是 JSON",
    TOO_DEEP: "JSON 嵌套超过 64 层，或括号不匹配",
    TOO_MANY_VALUES: "JSON 中的值超过 1,000,000 个",
    MEMBER_TWICE: "JSON 的某个对象中有重名成员",
    NOT_HTTP: "不是 HTTP/1.1 请求",
    NOT_A_CURSOR: "cursor 须为同一查询此前答复中的 next_cursor，首次查询不带该参数",
    UNPACKED: "未压缩的正文（不带 Content-Encoding）",
    "admission": "入围记录",
    "application": "申领",
    "upload": "材料",
    "approval": "审批事项",
    "batch": "批次",
    "calendar": "节假日安排",
    "case": "差异事项",
    "client": "机器账号",
    "client_key": "机器账号密钥",
    "entry": "分录",
    "invitation": "邀请",
    "mandate": "授权",
    "notice": "公示",
    "notice item": "公示事项",
    "objection": "异议",
    "sender": "异议人信息",
    "organisation": "机构",
    "payment_order": "支付单",
    "payment_code": "付款码",
    "pool": "资金池",
    "programme": "项目",
    "reconciliation": "对账记录",
    "recovery": "追回记录",
    "redemption": "核销记录",
    "refund": "退款记录",
    "region": "地区",
    "rule_version": "规则版本",
    "statement": "对账单",
    "bank_list": "银行结果清单",
    "resource": "资源",
    "user": "用户",
    "year_close": "年度关账",
    "waiting": "候补记录",
    "allocation_round": "分配轮次",
    "audit event": "审计事件",
    "checkpoint": "树头",
    "debarment": "失信记录",
    "delegation": "委托",
    "job": "任务",
    "language": "语言",
    "log": "日志",
    "outside_identity": "外部身份",
    "payee": "收款方",
    "payee account": "收款账户",
    "personal_token": "个人令牌",
    "relation": "关联关系",
    "second factor": "二次验证",
    "session": "会话",
    "tile": "日志分块",
    "accepted": "已受理",
    "correction": "待补正",
    "reviewed": "已核定",
    "waitlisted": "候补",
    "withdrawn": "已撤回",
    "county": "区县审核中",
    "city": "市级审核中",
    "active": "可用",
    "approved": "已通过",
    "bounced": "已退票",
    "closed": "已关闭",
    "confirmed": "已确认",
    "cancelled": "已撤销",
    "draft": "草稿",
    "drawn": "已抽签",
    "due": "待追回",
    "executed": "已执行",
    "exhausted": "已用完",
    "explained": "已说明",
    "expired": "已过期",
    "frozen": "已冻结",
    "in_payment": "支付中",
    "in_settlement": "结算中",
    "issued": "已发放",
    "open": "进行中",
    "ordered": "已下达",
    "paid": "已支付",
    "paused": "已暂停",
    "pending": "待处理",
    "voucher": "券",
    "caller": "调用方",
    "network address": "网络地址",
    "posted": "待结算",
    "apply": "申领",
    "issue": "发放",
    "redeem": "核销",
    "pay": "支付",
    "proposed": "待审批",
    "published": "已发布",
    "received": "已缴回",
    "recorded": "已登记",
    "redeemed": "已核销",
    "refunded": "已退回",
    "rejected": "已驳回",
    "released": "已释放",
    "resolved": "已解决",
    "unresolved": "未解决",
    "submitted": "已提交",
    "surrendered": "已退回",
    "voided": "已作废",
    "asked": "申领金额",
    "plan": "计划采购",
    "minimum_fen": "最低金额",
    "delisted": "已退出入围",
    "disabled": "已停用",
    "enabled": "已启用",
    "dismissed": "不成立",
    "ended": "已结束",
    "in force": "生效中",
    "lifted": "已移出",
    "listed": "已列入",
    "live": "有效",
    "lottery": "抽签",
    "removed": "已移除",
    "replaced": "已替换",
    "retired": "已停用",
    "revoked": "已撤销",
    "suspended": "已暂停",
    "upheld": "成立",
    "used": "已使用",
}
"""What stands in a sentence as a word of the code, in Chinese."""

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
"""Order of the sentences in a row."""


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "yuan":
            return format_yuan(value)
        if format_spec == "local":
            assert isinstance(value, datetime)
            return value.astimezone(SHANGHAI).strftime(
                "%Y-%m-%d %H:%M" if _whole_minute(value) else "%Y-%m-%d %H:%M:%S"
            )
        return str(super().format_field(value, format_spec))


def _whole_minute(at: datetime) -> bool:
    return not (at.second or at.microsecond)


_FORMATTER = _Formatter()


def title(code: Code, language: str) -> str:
    """The short name of the problem, in `en` or `zh`."""
    return CATALOGUE[code].title[LANGUAGES.index(language)]


def detail(code: Code, language: str, context: dict[str, Any]) -> str:
    """The sentence a person can act on. A placeholder without a value is a bug of the raiser (KeyError)."""
    known = {name: _in_chinese(value) for name, value in context.items() if isinstance(value, str)}
    return _FORMATTER.vformat(
        CATALOGUE[code].detail[LANGUAGES.index(language)], (), context | known if language == "zh" else context
    )


def _in_chinese(value: str) -> str:
    """A word of the code, or several of them (`reviewed / waitlisted`), also behind an id (`apl_…: withdrawn`)."""
    of, colon, words = value.rpartition(": ")
    parts = words.split(" / ")
    return of + colon + "、".join(WORDS[part] for part in parts) if all(part in WORDS for part in parts) else value
