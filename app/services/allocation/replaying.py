"""Computing a round again from its public record: by anybody, without the service. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from app.services.allocation.plans import (
    VERSION,
    Awarded,
    Candidate,
    Frozen,
    awards_document,
    awards_of,
    awards_sha256,
    frozen_sha256,
    seed_fits,
)
from app.services.rules.budget import Allocation


class UnreadableRecord(ValueError):
    """What was given is no record of a round, or one of a round that is not decided yet."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A round computed again. `differences`: what the record says otherwise, English and Chinese; none: it agrees."""

    frozen: Frozen
    awards: tuple[Awarded, ...]
    differences: tuple[tuple[str, str], ...]


def replay(record: Mapping[str, Any], *, noted_sha256: str | None = None) -> Replayed:
    """Compute the awards of a record anew and hold them against it.

    `noted_sha256` is the hash of the list as somebody wrote it down before the draw. Raises UnreadableRecord.
    """
    frozen = _frozen(record)
    try:
        return _replayed(record, frozen, noted_sha256)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableRecord(f"not a record of a round: {error!r} / 不是分配轮次记录：{error!r}") from error


def _replayed(record: Mapping[str, Any], frozen: Frozen, noted_sha256: str | None) -> Replayed:
    seed = record.get("seed")
    if frozen.allocation.method == "lottery" and not seed:
        raise UnreadableRecord("the lottery was not drawn / 尚未抽签")
    left_out = record.get("left_out") or []
    awards = awards_of(frozen, seed, left_out)
    document = awards_document(awards)
    digest = frozen_sha256(record["frozen"])
    found = [*_of_list(record, frozen, digest, noted_sha256), *_of_awards(record, document)]
    if record.get("awards_sha256") != awards_sha256(digest, seed, document):
        found.append(("the hash of the awards is another", "分配结果的哈希不符"))
    return Replayed(frozen, awards, tuple(found))


def _frozen(record: Mapping[str, Any]) -> Frozen:
    document = record.get("frozen")
    if record.get("v") != VERSION:
        raise UnreadableRecord(f"no record of version {VERSION} / 不是版本 {VERSION} 的分配记录")
    if not isinstance(document, dict):
        raise UnreadableRecord("the round is not decided: its list is not public yet / 轮次尚未办结，名单未公开")
    try:
        return Frozen(
            round_id=document["round_id"],
            programme_id=document["programme_id"],
            rule_version_id=document["rule_version_id"],
            rules_sha256=document["rules_sha256"],
            allocation=Allocation.model_validate(document["allocation"]),
            budget_fen=document["budget_fen"],
            announcement=document["announcement"],
            seed_format=document["seed_format"],
            draws_at=datetime.fromisoformat(document["draws_at"]) if document["draws_at"] else None,
            candidates=tuple(
                Candidate(**{name: value for name, value in row.items() if name != "terms_sha256"})
                for row in document["candidates"]
            ),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise UnreadableRecord(f"not a record of a round: {error} / 不是分配轮次记录：{error}") from error


def _of_list(record: Mapping[str, Any], frozen: Frozen, digest: str, noted_sha256: str | None) -> list[tuple[str, str]]:
    found = []
    if digest != record.get("frozen_sha256"):
        found.append(("the list is not the one that was frozen: its hash is another", "名单与冻结时不符：哈希不同"))
    if noted_sha256 is not None and noted_sha256 != digest:
        found.append(
            (f"the hash that was noted before is another: {noted_sha256}", f"与事先记下的哈希不符：{noted_sha256}")
        )
    if frozen.draws_at is not None:
        frozen_at, drawn_at = (datetime.fromisoformat(record[name]) for name in ("frozen_at", "drawn_at"))
        if not frozen_at < frozen.draws_at <= drawn_at:
            found.append(("the seed was known before the list was frozen", "种子号码早于名单冻结时间"))
        if frozen.seed_format is None or not seed_fits(frozen.seed_format, record["seed"]):
            found.append(("the seed is not written as it was announced", "种子号码与公告格式不符"))
    return found


def _of_awards(record: Mapping[str, Any], document: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    recorded = record.get("awards")
    if not isinstance(recorded, list) or len(recorded) != len(document):
        return [("the awards are not as many as the candidates", "分配结果与候选数量不符")]
    for said, computed in zip(recorded, document, strict=True):
        if said != computed:
            no = computed["reference_no"]
            return [
                (
                    f"rank {computed['rank']}: the record says {said}, computed is {dict(computed)}",
                    f"第 {computed['rank']} 位（{no}）与重算结果不符",
                )
            ]
    return []
