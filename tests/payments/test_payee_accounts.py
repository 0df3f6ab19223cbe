"""Payee accounts: proposed by one, agreed to by another, and what a payment order makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from app.models import Organisation
from app.services.payments.payee_accounts import masked
from tests.payments.paying import Paying
from tests.world import HANGZHOU, NINGBO, World, counter, ok, problem

NUMBER = "1202021009901234567"


@pytest.fixture
def paying(shared_world: World) -> Paying:
    return Paying(counter(shared_world.city()))


def name_of(world: World, organisation_id: str) -> str:
    query = select(Organisation.name).where(Organisation.id == organisation_id)
    return world.database.transact(lambda tx: str(tx.execute(query).scalar_one()))


def account_body(paying: Paying, **changes: Any) -> dict[str, Any]:
    city, payee_id = paying.desk.city, paying.desk.machine.organisation_id
    return {
        "region_code": HANGZHOU,
        "authority_id": city.authority_id,
        "payee_id": payee_id,
        "account_name": name_of(city.world, payee_id),
        "bank_name": "示范银行杭州分行",
        "cnaps": "102331000013",
        "account_no": NUMBER,
    } | changes


def proposed(paying: Paying, **changes: Any) -> Any:
    return ok(paying.desk.city.maker.http.post("/v1/payee-accounts", json=account_body(paying, **changes)))


def listed(paying: Paying, **changes: Any) -> str:
    asked = proposed(paying, **changes)
    ok(paying.desk.city.checker.post(f"/v1/approvals/{asked['approval']['id']}/approve"))
    account_id: str = asked["account"]["id"]
    return account_id


def redeemed(paying: Paying) -> str:
    redemption_id: str = ok(paying.desk.redeem(10_000))["id"]
    return redemption_id


@pytest.mark.parametrize(
    ("number", "shown"),
    [(NUMBER, "1202****4567"), ("123456789012", "1234****9012"), ("12345678901", "****8901"), ("12345678", "****5678")],
)
def test_of_a_number_only_its_ends_are_shown(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_two_persons_list_an_account_and_the_one_before_stays_in_the_history(paying: Paying) -> None:
    city = paying.desk.city
    first = listed(paying)
    asked = proposed(paying, account_no=" ６２２２-0210 0990 7654 321", bank_name="另一银行")
    assert NUMBER not in str(asked)
    assert asked["approval"]["effect"]["before"]["account_no"] == "1202****4567"
    assert "收款账户改为 6222****4321" in asked["approval"]["in_words"]["zh"]
    problem(city.maker.post(f"/v1/approvals/{asked['approval']['id']}/approve"), 403, "forbidden")
    ok(city.checker.post(f"/v1/approvals/{asked['approval']['id']}/approve"))
    payee = paying.desk.machine.organisation_id
    history = ok(city.finance.get("/v1/payee-accounts", payee_id=payee))["data"]
    assert [(one["id"], one["status"]) for one in history] == [(asked["account"]["id"], "listed"), (first, "replaced")]
    assert [one["id"] for one in ok(paying.desk.machine.get("/v1/payee-accounts"))["data"]] == [
        one["id"] for one in history
    ]
    problem(paying.desk.manager.http.post("/v1/payee-accounts", json=account_body(paying)), 403, "forbidden")
    elsewhere = city.world.city(NINGBO)
    assert ok(elsewhere.maker.get("/v1/payee-accounts"))["data"] == []
    problem(elsewhere.maker.http.post("/v1/payee-accounts", json=account_body(paying)), 403, "forbidden")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"cnaps": "10233100001"}, "/cnaps"),
        ({"cnaps": "10233100001X"}, "/cnaps"),
        ({"account_no": "1234567"}, "/account_no"),
        ({"account_no": "1.2E+18"}, "/account_no"),
        ({"account_no": 1202021009901234567}, "/account_no"),
        ({"payee_id": "org_00000000000000000000000000"}, "/payee_id"),
    ],
)
def test_numbers_that_cannot_be_are_named(paying: Paying, changes: dict[str, Any], pointer: str) -> None:
    response = paying.desk.city.maker.http.post("/v1/payee-accounts", json=account_body(paying, **changes))
    assert [error["pointer"] for error in problem(response, 422, "validation_failed")["errors"]] == [pointer]


def test_money_goes_only_to_an_account_in_the_payees_name(paying: Paying) -> None:
    body = account_body(paying, account_name="另一家公司")
    problem(paying.desk.city.maker.http.post("/v1/payee-accounts", json=body), 422, "payee_account_name_differs")
    listed(paying)
    order = ok(paying.propose(redeemed(paying)))
    payee_id, world = paying.desk.machine.organisation_id, paying.desk.city.world
    renamed = update(Organisation).where(Organisation.id == payee_id).values(name="更名后的公司")
    world.database.transact(lambda tx: tx.execute(renamed))
    problem(paying.approve(order), 422, "payee_account_name_differs")


def test_a_payment_goes_where_it_was_proposed_to_go_or_nowhere(paying: Paying) -> None:
    city = paying.desk.city
    listed(paying)
    redemption_id = redeemed(paying)
    order = ok(paying.propose(redemption_id))
    approval = ok(city.finance.get(f"/v1/approvals/{order['approval_id']}"))
    assert approval["effect"]["account"]["account_no"] == "1202****4567"
    assert approval["effect"]["owed_fen"] == 3_000
    listed(paying, account_no="6222021009907654321")
    changed = ok(city.finance.get(f"/v1/approvals/{order['approval_id']}"))
    assert changed["has_moved"] is True
    assert changed["effect_now"]["account"]["account_no"] == "6222****4321"
    problem(paying.approve(order), 409, "payee_account_changed")
    ok(city.maker.post(f"/v1/approvals/{order['approval_id']}/withdraw", {"note": "账户已变更"}))
    ok(paying.approve(ok(paying.propose(redemption_id))))
    assert city.world.differences() == []


def test_a_proposal_that_is_refused_changes_nothing(paying: Paying) -> None:
    asked = proposed(paying)
    city = paying.desk.city
    problem(city.maker.http.post("/v1/payee-accounts", json=account_body(paying)), 409, "approval_pending")
    ok(city.checker.post(f"/v1/approvals/{asked['approval']['id']}/reject", {"reason": "与开户许可不符"}))
    order = ok(paying.propose(redeemed(paying)))
    approval = ok(city.finance.get(f"/v1/approvals/{order['approval_id']}"))
    assert approval["effect"]["account"] is None
    assert "未登记收款账户" in approval["in_words"]["zh"]
    ok(paying.approve(order))
