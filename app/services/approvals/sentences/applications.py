"""Applications, allocation rounds and who waits, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _reject_application(act: Act) -> InWords:
    effect = act.effect
    if "applications" in effect:
        return _of_many(
            effect,
            ("不予通过", "，并分别告知企业各自的理由"),
            ("Refuse", ", and tell each firm its reason"),
        )
    zh_amount, en_amount = _of_application(effect)
    return InWords(
        f"不予通过“{effect['firm']}”对项目“{effect['programme']}”的申领 {act.subject_id}（{zh_amount}），"
        f"并告知企业理由：{act.command['reason']}",
        f"Refuse the application {act.subject_id} of “{effect['firm']}” to “{effect['programme']}” ({en_amount})"
        f" and tell the firm why: {act.command['reason']}",
    )


def _waitlist_application(act: Act) -> InWords:
    effect = act.effect
    if "applications" in effect:
        return _of_many(effect, ("列入候补：", ""), ("Put on the waiting list", ""))
    zh_amount, en_amount = _of_application(effect)
    free = format_yuan(effect["free_fen"])
    return InWords(
        f"将“{effect['firm']}”对项目“{effect['programme']}”的申领 {act.subject_id}（{zh_amount}）列入候补："
        f"对其可用的额度仅 {free} 元。",
        f"Put the application {act.subject_id} of “{effect['firm']}” to “{effect['programme']}” ({en_amount}) on the"
        f" waiting list: {free} yuan are free for it.",
    )


def _of_many(effect: Mapping[str, Any], zh: tuple[str, str], en: tuple[str, str]) -> InWords:
    asked = format_yuan(effect["amount_fen"])
    return InWords(
        f"{zh[0]}对项目“{effect['programme']}”的 {effect['count']} 份申领（申请合计 {asked} 元）{zh[1]}。",
        f"{en[0]} {effect['count']} applications to “{effect['programme']}” ({asked} yuan asked for in all){en[1]}.",
    )


def _of_application(effect: Mapping[str, Any]) -> tuple[str, str]:
    asked, assessed = format_yuan(effect["amount_fen"]), effect.get("assessed_fen")
    if assessed is None:
        return f"申请 {asked} 元", f"{asked} yuan asked for"
    fixed = format_yuan(assessed)
    return f"申请 {asked} 元，核定 {fixed} 元", f"{asked} yuan asked for, {fixed} assessed"


def _allocate(act: Act) -> InWords:
    effect = act.effect
    waiting = format_yuan(effect["waiting_fen"])
    return InWords(
        f"按项目“{effect['programme']}”的分配“{effect['round']}”（{effect['method']}），{effect['candidates']} 户中 "
        f"{effect['count']} 户获券，面值合计 {act.yuan()} 元，其中 {effect['in_part']} 户部分满足；"
        f"{effect['waiting']} 户候补（{waiting} 元），{effect['nothing']} 户未获。",
        f"By the round “{effect['round']}” of “{effect['programme']}” ({effect['method']}) {effect['count']} of"
        f" {effect['candidates']} get {act.yuan()} yuan in all, {effect['in_part']} of them in part;"
        f" {effect['waiting']} wait for {waiting} yuan, {effect['nothing']} get nothing.",
    )


def _cancel_allocation(act: Act) -> InWords:
    effect = act.effect
    drawn_zh, drawn_en = ("已抽签", "already drawn") if effect["drawn"] else ("未抽签", "not drawn")
    return InWords(
        f"取消项目“{effect['programme']}”的分配“{effect['round']}”（{effect['candidates']} 户，{drawn_zh}），不发放。",
        f"Give up the round “{effect['round']}” of “{effect['programme']}” ({effect['candidates']} candidates,"
        f" {drawn_en}): nothing is issued.",
    )


def _promote_waiting(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"按候补顺序向项目“{effect['programme']}”的 {effect['count']} 户发放，面值合计 {act.yuan()} 元；"
        f"其后仍有 {effect['left_waiting']} 户候补。",
        f"Issue {act.yuan()} yuan to the {effect['count']} who have waited longest in “{effect['programme']}”;"
        f" {effect['left_waiting']} go on waiting.",
    )


def _end_waiting(act: Act) -> InWords:
    effect = act.effect
    waiting = format_yuan(effect["waiting_fen"])
    return InWords(
        f"将 {effect['count']} 户（{waiting} 元）移出项目“{effect['programme']}”的候补名单。",
        f"Take {effect['count']} with {waiting} yuan off the waiting list of “{effect['programme']}”.",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.REJECT_APPLICATION: _reject_application,
    ApprovalKind.WAITLIST_APPLICATION: _waitlist_application,
    ApprovalKind.ALLOCATE: _allocate,
    ApprovalKind.CANCEL_ALLOCATION: _cancel_allocation,
    ApprovalKind.PROMOTE_WAITING: _promote_waiting,
    ApprovalKind.END_WAITING: _end_waiting,
}
