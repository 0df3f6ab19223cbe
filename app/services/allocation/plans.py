"""What a round gives to whom: a frozen list in, awards out, and the hashes of both. Pure; anybody can replay it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import rfc3339
from app.kernel.vocabulary import AwardReason
from app.services.rules.allocation import Ask, allocate
from app.services.rules.budget import Allocation, FundShare

VERSION = 1
"""Of the format of records. What was recorded is replayed for ever, so it only grows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of a list. `place` counts from 1; `score` is a decimal number as it was written."""

    place: int
    reference_no: str
    firm_id: str
    asked_fen: int
    score: str | None = None
    tier: str | None = None
    project: str | None = None
    project_level: str | None = None
    granted_before_fen: int = 0
    terms: str | None = None
    application_id: str | None = None

    def ask(self, allocation: Allocation) -> Ask:
        """What it asks of the pool under these terms."""
        entitled_fen = None
        if allocation.entitlements_fen:
            limit_fen = allocation.entitlements_fen.get(self.project_level or "", 0)
            entitled_fen = max(0, limit_fen - self.granted_before_fen)
        score = Decimal(self.score) if self.score is not None else Decimal(0)
        return Ask(self.reference_no, self.asked_fen, score, self.tier or "", entitled_fen)


@dataclass(frozen=True, slots=True)
class Frozen:
    """All that decides a round except a lottery's seed. `allocation` is that part of the rules, as published."""

    round_id: str
    programme_id: str
    rule_version_id: str
    rules_sha256: str
    allocation: Allocation
    budget_fen: int
    announcement: str | None
    seed_format: str | None
    draws_at: datetime | None
    candidates: tuple[Candidate, ...]

    def document(self) -> dict[str, Any]:
        """As it stands in a record."""
        return {
            "round_id": self.round_id,
            "programme_id": self.programme_id,
            "rule_version_id": self.rule_version_id,
            "rules_sha256": self.rules_sha256,
            "allocation": self.allocation.model_dump(mode="json"),
            "budget_fen": self.budget_fen,
            "announcement": self.announcement,
            "seed_format": self.seed_format,
            "draws_at": rfc3339(self.draws_at) if self.draws_at else None,
            "candidates": [
                {name: getattr(candidate, name) for name in Candidate.__slots__ if name != "terms"}
                | {"terms_sha256": _hash_of(candidate.terms)}
                for candidate in self.candidates
            ],
        }


@dataclass(frozen=True, slots=True)
class Awarded:
    """What a candidate gets; `rank` is its turn in the order of service, from 1. Amounts are fen."""

    rank: int
    place: int
    reference_no: str
    asked_fen: int
    granted_fen: int
    reason: AwardReason | None
    waits_fen: int


def seed_fits(seed_format: str, seed: str) -> bool:
    """Whether a number is written as it was announced: `#` stands for a digit, everything else for itself."""
    return len(seed) == len(seed_format) and all(
        (found.isascii() and found.isdigit()) if asked == "#" else found == asked
        for asked, found in zip(seed_format, seed, strict=True)
    )


def frozen_sha256(document: Mapping[str, Any]) -> str:
    """The hash under which a list is frozen, of its document in a record."""
    return sha256_hex(canonical({"v": VERSION, "frozen": dict(document)}))


def awards_of(frozen: Frozen, seed: str | None, left_out: Collection[int] = ()) -> tuple[Awarded, ...]:
    """The awards in the order of service. Raises ValueError for a lottery without its seed.

    Who is left out (by place) keeps his turn and gets nothing: what he would have got stays in the pool, so that
    nobody can turn a draw by taking somebody off the list after it.
    """
    asks = [candidate.ask(frozen.allocation) for candidate in frozen.candidates]
    places = {candidate.reference_no: candidate.place for candidate in frozen.candidates}
    given = allocate(frozen.allocation, asks, frozen.budget_fen, seed=seed)
    awards = (
        Awarded(rank, places[award.id], award.id, award.asked_fen, award.granted_fen, award.reason, award.waits_fen)
        for rank, award in enumerate(given, start=1)
    )
    return tuple(
        replace(award, granted_fen=0, waits_fen=0, reason=AwardReason.LEFT_OUT) if award.place in left_out else award
        for award in awards
    )


def application_amounts(frozen: Frozen, awards: Sequence[Awarded]) -> dict[str, int]:
    """What is granted to applications, by their ids."""
    applications = {candidate.place: candidate.application_id for candidate in frozen.candidates}
    return {
        application_id: award.granted_fen
        for award in awards
        if award.granted_fen and (application_id := applications[award.place]) is not None
    }


def awards_document(awards: Sequence[Awarded]) -> list[dict[str, Any]]:
    """Awards as they stand in a record."""
    return [{name: getattr(award, name) for name in Awarded.__slots__} for award in awards]


def awards_sha256(list_sha256: str, seed: str | None, awards: Sequence[Mapping[str, Any]]) -> str:
    """The hash under which a checker approves exactly these awards, of their documents in a record."""
    return sha256_hex(canonical({"v": VERSION, "frozen": list_sha256, "seed": seed, "awards": list(awards)}))


def most_fen(available_fen: Mapping[str, int], shares: Sequence[FundShare], vouchers: int) -> int:
    """The most that so many vouchers may come to, so that every source can carry its part, however they are split.

    With one source that is all it has. With several, each voucher is split by itself and rounds up to a fen in favour
    of a source, so a fen for each voucher is kept back.
    """
    if len(shares) == 1:
        return available_fen.get(shares[0].source, 0)
    whole = sum(share.share for share in shares)
    return min(
        int(Fraction(max(0, available_fen.get(share.source, 0) - vouchers) * whole, share.share)) for share in shares
    )


def _hash_of(terms: str | None) -> str | None:
    return sha256_hex(terms.encode()) if terms is not None else None
