"""Checks of what a rule document calls by name: categories, facts, caps, sources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from app.services.evidence.units import CODES as PUBLISHED_UNITS
from app.services.rules.base import InKind
from app.services.rules.facts import KNOWN
from app.services.rules.findings import Finding, finding
from app.services.rules.limits import ClaimCap, CountCap, HolderCap
from app.services.rules.model import Rules
from app.services.rules.needs import Place, facts_in
from app.services.rules.parts import Part
from app.services.rules.predicates import Is
from app.services.rules.rates import Attainment, By, Case, Fixed, UpTo
from app.services.rules.validity import Window
from app.services.rules.walking import parts_of


def check_names(rules: Rules) -> Iterator[Finding]:
    """Every name that stands twice, contradicts another, or names what is not there."""
    yield from _doubled(rules)
    yield from _categories(rules)
    yield from _facts(rules)
    yield from _exceptions(rules)
    yield from _values(rules)
    yield from _units(rules)


def _doubled(rules: Rules) -> Iterator[Finding]:
    lists: tuple[tuple[Place, str | None, Iterable[str]], ...] = (
        (("categories",), None, rules.categories),
        (("excluded_categories",), None, rules.excluded_categories),
        (("facts",), "name", (fact.name for fact in rules.facts)),
        (("requirements",), "name", (one.name for one in rules.requirements)),
        (("caps",), "name", (cap.name for cap in rules.caps)),
        (("stacking", "layers"), "name", (layer.name for layer in rules.stacking.layers)),
        (("fund_sources",), "source", (share.source for share in rules.fund_sources)),
        (("allocation", "quotas"), "tier", (quota.tier for quota in rules.allocation.quotas)),
        (("exceptions",), "cap", (one.cap for one in rules.exceptions)),
    )
    for place, field, names in lists:
        seen: set[str] = set()
        for number, name in enumerate(names):
            if name in seen:
                yield finding("named_twice", (*place, number, *([field] if field else [])), name=name)
            seen.add(name)
    for category, units in rules.category_units.items():
        for number, unit in enumerate(units):
            if unit in units[:number]:
                yield finding("named_twice", ("category_units", category, number), name=unit)
    if isinstance(rules.unit, InKind):
        rows: set[tuple[str, str, str]] = set()
        for number, row in enumerate(rules.unit.exchange):
            key = (row.category, row.unit, row.from_on.isoformat())
            if key in rows:
                yield finding("named_twice", ("unit", "exchange", number), name=" ".join(key))
            rows.add(key)


def _categories(rules: Rules) -> Iterator[Finding]:
    covered = set(rules.categories)
    for number, name in enumerate(rules.excluded_categories):
        if name in covered:
            yield finding("category_in_both", ("excluded_categories", number), name=name)
    parents = rules.category_parents
    known = {*rules.categories, *rules.excluded_categories, *parents, *parents.values()}
    for name in rules.category_names:
        if name not in known:
            yield finding("category_unknown", ("category_names", name), name=name)
    for name in rules.category_units:
        if name not in known:
            yield finding("category_unknown", ("category_units", name), name=name)
    for place, name in _named_categories(rules):
        if name not in known:
            yield finding("category_unknown", place, name=name)
    told: set[str] = set()
    for name in parents:
        cycle = _cycle(parents, name)
        if cycle and told.isdisjoint(cycle):
            told.update(cycle)
            yield finding("category_cycle", ("category_parents", name), name=name, cycle=" → ".join([*cycle, name]))


def _named_categories(rules: Rules) -> Iterator[tuple[Place, str]]:
    """Every place that names a category besides the lists and the tree."""
    for place, part in parts_of(rules):
        match part:
            case By(fact="line.category"):
                yield from (((*place, "rates", name), name) for name in part.rates)
            case Is(fact="line.category"):
                yield from (((*place, "one_of", number), name) for number, name in enumerate(part.one_of))
            case HolderCap(category=str()):
                yield (*place, "category"), str(part.category)
    for number, ceiling in enumerate(rules.base.ceilings):
        for inner, name in enumerate(ceiling.categories):
            yield ("base", "ceilings", number, "categories", inner), name
    if isinstance(rules.unit, InKind):
        for number, row in enumerate(rules.unit.exchange):
            yield ("unit", "exchange", number, "category"), row.category


def _cycle(parents: Mapping[str, str], start: str) -> list[str]:
    """The categories from one up to itself, none where it is not above itself."""
    path = [start]
    while (above := parents.get(path[-1])) is not None and above not in path:
        path.append(above)
    return path if above == start else []


def _facts(rules: Rules) -> Iterator[Finding]:
    for number, fact in enumerate(rules.facts):
        known = KNOWN.get(fact.name)
        if known is None and fact.name.startswith("line.") and fact.stated_by == "official":
            yield finding("line_fact_of_official", ("facts", number, "stated_by"), name=fact.name)
        if known is not None and known.type != fact.type:
            told = {"name": fact.name, "expected": known.type, "actual": fact.type}
            yield finding("fact_known_otherwise", ("facts", number, "type"), **told)
    types = rules.fact_types
    for place, name, expected in facts_in(rules):
        actual = types.get(name)
        if actual is None:
            yield finding("fact_unknown", place, name=name)
        elif actual != expected:
            yield finding("fact_wrong_type", place, name=name, expected=expected, actual=actual)
    for place, part in parts_of(rules):
        yield from _facts_of_lines(place, part)


def _values(rules: Rules) -> Iterator[Finding]:
    """Words that a fact of the registry never has: such a condition never holds."""
    for place, part in parts_of(rules):
        match part:
            case Is():
                words = [((*place, "one_of", number), word) for number, word in enumerate(part.one_of)]
            case By():
                words = [((*place, "rates", word), word) for word in part.rates]
            case _:
                continue
        known = KNOWN.get(part.fact)
        for where, word in words:
            if known is not None and known.values and word not in known.values:
                values = ", ".join(known.values)
                yield finding("value_unknown", where, name=word, fact=part.fact, values=values)


def _units(rules: Rules) -> Iterator[Finding]:
    """Units that nobody else uses, and ceilings for units in which their category is never billed."""
    for category, units in rules.category_units.items():
        for number, unit in enumerate(units):
            if unit not in PUBLISHED_UNITS:
                yield finding("unit_not_published", ("category_units", category, number), name=unit)
    known = {unit for units in rules.category_units.values() for unit in units}
    for number, ceiling in enumerate(rules.base.ceilings):
        named = ceiling.categories or rules.categories
        if ceiling.unit not in known and all(rules.units_of(category) is not None for category in named):
            yield finding("unit_never_billed", ("base", "ceilings", number, "unit"), name=ceiling.unit)


def _facts_of_lines(place: Place, part: Part) -> Iterator[Finding]:
    """Where the claim is judged as a whole no fact of a line is known. Line rates below it look at lines again."""
    match part:
        case Case():
            asked = facts_in(part.when, (*place, "when"))
        case ClaimCap() | HolderCap():
            asked = facts_in(part, place)
        case CountCap() | Window():
            asked = iter([]) if part.when is None else facts_in(part.when, (*place, "when"))
        case Fixed() | Attainment() | UpTo():
            asked = iter([((*place, "fact"), part.fact, "words")])
        case _:
            return
    for where, name, _ in asked:
        if name.startswith("line."):
            yield finding("fact_of_a_line", where, name=name)


def _exceptions(rules: Rules) -> Iterator[Finding]:
    caps = {cap.name: cap for cap in rules.caps}
    for number, one in enumerate(rules.exceptions):
        cap = caps.get(one.cap)
        if cap is None:
            yield finding("exception_unknown_cap", ("exceptions", number, "cap"), name=one.cap)
        elif isinstance(cap, CountCap) or cap.hard_limit_fen is None:
            yield finding("exception_without_hard_limit", ("exceptions", number, "cap"), name=one.cap)
