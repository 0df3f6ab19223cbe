"""Budgets, payments and corrections, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _appropriate(act: Act) -> InWords:
    effect, takes = act.effect, (act.amount_fen or 0) < 0
    before, after = format_yuan(effect["available_before_fen"]), format_yuan(effect["available_after_fen"])
    zh, en = ("收回", "Take back") if takes else ("下达", "Grant")
    return InWords(
        f"向项目“{effect['programme']}”（{effect['fund_source']}）{zh}预算 {act.yuan()} 元，"
        f"文号 {act.command['document_no']}；"
        f"可用额度由 {before} 元变为 {after} 元。",
        f"{en} {act.yuan()} yuan {'from' if takes else 'to'} “{effect['programme']}” ({effect['fund_source']}),"
        f" document {act.command['document_no']}; available goes from {before} to {after} yuan.",
    )


def _move_quota(act: Act) -> InWords:
    effect = act.effect
    before, after = (format_yuan(effect[f"county_available_{when}_fen"]) for when in ("before", "after"))
    takes = (act.amount_fen or 0) < 0
    return InWords(
        f"项目“{effect['programme']}”（{effect['fund_source']}）向{effect['county']}{'收回' if takes else '分配'}额度"
        f" {act.yuan()} 元；其可用额度由 {before} 元变为 {after} 元。",
        f"{'Take back from' if takes else 'Share out to'} {effect['county']} {act.yuan()} yuan of"
        f" “{effect['programme']}” ({effect['fund_source']}); available there goes from {before} to {after} yuan.",
    )


def _close_year(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"关闭项目“{effect['programme']}”{effect['fiscal_year']} 年度的 {len(effect['pools'])} 个资金池，"
        f"收回结余 {act.yuan()} 元。",
        f"Close {effect['fiscal_year']} of “{effect['programme']}”: {len(effect['pools'])} pool(s),"
        f" {act.yuan()} yuan lapse.",
    )


def _order_payment(act: Act) -> InWords:
    effect, account = act.effect, act.effect.get("account")
    zh = f"账户 {account['account_no']}（{account['bank_name']}）" if account else "未登记收款账户"
    en = f"account {account['account_no']} at {account['bank_name']}" if account else "no account is on file"
    return InWords(
        f"向“{effect['payee']}”支付 {effect['count']} 笔核销，合计 {act.yuan()} 元；{zh}。",
        f"Pay “{effect['payee']}” {act.yuan()} yuan for {effect['count']} redemption(s); {en}.",
    )


def _payee_account(act: Act) -> InWords:
    new, before = act.effect["account"], act.effect["before"]
    old_zh = f"，原账户 {before['account_no']}（{before['bank_name']}）" if before else "（首次登记）"
    old_en = f", until now {before['account_no']} at {before['bank_name']}" if before else " (the first one)"
    return InWords(
        f"“{act.effect['payee']}”的收款账户改为 {new['account_no']}"
        f"（{new['bank_name']}，联行号 {new['cnaps']}）{old_zh}。",
        f"Pay “{act.effect['payee']}” to {new['account_no']} at {new['bank_name']} (CNAPS {new['cnaps']}){old_en}.",
    )


def _reverse(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"冲正分录 {act.subject_id}（{effect['kind']}），金额 {act.yuan()} 元。",
        f"Reverse the entry {act.subject_id} ({effect['kind']}), {act.yuan()} yuan.",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.APPROPRIATE: _appropriate,
    ApprovalKind.CLOSE_YEAR: _close_year,
    ApprovalKind.MOVE_QUOTA: _move_quota,
    ApprovalKind.ORDER_PAYMENT: _order_payment,
    ApprovalKind.REVERSE_ENTRY: _reverse,
    ApprovalKind.CHANGE_PAYEE_ACCOUNT: _payee_account,
}
