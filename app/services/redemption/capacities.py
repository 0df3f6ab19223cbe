"""Card-hours and PFLOPS·hours against what is declared: the site's cards and the provider's. Pure, exact.

The lines of one bill are added up by the instant, those of other bills by the day (`day_fitting`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.kernel.rates import decimal_text
from app.kernel.vocabulary import Sign
from app.services.evidence.accelerators import CARD_HOUR, PFLOPS_HOUR
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.capacity_uses import MAX_DAYS, amounts_of, days_of
from app.services.redemption.day_fitting import DayUse, room_beside
from app.services.redemption.fitting import Overfull, Use, first_overfull
from app.services.redemption.grounds import Capacity, Grounds, Short
from app.services.redemption.signs import Finding, Numbered
from app.services.rules.bill_checks import Verdict

SHOWN_DECIMALS = 6
"""Of a limit: what is left of an hour is rounded down, as nobody could bill it."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """What one place declares of one measure: so much each hour."""

    site: str | None
    unit: str
    rate: Fraction


def check_capacity(bill: Bill, covered: Sequence[Numbered], grounds: Grounds, verdict: Verdict) -> list[Finding]:
    """Lines that say more compute than their place can make: alone, with the lines before, or beside other bills.

    A line must fit between its own instants. Together the lines of a place fit where the work could have been spread
    over their times so that at no instant more than the declared capacity is used: splitting a line gains nothing, and
    a long thin line hides no dense one. The first line with which they fit no more is named, with the time that is too
    short for what lies within it. A line that says no times cannot be judged, which is as good as beyond; so is one
    of more days than are counted (`MAX_DAYS`). Where nobody declared the measure the line is flagged: the registry's
    gap is not the bill's fault. What other bills leave was found before (`shortages`).
    """
    found: dict[int, Finding] = {}
    together: dict[_Bound, list[tuple[int, Use]]] = defaultdict(list)
    for number, line in covered:
        amounts = amounts_of(line)
        if not amounts:
            continue
        if line.used_from is None or line.used_until is None:
            missing = "used_from" if line.used_from is None else "used_until"
            found[number] = Finding(Sign.USAGE_TIMES_MISSING, number, missing, verdict, "used_from, used_until", None)
            continue
        bounds = [bound for bound in _bounds(line, grounds) if bound.unit in amounts]
        if not bounds:
            found[number] = Finding(Sign.CAPACITY_NOT_DECLARED, number, "unit", "flag", None, line.unit)
        for bound in bounds:
            use = Use(amounts[bound.unit], line.used_from, line.used_until)
            if use.amount > bound.rate * use.hours:
                alone = Overfull(0, bound.rate * use.hours, use.amount)
                found.setdefault(number, _beyond(number, bound, alone, verdict))
            else:
                together[bound].append((number, use))
    for bound, numbered in together.items():
        overfull = first_overfull([use for _, use in numbered], bound.rate)
        if overfull is not None:
            number = numbered[overfull.place][0]
            found.setdefault(number, _beyond(number, bound, overfull, verdict))
    lines = dict(covered)
    for short in grounds.short:
        found.setdefault(short.line, _used_up(short, lines[short.line], verdict))
    for number, days in days_of(bill)[1].items() if grounds.declares and grounds.by_days else ():
        if number in lines:
            found.setdefault(number, _too_long(number, days, verdict))
    return [found[number] for number in sorted(found)]


def shortages(bill: Bill, covered: Sequence[Numbered], grounds: Grounds) -> tuple[Short, ...]:
    """The lines that do not fit beside what other bills and the lines before them take of the same days.

    Of the places that hold for a line the first that is too small is named. What the lines before it leave without any
    other bill is not told: they are held against each other by the instant, which says more.
    """
    if not grounds.taken:
        return ()
    days, _ = days_of(bill)
    taken: dict[_Bound, list[DayUse]] = {}
    before: dict[_Bound, list[DayUse]] = defaultdict(list)
    found: dict[int, Short] = {}
    for number, line in covered:
        amounts = amounts_of(line)
        if number not in days or not amounts:
            continue
        for bound in _bounds(line, grounds):
            if not amounts.get(bound.unit):
                continue
            beside = taken.get(bound)
            if beside is None:
                beside = taken[bound] = list(_taken_of(bound, grounds))
            own = DayUse(*days[number], amounts[bound.unit])
            left = room_beside(beside, own, bound.rate)
            if left < own.amount and left < room_beside(before[bound], own, bound.rate):
                found.setdefault(number, Short(number, bound.site, bound.unit, _shown(left)))
            beside.append(own)
            before[bound].append(own)
    return tuple(found.values())


def _taken_of(bound: _Bound, grounds: Grounds) -> Iterator[DayUse]:
    return (
        DayUse(one.first_on, one.last_on, one.amount)
        for one in grounds.taken
        if one.unit == bound.unit and bound.site in {None, one.site}
    )


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


def _beyond(number: int, bound: _Bound, overfull: Overfull, verdict: Verdict) -> Finding:
    return Finding(
        Sign.BEYOND_CAPACITY,
        number,
        "quantity",
        verdict,
        _shown(overfull.limit),
        decimal_text(overfull.actual),
        context={"unit": bound.unit, **_place(bound.site)},
    )


def _used_up(short: Short, line: BillLine, verdict: Verdict) -> Finding:
    actual = decimal_text(amounts_of(line)[short.unit])
    context = {"unit": short.unit, **_place(short.site)}
    return Finding(Sign.CAPACITY_USED_UP, short.line, "quantity", verdict, short.left, actual, context=context)


def _too_long(number: int, days: int, verdict: Verdict) -> Finding:
    return Finding(Sign.USAGE_TIMES_TOO_LONG, number, "used_until", verdict, str(MAX_DAYS), str(days))


def _shown(limit: Fraction) -> str:
    return decimal_text(Fraction(int(limit * 10**SHOWN_DECIMALS), 10**SHOWN_DECIMALS))


def _place(site: str | None) -> dict[str, str]:
    if site is None:
        return {"place_en": "the provider", "place_zh": "该机构"}
    return {"place_en": f"the site {site}", "place_zh": f"机房 {site} "}
