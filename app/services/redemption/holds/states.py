"""What a decision about a hold looks at: the hold, and the redemptions made from it so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.kernel.vocabulary import HoldStatus
from app.services.redemption.assessing import Counts, counts_of_json, lines_of_facts
from app.services.redemption.states import Share
from app.services.rules.facts import Facts, Line, Value
from app.services.rules.position import NOTHING, Bucket, Counter, Position

MAX_LINES = 2_000
"""Lines of all the bills of one hold together: each redemption assesses all of them anew."""


@dataclass(slots=True)
class Part:
    """One redemption from a hold: its facts as stored, what it holds of the subsidy, and what was cancelled of it."""

    redemption_id: str
    part_no: int
    facts: Mapping[str, Any]
    drawn_fen: int
    """The subsidy, net of refunds."""
    refunded_fen: Mapping[int, int] = field(default_factory=dict)
    """Line (from 1) → fen cancelled so far."""
    left_fen: Mapping[int, int] = field(default_factory=dict)
    """Line → what red-letter invoices have left of its invoice line for it."""

    def amount_fen(self, line: int) -> int:
        """What is left of a line of its bill."""
        billed_fen: int = self.facts["bill"]["lines"][line - 1]["amount_fen"]
        return billed_fen - self.refunded_fen.get(line, 0)

    def lines(self) -> list[Line]:
        """What is left of its bill."""
        return lines_of_facts(self.facts, self.refunded_fen, self.left_fen)


@dataclass(slots=True)
class HoldState:
    """A hold under its voucher's lock. Changes as the commands of one batch are decided one after the other."""

    region_code: str
    id: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str | None
    payment_code_id: str | None
    rule_version_id: str
    status: str
    amount_fen: int
    held_fen: int
    redeemed_fen: int
    facts: Mapping[str, Any]
    held_at: datetime
    expires_at: datetime
    shares: list[Share]
    """What it still holds of each pool (`balance_fen`), in the declared order."""
    parts: list[Part]
    """Redemptions from it, oldest first."""
    counted: Counts
    """What it counts in the counters of cumulative rules by now, its redemptions and their refunds included."""
    pending: Counts = ()
    """What will be taken off there when the money of its recoveries comes back: it is not to be taken off twice."""

    @property
    def holders(self) -> Mapping[str, str]:
        """Whose counters it counts in, by kind; none where no rule is cumulative."""
        holders: Mapping[str, str] = self.facts["holders"]
        return holders

    @property
    def claim(self) -> Mapping[str, Value]:
        """What its claim stated, as far as the rules look at it."""
        claim: Mapping[str, Value] = self.facts["given"]["claim"]
        return claim

    @property
    def counted_at_first(self) -> Counts:
        """What it counted when it was made."""
        return counts_of_json(self.facts["counted"])

    @property
    def position_at_first(self) -> Position:
        """What its holders had come to when it was made."""
        return Position(counts_of_json(self.facts["position"]))

    @property
    def drawn_fen(self) -> int:
        """What its redemptions hold of the subsidy, net of refunds."""
        return sum(part.drawn_fen for part in self.parts)

    def whole_bill(self, more: Iterable[Line] = ()) -> Facts:
        """All that was billed on it so far, with what was known of the parties when it was made."""
        return self._facts([line for part in self.parts for line in part.lines()], more)

    def as_billed(self, more: Iterable[Line] = ()) -> Facts:
        """The same as if nothing of it had been cancelled."""
        return self._facts([line for part in self.parts for line in lines_of_facts(part.facts, {})], more)

    def _facts(self, lines: Iterable[Line], more: Iterable[Line]) -> Facts:
        return Facts.read(self.facts["given"], [*lines, *more], self.facts["provider_categories"])


def clock_of(at: datetime, frozen_at: datetime | None) -> datetime:
    """The instant that holds of a voucher are judged at: a freeze stops their clock."""
    return at if frozen_at is None else min(at, frozen_at)


def status_of(status: str, expires_at: datetime, *, at: datetime, frozen_at: datetime | None) -> HoldStatus:
    """What a hold is at an instant: expiry follows from the clock, whether or not its money has moved yet."""
    if status == HoldStatus.OPEN and clock_of(at, frozen_at) >= expires_at:
        return HoldStatus.EXPIRED
    return HoldStatus(status)


def summed(*counts: Counts) -> Counts:
    """Counts added up, in a fixed order."""
    total: dict[Bucket, Counter] = {}
    for bucket, counter in (row for some in counts for row in some):
        total[bucket] = total.get(bucket, NOTHING).plus(counter)
    return tuple(sorted(total.items()))


def greater_of_each(one: Counts, other: Counts) -> Counts:
    """The greater of two counts in each counter."""
    first, second = dict(one), dict(other)
    return tuple(
        (bucket, Counter(*map(max, first.get(bucket, NOTHING), second.get(bucket, NOTHING))))
        for bucket in sorted(first.keys() | second.keys())
    )


def with_grants(one: Counts, other: Counts) -> Counts:
    """The first count, with the grants and claims of the second where these are greater."""
    first, second = dict(one), dict(other)
    counts = ((bucket, first.get(bucket, NOTHING), second.get(bucket, NOTHING)) for bucket in first.keys() | second)
    return tuple(
        sorted(
            (bucket, Counter(own.base_fen, own.gross_fen, max(own.granted_fen, more.granted_fen), max(own[3], more[3])))
            for bucket, own, more in counts
        )
    )


def change_of(target: Counts, counted: Counts) -> Counts:
    """What to add to `counted` so that `target` comes out; nothing where they agree."""
    wanted, before = dict(target), dict(counted)
    changes = (
        (bucket, wanted.get(bucket, NOTHING).less(before.get(bucket, NOTHING)))
        for bucket in sorted(wanted.keys() | before.keys())
    )
    return tuple((bucket, change) for bucket, change in changes if any(change))
