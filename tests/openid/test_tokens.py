"""A sign-in at the provider carried to the command line; and personal tokens with their scopes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pyotp
import pytest
from sqlalchemy import insert, update
from typer.testing import CliRunner

from app.cli.commands import app as command_line
from app.kernel.clock import utc_now
from app.kernel.vocabulary import OrganisationKind, Role
from app.main import openapi_document
from app.models import SignInCode, User
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity import second_factors
from app.services.identity.loading import load_principal
from app.services.identity.opaque import digest
from app.services.identity.personal_tokens import challenge_of
from app.services.identity.principals import Caller
from tests.identity.over_http import PROVINCE
from tests.openid.conftest import Desk
from tests.portal.manager import invitation
from tests.world import Actor, ok, problem

VERIFIER = "v" * 43
GIVE_BACK = {f"/v1/personal-tokens/{word}" for word in ("current", "all", "step-up")}
"""Good for every token: they end tokens, or exchange one for another of the same scope."""
CODE = re.compile(r'<code id="code">([A-Za-z0-9_-]{43})</code>')


def code_of(desk: Desk, subject: str, verifier: str = VERIFIER) -> str:
    answer = desk.browser().sign_in(subject, f"/portal/openid/zwfw/token/{challenge_of(verifier)}")
    assert answer.status_code == 200, answer.text
    found = CODE.search(answer.text)
    assert found is not None, answer.text
    return found[1]


def fetched(desk: Desk, code: str, verifier: str = VERIFIER, **asked: object) -> httpx.Response:
    return desk.world.anonymous().post(
        "/v1/personal-tokens/by-code", json={"code": code, "verifier": verifier, **asked}
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Language": "en"}


def test_an_official_signs_in_for_the_command_line(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city = desk.world.city()
    desk.linked("official-cli", city.maker)
    desk.claims("official-cli", amr=["pwd", "otp"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    shown: list[str] = []

    def in_the_browser() -> str:
        path = shown[-1].removeprefix(desk.world.base_url)
        found = CODE.search(desk.browser().sign_in("official-cli", path).text)
        assert found is not None
        return f"{found[1]}\n"

    monkeypatch.setattr("app.cli.login.console.print", lambda text, **_: shown.append(text))
    monkeypatch.setattr("app.cli.login.typer.prompt", lambda *_, **__: in_the_browser())
    arguments = ["login", "--url", desk.world.base_url, "--with", "zwfw", "--read-only", "--hours", "1"]
    done = CliRunner().invoke(command_line, arguments)
    assert done.exit_code == 0, done.output
    listed = CliRunner().invoke(command_line, ["tokens"])
    assert listed.exit_code == 0 and "只读 / read" in shown[-1]
    token_id = shown[-1].split()[0]
    assert CliRunner().invoke(command_line, ["revoke-token", token_id]).exit_code != 0, "a reading token ends nothing"


def test_an_official_without_a_second_factor_anywhere_gets_no_token(desk: Desk) -> None:
    city = desk.world.city()
    desk.linked("official-2", city.checker)
    code = code_of(desk, "official-2")
    told = problem(fetched(desk, code), 403, "second_factor_enrolment_needed")
    assert "/portal/account" in told["detail"]
    desk.claims("official-2", acr="urn:example:two")
    given = ok(fetched(desk, code_of(desk, "official-2")))
    asked = desk.world.anonymous().get("/v1/approvals", headers=bearer(given["token"]))
    assert asked.status_code == 200, "the provider's second factor counts here"


def test_whoever_has_a_second_factor_here_gives_its_code_with_the_other_one(desk: Desk) -> None:
    manager = desk.linked("zoe")
    secret = enrolled(desk, manager)
    code = code_of(desk, "zoe")
    problem(fetched(desk, code), 401, "second_factor_needed")
    problem(fetched(desk, code, second_factor_code="000000"), 401, "second_factor_invalid")
    given = ok(fetched(desk, code, second_factor_code=pyotp.TOTP(secret).now()))
    assert given["user_id"] == manager.id
    problem(fetched(desk, code), 401, "sign_in_code_invalid")


def enrolled(desk: Desk, person: Actor) -> str:
    """Give a person a second factor here; the secret of the authenticator."""
    keys = FieldKeys.from_settings(desk.settings)
    principal = desk.world.database.transact(lambda tx: load_principal(tx, person.id))
    assert principal is not None
    caller = Caller(principal, "test", "test")
    begun = desk.world.database.transact(lambda tx: second_factors.begin(tx, keys, caller=caller))
    first = pyotp.TOTP(begun.secret).at(int(time.time()) - 30)
    done = desk.world.database.transact(lambda tx: second_factors.confirm(tx, keys, caller=caller, code=first))
    assert done is not None
    return begun.secret


def test_a_code_is_good_once_for_whoever_asked(desk: Desk) -> None:
    manager = desk.linked("tina")
    code = code_of(desk, "tina")
    problem(fetched(desk, code, "another" * 7), 401, "sign_in_code_invalid")
    given = ok(fetched(desk, code))
    assert (given["user_id"], given["scope"]) == (manager.id, "read write")
    problem(fetched(desk, code), 401, "sign_in_code_invalid")
    problem(fetched(desk, "x" * 43), 401, "sign_in_code_invalid")
    me = desk.world.anonymous().get(f"/v1/users/{manager.id}", headers=bearer(given["token"]))
    assert me.status_code == 200


def test_a_code_dies_with_its_minutes_its_password_and_its_person(desk: Desk) -> None:
    manager = desk.linked("ulla")

    def changed(**values: object) -> None:
        change = update(User).where(User.id == manager.id).values(values)
        desk.world.database.transact(lambda tx: tx.execute(change))

    at = utc_now()
    old = insert(SignInCode).values(
        secret_sha256=digest("old"),
        user_id=manager.id,
        challenge_sha256=digest(challenge_of(VERIFIER)),
        second_factor=False,
        signed_in_at=at,
        created_at=at,
        expires_at=at,
    )
    desk.world.database.transact(lambda tx: tx.execute(old))
    problem(fetched(desk, "old"), 401, "sign_in_code_invalid")
    code = code_of(desk, "ulla")
    changed(tokens_valid_from=utc_now())
    problem(fetched(desk, code), 401, "sign_in_code_invalid")
    code = code_of(desk, "ulla")
    changed(disabled_at=utc_now())
    problem(fetched(desk, code), 401, "sign_in_code_invalid")


def test_a_registrar_unlinks_and_everything_ends(desk: Desk) -> None:
    manager = desk.linked("uwe")
    browser = desk.browser()
    assert browser.sign_in("uwe").status_code == 303
    token = ok(fetched(desk, code_of(desk, "uwe")))["token"]
    registry = desk.world.organisation(OrganisationKind.REGISTRY, PROVINCE)
    registrar = desk.world.person(Role.REGISTRAR, registry, PROVINCE)
    path = f"/v1/users/{manager.id}/outside-identities"
    (link,) = ok(registrar.get(path))["data"]
    assert (link["issuer"], link["ended_at"]) == (desk.between.issuer, None)
    assert "uwe" not in str(link)
    stranger = desk.world.person(Role.REGISTRAR, registry, "340000")
    assert stranger.get(path).status_code == 404
    problem(stranger.post(f"{path}/{link['id']}/unlink", {"reason": "left"}), 404, "not_found")
    other = desk.manager()
    assert other.get(path).status_code == 404
    problem(other.post(f"{path}/{link['id']}/unlink", {"reason": "left"}), 403, "forbidden")
    ended = ok(registrar.post(f"{path}/{link['id']}/unlink", {"reason": "left the firm"}))
    assert ended["ended_by"] == registrar.id
    problem(registrar.post(f"{path}/{link['id']}/unlink", {"reason": "again"}), 409, "wrong_state")
    assert browser.http.get("/portal/vouchers").headers.get("location") == "/portal/sign-in"
    assert desk.browser().sign_in("uwe").status_code == 403
    asked = desk.world.anonymous().get(f"/v1/users/{manager.id}", headers=bearer(token))
    assert asked.status_code == 401
    desk.linked("uwe", desk.manager())  # free for somebody else now


def test_a_new_password_leaves_no_code_and_no_session(desk: Desk) -> None:
    manager = desk.linked("vera")
    code = code_of(desk, "vera")
    secret = invitation(desk.world, manager)
    assert desk.browser().link(secret, "vera-2").status_code == 303
    problem(fetched(desk, code), 401, "sign_in_code_invalid")


def reading(desk: Desk, subject: str, scope: str = "read") -> tuple[Actor, dict[str, str]]:
    person = desk.linked(subject)
    return person, bearer(ok(fetched(desk, code_of(desk, subject), scope=scope))["token"])


def test_a_reading_token_changes_nothing_on_any_route(desk: Desk) -> None:
    person, headers = reading(desk, "wanda")
    http = desk.world.anonymous()
    assert http.get(f"/v1/users/{person.id}", headers=headers).status_code == 200
    headers |= {"If-Match": '"1"', "Idempotency-Key": "k"}  # so that nothing else is missing
    tried = 0
    for path, operations in openapi_document()["paths"].items():
        for method, operation in operations.items():
            if method in {"get", "head"} or not operation.get("security"):
                continue
            if path in GIVE_BACK:
                continue
            answer = http.request(method.upper(), re.sub(r"\{\w+\}", "x", path), headers=headers)
            problem(answer, 403, "insufficient_scope")
            tried += 1
    assert tried > 100


def test_a_writing_token_reads_nothing(desk: Desk) -> None:
    person, headers = reading(desk, "xenia", "write")
    problem(desk.world.anonymous().get(f"/v1/users/{person.id}", headers=headers), 403, "insufficient_scope")


def test_tokens_are_listed_with_their_scope_and_ended_one_by_one(desk: Desk) -> None:
    _, read_only = reading(desk, "yara")
    full = ok(fetched(desk, code_of(desk, "yara"), expires_in_s=600))
    http = desk.world.anonymous()
    listed = ok(http.get("/v1/personal-tokens", headers=read_only))["data"]
    assert [(token["scope"], token["revoked_at"]) for token in listed] == [("read write", None), ("read", None)]
    assert full["token"] not in str(listed) and full["id"] == listed[0]["id"]
    _, strangers = reading(desk, "yuri", "read write")
    problem(http.delete(f"/v1/personal-tokens/{full['id']}", headers=strangers), 404, "not_found")
    own = bearer(full["token"])
    for _ in range(2):
        assert http.delete(f"/v1/personal-tokens/{listed[1]['id']}", headers=own).status_code == 204
    listed = ok(http.get("/v1/personal-tokens", headers=own))["data"]
    assert listed[1]["revoked_at"] is not None
    assert http.delete("/v1/personal-tokens/current", headers=own).status_code == 204
    assert http.get("/v1/personal-tokens", headers=own).status_code == 401
