"""A registrar, and what is recorded and decided about organisations, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import HANGZHOU, Actor, City, World, ok


def registrar(world: World, region_code: str = HANGZHOU) -> Actor:
    return world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY, region_code), region_code)


def identifier(by: Actor, organisation_id: str) -> dict[str, str]:
    found: dict[str, str] = ok(by.get(f"/v1/organisations/{organisation_id}"))["identifier"]
    return found


def relate(by: Actor, organisation_id: str, kind: str, other: dict[str, str] | None = None, **changes: Any) -> Any:
    body: dict[str, Any] = {"kind": kind, "from_on": "2026-01-01", "evidence": "工商登记 2026-01-01"} | changes
    if other is not None:
        body |= {"other": other, "other_name": "对方"}
    return by.post(f"/v1/organisations/{organisation_id}/relations", body)


def debar(city: City, *identifiers: dict[str, str], **changes: Any) -> httpx.Response:
    entries = [
        {
            "identifier": one,
            "name": "失信企业",
            "reason": "骗取补贴",
            "document_no": "杭经信罚〔2026〕9号",
            "from_on": "2026-01-01",
            "until_on": "2126-12-31",
        }
        | changes
        for one in identifiers
    ]
    body = {"region_code": city.region_code, "authority_id": city.authority_id, "entries": entries}
    return city.maker.post("/v1/debarments", body)


def debarred(city: City, *identifiers: dict[str, str], **changes: Any) -> Any:
    """The entries, decided by two persons, newest first."""
    ok(city.approve(debar(city, *identifiers, **changes)))
    return ok(city.maker.get("/v1/debarments"))["data"]
