"""Who gets what of a pool that is not enough for all: one method per way of giving out money. Pure, whole fen. D14."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.kernel.rates import Rounding, parse_rate, round_to
from app.kernel.vocabulary import AwardReason
from app.services.rules.budget import Allocation


@dataclass(frozen=True, slots=True)
class Ask:
    """A claim that wants `asked_fen` from the pool. `score` is looked at for ranks, `tier` for quotas.

    `entitled_fen`: it is entitled to no more than that, whatever it asks; None: to what it asks.
    """

    id: str
    asked_fen: int
    score: int | Decimal = 0
    tier: str = ""
    entitled_fen: int | None = None

    @property
    def due_fen(self) -> int:
        """What it gets where there is enough for all."""
        return self.asked_fen if self.entitled_fen is None else min(self.asked_fen, self.entitled_fen)


@dataclass(frozen=True, slots=True)
class Award:
    """What a claim gets. `reason` says why less than asked; `waits_fen`: for so much that comes back it queues."""

    id: str
    asked_fen: int
    granted_fen: int
    reason: AwardReason | None = None
    waits_fen: int = 0

    @property
    def waits(self) -> bool:
        """Whether it queues."""
        return self.waits_fen > 0


class Pool:
    """So many fen, or no limit. Says what a bill gets of what it is entitled to."""

    def __init__(self, budget_fen: int | None, on_exhaustion: str) -> None:
        self.left_fen = budget_fen
        self.closed = False
        """Whether nobody gets anything any more."""
        self._on_exhaustion = on_exhaustion

    def draw(self, asked_fen: int) -> int:
        """What is paid of `asked_fen`: all of it while there is enough, then as the rules choose.

        partial: what is left, then nothing; stop and waitlist: nothing from here on; skip: nothing this time.
        """
        if self.left_fen is None:
            return asked_fen
        if self.closed:
            return 0
        if asked_fen <= self.left_fen:
            self.left_fen -= asked_fen
            return asked_fen
        paid_fen = 0
        if self._on_exhaustion == "partial":
            paid_fen, self.left_fen = self.left_fen, 0
        self.closed = self._on_exhaustion != "skip"
        return paid_fen


def allocate(
    allocation: Allocation,
    asks: Sequence[Ask],
    pool_fen: int,
    *,
    seed: str | None = None,
    places: int | None = None,
) -> tuple[Award, ...]:
    """Give out at most `pool_fen`, nobody more than is due to him, nobody forgotten. Awards stand in order of service.

    `first_come` and `entitlement` serve in the order given, `ranked` and `quota_tiers` by score, highest first, and
    `lottery` in the order of SHA-256 over the published `seed`, a line feed and the claim's id. What does not fit is
    treated as `on_exhaustion` says; `pro_rata` shortens all alike, so nothing is left to be treated.

    `quota_tiers` gives each tier its share of the places where their number is stated (by the rules, or here), else of
    the money; what a tier leaves goes to no other, and a claim of no known tier gets nothing and waits for nothing.

    Raises ValueError for amounts below zero, for two claims of one id, and for a lottery without a seed.
    """
    places = allocation.places if places is None else places
    if pool_fen < 0 or any(ask.asked_fen < 0 or ask.due_fen < 0 for ask in asks) or (places is not None and places < 0):
        raise ValueError("A pool, its places and what is asked of it are never below zero.")
    if len({ask.id for ask in asks}) < len(asks):
        raise ValueError("Two claims have one id.")
    match allocation.method:
        case "first_come" | "entitlement":
            return _serve(allocation, asks, pool_fen)
        case "ranked":
            return _serve(allocation, _ranked(asks), pool_fen)
        case "lottery":
            if not seed:
                raise ValueError("A lottery needs its published seed.")
            return _serve(allocation, sorted(asks, key=lambda ask: _lot(seed, ask)), pool_fen)
        case "pro_rata":
            return _pro_rata(asks, pool_fen)
        case "quota_tiers" if places is None:
            return _tiers_of_money(allocation, asks, pool_fen)
        case "quota_tiers":
            return _serve(allocation, _ranked(asks), pool_fen, tier_quotas(allocation, places))


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` (≥ 0) in proportion to weights, exactly: the largest fractions take the spare units, ties in order.

    A part never exceeds its weight where `total` does not exceed their sum; a weight of zero gets nothing. All weights
    zero: all parts zero.
    """
    weight = sum(weights)
    if weight == 0:
        return [0] * len(weights)
    parts, remainders = zip(*(divmod(total * one, weight) for one in weights), strict=True)
    spare = total - sum(parts)
    favoured = set(sorted(range(len(weights)), key=lambda place: (-remainders[place], place))[:spare])
    return [part + (place in favoured) for place, part in enumerate(parts)]


