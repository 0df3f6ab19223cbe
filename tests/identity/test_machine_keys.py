"""Machines that sign their assertions (RFC 7523), renew their secrets and revoke their tokens: over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import func, select, update

from app.models import AuditEvent, Client, ClientKey, SpentToken
from tests.identity.over_http import HANGZHOU, NINGBO, Registry, basic, places, registry
from tests.world import problem

__all__ = ["registry"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ED25519 = ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65_537, 2048)
_jtis = count(1)


def jwk_of(private: Any) -> dict[str, Any]:
    public = private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return dict(OKPAlgorithm.to_jwk(public, as_dict=True))
    if isinstance(public, rsa.RSAPublicKey):
        return dict(RSAAlgorithm.to_jwk(public, as_dict=True))
    return dict(ECAlgorithm.to_jwk(public, as_dict=True))


@dataclass
class Machine:
    """A provider's machine that has a key and no secret."""

    registry: Registry
    private: Any = ED25519
    algorithm: str = "EdDSA"
    id: str = ""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.registry.world.anonymous()
        body = {
            "name": "计费系统",
            "organisation_id": self.registry.world.provider(),
            "roles": [{"role": "provider", "region_code": HANGZHOU}],
            "jwk": jwk_of(self.private) | {"kid": "2026-01"},
        }
        made = self.registry.registrar.post("/v1/clients", body)
        assert made.status_code == 201, made.text
        assert made.json()["secret"] is None
        self.registry.approve(made.json()["approval_id"])
        self.id = made.json()["client"]["id"]

    @property
    def issuer(self) -> str:
        issuer: str = self.http.get("/.well-known/oauth-authorization-server").json()["issuer"]
        return issuer

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.id, "sub": self.id, "aud": self.issuer, "exp": now + 30, "jti": f"j{next(_jtis)}"}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def signed(self, *, key: Any = None, algorithm: str | None = None, header: Any = None, **changes: Any) -> str:
        return jwt.encode(
            self.claims(**changes),
            key or self.private,
            algorithm or self.algorithm,
            {"kid": "2026-01", **(header or {})},
        )

    def fetch(self, assertion: str, **form: str) -> httpx.Response:
        asked = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return self.http.post("/oauth/token", data=asked | {"client_assertion": assertion} | form)

    def token(self) -> str:
        answer = self.fetch(self.signed())
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def sees_itself(self, token: str) -> int:
        return self.http.get(f"/v1/clients/{self.id}", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def machine(registry: Registry) -> Machine:
    return Machine(registry)


def refused(answer: httpx.Response, description: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    assert description in answer.json()["error_description"]


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(("private", "algorithm"), [(ED25519, "EdDSA"), (P256, "ES256"), (RSA, "PS256")])
def test_a_machine_signs_in_with_its_key(registry: Registry, private: Any, algorithm: str) -> None:
    machine = Machine(registry, private, algorithm)
    assert machine.sees_itself(machine.token()) == 200
    metadata = machine.http.get("/.well-known/oauth-authorization-server").json()
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]
    assert metadata["token_endpoint_auth_signing_alg_values_supported"] == ["ES256", "EdDSA", "PS256"]


@pytest.mark.parametrize("text", ["\0", "cli_\ud800"])
def test_a_stranger_that_writes_what_no_database_keeps_is_refused(machine: Machine, text: str) -> None:
    refused(machine.fetch(machine.signed(sub=text)), "sub")
    refused(machine.fetch(machine.signed(header={"kid": text})), "kid")
    headers = {"Authorization": f"Bearer {machine.token()}"}
    assert machine.http.post(f"/v1/clients/{machine.id}/keys/%00/retire", headers=headers).status_code == 422


def test_an_assertion_is_good_once_even_for_twins(machine: Machine) -> None:
    assertion = machine.signed()
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(machine.fetch, [assertion] * 4))
    assert statuses == [200, 401, 401, 401]
    refused(machine.fetch(assertion), "was used before")


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"aud": "https://elsewhere.example"}, "aud must be"),
        ({"aud": None}, "aud"),
        ({"iss": "cli_0"}, "iss and sub"),
        ({"exp": None}, "exp"),
        ({"exp": 1_700_000_000}, "run out"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "x" * 256}, "jti"),
        ({"exp": "soon"}, "exp"),
    ],
)
def test_every_claim_is_exact(machine: Machine, changes: dict[str, Any], description: str) -> None:
    refused(machine.fetch(machine.signed(**changes)), description)


