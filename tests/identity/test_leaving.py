"""Who leaves is out: disabled people and machines, revoked roles and personal tokens, over real HTTP."""

from __future__ import annotations

import httpx
from sqlalchemy import select

from app.kernel.vocabulary import OrganisationKind, Role, TokenScope
from app.models import AuditEvent, RoleGrant
from tests.identity.over_http import HANGZHOU, NINGBO, Registry, basic, places, registry
from tests.world import Actor, fresh_proof, problem

__all__ = ["registry"]

REASON = "调离岗位"


def signed_in_anew(registry: Registry, of: Actor) -> Actor:
    """The same principal with a fresh token, as no worker remembers it."""
    return registry.world._actor(of.id, of.organisation_id)


def test_a_disabled_machine_gets_no_token_and_its_token_is_out(registry: Registry) -> None:
    made = registry.client()
    client_id = made["client"]["id"]
    http = registry.world.anonymous()

    def fetch() -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        return http.post("/oauth/token", data=form, headers=basic(client_id, made["secret"]))

    held = fetch().json()["access_token"]
    shown = registry.security.post(f"/v1/clients/{client_id}/disable", {"reason": REASON})
    assert shown.status_code == 200
    assert shown.json()["disabled_at"] is not None
    assert fetch().status_code == 401
    bearer = {"Authorization": f"Bearer {held}"}
    assert http.get(f"/v1/clients/{client_id}", headers=bearer).status_code == 401
    problem(registry.registrar.post(f"/v1/clients/{client_id}/disable", {"reason": REASON}), 409, "wrong_state")
    problem(registry.registrar.post(f"/v1/clients/{client_id}/secret", {}), 404, "not_found")


def test_a_disabled_person_is_out(registry: Registry) -> None:
    authority = registry.world.organisation(OrganisationKind.AUTHORITY)
    maker = registry.world.person(Role.MAKER, authority)
    assert registry.registrar.post(f"/v1/users/{maker.id}/disable", {"reason": REASON}).status_code == 200
    problem(signed_in_anew(registry, maker).get("/v1/programmes"), 401, "unauthenticated")


def test_a_revoked_role_acts_no_more_and_is_granted_anew_by_two(registry: Registry) -> None:
    authority = registry.world.organisation(OrganisationKind.AUTHORITY)
    checker = registry.world.person(Role.CHECKER, authority)
    role = {"role": "checker", "region_code": HANGZHOU}
    answer = registry.security.post(f"/v1/users/{checker.id}/roles/revoke", {"roles": [role], "reason": REASON})
    assert (answer.status_code, answer.json()["roles"]) == (200, [])
    problem(
        signed_in_anew(registry, checker).post("/v1/approvals/apv_330100_" + "0" * 26 + "/approve"), 403, "forbidden"
    )
    again = registry.security.post(f"/v1/users/{checker.id}/roles/revoke", {"roles": [role], "reason": REASON})
    assert places(again) == [("/roles/0", "not_held")]
    asked = registry.registrar.post(f"/v1/users/{checker.id}/roles", {"roles": [role]})
    registry.approve(asked.json()["approval_id"])
    assert registry.registrar.get(f"/v1/users/{checker.id}").json()["roles"][0]["role"] == "checker"
    with registry.world.database.engine.connect() as tx:
        (details,) = tx.execute(
            select(AuditEvent.details).where(AuditEvent.object_id == checker.id, AuditEvent.action == "roles.revoked")
        ).scalars()
    assert REASON in details


def test_of_several_roles_all_or_none_are_taken(registry: Registry) -> None:
    made = registry.client()
    client_id = made["client"]["id"]
    held, other = {"role": "provider", "region_code": HANGZHOU}, {"role": "provider", "region_code": NINGBO}
    answer = registry.registrar.post(
        f"/v1/clients/{client_id}/roles/revoke", {"roles": [held, other], "reason": REASON}
    )
    assert places(answer) == [("/roles/1", "not_held")]
    with registry.world.database.engine.connect() as tx:
        left = tx.execute(
            select(RoleGrant.id).where(RoleGrant.client_id == client_id, RoleGrant.revoked_at.is_(None))
        ).all()
    assert len(left) == 1


def test_nobody_disables_himself_nor_anybody_beyond_his_reach(registry: Registry) -> None:
    problem(
        registry.registrar.post(f"/v1/users/{registry.registrar.id}/disable", {"reason": REASON}), 422, "same_person"
    )
    elsewhere = registry.world.organisation(OrganisationKind.REGISTRY, NINGBO)
    stranger = registry.world.person(Role.REGISTRAR, elsewhere, NINGBO)
    authority = registry.world.organisation(OrganisationKind.AUTHORITY)
    maker = registry.world.person(Role.MAKER, authority)
    problem(stranger.post(f"/v1/users/{maker.id}/disable", {"reason": REASON}), 404, "not_found")
    problem(maker.post(f"/v1/users/{registry.security.id}/disable", {"reason": REASON}), 403, "forbidden")


def test_a_token_for_reading_may_be_given_back_too(registry: Registry) -> None:
    authority = registry.world.organisation(OrganisationKind.AUTHORITY)
    maker = registry.world.person(Role.MAKER, authority)
    token = registry.world.tokens.issue(
        maker.id, authority, ttl_s=600, scopes=[TokenScope.READ], proof=fresh_proof()
    ).token
    reading = registry.world.anonymous()
    reading.headers["Authorization"] = f"Bearer {token}"
    assert reading.get("/v1/programmes").status_code == 200
    assert reading.delete("/v1/personal-tokens/current").status_code == 204
    assert reading.get("/v1/programmes").status_code == 401


def test_a_person_revokes_the_token_he_carries(registry: Registry) -> None:
    authority = registry.world.organisation(OrganisationKind.AUTHORITY)
    maker = registry.world.person(Role.MAKER, authority)
    other = signed_in_anew(registry, maker)
    assert maker.get("/v1/programmes").status_code == 200
    revoked: httpx.Response = maker.http.delete("/v1/personal-tokens/current")
    assert revoked.status_code == 204
    problem(maker.get("/v1/programmes"), 401, "unauthenticated")
    assert other.get("/v1/programmes").status_code == 200
