"""Firms that could spend a voucher nowhere: each provider that the programme has listed is related to them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from app.kernel.clock import civil_date
from app.services.rules.assess import signs_of_relation
from app.services.rules.model import Rules
from app.services.standing.facts import related
from app.services.standing.loading import load_standings

_LISTED = text(
    "SELECT provider_id FROM admissions WHERE region_code = :region_code AND programme_id = :programme_id"
    " AND status = 'listed'"
)
_LINKED = text(
    "SELECT o.id FROM organisations o WHERE o.kind = 'firm' AND o.identifier_type || ':' || o.identifier_value IN ("
    "SELECT person FROM organisation_relations UNION SELECT other_person FROM organisation_relations"
    " UNION SELECT p.identifier_type || ':' || p.identifier_value FROM organisations p"
    " WHERE p.id = ANY(CAST(:providers AS text[])))"
)


def related_to_all(
    tx: Connection, region_code: str, programme_id: str, firm_ids: Collection[str], rules: Rules, *, at: datetime
) -> dict[str, str]:
    """The firms among these that are related to every listed provider, and by which signs, where rules refuse such.

    Nobody is where no provider is listed yet. The work grows with what is on record, not with the firms.
    """
    if rules.related_parties.action != "block":
        return {}
    asked = {"region_code": region_code, "programme_id": programme_id}
    providers = {row.provider_id for row in tx.execute(_LISTED, asked)}
    if not providers:
        return {}
    linked = {row.id for row in tx.execute(_LINKED, {"providers": sorted(providers)})} & set(firm_ids)
    if not linked:
        return {}
    standings, on = load_standings(tx, linked | providers), civil_date(at)
    found: dict[str, str] = {}
    for firm_id in sorted(linked):
        firm, signs = standings[firm_id], set[str]()
        for provider_id in providers:
            provider = standings[provider_id]
            facts = related({*firm.relations, *provider.relations}, firm.person, provider.person, on=on)
            of_one = signs_of_relation(rules, facts)
            if not of_one:
                break
            signs |= set(of_one)
        else:
            found[firm_id] = ", ".join(sorted(signs))
    return found