def test_the_end_lies_within_a_minute_and_the_beginning_not_ahead(machine: Machine) -> None:
    now = int(time.time())
    refused(machine.fetch(machine.signed(exp=now + 90)), "within 60 seconds")
    refused(machine.fetch(machine.signed(iat=now + 40)), "must not lie ahead")
    refused(machine.fetch(machine.signed(nbf=now + 40)), "must not lie ahead")
    refused(machine.fetch(machine.signed(aud=[machine.issuer])), "aud")
    refused(machine.fetch(machine.signed(aud=f"{machine.issuer}/oauth/token")), "aud must be")
    assert machine.fetch(machine.signed(exp=now + 55, iat=now, nbf=now)).status_code == 200


def test_a_key_has_one_algorithm_and_no_header_brings_another(machine: Machine) -> None:
    raw = ED25519.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    head = {"alg": "EdDSA", "kid": "2026-01"}
    stranger = ed25519.Ed25519PrivateKey.generate()
    for assertion in (
        machine.signed(key=stranger),
        machine.signed(key=P256, algorithm="ES256"),
        machine.signed(key=raw, algorithm="HS256"),
        machine.signed(header={"kid": "other"}),
        machine.signed(header={"typ": "at+jwt"}),
        machine.signed(header={"jwk": jwk_of(stranger)}, key=stranger),
        machine.signed(header={"jku": "http://127.0.0.1/keys"}),
        machine.signed(header={"x5u": "http://127.0.0.1/certificate"}),
        machine.signed(header={"crit": ["exp"], "exp": 1}),
        forged(head | {"alg": "none"}, machine.claims()),
        forged(head, machine.claims(), b"x" * 64),
        forged(head | {"kid": 7}, machine.claims()),
        forged(head, machine.claims() | {"sub": 7}),
        forged(head, {**machine.claims(), "pad": "x" * 5000}),
        "",
        "a.b.c",
        "é.é.é",
    ):
        refused(machine.fetch(assertion), "")
    with machine.registry.world.database.engine.connect() as tx:
        assert tx.execute(select(func.count()).select_from(SpentToken)).scalar_one() == 0


def test_one_way_of_signing_in_at_a_time(machine: Machine) -> None:
    both = machine.fetch(machine.signed(), client_id=machine.id, client_secret="x")
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    asked = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    with_basic = machine.http.post(
        "/oauth/token", data=asked | {"client_assertion": machine.signed()}, headers=basic(machine.id, "x")
    )
    assert with_basic.status_code == 400
    untyped = machine.http.post(
        "/oauth/token", data={"grant_type": "client_credentials", "client_assertion": machine.signed()}
    )
    assert (untyped.status_code, untyped.json()["error"]) == (400, "invalid_request")
    refused(machine.fetch(machine.signed(), client_id="cli_" + "0" * 26), "client_id")
    secret = {"grant_type": "client_credentials", "client_id": machine.id, "client_secret": ""}
    assert machine.http.post("/oauth/token", data=secret).status_code == 401