def _serve(
    allocation: Allocation, asks: Sequence[Ask], pool_fen: int, places: dict[str, int] | None = None
) -> tuple[Award, ...]:
    """One after the other, until the money is used up. A tier without a place left is passed over."""
    awards: list[Award] = []
    pool = Pool(pool_fen, allocation.on_exhaustion)
    for ask in asks:
        if places is not None and places.get(ask.tier, 0) == 0:
            awards.append(_passed_over(allocation, ask, known=ask.tier in places))
            continue
        granted_fen = pool.draw(ask.due_fen)
        if places is not None and granted_fen:
            places[ask.tier] -= 1
        awards.append(_award(ask, granted_fen, waits=allocation.on_exhaustion == "waitlist"))
    return tuple(awards)


def _pro_rata(asks: Sequence[Ask], pool_fen: int) -> tuple[Award, ...]:
    due_fen = [ask.due_fen for ask in asks]
    parts = largest_remainder(min(pool_fen, sum(due_fen)), due_fen)
    return tuple(_award(ask, part) for ask, part in zip(asks, parts, strict=True))


def _tiers_of_money(allocation: Allocation, asks: Sequence[Ask], pool_fen: int) -> tuple[Award, ...]:
    awards: list[Award] = []
    for tier, tier_fen in tier_quotas(allocation, pool_fen).items():
        awards += _serve(allocation, _ranked([ask for ask in asks if ask.tier == tier]), tier_fen)
    served = {award.id for award in awards}
    return (*awards, *(_passed_over(allocation, ask, known=False) for ask in asks if ask.id not in served))


def tier_quotas(allocation: Allocation, total: int) -> dict[str, int]:
    """The tiers' shares of so many places or fen, which they exhaust where they add up to one."""
    shares = [parse_rate(quota.share) for quota in allocation.quotas]
    weights = [int(share * 1_000_000) for share in shares]  # a rate has at most six decimals
    parts = largest_remainder(round_to(total * min(sum(shares), 1), 1, Rounding.FLOOR), weights)
    return {quota.tier: part for quota, part in zip(allocation.quotas, parts, strict=True)}


def _ranked(asks: Sequence[Ask]) -> list[Ask]:
    return sorted(asks, key=lambda ask: -ask.score)


def _lot(seed: str, ask: Ask) -> str:
    return hashlib.sha256(f"{seed}\n{ask.id}".encode()).hexdigest()


def _award(ask: Ask, granted_fen: int, *, waits: bool = False) -> Award:
    short_fen = ask.due_fen - granted_fen
    if short_fen:
        return Award(
            ask.id, ask.asked_fen, granted_fen, AwardReason.BUDGET_EXHAUSTED, waits_fen=short_fen if waits else 0
        )
    reason = AwardReason.ENTITLEMENT if granted_fen < ask.asked_fen else None
    return Award(ask.id, ask.asked_fen, granted_fen, reason)


def _passed_over(allocation: Allocation, ask: Ask, *, known: bool) -> Award:
    """Without a place: of a tier that is full it waits for one where the rules keep a list."""
    if ask.asked_fen == 0:
        return Award(ask.id, 0, 0)
    if not known:
        return Award(ask.id, ask.asked_fen, 0, AwardReason.TIER_UNKNOWN)
    waits_fen = ask.due_fen if allocation.on_exhaustion == "waitlist" else 0
    return Award(ask.id, ask.asked_fen, 0, AwardReason.TIER_FULL, waits_fen)
