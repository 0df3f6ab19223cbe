"""Audit events over HTTP: who reads them, what they tell, where they stand in the log, and that refusals are there."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from app.database import Database
from app.embedded.databases import Urls
from app.kernel.canonical import sha256_hex
from app.kernel.vocabulary import OrganisationKind, Role
from app.services.auditing.reads import without_money
from app.services.auditing.sheet import HEADINGS
from tests.auditing.accounts import NUMBER, propose
from tests.world import HANGZHOU, NINGBO, Actor, City, World, ok, problem

PATH = "/v1/audit-events"


@pytest.fixture
def city(shared_world: World) -> City:
    return shared_world.city()


def admin(world: World, role: Role = Role.AUDIT_ADMIN, region_code: str = HANGZHOU) -> Actor:
    return world.person(role, world.organisation(OrganisationKind.AUTHORITY, region_code), region_code)


def events(reader: Actor, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(reader.get(PATH, **wanted))["data"]
    return found


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < deadline, "it was not written"
        time.sleep(0.1)
    return found


def test_a_reading_of_bank_data_is_told_with_who_what_for_and_from_where_but_not_the_number(city: City) -> None:
    account_id = propose(city)
    read = city.finance.get(f"/v1/payee-accounts/{account_id}/number", purpose="核对付款 13800138000")
    assert ok(read) == {"id": account_id, "account_no": NUMBER}
    (told,) = events(city.auditor, action="payee_account.*", object_id=account_id, result="done")
    assert (told["principal_id"], told["action"]) == (city.finance.id, "payee_account.number_read")
    assert (told["source"], told["region_code"]) == ("127.0.0.1", HANGZHOU)
    assert told["request_id"] == read.headers["X-Request-Id"]
    assert told["details"] == {"fields": ["account_no"], "purpose": "核对付款 13*******00", "roles": ["finance"]}
    assert NUMBER not in str(told) and told["leaf_sha256"] == sha256_hex(told["leaf"].encode())
    assert events(city.auditor, object_id=account_id, actor_id=city.maker.id, action="payee_account.*") == []


def test_a_number_is_read_for_a_purpose_or_not_at_all(city: City) -> None:
    account_id = propose(city)
    path = f"/v1/payee-accounts/{account_id}/number"
    problem(city.finance.get(path), 422, "validation_failed")
    problem(city.finance.get(path, purpose=" "), 422, "validation_failed")
    elsewhere = city.world.city(NINGBO)
    problem(elsewhere.finance.get(path, purpose="核对"), 404, "not_found")
    problem(admin(city.world).get(path, purpose="核对"), 403, "forbidden")


def test_an_account_is_found_by_its_whole_number_alone(city: City) -> None:
    account_id = propose(city)
    search = {"account_no": f"{NUMBER[:4]} {NUMBER[4:]}", "purpose": "查重"}
    found = ok(city.finance.http.post("/v1/payee-accounts/search", json=search))
    assert account_id in {one["id"] for one in found}
    other = search | {"account_no": NUMBER[:-1] + "0"}
    assert ok(city.finance.http.post("/v1/payee-accounts/search", json=other)) == []
    elsewhere = city.world.city(NINGBO)
    assert ok(elsewhere.finance.http.post("/v1/payee-accounts/search", json=search)) == []
    assert events(city.auditor, action="payee_account.number_searched", actor_id=city.finance.id)[0]["details"] == {
        "fields": ["account_no"],
        "found": [],
        "purpose": "查重",
        "roles": ["finance"],
    }


def test_what_cannot_be_written_down_is_not_read(world: World, urls: Urls) -> None:
    city = world.city()
    account_id = propose(city)
    owner = Database(urls.owner_url, pool_size=1)
    owner.transact(lambda tx: tx.execute(text("REVOKE INSERT ON audit_events FROM voucher_app")))
    owner.dispose()
    read = city.finance.get(f"/v1/payee-accounts/{account_id}/number", purpose="核对付款")
    problem(read, 500, "internal_error")
    assert NUMBER not in read.text


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.AUDITOR, Role.AUDIT_ADMIN}))
def test_nobody_else_reads_audit_events(city: City, role: Role) -> None:
    problem(admin(city.world, role).get(PATH), 403, "forbidden")


def test_those_of_another_region_do_not_exist(city: City) -> None:
    propose(city)
    (mine, *_) = events(city.auditor)
    elsewhere = city.world.city(NINGBO)
    assert all(one["region_code"] == NINGBO for one in events(elsewhere.auditor))
    assert events(elsewhere.auditor, region_code=HANGZHOU) == []
    problem(elsewhere.auditor.get(f"{PATH}/{mine['id']}"), 404, "not_found")
    province = admin(city.world, region_code="330000")
    assert ok(province.get(f"{PATH}/{mine['id']}"))["id"] == mine["id"]
    problem(city.auditor.get(f"{PATH}/evt_330100_00000000000000000000000000"), 404, "not_found")


def test_pages_follow_time_without_gap_or_repetition(city: City) -> None:
    for _ in range(3):
        propose(city)
    wanted = {"actor_id": city.maker.id, "action": "change_payee_account.*"}
    whole = [one["id"] for one in events(city.auditor, **wanted)]
    paged, cursor = [], None
    while True:
        page = ok(city.auditor.get(PATH, **wanted, limit=2, **({"cursor": cursor} if cursor else {})))
        paged += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert paged == whole and len(whole) == 3
    middle = ok(city.auditor.get(f"{PATH}/{whole[1]}"))["at"]
    assert [one["id"] for one in events(city.auditor, **wanted, since=middle)] == whole[:2]
    assert [one["id"] for one in events(city.auditor, **wanted, until=middle)] == whole[1:]


def test_the_audit_administrator_sees_no_amount() -> None:
    assert without_money({"amount_fen": 1, "reason": "x", "free_fen": 2}) == (
        {"reason": "x"},
        ("amount_fen", "free_fen"),
    )


def test_a_refusal_is_told_once_and_not_for_whoever_may(city: City) -> None:
    account_id = propose(city)
    elsewhere = city.world.city(NINGBO)
    for _ in range(5):
        elsewhere.finance.get(f"/v1/payee-accounts/{account_id}/number", purpose="试探")
    problem(elsewhere.finance.get(PATH), 403, "forbidden")
    told = eventually(
        lambda: (
            (found := events(elsewhere.auditor, action="access.refused", actor_id=elsewhere.finance.id))
            and len(found) == 2
            and found
        )
    )
    assert [(one["result"], one["details"]["status"], one["details"]["count"]) for one in told] == [
        ("refused", 403, 1),
        ("refused", 404, 1),
    ]
    assert told[1]["object_id"] == account_id
    assert told[1]["details"]["route"] == "GET /v1/payee-accounts/{id}/number"
    assert told[0]["details"]["roles"] == ["finance"]


def test_an_export_is_an_event_and_holds_no_formula(city: City) -> None:
    propose(city)
    city.finance.get(f"/v1/payee-accounts/{propose(city)}/number", purpose="=1+1")
    sheet = city.auditor.get(f"{PATH}/export", purpose="年度审计", action="payee_account.*")
    rows = list(openpyxl.load_workbook(BytesIO(sheet.content)).active.iter_rows(values_only=True))
    assert rows[0] == HEADINGS and rows[1][4] == "payee_account.number_read"
    plain = city.auditor.get(f"{PATH}/export", purpose="=年度审计", format="csv", action="payee_account.*")
    lines = list(csv.reader(StringIO(plain.content.decode("utf-8-sig"))))
    assert tuple(lines[0]) == HEADINGS and lines[1][4] == rows[1][4]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line)
    told = events(city.auditor, action="audit_events.exported", actor_id=city.auditor.id)
    assert [(one["details"]["format"], one["details"]["purpose"]) for one in told] == [
        ("csv", "=年度审计"),
        ("xlsx", "年度审计"),
    ]
    assert told[0]["details"]["by_action"] == "payee_account.*"
    problem(city.auditor.get(f"{PATH}/export"), 422, "validation_failed")
    problem(city.finance.get(f"{PATH}/export", purpose="看看"), 403, "forbidden")


def test_reading_people_is_told_and_reading_oneself_is_not(city: City) -> None:
    registrar = admin(city.world, Role.REGISTRAR)
    ok(registrar.get(f"/v1/users/{city.maker.id}"))
    ok(registrar.get(f"/v1/users/{registrar.id}"))
    told = events(city.auditor, action="user.read", actor_id=registrar.id)
    assert [one["details"]["users"] for one in told] == [[city.maker.id]]


def test_a_machine_that_signs_in_is_told_and_so_is_who_guesses_its_secret(city: City) -> None:
    registrar = admin(city.world, Role.REGISTRAR)
    body = {"name": "计费系统", "organisation_id": city.world.provider(), "roles": []}
    made = ok(registrar.post("/v1/clients", body))
    client_id = made["client"]["id"]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": made["secret"]}
    http = city.world.anonymous()
    ok(http.post("/oauth/token", data=form))
    for _ in range(3):
        assert http.post("/oauth/token", data=form | {"client_secret": "guessed"}).status_code == 401
    assert http.post("/oauth/token", data=form | {"client_id": city.maker.id}).status_code == 401
    (signed,) = events(city.auditor, action="client.signed_in", actor_id=client_id)
    assert (signed["result"], signed["source"]) == ("done", "127.0.0.1")
    (refused,) = eventually(lambda: events(city.auditor, action="access.refused", actor_id=client_id))
    assert refused["details"]["route"] == "POST /oauth/token" and refused["details"]["status"] == 401
    assert events(city.auditor, action="access.refused", actor_id=city.maker.id) == []
