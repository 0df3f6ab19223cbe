"""`voucher allocation replay`: a round's public record, computed again by whoever wants to know."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import Failure, say, table, yuan
from app.kernel.places import in_language
from app.kernel.vocabulary import AwardReason
from app.services.allocation.replaying import Replayed, UnreadableRecord, replay

SHOWN = 50
"""Awards that are shown; the others count in the totals."""

REASONS = {
    None: "",
    AwardReason.BUDGET_EXHAUSTED: "额度不足 no money left",
    AwardReason.TIER_FULL: "本级名额已满 tier full",
    AwardReason.TIER_UNKNOWN: "等级无名额 no such tier",
    AwardReason.ENTITLEMENT: "超出核定额度 above entitlement",
    AwardReason.LEFT_OUT: "已撤回、已另行处理或公示期有异议 withdrawn, decided otherwise or objected to",
}


def replay_record(
    file: Annotated[Path, typer.Argument(help="分配记录（JSON） / A round's record", show_default=False)],
    *,
    noted: Annotated[
        str | None, typer.Option(help="抽签前记下的名单哈希 / Hash of the list as noted before the draw")
    ] = None,
) -> None:
    """离线重算分配轮次，与记录不符则以状态 1 结束 / Compute a round again offline; status 1 where its record differs.

    记录可公开获取：GET /v1/allocation-rounds/{id}/record。
    Anybody can fetch the record there, without signing in.
    """
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {file}。", f"not readable as JSON: {error}") from error
    if not isinstance(record, dict):
        raise Failure(f"{file} 不是 JSON 对象。", "no JSON object")
    try:
        found = replay(record, noted_sha256=noted.strip().lower() if noted else None)
    except UnreadableRecord as error:
        why = str(error)
        raise Failure(f"{file} 无法重算：{in_language(why, 'zh')}。", in_language(why, "en")) from error
    _show(record, found)
    if found.differences:
        chinese, english = (
            "；".join(one[1] for one in found.differences),
            "; ".join(one[0] for one in found.differences),
        )
        raise Failure(f"不一致：{chinese}。", f"differs: {english}")
    say("一致：名单哈希相符，重算结果相同。", "agrees: the list has its hash, and the awards came out the same")


def _show(record: dict[str, Any], found: Replayed) -> None:
    frozen, awards = found.frozen, found.awards
    if frozen.draws_at is not None:
        say(f"种子号码：{record['seed']}（{frozen.announcement}）", "the seed, as announced")
    table(
        f"{record.get('title')} {frozen.round_id}",
        ["位次 rank", "编号 no.", "说明 reason", "申请 asked", "分配 granted", "候补 waits"],
        [
            [
                str(award.rank),
                award.reference_no,
                REASONS[award.reason],
                yuan(award.asked_fen),
                yuan(award.granted_fen),
                yuan(award.waits_fen),
            ]
            for award in awards[:SHOWN]
        ],
        numbers_from=3,
    )
    granted_fen = sum(award.granted_fen for award in awards)
    counts = Counter("granted" if award.granted_fen else "waits" if award.waits_fen else "none" for award in awards)
    budget_fen = frozen.budget_fen
    say(
        f"预算 {yuan(budget_fen)} 元，分配 {yuan(granted_fen)} 元，剩余 {yuan(budget_fen - granted_fen)} 元；"
        f"{len(awards)} 户：获分配 {counts['granted']}，候补 {counts['waits']}，未获 {counts['none']}",
        f"budget, granted, left; of {len(awards)} candidates {counts['granted']} granted, {counts['waits']} waiting",
    )
