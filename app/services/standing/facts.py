"""What is on record of legal persons: links between two of them, groups, debarments, and what follows on a day. Pure.

A legal person goes by type and value of its identifier: whoever is firm and provider is registered twice and is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import combinations
from typing import Any

from app.kernel.names import comparable_name
from app.kernel.rates import decimal_text
from app.kernel.regions import covers
from app.kernel.vocabulary import Checkpoint, RelationKind
from app.services.rules.facts import Value

CONTROL = Fraction(1, 2)
"""Whoever holds more than this controls."""


def person_of(identifier_type: str, identifier_value: str) -> str:
    """The one word for a legal person: `uscc:91330106MA0000015K`."""
    return f"{identifier_type}:{identifier_value}"


def identifier_of(person: str) -> tuple[str, str]:
    """Type and value of its identifier again."""
    kind, _, value = person.partition(":")
    return kind, value


@dataclass(frozen=True, slots=True)
class Relation:
    """A link on record. Of a holding `person` is the holder and `other` is held; a group has no other."""

    kind: RelationKind
    person: str
    other: str | None
    from_on: date
    until_on: date | None
    """The last day, as it was known or as it turned out, whichever is earlier."""
    share: Fraction | None = None
    group: str | None = None
    id: str = ""

    def holds_on(self, on: date) -> bool:
        """Whether it holds on that day."""
        return self.from_on <= on and (self.until_on is None or on <= self.until_on)


@dataclass(frozen=True, slots=True)
class Debarment:
    """An entry of the debarment list that was not lifted."""

    id: str
    region_code: str
    person: str
    name: str
    document_no: str
    checkpoints: Collection[str]
    from_on: date
    until_on: date | None

    def holds_on(self, on: date) -> bool:
        """Whether it holds on that day."""
        return self.from_on <= on and (self.until_on is None or on <= self.until_on)

    @property
    def period(self) -> str:
        """From when until when, as people read it."""
        return f"{self.from_on} – {self.until_on or '…'}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is on record of one legal person."""

    person: str
    relations: tuple[Relation, ...] = ()
    debarments: tuple[Debarment, ...] = ()


def group_on(standing: Standing, on: date) -> str | None:
    """The group that it belongs to on a day."""
    return next((one.group for one in standing.relations if one.group is not None and one.holds_on(on)), None)


def debarment_at(standing: Standing | None, region_code: str, checkpoint: Checkpoint, *, on: date) -> Debarment | None:
    """The entry that rules out this step in that region on that day: the one that lasts longest."""
    found = [
        one
        for one in (standing.debarments if standing else ())
        if checkpoint in one.checkpoints and covers(one.region_code, region_code) and one.holds_on(on)
    ]
    return max(found, key=lambda one: (one.until_on or date.max, one.id), default=None)


def telling(found: Debarment, checkpoint: Checkpoint) -> dict[str, Any]:
    """What fills the sentence of `debarred`."""
    return {
        "name": found.name,
        "document_no": found.document_no,
        "region": found.region_code,
        "period": found.period,
        "checkpoint": checkpoint.value,
    }


def naming(found: Debarment) -> dict[str, str | int | None]:
    """The members that `debarred` adds to its problem."""
    return {
        "debarment_id": found.id,
        "document_no": found.document_no,
        "until_on": found.until_on.isoformat() if found.until_on else None,
    }


def record_facts(standing: Standing | None, region_code: str, *, on: date) -> dict[str, Value]:
    """Of a firm or provider, for rules to ask: whether it is debarred on the day, and the last day on which it was."""
    binding = [
        one
        for one in (standing.debarments if standing else ())
        if covers(one.region_code, region_code) and one.from_on <= on
    ]
    facts: dict[str, Value] = {"debarred": any(one.holds_on(on) for one in binding)}
    if binding:
        facts["last_debarred_on"] = max(min(one.until_on or on, on) for one in binding).isoformat()
    return facts


