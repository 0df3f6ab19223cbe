"""Public notices and the objections to them, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _publish_notice(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"公示“{effect['title']}”：{effect['count']} 项，{effect['working_days']} 个工作日，"
        f"如今日发布则至 {effect['ends_on_if_published_today']} 止。",
        f"Show “{effect['title']}” to the public: {effect['count']} item(s) for {effect['working_days']} working days,"
        f" until {effect['ends_on_if_published_today']} if published today.",
    )


def _withdraw_notice(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"撤下公示“{effect['title']}”（{effect['count']} 项）。",
        f"Show “{effect['title']}” ({effect['count']} item(s)) to the public no longer.",
    )


def _decide_objection(act: Act) -> InWords:
    effect, is_upheld = act.effect, act.effect["outcome"] == "upheld"
    zh = "异议成立，该项移出公示；所涉券一并作废" if is_upheld else "异议不成立，该项继续"
    en = "upheld: it is removed, and a voucher voided" if is_upheld else "dismissed: it goes on"
    return InWords(
        f"答复对公示“{effect['notice']}”第 {effect['item_no']} 项（{effect['name']}）的异议：{zh}。",
        f"Answer the objection to item {effect['item_no']} ({effect['name']}) of “{effect['notice']}”: {en}.",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.PUBLISH_NOTICE: _publish_notice,
    ApprovalKind.WITHDRAW_NOTICE: _withdraw_notice,
    ApprovalKind.DECIDE_OBJECTION: _decide_objection,
}
