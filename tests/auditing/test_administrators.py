"""三员分立: three administrators, each with what his office needs; none sees an amount, none moves money."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.kernel.vocabulary import OrganisationKind, Role
from app.main import ROUTERS
from app.services.identity.incompatible import ADMINISTRATORS, clash
from app.services.identity.principals import Grant
from tests.auditing.accounts import propose
from tests.world import HANGZHOU, Actor, City, World, counter, ok, problem

EVERYBODY = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/v1/rules/schema",
    "/v1/notices",
    "/v1/calendars",
    "/v1/reports/disclosure",
    "/v1/programmes/{programme_id}/rule-versions",
    "/v1/programmes/{programme_id}/rule-versions/{version}",
}
"""Shown without signing in, or the same to all: nothing of it is a region's own figure but what is published."""


PROVINCE, NINGBO = "330000", "330200"


def administrator(world: World, role: Role, region_code: str = HANGZHOU) -> Actor:
    return world.person(role, world.organisation(OrganisationKind.AUTHORITY, region_code), region_code)


@pytest.mark.parametrize("other", sorted(set(Role)))
@pytest.mark.parametrize("admin", sorted(ADMINISTRATORS))
def test_an_administrator_holds_no_other_role_but_that_of_the_registry(admin: Role, other: Role) -> None:
    one, held = Grant(admin, "330000"), Grant(other, HANGZHOU)
    assert clash(one, held) is clash(held, one) is (other not in {admin, Role.REGISTRAR})


def test_each_has_what_his_office_needs_and_not_what_another_has(shared_world: World) -> None:
    own = {
        Role.SYSTEM_ADMIN: "/v1/system",
        Role.SECURITY_ADMIN: "/v1/approvals",
        Role.AUDIT_ADMIN: "/v1/audit-events",
    }
    admins = {role: administrator(shared_world, role) for role in sorted(own)}
    for role, admin in admins.items():
        ok(admin.get(own[role]))
    for one, other in combinations(sorted(own), 2):
        for asks, path in ((one, own[other]), (other, own[one])):
            answer = admins[asks].get(path)
            assert answer.status_code == 403 or answer.json()["data"] == [], f"{asks} read {path}"


def test_the_system_is_shown_without_a_secret_and_its_keys_are_exchanged_on_record(shared_world: World) -> None:
    admin, city = administrator(shared_world, Role.SYSTEM_ADMIN, PROVINCE), shared_world.city()
    auditor = shared_world.person(Role.AUDITOR, admin.organisation_id, PROVINCE)
    before = ok(admin.get("/v1/system"))
    assert before["settings"]["keep_sessions_days"] == 90 and "database_url" not in before["settings"]
    kid = ok(admin.http.post("/v1/system/token-keys"))["kid"]
    keys = [one for one in ok(admin.get("/v1/system"))["keys"] if one["purpose"] == "tokens"]
    assert (keys[0]["name"], keys[0]["newest"], keys[1]["newest"]) == (kid, True, False)
    (told,) = ok(auditor.get("/v1/audit-events", action="keys.rotated", actor_id=admin.id))["data"]
    assert told["object_id"] == "keys"
    of_a_city = administrator(shared_world, Role.SYSTEM_ADMIN)  # the keys are those of the whole province
    problem(of_a_city.http.post("/v1/system/token-keys"), 403, "forbidden")
    for other in (city.maker, city.finance, administrator(shared_world, Role.SECURITY_ADMIN)):
        problem(other.http.post("/v1/system/token-keys"), 403, "forbidden")
        problem(other.get("/v1/system"), 403, "forbidden")


def test_a_system_administrator_sees_the_sealing_of_his_own_regions(shared_world: World) -> None:
    here, there = (shared_world.city(region_code) for region_code in (HANGZHOU, NINGBO))
    for city in (here, there):
        city.programme()  # which leaves something to seal
    seen = {
        region_code: {
            one["region_code"]
            for one in ok(administrator(shared_world, Role.SYSTEM_ADMIN, region_code).get("/v1/system"))["sealing"]
        }
        for region_code in (HANGZHOU, NINGBO, "330106", PROVINCE)
    }
    assert seen[HANGZHOU] == {HANGZHOU} and seen[NINGBO] == {NINGBO} and seen["330106"] == set()
    assert seen[PROVINCE] >= {HANGZHOU, NINGBO}


@pytest.fixture(scope="module")
def busy(shared_world: World) -> tuple[City, dict[str, str]]:
    """A city with money everywhere, and an id for each parameter of a path."""
    desk = counter(shared_world.city())
    redemption = ok(desk.redeem(10_000))
    account_id = propose(desk.city)
    ids = {
        "programme_id": desk.programme_id,
        "voucher_id": redemption["voucher_id"],
        "redemption_id": redemption["id"],
        "account_id": account_id,
        "entry_id": redemption.get("entry_id", ""),
        "organisation_id": desk.city.authority_id,
        "payee_id": desk.machine.organisation_id,
        "provider_id": desk.machine.organisation_id,
        "approval_id": "",
        "version": "1",
        "region": HANGZHOU,
        "region_code": HANGZHOU,
        "year": "2026",
    }
    return desk.city, ids


def _reads() -> list[str]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return sorted({route.path for route in routes if "GET" in (route.methods or ())} - EVERYBODY)


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS))
def test_no_reading_route_shows_an_administrator_an_amount(
    shared_world: World, busy: tuple[City, dict[str, str]], role: Role
) -> None:
    _, ids = busy
    admin, seen = administrator(shared_world, role), {}
    asked = {"purpose": "核对", "from": "0", "region_code": HANGZHOU, "entry_id": ids["redemption_id"]}
    for path in _reads():
        if path.startswith("/v1/notices"):
            continue
        filled = path
        for name, value in ids.items():
            filled = filled.replace("{" + name + "}", value or f"apr_{HANGZHOU}_00000000000000000000000000")
        filled = filled.replace("{", "").replace("}", "")
        answer = admin.http.get(filled, params=asked)
        if answer.is_success:
            seen[path] = _amounts(answer)
    assert {path: found for path, found in seen.items() if found} == {}


def _amounts(answer: Any) -> list[str]:
    """Names of fields with an amount above nothing, however deep."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name.endswith("_fen") and inner:
                    found.append(name)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    if answer.headers["content-type"].startswith("application/json"):
        walk(answer.json())
    return found
