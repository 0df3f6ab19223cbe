"""A registry entry as facts that rules may look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from app.kernel.tags import usual_tag
from app.kernel.vocabulary import Checkpoint, IdentifierType, OrganisationKind
from app.services.redemption.states import Parties, Party
from app.services.rules.facts import Value
from app.services.standing.facts import Standing, debarment_at, group_on, record_facts, related

_OF_FIRMS = {"size": "size", "industry": "industry", "group": "group", "registered_on": "registered_on"}
_OF_PROVIDERS = {"provider_kind": "kind", "facility_class": "facility_class"}
_MEASURES = ("capacity_cards", "capacity_pflops", "racks")


def party_of(
    organisation_id: str, kind: str, identifier_type: str, region_code: str, profile: Mapping[str, Any], *, on: date
) -> Party:
    """The facts of one organisation on a day. What the registry does not know is not among them."""
    facts: dict[str, Value] = {name: _value(value) for name, value in profile.get("facts", {}).items()}
    facts |= {"id": organisation_id, "region_code": region_code}
    if kind == OrganisationKind.FIRM:
        facts["type"] = "maker" if identifier_type == IdentifierType.MAKER else "legal_person"
        facts |= _known(profile, _OF_FIRMS)
        held = {tag["name"] for tag in profile.get("tags", ()) if _holds(tag, on.isoformat())}
        facts["tags"] = tuple(sorted(held | {usual_tag(name) for name in held}))
        return Party(facts)
    facts |= _known(profile, _OF_PROVIDERS)
    facts |= {name: str(profile[name]) for name in _MEASURES if profile.get(name)}
    sites = {site["code"]: site["facility_class"] for site in profile.get("sites", ()) if site.get("facility_class")}
    return Party(facts, sites)


def parties_of(
    holder: Party,
    provider: Party,
    admitted_for: Sequence[str] | None,
    standings: tuple[Standing | None, Standing | None],
    region_code: str,
    *,
    on: date,
) -> Parties:
    """Holder and provider with what is on record of both (in this order) for a programme of the region on that day."""
    of_holder, of_provider = standings
    debarred = [debarment_at(one, region_code, Checkpoint.REDEEM, on=on) for one in standings]
    relation: Mapping[str, Value] = {}
    if of_holder and of_provider:
        relation = related({*of_holder.relations, *of_provider.relations}, of_holder.person, of_provider.person, on=on)
    return Parties(
        _on_record(holder, of_holder, region_code, on=on),
        _on_record(provider, of_provider, region_code, on=on),
        admitted_for,
        relation,
        next(filter(None, debarred), None),
    )


def _on_record(party: Party, standing: Standing | None, region_code: str, *, on: date) -> Party:
    """The facts of a party with what is on record; the registry was not asked where nobody looks at any."""
    if not party.facts:
        return party
    facts = {**party.facts, **record_facts(standing, region_code, on=on)}
    if standing and (group := group_on(standing, on)) is not None:
        facts["group"] = group
    return Party(facts, party.facility_classes)


def _known(profile: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Value]:
    return {fact: profile[name] for name, fact in names.items() if profile.get(name) is not None}


def _holds(tag: Mapping[str, Any], on: str) -> bool:
    return tag["since_on"] <= on and (tag["until_on"] is None or on <= tag["until_on"])


def _value(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value
