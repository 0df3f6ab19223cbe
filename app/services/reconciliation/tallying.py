"""What cumulative rules count, told by one number: that of the claims is that of the stored counters, or they differ.

Each counter's amounts are multiplied by a hash of whose and which it is, which begins with a number drawn anew each
time, and all is added up. Sums per counter would say the same, and have to be kept for every firm in memory; who cannot
know what was drawn cannot make other amounts come to the same number. Where it differs, `positions` tells what.

Beside it, whether any bill must be looked at alone for its caps (`invariants.caps`), as its counts are at hand here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.services.reconciliation.invariants.caps import UNBOUNDED, Bounds
from app.services.reconciliation.invariants.counted import cut_counts, cut_holders


class Counted(msgspec.Struct):
    """What a claim counts in one counter, as its facts say it."""

    holder: str
    period: str
    base_fen: int
    gross_fen: int
    granted_fen: int
    claims: int
    category: str | None = None


_counts = msgspec.json.Decoder(list[Counted])
_holders = msgspec.json.Decoder(dict[str, str])


class Tally:
    """Adds up claims and takes off stored counters."""

    def __init__(self, bounds: Mapping[tuple[str, str], Bounds]) -> None:
        self._bounds = bounds
        self._drawn, self._gross, self._granted, self._claims = (secrets.randbits(63) for _ in range(4))
        self._schemes: dict[str, tuple[int, Bounds]] = {}
        self._sum = 0
        self._readable = True
        self.bills_plain = True
        """Whether every bill so far has in each counter what it drew, and drew no more than any cap lets one."""

    @property
    def even(self) -> bool:
        """Whether what was added was taken off again."""
        return self._readable and self._sum == 0

    def redeemed(self, scheme: str, bill_fen: int | None, facts: bytes) -> None:
        """Add what a redemption counts; `bill_fen` is its subsidy, None for one from a hold.

        `scheme` is its region, programme and version of the rules, with a space between them.
        """
        known = self._schemes.get(scheme)
        if known is None:
            region_code, _, others = scheme.partition(" ")
            programme_id, _, version_id = others.rpartition(" ")
            bounds = self._bounds.get((region_code, version_id), UNBOUNDED)
            known = self._schemes[scheme] = self._seed(region_code, programme_id), bounds
        seed, bounds = known
        counted = cut_counts(facts)
        counts = self._add(seed, cut_holders(facts), counted) if counted is not None else ()
        if bill_fen is not None and not bounds.allow(bill_fen, counts):
            self.bills_plain = False

    def add(self, region_code: str, programme_id: str, holders: str, counted: str) -> None:
        """Add what something else counts, or gives back."""
        self._add(self._seed(region_code, programme_id), holders.encode(), counted.encode())

    def stored(self, region_code: str, programme_id: str, *counter: Any) -> None:
        """Take off a stored counter: holder, whose, period, category; base, gross, granted, claims."""
        seed = self._seed(region_code, programme_id)
        holder, holder_id, period, category, base_fen, gross_fen, granted_fen, claims = counter
        amounts = base_fen + gross_fen * self._gross + granted_fen * self._granted + claims * self._claims
        self._sum -= hash((seed, holder, holder_id, period, category)) * amounts

    def _seed(self, region_code: str, programme_id: str) -> int:
        return hash((self._drawn, region_code, programme_id))

    def _add(self, seed: int, holders: bytes, counted: bytes) -> Sequence[Counted]:
        try:
            counts, whose = _counts.decode(counted), _holders.decode(holders)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._readable = self.bills_plain = False
            return ()
        for of in counts:
            amounts = (
                of.base_fen + of.gross_fen * self._gross + of.granted_fen * self._granted + of.claims * self._claims
            )
            self._sum += hash((seed, of.holder, whose.get(of.holder), of.period, of.category)) * amounts
        return counts
