"""What approving does, in a sentence: made from the command and its effect, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences import applications, money, notices, parties, people, programmes, vouchers
from app.services.approvals.sentences.act import Act, InWords, Sentence

_SUBJECTS = (programmes, parties, money, vouchers, applications, people, notices)
_SENTENCES: Mapping[ApprovalKind, Sentence] = {
    kind: sentence for subject in _SUBJECTS for kind, sentence in subject.SENTENCES.items()
}
assert set(_SENTENCES) == set(ApprovalKind), "every kind of act has its sentence"
assert len(_SENTENCES) == sum(len(subject.SENTENCES) for subject in _SUBJECTS), "and one only"


def in_words(
    kind: str, *, subject_id: str, amount_fen: int | None, command: Mapping[str, Any], effect: Mapping[str, Any]
) -> InWords:
    """What approving the last step does. Where the effect lacks what the sentence tells: kind, subject and amount."""
    act = Act(subject_id, amount_fen, command, effect)
    try:
        told = _SENTENCES[ApprovalKind(kind)](act)
    except KeyError:  # acts are kept for ever, with the effect as it was told when they were asked for
        told = _plain(kind, act)
    if splitting := effect.get("splitting"):
        told = _with_splitting(told, splitting)
    return told


def _plain(kind: str, act: Act) -> InWords:
    zh_amount = "" if act.amount_fen is None else f"，金额 {act.yuan()} 元"
    en_amount = "" if act.amount_fen is None else f", {act.yuan()} yuan"
    return InWords(f"办理 {kind}：{act.subject_id}{zh_amount}。", f"Do {kind} on {act.subject_id}{en_amount}.")


def _with_splitting(told: InWords, splitting: Mapping[str, Any]) -> InWords:
    count, yuan, steps = splitting["count"], format_yuan(splitting["total_fen"]), len(splitting["steps_for_total"])
    return InWords(
        f"{told.zh}注意：同一经办人当日同类提请 {count} 件，合计 {yuan} 元，合并须经 {steps} 步，疑为拆分。",
        f"{told.en} Note: the same maker has asked for {count} such acts today, {yuan} yuan together, which as one"
        f" would take {steps} steps: they may have been split.",
    )