def test_a_machine_exchanges_its_own_key(machine: Machine) -> None:
    bearer = {"Authorization": f"Bearer {machine.token()}"}
    added = machine.http.post(f"/v1/clients/{machine.id}/keys", json={"jwk": jwk_of(P256)}, headers=bearer)
    assert (added.status_code, added.json()["algorithm"]) == (201, "ES256")
    kid = added.json()["kid"]
    # The thumbprint of RFC 7638, worked out here: the members in lexical order, without spaces.
    public = jwk_of(P256)
    members = f'{{"crv":"P-256","kty":"EC","x":"{public["x"]}","y":"{public["y"]}"}}'
    digest = hashlib.sha256(members.encode()).digest()
    assert kid == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    retired = machine.http.post(f"/v1/clients/{machine.id}/keys/2026-01/retire", headers=bearer)
    assert retired.status_code == 200
    refused(machine.fetch(machine.signed()), "no such client")
    signed = machine.signed(key=P256, algorithm="ES256", header={"kid": kid})
    assert machine.fetch(signed).status_code == 200
    again = machine.http.post(f"/v1/clients/{machine.id}/keys/2026-01/retire", headers=bearer)
    problem(again, 409, "wrong_state")
    named_again = {"jwk": jwk_of(RSA) | {"kid": "2026-01"}}
    reused = machine.http.post(f"/v1/clients/{machine.id}/keys", json=named_again, headers=bearer)
    assert places(reused) == [("/jwk/kid", "key_name_used")]
    shown = machine.http.get(f"/v1/clients/{machine.id}/keys", headers=bearer).json()["data"]
    assert [(key["kid"], key["retired_at"] is None) for key in shown] == [(kid, True), ("2026-01", False)]


def test_keys_are_of_the_kinds_that_are_taken_and_public(machine: Machine) -> None:
    def added(jwk: dict[str, Any]) -> httpx.Response:
        return machine.registry.registrar.post(f"/v1/clients/{machine.id}/keys", {"jwk": jwk})

    good = jwk_of(ED25519)
    private = dict(OKPAlgorithm.to_jwk(ED25519, as_dict=True))
    short = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - that it is short is the point
    wrong_curve = dict(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True))
    assert places(added({"kty": "oct", "k": "c2VjcmV0"})) == [("/jwk/kty", "key_kind")]
    assert places(added(private)) == [("/jwk/d", "private_key")]
    assert places(added(wrong_curve)) == [("/jwk/crv", "key_curve")]
    assert places(added(jwk_of(short))) == [("/jwk/n", "key_length")]
    assert places(added(good | {"alg": "RS256"})) == [("/jwk/alg", "key_algorithm")]
    assert places(added(good | {"use": "enc"})) == [("/jwk/use", "key_use")]
    assert places(added(good | {"x": "AAAA"})) == [("/jwk", "key_unreadable")]
    assert places(added({"kty": "OKP", "crv": "Ed25519"})) == [("/jwk/x", "missing")]
    assert places(added(good | {"kid": "a b"})) == [("/jwk/kid", "key_name")]
    assert places(added({"kty": ["OKP"]})) == [("/jwk/kty", "key_kind")]
    for number in range(9):
        assert added(good | {"kid": f"k{number}"}).status_code == 201
    assert places(added(good | {"kid": "one-too-many"})) == [("/jwk", "too_many_keys")]


def test_a_renewed_secret_stays_good_for_its_overlap(registry: Registry) -> None:
    made = registry.client()
    client_id, first = made["client"]["id"], made["secret"]
    http = registry.world.anonymous()

    def status(secret: str) -> int:
        return http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic(client_id, secret)
        ).status_code

    second = registry.registrar.post(f"/v1/clients/{client_id}/secret", {"overlap_s": 3600}).json()
    assert second["previous_until"] is not None
    assert (status(first), status(second["secret"])) == (200, 200)
    third = registry.registrar.post(f"/v1/clients/{client_id}/secret", {"overlap_s": 0}).json()
    assert third["previous_until"] is None
    assert (status(first), status(second["secret"]), status(third["secret"])) == (401, 401, 200)
    over = registry.registrar.post(f"/v1/clients/{client_id}/secret", {"overlap_s": 31 * 86_400})
    assert over.status_code == 422


