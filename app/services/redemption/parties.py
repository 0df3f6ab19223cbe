"""A registry entry as facts that rules may look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.kernel.vocabulary import IdentifierType, OrganisationKind
from app.services.redemption.states import Party
from app.services.rules.facts import Value

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
        facts["tags"] = tuple(sorted(tag["name"] for tag in profile.get("tags", ()) if _holds(tag, on.isoformat())))
        return Party(facts)
    facts |= _known(profile, _OF_PROVIDERS)
    facts |= {name: str(profile[name]) for name in _MEASURES if profile.get(name)}
    sites = {site["code"]: site["facility_class"] for site in profile.get("sites", ()) if site.get("facility_class")}
    return Party(facts, sites)


def _known(profile: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Value]:
    return {fact: profile[name] for name, fact in names.items() if profile.get(name) is not None}


def _holds(tag: Mapping[str, Any], on: str) -> bool:
    return tag["since_on"] <= on and (tag["until_on"] is None or on <= tag["until_on"])


def _value(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value
