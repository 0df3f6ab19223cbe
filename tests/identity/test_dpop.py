"""Tokens that are bound to a key (DPoP, RFC 9449), over real HTTP: fetched, used, stolen, replayed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from app.client import ClientCredentials, ProofKey, VoucherClient
from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.kernel.problems import AppError
from app.kernel.vocabulary import OrganisationKind, Role
from app.reach import EVERYWHERE
from app.services.identity.proving import Proving
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving, settings_of
from tests.identity.over_http import PROVINCE, Registry, basic
from tests.identity.test_proofs import ED25519, signed
from tests.openid.between import free_port
from tests.world import World, ok, problem


@dataclass
class Machine:
    """A provider's machine with a secret, and a key that it proves to hold."""

    registry: Registry
    id: str
    secret: str
    key: ProofKey = field(default_factory=ProofKey)

    @property
    def http(self) -> httpx.Client:
        return self.registry.world.anonymous()

    def address(self, path: str) -> str:
        return f"{self.registry.world.base_url}{path}"

    def fetch(self, *proofs: str) -> httpx.Response:
        headers = [*basic(self.id, self.secret).items(), *(("DPoP", proof) for proof in proofs)]
        return self.http.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=headers)

    def token(self, key: ProofKey | None = None) -> str:
        answer = self.fetch((key or self.key).proof("POST", self.address("/oauth/token")))
        assert answer.status_code == 200 and answer.json()["token_type"] == "DPoP", answer.text
        token: str = answer.json()["access_token"]
        return token

    @property
    def path(self) -> str:
        return f"/v1/clients/{self.id}"

    def get(self, token: str, *proofs: str, scheme: str = "DPoP") -> httpx.Response:
        headers = [("Authorization", f"{scheme} {token}"), ("Accept-Language", "en")]
        return self.http.get(self.path, headers=[*headers, *(("DPoP", proof) for proof in proofs)])


@pytest.fixture(scope="module")
def running(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("dpop")
    urls = databases.clone(server, template=template, database=folder.name)
    port = free_port()
    settings = settings_of(urls, folder).model_copy(update={"public_url": f"http://127.0.0.1:{port}"})
    database = Database(urls.app_url, pool_size=10, reach=EVERYWHERE)
    with serving(settings, port=port) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        organisation_id = world.organisation(OrganisationKind.REGISTRY, PROVINCE)
        yield Registry(
            world,
            organisation_id,
            world.person(Role.REGISTRAR, organisation_id, PROVINCE),
            world.person(Role.SECURITY_ADMIN, organisation_id, PROVINCE),
        )
        world.close()
    database.dispose()
    databases.drop(server, database=folder.name)


@pytest.fixture
def machine(running: Registry) -> Machine:
    made = running.client()
    return Machine(running, made["client"]["id"], made["secret"])


def test_a_bound_token_is_good_with_a_proof_of_its_key_each_time(machine: Machine) -> None:
    token = machine.token()
    for _ in range(2):
        proof = machine.key.proof("GET", machine.address(machine.path), token=token)
        assert machine.get(token, proof).status_code == 200
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims["cnf"]) == {"jkt"}
    metadata = machine.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA", "PS256"]


def test_a_stolen_token_is_good_for_nothing(machine: Machine) -> None:
    token, thief = machine.token(), ProofKey()
    url = machine.address(machine.path)
    own = machine.key.proof("GET", url, token=token)
    assert machine.get(token, own).status_code == 200  # and remembered by now
    used_again = machine.get(token, own)
    assert "jti" in problem(used_again, 401, "dpop_proof_invalid")["detail"]
    assert used_again.headers["www-authenticate"].startswith(
        'DPoP realm="compute-vouchers", error="invalid_dpop_proof"'
    )
    as_bearer = machine.get(token, scheme="Bearer")
    problem(as_bearer, 401, "dpop_proof_invalid")
    for proofs in (
        (),
        (machine.key.proof("GET", url, token=token), machine.key.proof("GET", url, token=token)),
        (thief.proof("GET", url, token=token),),
        (machine.key.proof("GET", url),),
        (machine.key.proof("GET", url, token="another"),),
        (machine.key.proof("POST", url, token=token),),
        (machine.key.proof("GET", machine.address("/v1/clients"), token=token),),
        (machine.key.proof("GET", machine.address("/v1/clients").replace("127.0.0.1", "evil.example"), token=token),),
    ):
        problem(machine.get(token, *proofs), 401, "dpop_proof_invalid")


def test_the_shortcut_takes_no_bound_token_from_its_bearer(machine: Machine) -> None:
    token = machine.token()
    body = {"voucher_code": "330100-0000-0000-0000", "order_no": "A", "bill": {"total_fen": 0, "lines": []}}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    for _ in range(2):
        problem(machine.http.post("/v1/redemptions", json=body, headers=headers), 401, "dpop_proof_invalid")
    proof = machine.key.proof("POST", machine.address("/v1/redemptions"), token=token)
    bound = {"Authorization": f"DPoP {token}", "DPoP": proof, "Idempotency-Key": "k"}
    assert machine.http.post("/v1/redemptions", json=body, headers=bound).status_code in {404, 422}


def test_a_bearer_token_does_not_become_a_bound_one(machine: Machine) -> None:
    token = machine.fetch().json()["access_token"]
    assert machine.get(token, scheme="Bearer").status_code == 200
    proof = machine.key.proof("GET", machine.address(machine.path), token=token)
    problem(machine.get(token, proof), 401, "dpop_proof_invalid")