def test_an_overlap_ends(registry: Registry) -> None:
    made = registry.client()
    client_id, first = made["client"]["id"], made["secret"]
    registry.registrar.post(f"/v1/clients/{client_id}/secret", {"overlap_s": 3600})
    with registry.world.database.engine.begin() as tx:
        tx.execute(
            update(Client)
            .where(Client.id == client_id)
            .values(previous_secret_until=func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, 1))
        )
    answer = registry.world.anonymous().post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic(client_id, first)
    )
    assert answer.status_code == 401


def test_a_secret_is_withdrawn_once_there_is_a_key(registry: Registry) -> None:
    made = registry.client()
    client_id, secret = made["client"]["id"], made["secret"]
    withdraw: Callable[[], httpx.Response] = lambda: registry.registrar.http.delete(f"/v1/clients/{client_id}/secret")  # noqa: E731
    problem(withdraw(), 409, "wrong_state")
    registry.registrar.post(f"/v1/clients/{client_id}/keys", {"jwk": jwk_of(ED25519)})
    assert withdraw().status_code == 204
    answer = registry.world.anonymous().post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic(client_id, secret)
    )
    assert answer.status_code == 401


def test_keys_and_secrets_of_others_do_not_exist(machine: Machine, registry: Registry) -> None:
    stranger = registry.world.machine(registry.world.provider(NINGBO), NINGBO)
    for answer in (
        stranger.get(f"/v1/clients/{machine.id}/keys"),
        stranger.post(f"/v1/clients/{machine.id}/keys", {"jwk": jwk_of(P256)}),
        stranger.post(f"/v1/clients/{machine.id}/keys/2026-01/retire"),
        stranger.post(f"/v1/clients/{machine.id}/secret", {}),
        stranger.http.delete(f"/v1/clients/{machine.id}/secret"),
        registry.security.post(f"/v1/clients/{machine.id}/secret", {}),
    ):
        problem(answer, 404, "not_found")


def test_a_revoked_token_is_good_no_more_and_others_stay(machine: Machine) -> None:
    revoked, kept = machine.token(), machine.token()
    assert (machine.sees_itself(revoked), machine.sees_itself(kept)) == (200, 200)

    def revoke(token: str, by: Machine = machine) -> int:
        form = {"token": token, "client_assertion_type": ASSERTION_TYPE, "client_assertion": by.signed()}
        return by.http.post("/oauth/revoke", data=form).status_code

    other = Machine(machine.registry)
    assert revoke(revoked, by=other) == 200
    assert machine.sees_itself(revoked) == 200  # it is not the other's to revoke
    assert (revoke(revoked), revoke(revoked), revoke("no token of ours")) == (200, 200, 200)
    assert (machine.sees_itself(revoked), machine.sees_itself(kept)) == (401, 200)
    nobody = machine.http.post("/oauth/revoke", data={"token": kept})
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")


def test_each_change_of_a_key_is_an_audit_event_without_it(machine: Machine) -> None:
    machine.registry.registrar.post(f"/v1/clients/{machine.id}/keys/2026-01/retire")
    with machine.registry.world.database.engine.connect() as tx:
        kept = tx.execute(select(ClientKey.jwk).where(ClientKey.client_id == machine.id)).scalar_one()
        events = tx.execute(
            select(AuditEvent.action, AuditEvent.details)
            .where(AuditEvent.object_id == machine.id, AuditEvent.action.like("client.%"))
            .order_by(AuditEvent.id)
        ).all()
    assert [event.action for event in events] == ["client.created", "client.key_added", "client.key_retired"]
    hashed = hashlib.sha256(kept.encode()).hexdigest()
    assert json.loads(events[1].details) == {"algorithm": "EdDSA", "kid": "2026-01", "jwk_sha256": hashed}
