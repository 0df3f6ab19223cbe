"""Second factors over HTTP, as in service: officials need one. Attacks on codes, and acts that need a fresh proof."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update

from app.embedded import databases
from app.embedded.server import Server
from app.kernel.clock import utc_now
from app.kernel.vocabulary import Role
from app.models import AuditEvent, RecoveryCode, SecondFactor, SignInFailures
from app.services.identity.loading import password_at
from app.services.identity.principals import Proof
from app.services.identity.throttling import LOCK_AT, Scope, key
from tests.conftest import standing
from tests.identity.authenticator import PASSWORD, Authenticator, enrol, with_password
from tests.world import Actor, City, World, ok, problem


@pytest.fixture(scope="module")
def world(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("second_factors")
    with standing(server, template, folder, database=folder.name, staff_second_factor=True) as shared:
        yield shared
    databases.drop(server, database=folder.name)


@pytest.fixture(scope="module")
def city(world: World) -> City:
    return world.city()


@dataclass
class Person:
    """Somebody at the door, from an address of his own."""

    world: World
    actor: Actor
    login: str
    http: httpx.Client

    def sign_in(self, *, http: httpx.Client | None = None, password: str = PASSWORD, **more: Any) -> httpx.Response:
        body = {"login": self.login, "password": password} | more
        return (http or self.http).post("/v1/personal-tokens", json=body)

    def as_bearer(self, token: object) -> httpx.Client:
        client = self.world.anonymous()
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def events(self) -> list[tuple[str, str]]:
        mine = select(AuditEvent.action, AuditEvent.result).where(AuditEvent.object_id == self.actor.id)
        rows = self.world.database.transact(lambda tx: tx.execute(mine.order_by(AuditEvent.id)).all())
        return [(row.action, row.result) for row in rows]


def from_address(world: World, address: str) -> httpx.Client:
    """A client whose requests come from another address of this machine."""
    transport = httpx.HTTPTransport(local_address=address, verify=False)
    return httpx.Client(base_url=world.base_url, transport=transport, timeout=60, headers={"Accept-Language": "en"})


@pytest.fixture
def checker(world: World, city: City) -> Person:
    actor = world.person(Role.CHECKER, city.authority_id)
    return Person(world, actor, with_password(world, actor), world.anonymous())


def as_if_rests_were_over(world: World) -> None:
    over = update(SignInFailures).values(rests_until=None)
    world.database.transact(lambda tx: tx.execute(over))


def failed(world: World, scope: Scope, *parts: str, times: int) -> None:
    """As if so many had failed a moment ago."""
    row = {"key": key(scope, *parts).sha256, "times": times}
    world.database.transact(
        lambda tx: tx.execute(
            text(
                "INSERT INTO sign_in_failures VALUES (:key, :times, clock_timestamp() + interval '15 minutes',"
                " clock_timestamp() + interval '1 hour') ON CONFLICT (key_sha256) DO UPDATE"
                " SET failures = excluded.failures, rests_until = excluded.rests_until,"
                " forgotten_at = excluded.forgotten_at"
            ),
            row,
        )
    )


# -- the second factor ------------------------------------------------------------------------------------------------


def test_an_official_sets_one_up_at_the_first_sign_in_and_can_do_nothing_else_before(checker: Person) -> None:
    refused = problem(checker.sign_in(), 403, "second_factor_enrolment_needed")
    assert "/portal/account" in refused["detail"]
    authenticator, made = enrol(checker.http, checker.login)
    token = made["personal_token"]["token"]
    assert checker.as_bearer(token).get("/v1/approvals").status_code == 200
    problem(checker.sign_in(), 401, "second_factor_needed")
    assert checker.sign_in(code=authenticator.code()).status_code == 201
    assert checker.events() == [
        ("user.password_accepted", "done"),
        ("user.password_accepted", "done"),
        ("second_factor.begun", "done"),
        ("user.password_accepted", "done"),
        ("second_factor.enrolled", "done"),
        ("user.password_accepted", "done"),
        ("user.signed_in", "done"),
    ]


def test_no_secret_and_no_code_lies_in_the_database(checker: Person) -> None:
    authenticator, made = enrol(checker.http, checker.login)
    codes = made["recovery_codes"]
    assert isinstance(codes, list) and len(codes) == 10

    def kept(tx: Any) -> str:
        tables = ("second_factors", "recovery_codes", "audit_events", "sign_in_failures", "known_places")
        return "\n".join(str(tx.execute(text(f"SELECT * FROM {table}")).all()) for table in tables)

    everything = checker.world.database.transact(kept)
    for secret in (authenticator.secret, PASSWORD, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in everything


def test_a_code_counts_once(checker: Person) -> None:
    authenticator, _ = enrol(checker.http, checker.login)
    problem(checker.sign_in(code=authenticator.again()), 401, "second_factor_invalid")
    assert checker.sign_in(code=authenticator.code()).status_code == 201
    problem(checker.sign_in(code=authenticator.again()), 401, "second_factor_invalid")
    assert checker.events()[-1] == ("user.signed_in", "refused")


def test_of_four_who_send_one_code_at_once_one_gets_in(checker: Person) -> None:
    authenticator, made = enrol(checker.http, checker.login)
    code, device = authenticator.code(), made["personal_token"]["device"]

    def send(_: int) -> int:
        with from_address(checker.world, "127.0.0.1") as http:
            return checker.sign_in(http=http, code=code, device=device).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [201, 401, 401, 401]


def test_the_database_itself_holds_that_a_code_counts_once(checker: Person) -> None:
    enrol(checker.http, checker.login)
    back = (
        update(SecondFactor)
        .where(SecondFactor.user_id == checker.actor.id)
        .values(last_step=SecondFactor.last_step - 1)
    )
    with pytest.raises(Exception, match="is refused"):
        checker.world.database.transact(lambda tx: tx.execute(back))
    unused = update(RecoveryCode).where(RecoveryCode.used_at.is_(None))
    used = unused.values(used_at=text("clock_timestamp()"))
    checker.world.database.transact(lambda tx: tx.execute(used))
    with pytest.raises(Exception, match="is refused"):
        checker.world.database.transact(lambda tx: tx.execute(update(RecoveryCode).values(used_at=None)))


def test_a_recovery_code_takes_the_place_of_a_code_once(checker: Person) -> None:
    _, made = enrol(checker.http, checker.login)
    [code, other, *_] = made["recovery_codes"]
    assert checker.sign_in(code=str(code).upper()).status_code == 201
    problem(checker.sign_in(code=code), 401, "second_factor_invalid")
    assert checker.sign_in(code=other).status_code == 201


def test_another_authenticator_takes_a_code_of_the_first_and_voids_all_tokens(checker: Person) -> None:
    authenticator, made = enrol(checker.http, checker.login)
    mine = {"login": checker.login, "password": PASSWORD}
    problem(checker.http.post("/v1/second-factors", json=mine), 401, "second_factor_needed")
    begun = ok(checker.http.post("/v1/second-factors", json=mine | {"code": authenticator.code()}))
    second = Authenticator(begun["secret"])
    wrong = checker.http.post("/v1/second-factors/confirm", json=mine | {"first_code": "000000"})
    problem(wrong, 401, "second_factor_invalid")
    assert checker.sign_in(code=authenticator.code()).status_code == 201, "the first one still counts"
    assert checker.http.post("/v1/second-factors/confirm", json=mine | {"first_code": second.code()}).status_code == 201
    problem(checker.sign_in(code=authenticator.again()), 401, "second_factor_invalid")
    old = checker.as_bearer(made["personal_token"]["token"])
    problem(old.get("/v1/approvals"), 401, "unauthenticated")


def test_a_token_without_a_second_factor_opens_nothing_to_an_official(checker: Person) -> None:
    world, actor = checker.world, checker.actor
    for proof in (None, Proof(utc_now(), second_factor=False)):
        token = world.tokens.issue(actor.id, actor.organisation_id, ttl_s=600, proof=proof).token
        problem(checker.as_bearer(token).get("/v1/approvals"), 401, "second_factor_needed")


# -- guessing ---------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_refused_without_looking_and_leaves_no_row(checker: Person) -> None:
    failed(checker.world, Scope.OWN, checker.login, "127.0.0.1", times=LOCK_AT)
    failed(checker.world, Scope.OWN, "nobody.at.all", "127.0.0.1", times=LOCK_AT)

    def rows() -> tuple[int, int]:
        told = "SELECT count(*) FROM audit_events WHERE action LIKE 'user.%'"
        counted = f"SELECT (SELECT count(*) FROM sign_in_failures), ({told})"
        return tuple(checker.world.database.transact(lambda tx: tx.execute(text(counted)).one()))

    began = time.perf_counter()
    checker.http.post("/v1/personal-tokens", json={"login": "somebody.else", "password": PASSWORD})
    hashed_s = time.perf_counter() - began
    before = rows()
    answers, times = [], []
    for number in range(60):
        began = time.perf_counter()
        login = checker.login if number % 2 else "nobody.at.all"
        answer = checker.http.post("/v1/personal-tokens", json={"login": login, "password": PASSWORD})
        times.append(time.perf_counter() - began)
        told = re.sub("[0-9]+", "…", answer.json()["detail"])
        answers.append((answer.status_code, answer.json()["code"], told))
        assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert set(answers) == {(429, "too_many_attempts", answers[0][2])}
    assert rows() == before
    assert sorted(times)[30] < hashed_s, "a password takes 64 MiB and a while to look at; this does not"


def test_who_guesses_at_codes_is_locked_out_and_the_owner_is_not(checker: Person) -> None:
    authenticator, _ = enrol(checker.http, checker.login)
    thief = from_address(checker.world, "127.0.0.66")
    seen = []
    for _ in range(LOCK_AT + 1):
        as_if_rests_were_over(checker.world)
        seen.append(checker.sign_in(http=thief, code="000000").status_code)
    assert seen == [401] * (LOCK_AT + 1)
    problem(checker.sign_in(http=thief, code=authenticator.code()), 429, "too_many_attempts")
    assert ("user.sign_in_locked", "done") in checker.events()
    assert checker.sign_in(code=authenticator.code()).status_code == 201, "from his own desk"
    thief.close()


def test_codes_have_a_budget_of_their_own_from_everywhere_together(checker: Person) -> None:
    authenticator, made = enrol(checker.http, checker.login)
    failed(checker.world, Scope.CODE, checker.login, times=20)
    code = authenticator.code()
    with from_address(checker.world, "127.0.0.67") as stranger:
        problem(checker.sign_in(http=stranger, code=code), 429, "too_many_attempts")
        device = made["personal_token"]["device"]
        assert checker.sign_in(http=stranger, code=code, device=device).status_code == 201, (
            "his own program, travelling"
        )


def test_nobody_is_locked_out_by_strangers(checker: Person) -> None:
    authenticator, _ = enrol(checker.http, checker.login)
    failed(checker.world, Scope.ACCOUNT, checker.login, times=100)
    with from_address(checker.world, "127.0.0.68") as stranger:
        problem(checker.sign_in(http=stranger), 429, "too_many_attempts")
        problem(checker.sign_in(http=stranger, device="x" * 43), 429, "too_many_attempts")
    problem(checker.sign_in(password="wrong"), 401, "invalid_credentials")
    assert checker.sign_in(code=authenticator.code()).status_code == 201


def test_one_source_may_not_try_accounts_without_end(checker: Person, world: World, city: City) -> None:
    failed(world, Scope.SOURCE, "127.0.0.69", times=100)
    with from_address(world, "127.0.0.69") as source:
        problem(checker.sign_in(http=source), 429, "too_many_attempts")
        body = {"login": "somebody.else", "password": PASSWORD}
        problem(source.post("/v1/personal-tokens", json=body), 429, "too_many_attempts")
    problem(checker.sign_in(), 403, "second_factor_enrolment_needed")


def test_attempts_at_once_buy_no_further_guess(checker: Person) -> None:
    def guess(number: int) -> int:
        with from_address(checker.world, "127.0.0.70") as http:
            return checker.sign_in(http=http, password=f"guess number {number}").status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(16)))
    assert answers.count(401) <= LOCK_AT, "four freely, then one for each rest that passed meanwhile"
    assert set(answers) <= {401, 429, 503}
    refused = checker.events().count(("user.signed_in", "refused"))
    assert refused == answers.count(401)


# -- acts of weight ---------------------------------------------------------------------------------------------------


def aged(person: Person, minutes: int) -> str:
    set_at = person.world.database.transact(lambda tx: password_at(tx, person.actor.id))
    proof = Proof(utc_now() - timedelta(minutes=minutes), second_factor=True)
    issued = person.world.tokens.issue(
        person.actor.id, person.actor.organisation_id, ttl_s=3600, password_at=set_at, proof=proof
    )
    return issued.token


def test_deciding_an_approval_needs_a_fresh_proof(checker: Person, city: City) -> None:
    authenticator, _ = enrol(checker.http, checker.login)
    programme = city.programme(appropriation_fen=None)
    asked = ok(city.maker.post(f"/v1/programmes/{programme}/close", {"reason": "年度结束，项目关闭"}))
    approval_id = asked.get("approval_id") or asked["id"]
    late = checker.as_bearer(aged(checker, 16))
    late.headers.update({"Idempotency-Key": "one", "Accept-Language": "en"})
    assert late.get(f"/v1/approvals/{approval_id}").status_code == 200
    for path, body in (("approve", None), ("reject", {"reason": "不同意，理由如下"})):
        answer = late.post(f"/v1/approvals/{approval_id}/{path}", json=body)
        told = problem(answer, 401, "step_up_needed")
        assert told["max_age_s"] == 900
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert 'error="insufficient_user_authentication"' in challenge and 'max_age="900"' in challenge
    problem(late.post("/v1/personal-tokens/step-up", json={}), 401, "second_factor_needed")
    problem(late.post("/v1/personal-tokens/step-up", json={"code": "000000"}), 401, "second_factor_invalid")
    problem(late.post("/v1/personal-tokens/step-up", json={"password": PASSWORD}), 401, "second_factor_needed")
    proven = ok(late.post("/v1/personal-tokens/step-up", json={"code": authenticator.code()}))
    replay = late.post("/v1/personal-tokens/step-up", json={"code": authenticator.again()})
    problem(replay, 401, "second_factor_invalid")
    fresh = checker.as_bearer(proven["token"])
    fresh.headers["Idempotency-Key"] = "one"
    assert ok(fresh.post(f"/v1/approvals/{approval_id}/approve"))["status"] == "approved"
    problem(late.post(f"/v1/approvals/{approval_id}/approve"), 401, "step_up_needed")
    assert checker.events().count(("user.stepped_up", "refused")) == 2
    assert checker.events().count(("user.stepped_up", "done")) == 1


def test_a_stepped_up_token_lives_no_longer_than_the_one_before(checker: Person) -> None:
    authenticator, _ = enrol(checker.http, checker.login)
    token = aged(checker, 16)
    proven = ok(checker.as_bearer(token).post("/v1/personal-tokens/step-up", json={"code": authenticator.code()}))
    tokens = checker.world.tokens
    assert tokens.verify(proven["token"]).expires_at <= tokens.verify(token).expires_at


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/users/{id}/roles", {"roles": [{"role": "auditor", "region_code": "330100"}]}),
        ("POST", "/v1/users/{id}/invitations", None),
        ("POST", "/v1/users/{id}/password-resets", {"reason": "忘记密码"}),
        ("POST", "/v1/users/{id}/second-factor-resets", {"reason": "手机遗失"}),
        ("POST", "/v1/users/{id}/disable", {"reason": "离职"}),
        ("POST", "/v1/delegations", None),
        ("POST", "/v1/payee-accounts", None),
        ("POST", "/v1/clients/cli_00000000000000000000000000/secret", {}),
    ],
)
def test_so_does_whatever_gives_powers_or_changes_who_is_paid(
    checker: Person, method: str, path: str, body: dict[str, Any] | None
) -> None:
    late = checker.as_bearer(aged(checker, 16))
    answer = late.request(method, path.format(id=checker.actor.id), json=body)
    problem(answer, 401, "step_up_needed")


def test_signing_out_everywhere_ends_every_token(checker: Person) -> None:
    authenticator, made = enrol(checker.http, checker.login)
    first = checker.as_bearer(made["personal_token"]["token"])
    second = checker.as_bearer(ok(checker.sign_in(code=authenticator.code()))["token"])
    assert second.delete("/v1/personal-tokens/all").status_code == 204
    time.sleep(1.1)  # what this service of the tests trusts unseen
    for client in (first, second):
        problem(client.get("/v1/approvals"), 401, "unauthenticated")
    assert ("user.signed_out_everywhere", "done") in checker.events()


# -- reset ------------------------------------------------------------------------------------------------------------


def test_an_officials_second_factor_is_reset_by_two_persons(checker: Person, world: World, city: City) -> None:
    registrar = world.person(Role.REGISTRAR, city.authority_id)
    security = world.person(Role.SECURITY_ADMIN, city.authority_id)
    path = f"/v1/users/{checker.actor.id}/second-factor-resets"
    problem(registrar.post(path, {"reason": "手机遗失"}), 409, "wrong_state")
    authenticator, made = enrol(checker.http, checker.login)
    problem(security.post(path, {"reason": "手机遗失"}), 403, "forbidden")
    asked = registrar.post(path, {"reason": "手机遗失"})
    assert asked.status_code == 202
    approval_id = asked.json()["approval_id"]
    assert checker.sign_in(code=authenticator.code()).status_code == 201, "nothing has happened yet"
    shown = ok(security.get(f"/v1/approvals/{approval_id}"))
    assert "二次验证" in shown["in_words"]["zh"]
    problem(registrar.post(f"/v1/approvals/{approval_id}/approve"), 403, "forbidden")
    assert ok(security.post(f"/v1/approvals/{approval_id}/approve"))["status"] == "approved"
    problem(checker.sign_in(), 403, "second_factor_enrolment_needed")
    old = checker.as_bearer(made["personal_token"]["token"])
    problem(old.get("/v1/approvals"), 401, "unauthenticated")
    gone = select(SecondFactor.sealed_secret).where(SecondFactor.user_id == checker.actor.id)
    assert world.database.transact(lambda tx: tx.execute(gone).scalars().all()) == [None]


def test_a_firms_person_may_choose_and_a_registrar_alone_resets(world: World, city: City) -> None:
    actor = world.person(Role.FIRM, world.firm())
    manager = Person(world, actor, with_password(world, actor), world.anonymous())
    assert manager.sign_in().status_code == 201
    authenticator, _ = enrol(manager.http, manager.login)
    problem(manager.sign_in(), 401, "second_factor_needed")
    assert manager.sign_in(code=authenticator.code()).status_code == 201
    registrar = world.person(Role.REGISTRAR, city.authority_id)
    path = f"/v1/users/{actor.id}/second-factor-resets"
    elsewhere = world.person(Role.REGISTRAR, city.authority_id, "320100")
    problem(elsewhere.post(path, {"reason": "手机遗失"}), 404, "not_found")
    assert registrar.post(path, {"reason": "手机遗失"}).json() == {"approval_id": None}
    assert manager.sign_in().status_code == 201
