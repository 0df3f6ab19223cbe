"""Checks of conditions: ranges that nothing lies in, shares written as per cent, cases that are never reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from app.kernel.regions import is_region
from app.services.rules.findings import Finding, finding
from app.services.rules.model import Rules
from app.services.rules.needs import Place
from app.services.rules.predicates import Aged, InRegion, Is, Measures, Predicate
from app.services.rules.rates import Attainment, Cases, LineCases
from app.services.rules.walking import parts_of

SHARES = frozenset({"claim.attainment", "claim.approved_rate", "claim.shareholding"})
"""Facts of which 1 is the whole."""
MOST_OF_A_SHARE = 10
"""A share from here on (1,000 %) was meant as per cent: `"50"` for half."""


def check_conditions(rules: Rules) -> Iterator[Finding]:
    """Conditions that hold for nobody, and those that most likely mean something else."""
    for place, part in parts_of(rules):
        match part:
            case Measures():
                yield from _numbers(part, place)
            case Aged(years_at_least=int() as least, years_below=int() as below) if least >= below:
                yield finding("never_holds", (*place, "years_below"), low=f"≥ {least}", high=f"< {below}")
            case InRegion():
                for number, code in enumerate(part.regions):
                    if not is_region(code):
                        yield finding("region_unknown", (*place, "regions", number), name=code)
            case Attainment():
                for number, step in enumerate(part.steps):
                    if step.threshold >= MOST_OF_A_SHARE:
                        yield finding("share_as_percent", (*place, "steps", number, "at_least"), value=step.at_least)
            case Cases() | LineCases():
                yield from _unreached([case.when for case in part.cases], place)


def _numbers(part: Measures, place: Place) -> Iterator[Finding]:
    bounds = {name: getattr(part, name) for name in ("at_least", "above", "at_most", "below")}
    given = {name: Fraction(text) for name, text in bounds.items() if text is not None}
    lows = [(name, f"{sign} {bounds[name]}") for name, sign in (("at_least", "≥"), ("above", ">")) if name in given]
    highs = [(name, f"{sign} {bounds[name]}") for name, sign in (("at_most", "≤"), ("below", "<")) if name in given]
    for low, shown_low in lows:
        for high, shown_high in highs:
            meets = given[low] == given[high] and (low, high) == ("at_least", "at_most")
            if given[low] >= given[high] and not meets:
                yield finding("never_holds", (*place, high), low=shown_low, high=shown_high)
    if part.fact in SHARES:
        for name, value in given.items():
            if value >= MOST_OF_A_SHARE:
                yield finding("share_as_percent", (*place, name), value=bounds[name])


def _unreached(conditions: list[Predicate], place: Place) -> Iterator[Finding]:
    """Cases whose claims all have the rate of an earlier one: the first that holds counts."""
    for number, when in enumerate(conditions):
        earlier = conditions[:number]
        words = {word for one in earlier if isinstance(one, Is) and isinstance(when, Is) and one.fact == when.fact
                 for word in one.one_of}  # fmt: skip
        within = isinstance(when, Is) and when.if_missing == "fails" and words.issuperset(when.one_of)
        if when in earlier or within:
            yield finding("case_never_reached", (*place, "cases", number, "when"), number=number + 1)
