"""Who is next on the waiting list for money that is there again. Pure; only who finds his tier full is passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.services.rules.allocation import tier_quotas
from app.services.rules.budget import Allocation


@dataclass(frozen=True, slots=True)
class InLine:
    """Somebody who waits, in the original order."""

    place: int
    tier: str
    waits_fen: int


@dataclass(frozen=True, slots=True)
class TierUse:
    """What a tier of the round has now: vouchers that have not come back whole, and fen on or spent from them."""

    vouchers: int = 0
    fen: int = 0


def next_in_line(
    allocation: Allocation, waiting: Sequence[InLine], most_fen: int, used: Mapping[str, TierUse]
) -> tuple[int, ...]:
    """The places of those who are granted what they wait for, out of `most_fen`.

    From the first on, and the first whose amount does not fit ends it. With `quota_tiers` each tier has its share:
    where places are shared out, a tier without a free one is passed over; where money is, each tier's line is one of
    its own, and its share is that of all the round has come to, what is there now included.
    """
    if allocation.method != "quota_tiers":
        return _first(waiting, most_fen)
    if allocation.places is not None:
        free = {
            tier: quota - used.get(tier, TierUse()).vouchers
            for tier, quota in tier_quotas(allocation, allocation.places).items()
        }
        open_ones = []
        for one in waiting:
            if free.get(one.tier, 0) > 0:
                free[one.tier] -= 1
                open_ones.append(one)
        return _first(open_ones, most_fen)
    total_fen = most_fen + sum(use.fen for use in used.values())
    granted: set[int] = set()
    left_fen = most_fen
    for tier, quota_fen in tier_quotas(allocation, total_fen).items():
        of_tier = [one for one in waiting if one.tier == tier]
        tier_fen = max(0, min(left_fen, quota_fen - used.get(tier, TierUse()).fen))
        chosen = set(_first(of_tier, tier_fen))
        left_fen -= sum(one.waits_fen for one in of_tier if one.place in chosen)
        granted |= chosen
    return tuple(one.place for one in waiting if one.place in granted)


def _first(waiting: Sequence[InLine], most_fen: int) -> tuple[int, ...]:
    places = []
    for one in waiting:
        if one.waits_fen > most_fen:
            break
        most_fen -= one.waits_fen
        places.append(one.place)
    return tuple(places)
