"""Card-hours and PFLOPS·hours of a bill against what is declared: the site's cards and the provider's. Pure, exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.kernel.rates import decimal_text, parse_decimal
from app.kernel.vocabulary import Sign
from app.services.evidence.accelerators import CARD_HOUR, PFLOPS_HOUR
from app.services.redemption.bills import QUANTITY_DECIMALS, BillLine
from app.services.redemption.fitting import Overfull, Use, first_overfull
from app.services.redemption.grounds import Capacity, Grounds
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


def check_capacity(covered: Sequence[Numbered], grounds: Grounds, verdict: Verdict) -> list[Finding]:
    """Lines that say more compute than the place can make in their time, alone or with the lines before them.

    A line must fit between its own instants. Together the lines of a place fit where the work could have been spread
    over their times so that at no instant more than the declared capacity is used: splitting a line gains nothing, and
    a long thin line hides no dense one. The first line with which they fit no more is named, with the time that is too
    short for what lies within it. A line that says no times cannot be judged, which is as good as beyond. Where nobody
    declared the measure the line is flagged: the registry's gap is not the bill's fault.
    """
    found: dict[int, Finding] = {}
    together: dict[_Bound, list[tuple[int, Use]]] = defaultdict(list)
    for number, line in covered:
        amounts = _amounts(line)
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
    return [found[number] for number in sorted(found)]


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


def _beyond(number: int, bound: _Bound, overfull: Overfull, verdict: Verdict) -> Finding:
    shown = Fraction(int(overfull.limit * 10**SHOWN_DECIMALS), 10**SHOWN_DECIMALS)
    place = {"place_en": "the provider", "place_zh": "该机构"}
    if bound.site is not None:
        place = {"place_en": f"the site {bound.site}", "place_zh": f"机房 {bound.site} "}
    return Finding(
        Sign.BEYOND_CAPACITY,
        number,
        "quantity",
        verdict,
        decimal_text(shown),
        decimal_text(overfull.actual),
        context={"unit": bound.unit, **place},
    )
