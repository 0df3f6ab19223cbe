"""What is issued, and what is done to vouchers, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _issue(act: Act) -> InWords:
    effect, days = act.effect, act.effect.get("notice_working_days")
    pools = effect.get("pools", ())
    zh = "；".join(f"{one['fund_source']} 发放后可用 {format_yuan(one['available_after_fen'])} 元" for one in pools)
    en = "; ".join(f"{one['fund_source']} has {format_yuan(one['available_after_fen'])} yuan left" for one in pools)
    return InWords(
        f"按项目“{effect['programme']}”向 {effect['firms']} 家企业发放 {effect['count']} 张券，"
        f"面值合计 {act.yuan()} 元；{zh}。{'' if days is None else f'须先公示满 {days} 个工作日。'}",
        f"Issue {effect['count']} voucher(s) to {effect['firms']} firm(s) under “{effect['programme']}”,"
        f" {act.yuan()} yuan in all; {en}."
        f"{'' if days is None else f' It has to be shown to the public for {days} working days first.'}",
    )


def _voucher(zh: str, en: str) -> Sentence:
    def told(act: Act) -> InWords:
        effect = act.effect
        balance, held = format_yuan(effect["balance_fen"]), format_yuan(effect["held_fen"])
        more_zh, more_en = _frees_or_extends(effect)
        if "vouchers" in effect:
            which_zh, which_en = f"{effect['count']} 张券", f"{effect['count']} voucher(s)"
        else:
            which_zh = f"“{effect['firm']}”的券 {act.subject_id}"
            which_en = f"the voucher {act.subject_id} of “{effect['firm']}”"
        return InWords(
            f"{zh}{which_zh}（余额 {balance} 元，预占 {held} 元）{more_zh}。",
            f"{en} {which_en} (balance {balance}, held {held} yuan){more_en}.",
        )

    return told


def _void(act: Act) -> InWords:
    told = _voucher("作废", "Void")(act)
    effect = act.effect
    if "related_to" not in effect:
        return told
    found = [one["related"] for one in effect.get("vouchers", [effect])]
    links = "、".join(sorted({link for one in found for link in one["relation_ids"]})) or "-"
    count, redeemed = sum(len(one["redemption_ids"]) for one in found), sum(one["redeemed_fen"] for one in found)
    signs = sorted({sign for one in found for sign in one["signs"]})
    digest, by_rules = str(effect["evidence_sha256"])[:12], all(one["signs"] for one in found)
    zh = "" if by_rules else "注意：按现行规则并不都视为关联。"
    en = "" if by_rules else " Note: by the rules in force not all of it counts as related."
    return InWords(
        f"{told.zh}事由：与服务机构“{effect['related_name']}”存在关联关系"
        f"（{'、'.join(signs) or '-'}；登记编号 {links}），"
        f"其间核销 {count} 笔、净额 {format_yuan(redeemed)} 元；依据 {effect['evidence']}（SHA-256 {digest}…）。{zh}",
        f"{told.en} Ground: related to the provider “{effect['related_name']}” ({', '.join(signs) or '-'}; on record as"
        f" {links.replace('、', ', ')}), {count} redemption(s) of {format_yuan(redeemed)} yuan net meanwhile; evidence"
        f" {effect['evidence']} (SHA-256 {digest}…).{en}",
    )


def _frees_or_extends(effect: Mapping[str, Any]) -> tuple[str, str]:
    if freed_fen := effect.get("released_fen"):
        freed = format_yuan(freed_fen)
        return f"，{freed} 元退回资金池", f"; {freed} yuan go back to the pools"
    if "last_day" in effect:
        before, after = effect["last_day_before"], effect["last_day"]
        return f"，有效期由 {before} 延至 {after}", f"; its last day is {after} instead of {before}"
    return "", ""


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.ISSUE_BATCH: _issue,
    ApprovalKind.FREEZE_VOUCHER: _voucher("冻结", "Freeze"),
    ApprovalKind.UNFREEZE_VOUCHER: _voucher("解冻", "Unfreeze"),
    ApprovalKind.VOID_VOUCHER: _void,
    ApprovalKind.EXTEND_VOUCHER: _voucher("延长", "Extend"),
    ApprovalKind.GRANT_APPLICATIONS: _issue,
}
