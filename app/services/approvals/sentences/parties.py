"""What is done to providers in a programme, and who is debarred, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _admit(act: Act) -> InWords:
    effect = act.effect
    categories, prices = effect["categories"], len(effect.get("prices") or ())
    return InWords(
        f"将“{effect['provider']}”列入项目“{effect['programme']}”，"
        f"类别：{'、'.join(categories) or '无'}；价目 {prices} 行。",
        f"Admit “{effect['provider']}” to “{effect['programme']}” for {', '.join(categories) or 'no category'},"
        f" with {prices} listed price(s).",
    )


def _provider(zh: str, en: str) -> Sentence:
    def told(act: Act) -> InWords:
        effect = act.effect
        held, owed = format_yuan(effect["held_fen"]), format_yuan(effect["owed_fen"])
        return InWords(
            f"{zh}“{effect['provider']}”在项目“{effect['programme']}”中的入围资格；"
            f"未结预占 {held} 元，应付 {owed} 元。",
            f"{en} “{effect['provider']}” in “{effect['programme']}”: {held} yuan held, {owed} yuan owed.",
        )

    return told


def _debar(act: Act) -> InWords:
    effect = act.effect
    names, more = effect["names"][:3], effect["count"] - 3
    listed = "、".join(names) + ("等" if more > 0 else "")
    return InWords(
        f"将 {effect['count']} 个单位列入失信名单（{listed}），其中 {len(effect['registered'])} 个已登记。",
        f"Debar {effect['count']} ({', '.join(names)}{' and others' if more > 0 else ''}),"
        f" {len(effect['registered'])} of them registered here.",
    )


def _lift_debarment(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"将“{effect['name']}”移出失信名单（列入文号 {effect['debarred_by']}，移出文号 {effect['lifted_by']}）。",
        f"Take “{effect['name']}” off the debarment list (put on by {effect['debarred_by']}, off by"
        f" {effect['lifted_by']}).",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.ADMIT_PROVIDER: _admit,
    ApprovalKind.SUSPEND_PROVIDER: _provider("暂停", "Suspend"),
    ApprovalKind.RESUME_PROVIDER: _provider("恢复", "Let go on"),
    ApprovalKind.DELIST_PROVIDER: _provider("取消", "Delist"),
    ApprovalKind.DEBAR: _debar,
    ApprovalKind.LIFT_DEBARMENT: _lift_debarment,
}
