"""What the calculator asks a firm under a programme's rules: no fact that the rules do not look at. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.api.portal.naming import Names
from app.api.portal.telling import percent
from app.services.redemption.assessing import claimable
from app.services.rules.base import InKind
from app.services.rules.facts import KNOWN
from app.services.rules.limits import ClaimCap, HolderCap
from app.services.rules.model import Rules
from app.services.rules.parts import Part
from app.services.rules.predicates import Is
from app.services.rules.rates import By, Fixed

OTHER_SERVICE = "other_service"
"""A service that the rules do not name, and so do not cover."""

NONE_OF_THESE = "none_of_these"
"""A word that no rules use: the firm's case is another one."""

SIDES = ("demand", "supply")

Kind = Literal["text", "choice", "yes_no", "date", "number", "yuan", "percent"]


@dataclass(frozen=True, slots=True)
class Question:
    """A field: its name in the form, its label, what is typed into it, and what there is to choose from."""

    name: str
    label: str
    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """What one programme's rules ask: of the purchase as a whole, and of each line beside service and amount."""

    services: tuple[tuple[str, str], ...]
    other_services: tuple[tuple[str, str], ...]
    of_claim: tuple[Question, ...]
    of_line: tuple[Question, ...]
    unit: str


def questions_of(rules: Rules, names: Names) -> Questions:
    """What these rules ask a firm, no more: facts that a claimant may state and that the rules look at."""
    words = names.words
    named = _in_order(rules)
    return Questions(
        services=tuple((slug, names.category(slug)) for slug in named if rules.covers(slug)),
        other_services=(
            *((slug, names.category(slug)) for slug in named if not rules.covers(slug)),
            (OTHER_SERVICE, words("calculator.other_service")),
        ),
        of_claim=(*_claim_facts(rules, names), *_amounts(rules, names), *_tax(rules, names)),
        of_line=(*_quantity(rules, names), *_use(rules, names), *_line_facts(rules, names)),
        unit=names.unit,
    )


def _claim_facts(rules: Rules, names: Names) -> Iterator[Question]:
    either = rules.side == "either_exclusive"
    for name in sorted(rules.looks_at):
        subject, _, key = name.partition(".")
        if subject == "claim" and key in claimable(rules) and (key != "side" or either or name in rules.names):
            yield _question(rules, names, name, f"claim-{key}")


def _line_facts(rules: Rules, names: Names) -> Iterator[Question]:
    declared = {fact.name for fact in rules.facts if fact.stated_by == "claimant"}
    for name in sorted(rules.names):
        key = name.removeprefix("line.")
        if name in {"line.facility_class", "line.accelerator"}:
            yield _question(rules, names, name, key)
        elif name.startswith("line.") and name in declared:
            yield _question(rules, names, name, f"fact-{key}")


def _question(rules: Rules, names: Names, fact: str, field_name: str) -> Question:
    label = _label(names.fact(fact))
    match rules.fact_types[fact]:
        case "date":
            return Question(field_name, label, "date")
        case "yes_no":
            yes, no = names.words("calculator.yes"), names.words("calculator.no")
            return Question(field_name, label, "yes_no", (("yes", yes), ("no", no)))
        case "number" if fact.endswith("_fen"):
            return Question(field_name, label + names.words("list.bracketed", what=names.unit), "yuan")
        case "number":
            return Question(field_name, label, "number")
        case _:
            known = SIDES if fact == "claim.side" else _words_of(rules, fact)
            options = [(word, names.value(word)) for word in known]
            if options and fact not in KNOWN:
                options.append((NONE_OF_THESE, names.words("calculator.none_of_these")))
            return Question(field_name, label, "choice" if options else "text", tuple(options))


def _label(name: str) -> str:
    return name[:1].upper() + name[1:]


def _amounts(rules: Rules, names: Names) -> Iterator[Question]:
    for name in rules.base.least_of:
        if name != "billed":
            label = _label(names.fact(f"amounts.{name}")) + names.words("list.bracketed", what=names.unit)
            yield Question(f"amounts-{name}", label, "yuan", hint=names.words("calculator.amounts.hint"))


def _tax(rules: Rules, names: Names) -> Iterator[Question]:
    if rules.base.vat == "excluded":
        default = rules.base.default_tax_rate
        hint = names.words("calculator.tax.hint", rate=percent(default)) if default is not None else ""
        yield Question(
            "tax", names.fact("line.tax_rate") + names.words("list.bracketed", what="%"), "percent", hint=hint
        )


def _quantity(rules: Rules, names: Names) -> Iterator[Question]:
    units = dict.fromkeys(
        [
            *(row.unit for row in (rules.unit.exchange if isinstance(rules.unit, InKind) else ())),
            *(ceiling.unit for ceiling in rules.base.ceilings),
            *_words_of(rules, "line.unit"),
        ]
    )
    if not units:
        return
    options = [(unit, names.words.named("unit", unit)) for unit in units]
    if not isinstance(rules.unit, InKind):
        options.append((NONE_OF_THESE, names.words("calculator.other_unit")))
    yield Question("quantity", names.words("calculator.quantity"), "number")
    yield Question("unit", names.words("calculator.unit"), "choice", tuple(options))


def _use(rules: Rules, names: Names) -> Iterator[Question]:
    by_year = rules.attribution.by == "usage" and any(kept.per == "year" for kept in rules.kept)
    if by_year or rules.must_precede_expiry == "service" or "line.used_on" in rules.names:
        yield Question("used_until", _label(names.fact("line.used_until")), "date")


def _in_order(rules: Rules) -> list[str]:
    """Every service category that the rules name: a covered one, those below it, then the others."""
    found: dict[str, None] = {}
    for top in rules.categories:
        found[top] = None
        found |= dict.fromkeys(slug for slug in rules.category_parents if top in rules.lineage(slug))
    found |= dict.fromkeys((*rules.excluded_categories, *rules.category_parents))
    return list(found)


def _words_of(rules: Rules, fact: str) -> list[str]:
    """The words that the rules know of a fact, in the order of the document."""
    found: dict[str, None] = {}
    for part in _parts(rules):
        match part:
            case Is(fact=name, one_of=words) if name == fact:
                found |= dict.fromkeys(words)
            case By(fact=name, rates=rates) if name == fact:
                found |= dict.fromkeys(rates)
            case Fixed(fact=name, amounts_fen=amounts) if name == fact:
                found |= dict.fromkeys(amounts)
            case ClaimCap() | HolderCap() if part.limit_by == fact:
                found |= dict.fromkeys(part.limits_fen)
    return list(found)


def _parts(value: object) -> Iterator[Part]:
    if isinstance(value, Part):
        yield value
        for name in type(value).model_fields:
            yield from _parts(getattr(value, name))
    elif isinstance(value, tuple):
        for inner in value:
            yield from _parts(inner)