def related(relations: Iterable[Relation], a: str, b: str, *, on: date) -> dict[str, Value]:
    """How two legal persons are related on a day, as the facts of a claim without `claim.`; nothing where they are not.

    A holding counts in either direction, directly and through one between, shares multiplied and added up. Common
    control and common representatives carry over: who shares one's controller with a third shares it with all that the
    third shares it with, and who holds more than half controls. Whoever deals with himself is related in every way.
    From which share on it matters is for the rules to say.
    """
    if a == b:
        return {"shareholding": "1", "same_controller": True, "same_legal_representative": True}
    live = {one for one in relations if one.holds_on(on)}
    found: dict[str, Value] = {}
    share = max(_held(live, a, b), _held(live, b, a))
    if share:
        found["shareholding"] = decimal_text(share)
    of_kind: dict[RelationKind, list[tuple[str, str]]] = defaultdict(list)
    for one in live:
        if one.other is not None:
            of_kind[one.kind].append((one.person, one.other))
    control = [*of_kind[RelationKind.SAME_CONTROLLER]]
    control += [(one.person, one.other) for one in live if one.other and one.share and one.share > CONTROL]
    if _joined(control, a, b):
        found["same_controller"] = True
    if _joined(of_kind[RelationKind.SAME_LEGAL_REPRESENTATIVE], a, b):
        found["same_legal_representative"] = True
    if {(a, b), (b, a)} & set(of_kind[RelationKind.SHARED_CONTACT]):
        found["shared_contact"] = True
    groups = [{comparable_name(one.group) for one in live if one.group and one.person == who} for who in (a, b)]
    if groups[0] & groups[1]:
        found["same_group"] = True
    return found


def bearing(relations: Iterable[Relation], a: str, b: str, *, on: date) -> tuple[str, ...]:
    """The ids of the links that `related` follows from on a day: each that says it alone, or together with one other.

    Whoever deals with himself needs none.
    """
    if a == b:
        return ()
    live = {one for one in relations if one.holds_on(on)}
    alone = {one for one in live if related([one], a, b, on=on)}
    in_pairs = {one for pair in combinations(live - alone, 2) if related(pair, a, b, on=on) for one in pair}
    return tuple(sorted(one.id for one in alone | in_pairs))


def with_relation(claim: Mapping[str, Value], relation: Mapping[str, Value]) -> Mapping[str, Value]:
    """The facts of a claim with what is on record: whichever of the two says that parties are related is believed."""
    if not relation:
        return claim
    merged = {**claim}
    for name, value in relation.items():
        known = claim.get(name)
        merged[name] = max(value, known, key=_weight) if known is not None else value
    return merged


def _weight(value: Value) -> Fraction:
    """How much a fact speaks for a relation. What is no number, as nobody should have written it, is nothing."""
    try:
        return Fraction(value) if isinstance(value, str | int) else Fraction(0)
    except ValueError:
        return Fraction(0)


def _held(live: Iterable[Relation], holder: str, held: str) -> Fraction:
    """What one holds of the other, directly and through one between."""
    shares: dict[tuple[str, str], Fraction] = {}
    for one in live:
        if one.share is not None and one.other is not None:
            pair = (one.person, one.other)
            shares[pair] = max(one.share, shares.get(pair, Fraction(0)))
    through = (
        share * shares.get((between, held), Fraction(0)) for (who, between), share in shares.items() if who == holder
    )
    return min(shares.get((holder, held), Fraction(0)) + sum(through, Fraction(0)), Fraction(1))


def _joined(pairs: Iterable[tuple[str, str]], a: str, b: str) -> bool:
    """Whether a way leads from one to the other."""
    next_to: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        next_to[one].add(other)
        next_to[other].add(one)
    reached, ahead = {a}, [a]
    while ahead:
        new = next_to[ahead.pop()] - reached
        reached |= new
        ahead += new
    return b in reached
