"""Checks of the amounts of a rule document: rates, brackets, caps, floors, layers, rounding. Pure, exact."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from app.kernel.rates import round_to
from app.services.rules.base import InKind
from app.services.rules.findings import Amount, Finding, finding
from app.services.rules.limits import CountCap
from app.services.rules.model import Rules
from app.services.rules.needs import Place
from app.services.rules.rates import (
    Attainment,
    Bracket,
    By,
    Cases,
    Fixed,
    Flat,
    LineRate,
    Rate,
    UpTo,
    highest,
)
from app.services.rules.rating import decimal
from app.services.rules.walking import parts_of


def check_amounts(rules: Rules) -> Iterator[Finding]:
    """Amounts that never grant anything, and those that grant less for more."""
    yield from _zero(rules)
    yield from _caps(rules)
    yield from _rounding(rules)
    yield from _layers(rules)
    for place, part in parts_of(rules.rate, ("rate",)):
        match part:
            case Bracket():
                yield from _cliffs(rules, part, place)
            case Attainment():
                yield from _falls(part, place)
    yield from _without_rate(rules, rules.rate, ("rate",))
    yield from _quotas(rules)


def _zero(rules: Rules) -> Iterator[Finding]:
    if highest(rules.rate) == 0:
        field = {Flat: ("rate",), By: ("rates",)}.get(type(rules.rate), ())
        yield finding("rate_never_grants", ("rate", *field))
    if rules.stacking.ceiling_fraction == 0:
        yield finding("ceiling_never_grants", ("stacking", "ceiling"))


def _amount(rules: Rules, fen: int) -> Amount:
    return Amount(fen, rules.unit.name if isinstance(rules.unit, InKind) else None)


def _least_subsidy(rules: Rules) -> int:
    """The least subsidy that is granted at all, in fen."""
    floors = [floor.at_least_fen + (not floor.inclusive) for floor in rules.floors if floor.of == "subsidy"]
    return max([rules.use.minimum_draw_fen, *floors])


def _limits(rules: Rules) -> Iterator[tuple[Place, str, str, int]]:
    """Place, name, scope and fen of every limit in money."""
    for number, cap in enumerate(rules.caps):
        if isinstance(cap, CountCap):
            continue
        if cap.limit_fen is not None:
            yield ("caps", number, "limit_fen"), cap.name, cap.scope, cap.limit_fen
        for value, fen in cap.limits_fen.items():
            yield ("caps", number, "limits_fen", value), cap.name, cap.scope, fen


def _caps(rules: Rules) -> Iterator[Finding]:
    unit_fen, floor_fen = rules.rounding.unit_fen, _least_subsidy(rules)
    floor = _amount(rules, floor_fen)
    sees_all = {cap.name for cap in rules.caps if cap.scope != "line" and getattr(cap, "category", None) is None}
    for place, name, _, fen in _limits(rules):
        limit = _amount(rules, fen)
        if fen < unit_fen:
            yield finding("cap_below_rounding", place, name=name, limit=limit, unit=_amount(rules, unit_fen))
        elif fen < floor_fen and name in sees_all:
            yield finding("cap_below_floor", place, name=name, limit=limit, floor=floor)
    for place, part in parts_of(rules.rate, ("rate",)):
        if isinstance(part, Fixed):
            for value, fen in part.amounts_fen.items():
                if fen < floor_fen:
                    where = (*place, "amounts_fen", value)
                    yield finding("amount_below_floor", where, name=value, limit=_amount(rules, fen), floor=floor)


def _rounding(rules: Rules) -> Iterator[Finding]:
    unit_fen = rules.rounding.unit_fen
    for floor in rules.floors:
        if floor.of != "contract" and unit_fen > floor.at_least_fen:
            amounts = {"unit": _amount(rules, unit_fen), "floor": _amount(rules, floor.at_least_fen)}
            yield finding("rounding_above_floor", ("rounding", "unit_fen"), **amounts)


def _layers(rules: Rules) -> Iterator[Finding]:
    own = highest(rules.rate)
    rates = [layer.rate for layer in rules.stacking.layers if layer.rate is not None]
    if own is None or not rates or rules.stacking.ceiling_by is not None:
        return
    others = sum(((highest(rate) or Fraction(0)) for rate in rates), Fraction(0))
    ceiling = rules.stacking.ceiling_fraction
    if others + own > ceiling:
        shares = {"others": others, "own": own, "total": others + own, "ceiling": ceiling}
        percents = {name: percent(share) for name, share in shares.items()}
        yield finding("layers_above_ceiling", ("stacking", "layers"), **percents)


def percent(share: Fraction) -> str:
    """A share as people read it: `30%`."""
    return f"{decimal(share * 100)}%"


def _cliffs(rules: Rules, bracket: Bracket, place: Place) -> Iterator[Finding]:
    """Where one fen more earns less, at the band's end; the method marginal has no such place."""
    if bracket.method == "marginal":
        return
    code = "cliff" if bracket.method == "cliff_recalc" else "cliff_for_the_claim"
    for number, (band, above) in enumerate(pairwise(bracket.bands)):
        now, then = highest(band.rate) or Fraction(0), highest(above.rate) or Fraction(0)
        end_fen = band.up_to_fen
        if end_fen is None or then >= now:
            continue
        at_fen = end_fen if band.inclusive else end_fen - 1
        amounts = {
            "at": at_fen,
            "earned": _rounded(rules, at_fen * now),
            "more": at_fen + 1,
            "earned_more": _rounded(rules, (at_fen + 1) * then),
        }
        told = {name: _amount(rules, fen) for name, fen in amounts.items()}
        yield finding(code, (*place, "bands", number, "up_to_fen"), **told)


def _rounded(rules: Rules, exact: Fraction) -> int:
    return round_to(exact, rules.rounding.unit_fen, rules.rounding.rounding)


def _falls(rate: Attainment, place: Place) -> Iterator[Finding]:
    for number, (step, above) in enumerate(pairwise(rate.steps), start=1):
        before = min(above.threshold, Fraction(1)) if step.share == "attained" else step.most
        after = min(above.threshold, Fraction(1)) if above.share == "attained" else above.most
        if after < before:
            where = (*place, "steps", number, "share")
            told = {"degree": percent(above.threshold), "before": percent(before), "after": percent(after)}
            yield finding("attainment_falls", where, **told)


def _without_rate(rules: Rules, rate: Rate | LineRate, place: Place) -> Iterator[Finding]:
    """Covered categories without a rate, in the rates that every line comes to."""
    match rate:
        case By(fact="line.category", otherwise=None):
            named = {*rules.categories, *rules.category_parents}
            parents = set(rules.category_parents.values())
            for category in sorted(named - parents):
                if rules.covers(category) and not any(above in rate.rates for above in rules.lineage(category)):
                    yield finding("category_without_rate", (*place, "rates"), name=category)
        case UpTo():
            yield from _without_rate(rules, rate.maximum, (*place, "maximum"))
        case Attainment():
            yield from _without_rate(rules, rate.of, (*place, "of"))
        case Bracket():
            for number, band in enumerate(rate.bands):
                yield from _without_rate(rules, band.rate, (*place, "bands", number, "rate"))
        case Cases():
            for number, case in enumerate(rate.cases):
                yield from _without_rate(rules, case.rate, (*place, "cases", number, "rate"))


def _quotas(rules: Rules) -> Iterator[Finding]:
    quotas = rules.allocation.quotas
    total = sum((Fraction(quota.share) for quota in quotas), Fraction(0))
    if quotas and total != 1:
        yield finding("quotas_not_whole", ("allocation", "quotas"), total=decimal(total))
