"""The registry and the ways in as clients meet them: real HTTP, real PostgreSQL."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
from sqlalchemy import select, update

from app.kernel.codes import new_code
from app.kernel.vocabulary import OrganisationKind, Role
from app.models import AuditEvent, RoleGrant, User
from app.services.identity.invitations import redeem_invitation
from app.services.identity.passwords import Passwords
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving
from tests.identity.over_http import HANGZHOU, Registry, basic, places, registry
from tests.world import World, redemption_body, uscc_of

__all__ = ["registry"]

PASSWORD = "correct horse battery"

# -- machines ---------------------------------------------------------------------------------------------------------


def test_a_machine_gets_a_token_with_its_secret_and_is_known_by_it(registry: Registry) -> None:
    made = registry.client()
    client_id = made["client"]["id"]
    http = registry.world.anonymous()
    grant = {"grant_type": "client_credentials"}
    for answer in (
        http.post("/oauth/token", data=grant, headers=basic(client_id, made["secret"])),
        http.post("/oauth/token", data=grant | {"client_id": client_id, "client_secret": made["secret"]}),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert answer.json()["scope"] == "read write"
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        shown = http.get(f"/v1/clients/{client_id}", headers=headers)
        assert shown.json()["roles"] == [{"role": "provider", "region_code": HANGZHOU, "authority_id": None}]


def test_the_published_keys_verify_the_token_in_any_library(registry: Registry) -> None:
    made = registry.client()
    http = registry.world.anonymous()
    metadata = http.get("/.well-known/oauth-authorization-server").json()
    token = http.post(
        httpx.URL(metadata["token_endpoint"]).path,
        data={"grant_type": "client_credentials"},
        headers=basic(made["client"]["id"], made["secret"]),
    ).json()["access_token"]
    key_set = jwt.PyJWKSet.from_dict(http.get(httpx.URL(metadata["jwks_uri"]).path).json())
    key = key_set[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, ["EdDSA"], audience=f"{metadata['issuer']}/v1", issuer=metadata["issuer"])
    assert claims["sub"] == made["client"]["id"]
    assert claims["exp"] - claims["iat"] == 600
    assert metadata["grant_types_supported"] == ["client_credentials"]


def test_a_token_for_reading_changes_nothing(registry: Registry) -> None:
    made = registry.client()
    client_id, http = made["client"]["id"], registry.world.anonymous()

    def token(scope: str) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "scope": scope}
        answer = http.post("/oauth/token", data=form, headers=basic(client_id, made["secret"]))
        assert (answer.status_code, answer.json()["scope"]) == (200, scope)
        return {"Authorization": f"Bearer {answer.json()['access_token']}", "Accept-Language": "en"}

    reading, writing, both = token("read"), token("write"), token("read write")
    path, body = f"/v1/clients/{client_id}", {"overlap_s": 0}
    assert [http.get(path, headers=one).status_code for one in (reading, writing, both)] == [200, 403, 200]
    refused = http.post(f"{path}/secret", json=body, headers=reading)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert [http.post(f"{path}/secret", json=body, headers=one).status_code for one in (writing, both)] == [201, 201]
    bill = redemption_body(new_code(HANGZHOU), 100)
    by_shortcut = http.post("/v1/redemptions", json=bill, headers=reading | {"Idempotency-Key": "k"})
    assert (by_shortcut.status_code, by_shortcut.json()["code"]) == (403, "insufficient_scope")


def test_refusals_of_the_token_endpoint_have_the_shape_of_rfc_6749(registry: Registry) -> None:
    made = registry.client()
    known = {"client_id": made["client"]["id"], "client_secret": made["secret"]}
    grant = {"grant_type": "client_credentials"}
    right = basic(known["client_id"], known["client_secret"])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = f"grant_type=client_credentials&client_id={known['client_id']}&client_id=x"
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"data": grant}, 401, "invalid_client"),
        ({"data": grant | known | {"client_secret": "wrong"}}, 401, "invalid_client"),
        ({"data": grant | known | {"client_id": "cli_00000000000000000000000000"}}, 401, "invalid_client"),
        ({"data": grant | known | {"client_id": "cli_\x00"}}, 401, "invalid_client"),
        ({"data": grant, "headers": basic(known["client_id"], "wrong")}, 401, "invalid_client"),
        ({"data": grant, "headers": {"Authorization": "Basic !!!"}}, 401, "invalid_client"),
        ({"data": grant, "headers": {"Authorization": "Basic /w=="}}, 401, "invalid_client"),
        ({"data": grant, "headers": {"Authorization": b"Basic \xe9"}}, 401, "invalid_client"),
        ({"data": grant, "headers": {"Authorization": f"Bearer {made['secret']}"}}, 401, "invalid_client"),
        ({"data": grant | {"client_id": "cli_other"}, "headers": right}, 401, "invalid_client"),
        ({"data": grant | known, "headers": right}, 400, "invalid_request"),
        ({"data": known}, 400, "invalid_request"),
        ({"data": known | {"grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"data": known | grant | {"scope": "everything"}}, 400, "invalid_scope"),
        ({"json": grant | known}, 400, "invalid_request"),
        ({"content": twice, "headers": form}, 400, "invalid_request"),
        ({"content": "grant_type=%ff", "headers": form}, 400, "invalid_request"),
        ({"content": "é=1".encode(), "headers": form}, 400, "invalid_request"),
        ({"content": "&".join(f"a{n}=1" for n in range(100)), "headers": form}, 400, "invalid_request"),
    ]
    http = registry.world.anonymous()
    for request, status, error in cases:
        answer = http.post("/oauth/token", **request)
        assert (answer.status_code, answer.json()["error"]) == (status, error), request
        assert answer.json().keys() == {"error", "error_description"}
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers.get("WWW-Authenticate", "").startswith("Basic ") == (status == 401)


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_without_a_token_of_ours_nobody_is_let_in(registry: Registry, settings: Settings) -> None:
    http = registry.world.anonymous()
    other_service = Tokens.from_settings(settings.model_copy(update={"public_url": "https://other.example"}))
    foreign = other_service.issue(registry.registrar.id, registry.organisation_id, ttl_s=60).token
    unknown = registry.world.tokens.issue("usr_00000000000000000000000000", registry.organisation_id, ttl_s=60).token
    for header in (None, "", "Bearer", "Basic abc", f"Bearer {foreign}", f"Bearer {unknown}", "Bearer é"):
        headers = {} if header is None else {"Authorization": header.encode()}
        answer = http.get("/v1/organisations", headers=headers)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), header
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_revoked_role_is_gone_within_the_time_a_token_is_trusted(registry: Registry, settings: Settings) -> None:
    assert registry.register(1).status_code == 201
    revoke = (
        update(RoleGrant)
        .where(RoleGrant.user_id == registry.registrar.id)
        .values(revoked_at=select(RoleGrant.granted_at).limit(1).scalar_subquery())
    )
    registry.world.database.transact(lambda tx: tx.execute(revoke))
    time.sleep(settings.principal_cache_s + 0.1)
    assert registry.register(2).status_code == 403


def test_a_person_signs_in_with_the_password_of_the_invitation(registry: Registry) -> None:
    world = registry.world
    authority_id = world.organisation(OrganisationKind.AUTHORITY)
    roles = [{"role": "maker", "region_code": HANGZHOU}]
    created = registry.registrar.post(
        "/v1/users", {"login": "Maker.Hangzhou", "name": "钟怀南", "organisation_id": authority_id, "roles": roles}
    )
    assert created.status_code == 201, created.text
    user_id = created.json()["user"]["id"]
    invited = registry.registrar.post(f"/v1/users/{user_id}/invitations")
    assert (invited.status_code, invited.headers["Cache-Control"]) == (201, "no-store")
    registry.approve(created.json()["approval_id"])
    redeem_invitation(
        world.database,
        Passwords(),
        secret=invited.json()["secret"],
        password=PASSWORD,
        request_id="test",
        source="test",
    )
    http = world.anonymous()
    signed_in = http.post(
        "/v1/personal-tokens", json={"login": "maker.hangzhou", "password": PASSWORD, "expires_in_s": 3600}
    )
    assert (signed_in.status_code, signed_in.headers["Cache-Control"]) == (201, "no-store")
    assert signed_in.json()["user_id"] == user_id
    shown = http.get(f"/v1/users/{user_id}", headers={"Authorization": f"Bearer {signed_in.json()['token']}"})
    assert shown.json()["roles"] == [{"role": "maker", "region_code": HANGZHOU, "authority_id": authority_id}]
    assert shown.json()["has_password"] is True
    assert "password_hash" not in shown.text
    wrong = [
        http.post("/v1/personal-tokens", json={"login": login, "password": password})
        for login, password in (("maker.hangzhou", "wrong"), ("nobody", PASSWORD), ("", ""))
    ]
    assert {(answer.status_code, answer.json()["code"], answer.json()["detail"]) for answer in wrong} == {
        (401, "invalid_credentials", wrong[0].json()["detail"])
    }
    tried = select(AuditEvent.result).where(AuditEvent.action == "user.signed_in").order_by(AuditEvent.id)
    assert world.database.transact(lambda tx: tx.execute(tried).scalars().all()) == ["done", "refused"]


def test_a_personal_token_lives_twelve_hours_at_most(world: World) -> None:
    for expires_in_s in (59, 43_201, "3600", 60.5):
        body = {"login": "maker", "password": PASSWORD, "expires_in_s": expires_in_s}
        answer = world.anonymous().post("/v1/personal-tokens", json=body)
        assert [pointer for pointer, _ in places(answer)] == ["/expires_in_s"]


def test_an_officials_password_is_reset_by_two_persons(registry: Registry) -> None:
    finance = registry.world.person(Role.FINANCE, registry.world.organisation(OrganisationKind.FINANCE))
    path = f"/v1/users/{finance.id}"
    refused = registry.registrar.post(f"{path}/invitations")
    assert (refused.status_code, refused.json()["code"]) == (409, "approval_needed")
    assert "within 24 hours" in refused.json()["detail"]
    assert registry.registrar.post(f"{path}/password-resets", {}).status_code == 422
    asked = registry.registrar.post(f"{path}/password-resets", {"reason": "遗忘密码"})
    assert asked.status_code == 202, asked.text
    itself = registry.registrar.post(f"/v1/approvals/{asked.json()['approval_id']}/approve")
    assert itself.status_code == 403
    registry.approve(asked.json()["approval_id"])
    assert registry.registrar.post(f"{path}/invitations").status_code == 201
    assert registry.registrar.post(f"{path}/invitations").status_code == 409


def test_a_new_password_voids_what_the_old_one_opened_at_once(registry: Registry, settings: Settings) -> None:
    world, http, passwords = registry.world, registry.world.anonymous(), Passwords()
    manager = world.person(Role.FIRM, world.firm())
    login = world.database.transact(lambda tx: tx.execute(select(User.login).where(User.id == manager.id)).scalar_one())

    def set_password(password: str) -> None:
        invited = registry.registrar.post(f"/v1/users/{manager.id}/invitations")
        assert invited.status_code == 201, invited.text
        secret = invited.json()["secret"]
        redeem_invitation(world.database, passwords, secret=secret, password=password, request_id="test", source="test")

    def signed_in(password: str) -> str:
        answer = http.post("/v1/personal-tokens", json={"login": login, "password": password})
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def status(token: str) -> int:
        return http.get("/v1/users", headers={"Authorization": f"Bearer {token}"}).status_code

    set_password(PASSWORD)
    without_password, old = manager.http.headers["Authorization"].removeprefix("Bearer "), signed_in(PASSWORD)
    assert (status(without_password), status(old)) == (401, 200)
    set_password("another good password")
    new = signed_in("another good password")
    assert status(new) == 200, "issued a moment after the reset, most likely in its second"
    time.sleep(settings.principal_cache_s + 0.1)
    assert (status(old), status(new)) == (401, 200)


def test_what_no_login_or_password_can_be_is_refused_before_it_is_tried(world: World) -> None:
    http = world.anonymous()
    for field, value in {"login": "x" * 65, "password": "x" * 513}.items():
        answer = http.post("/v1/personal-tokens", json={"login": "maker", "password": PASSWORD} | {field: value})
        assert [pointer for pointer, _ in places(answer)] == [f"/{field}"]
    for content in (rb'{"login": "\ud800", "password": "x"}', rb'{"login": "maker", "password": "\udfff"}'):
        answer = http.post("/v1/personal-tokens", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, content


# -- the registry -----------------------------------------------------------------------------------------------------


def test_an_organisation_is_registered_read_and_changed(registry: Registry) -> None:
    created = registry.register(10)
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    path = f"/v1/organisations/{created.json()['id']}"
    read = registry.registrar.get(path)
    assert (read.json(), read.headers["ETag"]) == (created.json(), '"1"')
    http = registry.registrar.http
    changed = http.patch(path, json={"name": "新名"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["name"]) == (200, '"2"', "新名")
    missing = http.patch(path, json={"name": "别名"})
    assert (missing.status_code, missing.json()["code"]) == (428, "etag_missing")
    for stale in ('"1"', 'W/"2"', "*", "2", '"x"'):
        answer = http.patch(path, json={"name": "别名"}, headers={"If-Match": stale})
        assert (answer.status_code, answer.json()["code"]) == (412, "etag_stale")
    again = registry.register(10)
    assert (again.status_code, again.json()["organisation_id"]) == (409, created.json()["id"])


def test_what_is_wrong_in_an_organisation_is_named_in_its_place(registry: Registry) -> None:
    identifier = {"type": "uscc", "value": "91330106MA0000015X"}
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"identifier": identifier}, ["/identifier/value"]),
        ({"identifier": identifier | {"kind": "x"}}, ["/identifier/kind"]),
        ({"region_code": "339999"}, ["/region_code"]),
        ({"kind": "city"}, ["/kind"]),
        ({"nmae": "x"}, ["/nmae"]),
        ({"name": "\x00"}, ["/name"]),
        ({"name": " "}, ["/name"]),
        ({"profile": {"provider_kind": "compute", "capacity_cards": 1.5}}, ["/profile/capacity_cards"]),
        ({"profile": {}}, ["/profile/provider_kind"]),
        ({"profile": None}, ["/profile/provider_kind"]),
    ]
    for changes, pointers in cases:
        assert [pointer for pointer, _ in places(registry.register(11, **changes))] == pointers
    assert registry.registrar.get("/v1/organisations", identifier=uscc_of(90_011)).json()["data"] == []


def test_a_list_is_walked_by_its_cursors_without_gaps_or_repetitions(registry: Registry) -> None:
    made = [registry.register(20 + number).json()["id"] for number in range(5)]
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"kind": "provider", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = registry.registrar.get("/v1/organisations", **query).json()
        found += [organisation["id"] for organisation in page["data"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (made[::-1], None)


def test_a_list_asked_for_wrongly_is_refused(registry: Registry) -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({"cursor": "nonsense"}, 400),
        ({"cursor": "\x00"}, 400),
        ({"limit": 0}, 422),
        ({"limit": 201}, 422),
        ({"kind": "city"}, 422),
        ({"region_code": "339999"}, 422),
        ({"identifier": "\x00"}, 422),
    ]
    for query, status in cases:
        assert registry.registrar.get("/v1/organisations", **query).status_code == status, query


def test_bytes_that_are_no_text_are_refused_and_not_a_fault_of_ours(registry: Registry) -> None:
    for content in (b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b"\xff", b"[]", b"null", b"{"):
        answer = registry.registrar.http.post(
            "/v1/organisations", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}, content
    for path in ("organisations/%00", "users/%00", "clients/%ff"):
        assert registry.registrar.get(f"/v1/{path}").status_code in {404, 422}


def test_what_is_not_yours_does_not_exist(registry: Registry) -> None:
    world = registry.world
    firm, other = world.firm(), world.firm()
    manager = world.person(Role.FIRM, firm)
    user_id, client_id = registry.registrar.id, registry.client()["client"]["id"]
    for path in (f"organisations/{other}", f"users/{user_id}", f"clients/{client_id}"):
        answer = manager.get(f"/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert [found["id"] for found in manager.get("/v1/organisations").json()["data"]] == [firm]
    assert [found["id"] for found in manager.get("/v1/users").json()["data"]] == [manager.id]
    assert manager.get("/v1/clients").json()["data"] == []


def test_roles_that_cannot_be_are_named_in_their_place(registry: Registry) -> None:
    provider_id = registry.world.provider()
    body = {"name": "x", "organisation_id": provider_id}
    roles = [{"role": "provider", "region_code": HANGZHOU}, {"role": "finance", "region_code": HANGZHOU}]
    refused = registry.registrar.post("/v1/clients", body | {"roles": roles})
    assert places(refused) == [
        ("/roles/1/role", "not_for_this_organisation"),
        ("/roles/1/role", "not_for_machines"),
    ]
    unknown = [{"role": "king", "region_code": HANGZHOU}]
    assert [pointer for pointer, _ in places(registry.registrar.post("/v1/clients", body | {"roles": unknown}))] == [
        "/roles/0/role"
    ]


def test_refused_roles_can_be_asked_for_again(registry: Registry) -> None:
    provider_id = registry.world.provider()
    roles = [{"role": "provider", "region_code": HANGZHOU}]
    made = registry.registrar.post("/v1/clients", {"name": "x", "organisation_id": provider_id, "roles": roles}).json()
    rejected = registry.security.post(f"/v1/approvals/{made['approval_id']}/reject", {"reason": "材料不全"})
    assert rejected.status_code == 200, rejected.text
    asked = registry.registrar.post(f"/v1/clients/{made['client']['id']}/roles", {"roles": roles})
    assert asked.status_code == 202, asked.text
    registry.approve(asked.json()["approval_id"])


def test_workers_of_one_service_trust_each_others_tokens(registry: Registry, settings: Settings) -> None:
    with serving(settings) as second_worker:
        token = registry.registrar.http.headers["Authorization"]
        answer = httpx.get(f"{second_worker}/v1/organisations", headers={"Authorization": token}, trust_env=False)
        assert answer.status_code == 200
