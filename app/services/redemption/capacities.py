"""Card-hours and PFLOPS·hours of a bill against what is declared: the site's cards and the provider's. Pure, exact."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from app.kernel.rates import decimal_text, parse_decimal
from app.kernel.vocabulary import Sign
from app.services.evidence.accelerators import CARD_HOUR, PFLOPS_HOUR
from app.services.redemption.bills import QUANTITY_DECIMALS, BillLine
from app.services.redemption.grounds import Capacity, Grounds
from app.services.redemption.signs import Finding, Numbered
from app.services.rules.bill_checks import Verdict

SHOWN_DECIMALS = 6
"""Of a limit: what is left of an hour is rounded down, as nobody could bill it."""

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class _Use:
    """So much compute between two instants, in card-hours or PFLOPS·hours."""

    amount: Fraction
    since: datetime
    until: datetime


@dataclass(slots=True)
class _Used:
    """What lines used together: how much, and how long, each moment counted once."""

    amount: Fraction = Fraction(0)
    time: timedelta = timedelta(0)
    _spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    """The times covered, in order and apart from each other: what one line adds is found at once, not counted anew."""

    def add(self, use: _Use) -> _Used:
        """One line more."""
        first = bisect_left(self._spans, use.since, key=_end)
        last = bisect_right(self._spans, use.until, key=_beginning)
        touched = self._spans[first:last]
        since = min([use.since, *map(_beginning, touched)])
        until = max([use.until, *map(_end, touched)])
        self._spans[first:last] = [(since, until)]
        self.time += until - since - sum((end - beginning for beginning, end in touched), timedelta(0))
        self.amount += use.amount
        return self


def _beginning(span: tuple[datetime, datetime]) -> datetime:
    return span[0]


def _end(span: tuple[datetime, datetime]) -> datetime:
    return span[1]


@dataclass(frozen=True, slots=True)
class _Bound:
    """What one place declares of one measure: so much each hour."""

    site: str | None
    unit: str
    rate: Fraction


def check_capacity(covered: Sequence[Numbered], grounds: Grounds, verdict: Verdict) -> Iterator[Finding]:
    """Lines that say more compute than the place can make in their time, alone or with the lines before them.

    A line must fit between its own instants; and all lines of a place together must fit into the time that they cover
    together, so that splitting a line gains nothing. A line that says no times cannot be judged, which is as good as
    beyond. Where nobody declared the measure the line is flagged: the registry's gap is not the bill's fault.
    """
    so_far: dict[_Bound, _Used] = defaultdict(_Used)
    for number, line in covered:
        amounts = _amounts(line)
        if not amounts:
            continue
        if line.used_from is None or line.used_until is None:
            missing = "used_from" if line.used_from is None else "used_until"
            yield Finding(Sign.USAGE_TIMES_MISSING, number, missing, verdict, "used_from, used_until", None)
            continue
        bounds = [(bound, amounts[bound.unit]) for bound in _bounds(line, grounds) if bound.unit in amounts]
        if not bounds:
            yield Finding(Sign.CAPACITY_NOT_DECLARED, number, "unit", "flag", None, line.unit)
        found = None
        for bound, amount in bounds:
            use = _Use(amount, line.used_from, line.used_until)
            together = so_far[bound].add(use)
            found = found or _beyond(number, bound, _Used().add(use), verdict)
            found = found or _beyond(number, bound, together, verdict)
        if found is not None:
            yield found


def _amounts(line: BillLine) -> dict[str, Fraction]:
    """What a line says in each measure of capacity; nothing where it is no compute."""
    if line.unit not in {CARD_HOUR, PFLOPS_HOUR}:
        return {}
    amounts = {line.unit: parse_decimal(line.quantity, max_decimals=QUANTITY_DECIMALS, max_digits=18)}
    return amounts if line.pflops_hours is None else amounts | {PFLOPS_HOUR: Fraction(line.pflops_hours)}


def _bounds(line: BillLine, grounds: Grounds) -> Iterator[_Bound]:
    """What holds for a line: its site's declaration, where it has one, and the provider's."""
    if line.provider_site is not None and (site := grounds.sites.get(line.provider_site)) is not None:
        yield from _declared(site, line.provider_site)
    yield from _declared(grounds.provider, None)


def _declared(capacity: Capacity, site: str | None) -> Iterator[_Bound]:
    if capacity.cards is not None:
        yield _Bound(site, CARD_HOUR, Fraction(capacity.cards))
    if capacity.pflops is not None:
        yield _Bound(site, PFLOPS_HOUR, Fraction(capacity.pflops))


def _beyond(number: int, bound: _Bound, used: _Used, verdict: Verdict) -> Finding | None:
    limit = bound.rate * Fraction(used.time // _MICROSECOND, _MICROSECONDS_AN_HOUR)
    actual = used.amount
    if actual <= limit:
        return None
    shown = Fraction(int(limit * 10**SHOWN_DECIMALS), 10**SHOWN_DECIMALS)
    place = {"place_en": "the provider", "place_zh": "该机构"}
    if bound.site is not None:
        place = {"place_en": f"the site {bound.site}", "place_zh": f"机房 {bound.site} "}
    return Finding(
        Sign.BEYOND_CAPACITY,
        number,
        "quantity",
        verdict,
        decimal_text(shown),
        decimal_text(actual),
        context={"unit": bound.unit, **place},
    )