def test_racing_twins_of_one_proof_are_taken_once(machine: Machine) -> None:
    token = machine.token()
    proof = machine.key.proof("GET", machine.address(machine.path), token=token)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: machine.get(token, proof).status_code, range(4)))
    assert sorted(answers) == [200, 401, 401, 401]


def test_the_token_endpoint_takes_a_proof_once_and_for_itself_alone(machine: Machine) -> None:
    proof = machine.key.proof("POST", machine.address("/oauth/token"))
    assert machine.fetch(proof).status_code == 200
    wrong: list[tuple[str, ...]] = [
        (proof,),
        (machine.key.proof("GET", machine.address("/oauth/token")),),
        (machine.key.proof("POST", machine.address("/oauth/revoke")),),
        ("nonsense",),
        (machine.key.proof("POST", machine.address("/oauth/token")),) * 2,
    ]
    for proofs in wrong:
        answer = machine.fetch(*proofs)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


def test_a_machine_that_must_prove_gets_no_token_without(machine: Machine) -> None:
    changed = ok(machine.registry.registrar.post(f"{machine.path}/dpop", {"required": True}))
    assert changed["dpop_required"] is True
    answer = machine.fetch()
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    token = machine.token()
    url = machine.address(f"{machine.path}/dpop")
    own = {"Authorization": f"DPoP {token}", "DPoP": machine.key.proof("POST", url, token=token)}
    problem(machine.http.post(f"{machine.path}/dpop", json={"required": False}, headers=own), 403, "forbidden")
    ok(machine.registry.registrar.post(f"{machine.path}/dpop", {"required": False}))
    assert machine.fetch().status_code == 200
    stranger = machine.registry.client()["client"]["id"]
    assert machine.registry.security.post(f"/v1/clients/{stranger}/dpop", {"required": True}).status_code == 404


def test_the_python_client_binds_its_tokens(machine: Machine) -> None:
    credentials = ClientCredentials(machine.id, machine.secret, proof_key=machine.key)
    with VoucherClient(machine.registry.world.base_url, credentials=credentials) as client:
        assert [one.id for one in client.clients.list()] == [machine.id]
        assert [one.id for one in client.clients.list()] == [machine.id]


def test_where_a_nonce_is_wanted_the_client_signs_again_with_it(server: Server, template: str, tmp_path: Path) -> None:
    urls = databases.clone(server, template=template, database="dpop_nonce")
    port = free_port()
    settings = settings_of(urls, tmp_path).model_copy(
        update={"public_url": f"http://127.0.0.1:{port}", "dpop_nonce": True}
    )
    database = Database(urls.app_url, pool_size=5, reach=EVERYWHERE)
    with serving(settings, port=port) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        organisation_id = world.organisation(OrganisationKind.REGISTRY, PROVINCE)
        people = [world.person(role, organisation_id, PROVINCE) for role in (Role.REGISTRAR, Role.SECURITY_ADMIN)]
        registry = Registry(world, organisation_id, *people)
        made = registry.client()
        machine = Machine(registry, made["client"]["id"], made["secret"])
        answer = machine.fetch(machine.key.proof("POST", machine.address("/oauth/token")))
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        nonce = answer.headers["DPoP-Nonce"]
        token = machine.fetch(machine.key.proof("POST", machine.address("/oauth/token"), nonce=nonce)).json()
        url = machine.address(machine.path)
        bare = machine.get(token["access_token"], machine.key.proof("GET", url, token=token["access_token"]))
        problem(bare, 401, "dpop_nonce_needed")
        assert 'error="use_dpop_nonce"' in bare.headers["www-authenticate"]
        assert bare.headers["DPoP-Nonce"] == nonce or bare.headers["DPoP-Nonce"].split(".")[0] == nonce.split(".")[0]
        for made_up in ("x", nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), "..", "a.1.b", "ü.1.b"):
            proof = machine.key.proof("GET", url, token=token["access_token"], nonce=made_up)
            problem(machine.get(token["access_token"], proof), 401, "dpop_nonce_needed")
        credentials = ClientCredentials(machine.id, machine.secret, proof_key=machine.key)
        with VoucherClient(base_url, credentials=credentials) as client:
            assert [one.id for one in client.clients.list()] == [machine.id]
        world.close()
    database.dispose()
    databases.drop(server, database="dpop_nonce")


def test_a_nonce_is_good_for_some_minutes(database: Database, settings: Settings) -> None:
    now = [datetime(2026, 11, 26, 8, 0, tzinfo=UTC)]
    keys = Tokens.from_settings(settings).keys
    proving = Proving(database, keys, issuer="https://x", wants_nonce=True, clock=lambda: now[0])

    def proof(nonce: str | None) -> Any:
        made = signed(ED25519, "EdDSA", htu="https://x/a", iat=int(now[0].timestamp()), nonce=nonce)
        return proving.check(made, method="POST", path="/a", token="a.b.c")

    with pytest.raises(AppError) as first:
        proof(None)
    nonce = first.value.context["nonce"]
    for minutes, is_taken in ((0, True), (4, True), (1, False)):
        now[0] += timedelta(minutes=minutes)
        if is_taken:
            assert proof(nonce).nonce == nonce
        else:
            with pytest.raises(AppError):
                proof(nonce)
