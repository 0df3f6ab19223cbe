"""What firms, groups, contracts and vouchers have come to so far: the counters that cumulative rules look at.

A counter is found under whose it is, for which period, for which category. Periods are `all`, a calendar year
(`2026`), a year from April (`2026/04`), or a single day, of which rolling windows are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from app.kernel.clock import add_months
from app.services.rules.limits import Cap, ClaimCap, CountCap, HolderCap, Rolling
from app.services.rules.predicates import Predicate
from app.services.rules.rates import Attainment, Bracket, Cases, Rate, UpTo

ALL = "all"


class Counter(NamedTuple):
    """Sums over the claims counted: base, subsidy before caps, subsidy granted (all fen), and how many claims."""

    base_fen: int = 0
    gross_fen: int = 0
    granted_fen: int = 0
    claims: int = 0

    def plus(self, other: Counter) -> Counter:
        """Both together."""
        return Counter(*(one + another for one, another in zip(self, other, strict=True)))

    def less(self, other: Counter) -> Counter:
        """The rest without the other."""
        return Counter(*(one - another for one, another in zip(self, other, strict=True)))


NOTHING = Counter()


class Bucket(NamedTuple):
    """Where a counter stands: `holder` is firm, group, contract or voucher; no category means all of them."""

    holder: str
    period: str = ALL
    category: str = ""


class Position:
    """The counters of one holder, as far as they were loaded. What is not there is zero."""

    def __init__(self, counters: Iterable[tuple[Bucket, Counter]] = ()) -> None:
        self._counters = dict(counters)

    def of(self, bucket: Bucket) -> Counter:
        """One counter."""
        return self._counters.get(bucket, NOTHING)

    def within(self, holder: str, category: str, first_on: date, last_on: date) -> Counter:
        """The days of a window together, both ends inside."""
        total = NOTHING
        first, last = first_on.isoformat(), last_on.isoformat()
        for bucket, counter in self._counters.items():
            if (
                bucket.holder == holder
                and bucket.category == category
                and len(bucket.period) == len(first)
                and first <= bucket.period <= last
            ):
                total = total.plus(counter)
        return total

    def add(self, counts: Iterable[tuple[Bucket, Counter]]) -> None:
        """Let the next assessment see what this one counted."""
        for bucket, counter in counts:
            self._counters[bucket] = self.of(bucket).plus(counter)

    def without(self, counts: Iterable[tuple[Bucket, Counter]]) -> Position:
        """The position as it would be without these counts."""
        rest = Position(self._counters.items())
        rest.add((bucket, NOTHING.less(counter)) for bucket, counter in counts)
        return rest

    def in_the_place_of(self, earlier: Position) -> Position:
        """For a claim that came at an earlier position: bases and subsidies before caps as they were then.

        So it keeps its bracket, whatever was claimed since. What has been granted meanwhile, and how many claims, is
        as now: caps bind all claims together.
        """
        return Position(
            (bucket, Counter(then.base_fen, then.gross_fen, here.granted_fen, here.claims))
            for bucket in sorted(self._counters.keys() | earlier._counters.keys())
            for then, here in [(earlier.of(bucket), self.of(bucket))]
        )

    def items(self) -> Iterator[tuple[Bucket, Counter]]:
        """Every counter, in a fixed order."""
        return iter(sorted(self._counters.items()))


class Kept(NamedTuple):
    """A series of counters that some rule reads: whose, over what sort of period, of which category."""

    holder: str
    per: str
    """`all`, `year` or `day`."""
    category: str = ""
    when: Predicate | None = None
    """Which claims it counts, where that is not all of them."""


def series_of(kept: Kept) -> tuple[str, str, str]:
    """What tells a series apart from others."""
    return kept.holder, kept.per, kept.category


def kept_counters(caps: Iterable[Cap], rate: Rate) -> tuple[Kept, ...]:
    """Which series of counters caps and rate read, and so every claim under them adds to. None for most rules."""
    found: dict[tuple[str, str, str], Kept] = {}

    def add(kept: Kept) -> None:
        found.setdefault(series_of(kept), kept)

    for cap in caps:
        match cap:
            case ClaimCap(scope="contract" | "voucher"):
                add(Kept(cap.scope, "all"))
            case HolderCap():
                add(Kept(cap.scope, _series(cap.per), cap.category or ""))
            case CountCap():
                add(Kept(cap.holder, _series(cap.per), key_of(cap), cap.when))
    for bracket in brackets_of(rate):
        if bracket.per != "claim":
            add(Kept(bracket.holder, _series(bracket.per)))
    return tuple(found.values())


def key_of(cap: CountCap) -> str:
    """Under which category a number of claims is counted: none, or the cap's own where it counts only some of them.

    No slug has a slash, so it never meets a service category.
    """
    return f"claims/{cap.name}" if cap.when is not None else ""


def brackets_of(rate: Rate) -> Iterator[Bracket]:
    """Every bracket within a rate function."""
    match rate:
        case Bracket():
            yield rate
        case Cases():
            for case in rate.cases:
                yield from brackets_of(case.rate)
            if rate.otherwise is not None:
                yield from brackets_of(rate.otherwise)
        case Attainment():
            yield from brackets_of(rate.of)
        case UpTo():
            yield from brackets_of(rate.maximum)


def window_of(rolling: Rolling, on: date) -> tuple[date, date]:
    """The first and last day of a rolling window that ends on a day."""
    first = add_months(on, -rolling.months)
    return date.fromordinal(first.toordinal() + 1), on


def _series(per: str | Rolling) -> str:
    if isinstance(per, Rolling):
        return "day"
    return "year" if per == "year" else "all"
