"""What is done to a programme and its rules, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _publish_programme(act: Act) -> InWords:
    title, year, warnings = act.effect["title"], act.effect["fiscal_year"], len(act.effect.get("warnings", ()))
    digest = str(act.command["rules_sha256"])[:12]
    return InWords(
        f"发布 {year} 年度项目“{title}”及其规则（摘要 {digest}），规则提示 {warnings} 条。",
        f"Publish the programme “{title}” of {year} with its rules (hash {digest}); {warnings} warning(s).",
    )


def _publish_rules(act: Act) -> InWords:
    effect, changes = act.effect, len(act.effect.get("changes", ()))
    return InWords(
        f"自 {effect['effective_on']} 起，项目“{effect['title']}”改用第 {effect['number']} 版规则，"
        f"与现行第 {effect['compared_with']} 版相比有 {changes} 处变化。",
        f"From {effect['effective_on']} on the programme “{effect['title']}” follows version {effect['number']} of its"
        f" rules, which differs from version {effect['compared_with']} in {changes} place(s).",
    )


def _resume(act: Act) -> InWords:
    title = act.effect["title"]
    return InWords(
        f"恢复已暂停的项目“{title}”，重新允许发放与核销。",
        f"Let the paused programme “{title}” go on: issuing and redeeming are possible again.",
    )


def _close_programme(act: Act) -> InWords:
    effect = act.effect
    promised = format_yuan(effect["promised_fen"])
    return InWords(
        f"关闭项目“{effect['title']}”，不再发放且不可恢复；"
        f"在外 {effect['vouchers']} 张券（{promised} 元）照常使用，"
        f"待审批次 {effect['waiting_batches']} 个不再发放。",
        f"Close the programme “{effect['title']}” for good: nothing more is issued, {effect['waiting_batches']} waiting"
        f" batch(es) neither; {effect['vouchers']} voucher(s) with {promised} yuan live on.",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.PUBLISH_PROGRAMME: _publish_programme,
    ApprovalKind.PUBLISH_RULE_VERSION: _publish_rules,
    ApprovalKind.RESUME_PROGRAMME: _resume,
    ApprovalKind.CLOSE_PROGRAMME: _close_programme,
}
