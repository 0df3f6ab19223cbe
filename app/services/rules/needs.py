"""Which facts a rule document looks at: named in its conditions, rates and caps, or needed by a setting. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.services.rules.facts import FactType
from app.services.rules.limits import ClaimCap, CountCap, Floor, HolderCap
from app.services.rules.parts import Part
from app.services.rules.predicates import NEEDS, NotBefore, Test
from app.services.rules.rates import Attainment, Bracket, By, Fixed, UpTo

if TYPE_CHECKING:
    from app.services.rules.model import Rules

Place = tuple[str | int, ...]
"""Where something stands in the document."""

EVENT_DAYS = {
    "contract": "claim.contract_signed_on",
    "invoice": "claim.invoiced_on",
    "payment": "claim.paid_on",
}
"""Which fact tells the day of an event."""


def facts_in(part: Part, place: Place = ()) -> Iterator[tuple[Place, str, FactType]]:
    """Every fact that a part names, with where it is named and the type it must have there."""
    yield from _named_by(part, place)
    for name in type(part).model_fields:
        for inner_place, inner in _parts_of(getattr(part, name), (*place, name)):
            yield from facts_in(inner, inner_place)


def facts_needed(rules: Rules) -> frozenset[str]:
    """All facts that may change what these rules grant, those of their settings too."""
    needed = {name for _, name, _ in facts_in(rules)}
    related = rules.related_parties
    needed |= {"claim.side", "claim.other_side_claimed"}
    needed |= {"claim.shareholding"} if related.shareholding_at_least is not None else set()
    needed |= {"claim.same_controller"} if related.same_controller else set()
    needed |= {"claim.same_legal_representative"} if related.same_legal_representative else set()
    needed |= {"claim.shared_contact"} if related.shared_contact else set()
    needed |= {"claim.same_group"} if related.same_group else set()
    for event in (rules.attribution.by, rules.must_precede_expiry, rules.pinned_by):
        needed |= {EVENT_DAYS[event]} if event in EVENT_DAYS else set()
    needed |= {"provider.facility_class"} if "line.facility_class" in needed else set()
    return frozenset(needed)


def _named_by(part: Part, place: Place) -> Iterator[tuple[Place, str, FactType]]:
    match part:
        case By() | Fixed():
            yield (*place, "fact"), part.fact, "words"
        case Attainment() | UpTo():
            yield (*place, "fact"), part.fact, "number"
        case ClaimCap() | HolderCap():
            if part.limit_by is not None:
                yield (*place, "limit_by"), part.limit_by, "words"
            if isinstance(part, HolderCap) and part.also_counts is not None:
                yield (*place, "also_counts"), part.also_counts, "number"
            yield from _of_scope(part.scope, place)
        case CountCap() | Bracket():
            yield from _of_scope(part.holder, place)
        case Floor(of="contract"):
            yield (*place, "of"), "claim.contract_fen", "number"
        case _ if isinstance(part, Test):
            yield (*place, "fact"), part.fact, NEEDS[type(part)]
            if isinstance(part, NotBefore):
                yield (*place, "other"), part.other, "date"


def _of_scope(scope: str, place: Place) -> Iterator[tuple[Place, str, FactType]]:
    if scope == "contract":
        yield (*place, "scope"), "claim.contract_no", "words"
    if scope == "group":
        yield (*place, "scope"), "holder.group", "words"


def _parts_of(value: object, place: Place) -> Iterator[tuple[Place, Part]]:
    if isinstance(value, Part):
        yield place, value
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _parts_of(inner, (*place, number))
