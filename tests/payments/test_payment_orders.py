"""From owed to paid and back: the ledger side of payment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from app.kernel.vocabulary import Role
from tests.payments.paying import Paying
from tests.world import Counter, World, counter, ok, problem

WAN = 1_000_000


@pytest.fixture
def paying(world: World) -> Paying:
    return Paying(counter(world.city(), face_value_fen=50 * WAN))


def redeemed(desk: Counter, *bills_fen: int) -> list[str]:
    return [ok(desk.redeem(fen))["id"] for fen in bills_fen]


def test_what_is_owed_is_proposed_ordered_and_confirmed(world: World, paying: Paying) -> None:
    first, second = redeemed(paying.desk, 100_000, 50_000)
    proposed = ok(paying.propose(first, second))
    order = proposed["payment_order"]
    assert (order["status"], order["item_count"], order["total_fen"]) == ("proposed", 2, 45_000)
    assert paying.pool()["obligated"] == 45_000
    approval = ok(paying.approve(proposed))
    assert (approval["amount_fen"], approval["effect"]["count"]) == (45_000, 2)
    assert approval["effect"]["pools"][0]["fen"] == 45_000
    assert paying.pool()["in_payment"] == 45_000
    assert [paying.redemption(one)["status"] for one in (first, second)] == ["in_settlement"] * 2
    done = ok(paying.confirm(order["id"], reference="HD-1"))
    assert (done["confirmed_fen"], done["in_payment_fen"]) == (45_000, 0)
    assert [(one["kind"], one["bank_reference"], one["total_fen"]) for one in done["results"]] == [
        ("confirmed", "HD-1", 45_000)
    ]
    assert [paying.redemption(one)["status"] for one in (first, second)] == ["paid"] * 2
    assert paying.pool()["disbursed"] == 45_000
    assert ok(paying.desk.machine.get(f"/v1/payment-orders/{order['id']}"))["payee_id"] == (
        paying.desk.machine.organisation_id
    )
    problem(paying.propose(first), 409, "already_in_payment")
    assert world.differences() == []


def test_two_persons_pay_and_the_maker_is_none_of_finance(world: World, paying: Paying) -> None:
    (one,) = redeemed(paying.desk, 100_000)
    proposed = ok(paying.propose(one))
    city = paying.desk.city
    problem(city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve"), 403, "forbidden")
    problem(city.finance.post("/v1/payment-orders", {"redemption_ids": [one]}), 403, "forbidden")
    ok(paying.approve(proposed))
    entries = ok(city.finance.get("/v1/ledger/entries", subject_id=one, kind="order_payment"))["data"]
    assert [(entry["maker_id"], entry["checker_id"]) for entry in entries] == [(city.maker.id, city.finance.id)]
    stranger = world.person(Role.MAKER, world.city("330200").authority_id, "330200")
    problem(stranger.post("/v1/payment-orders", {"redemption_ids": [one]}), 404, "not_found")


def test_a_rejected_order_leaves_its_redemptions_to_another(world: World, paying: Paying) -> None:
    (one,) = redeemed(paying.desk, 100_000)
    proposed = ok(paying.propose(one))
    refused = problem(paying.propose(one), 409, "already_in_payment")
    assert refused["order_id"] == proposed["payment_order"]["id"]
    ok(
        paying.desk.city.finance.http.post(
            f"/v1/approvals/{proposed['approval_id']}/reject", json={"reason": "收款账号待核"}
        )
    )
    paying.order(one)
    assert paying.pool()["in_payment"] == 30_000
    assert world.differences() == []


def test_exactly_what_was_proposed_is_paid_or_nothing(world: World, paying: Paying) -> None:
    first, second = redeemed(paying.desk, 100_000, 50_000)
    proposed = ok(paying.propose(first, second))
    paying.refund(second, 10_000)
    refused = problem(paying.approve(proposed), 409, "payment_changed")
    assert "120.00" in refused["detail"] and "150.00" in refused["detail"]
    assert "in_payment" not in paying.pool()
    paying.refund(second, 40_000)
    problem(paying.propose(second), 409, "nothing_to_pay")
    assert world.differences() == []


def test_a_returned_payment_is_owed_again_and_can_be_ordered_anew(world: World, paying: Paying) -> None:
    first, second = redeemed(paying.desk, 100_000, 50_000)
    order_id = paying.order(first, second)
    after = ok(paying.bounce(order_id, second))
    assert (after["in_payment_fen"], after["bounced_fen"]) == (30_000, 15_000)
    assert paying.pool()["obligated"] == 15_000
    ok(paying.confirm(order_id))
    assert paying.redemption(second)["status"] == "posted"
    again = paying.order(second)
    ok(paying.confirm(again))
    problem(paying.confirm(again), 409, "wrong_state")
    assert paying.pool()["disbursed"] == 45_000
    assert world.differences() == []


def test_a_payment_can_come_back_after_it_was_confirmed(world: World, paying: Paying) -> None:
    (one,) = redeemed(paying.desk, 100_000)
    order_id = paying.order(one)
    ok(paying.confirm(order_id))
    ok(paying.bounce(order_id))
    assert (paying.pool()["obligated"], paying.pool().get("disbursed")) == (30_000, None)
    assert paying.redemption(one)["status"] == "posted"
    problem(paying.bounce(order_id), 409, "wrong_state")
    assert world.differences() == []


def test_a_return_that_names_nothing_touches_no_part_that_has_arrived(world: World, paying: Paying) -> None:
    """The bank paid the first and returned the second: "it came back" must not make the first owed once more."""
    first, second = redeemed(paying.desk, 100_000, 50_000)
    order_id = paying.order(first, second)
    ok(paying.confirm(order_id, first))
    for _ in range(2):  # while the second is in payment, and when it has come back
        (error,) = problem(paying.bounce(order_id), 422, "validation_failed")["errors"]
        assert (error["pointer"], error["code"]) == ("/redemption_ids", "missing")
        ok(paying.bounce(order_id, second, reference="TP-1"))
    assert (paying.pool()["disbursed"], paying.pool()["obligated"]) == (30_000, 15_000)
    ok(paying.bounce(order_id, first))
    assert paying.pool()["obligated"] == 45_000
    assert world.differences() == []


def test_a_banks_reference_counts_once(world: World, paying: Paying) -> None:
    first, second = redeemed(paying.desk, 100_000, 50_000)
    one, other = paying.order(first), paying.order(second)
    before = ok(paying.confirm(one, reference="HD-7"))
    assert ok(paying.confirm(one, reference="HD-7")) == before
    problem(paying.confirm(other, reference="HD-7"), 409, "bank_reference_already_used")
    ok(paying.bounce(one, reference="HD-7"))  # another slip of the same bank: a return
    ok(paying.bounce(one, first, reference="HD-7"))
    assert paying.pool()["obligated"] == 30_000
    assert world.differences() == []


def test_a_reference_never_stands_for_more_than_it_said(world: World, paying: Paying) -> None:
    first, second = redeemed(paying.desk, 100_000, 50_000)
    order_id = paying.order(first, second)
    ok(paying.confirm(order_id, first, reference="HD-8"))
    problem(paying.confirm(order_id, reference="HD-8"), 409, "bank_reference_already_used")
    problem(paying.confirm(order_id, second, reference="HD-8"), 409, "bank_reference_already_used")
    assert paying.pool()["in_payment"] == 15_000


def test_each_source_is_paid_what_it_owes(world: World) -> None:
    sources = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    paying = Paying(counter(world.city(), face_value_fen=10_000_001, rate="1.00", fund_sources=sources))
    (one,) = redeemed(paying.desk, 10_000_001)
    ok(paying.confirm(paying.order(one)))
    rows = ok(paying.desk.city.finance.get("/v1/ledger/accounts", programme_id=paying.desk.programme_id))
    paid = {row["fund_source"]: row["balance_fen"] for row in rows if row["account"] == "disbursed"}
    assert paid == {"province": 5_000_001, "city": 5_000_000}
    assert world.differences() == []


def test_one_order_pays_one_payee(world: World, paying: Paying) -> None:
    desk = paying.desk
    (one,) = redeemed(desk, 100_000)
    provider_id = world.provider()
    desk.city.admit(desk.programme_id, provider_id)
    body = {"provider_id": provider_id, "limit_fen": WAN}
    ok(desk.manager.post(f"/v1/vouchers/{desk.voucher['id']}/mandates", body))
    other = Counter(desk.city, desk.programme_id, desk.voucher, desk.manager, world.machine(provider_id), desk.mandate)
    (two,) = redeemed(other, 100_000)
    problem(paying.propose(one, two), 422, "payees_differ")


# -- races ----------------------------------------------------------------------------------------------------------


def together(*calls: Any) -> list[int]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(answer.status_code for answer in [one.result() for one in [pool.submit(call) for call in calls]])


def test_racing_orders_take_a_redemption_once(world: World, paying: Paying) -> None:
    ids = redeemed(paying.desk, 100_000, 50_000)
    assert together(*[lambda: paying.propose(*ids)] * 4) == [201, 409, 409, 409]
    assert world.differences() == []


def test_racing_answers_of_the_bank_move_the_money_once(world: World, paying: Paying) -> None:
    for _ in range(3):
        (one,) = redeemed(paying.desk, 100_000)
        order_id = paying.order(one)
        together(*[partial(act, order_id) for act in (paying.confirm, paying.bounce) * 2])
        assert paying.redemption(one)["status"] == "posted"  # returned, before or after it was confirmed
        assert paying.pool()["obligated"] == 30_000
        assert world.differences() == []
        paying.refund(one, 100_000)


def test_a_refund_that_races_an_order_is_paid_or_recovered_never_both(world: World, paying: Paying) -> None:
    for _ in range(3):
        (one,) = redeemed(paying.desk, 100_000)
        proposed = ok(paying.propose(one))
        body = {"reason": "客户退单", "amount_fen": 50_000}
        refund = partial(paying.desk.machine.post, f"/v1/redemptions/{one}/refunds", body)
        answers = together(partial(paying.approve, proposed), refund)
        shown = paying.redemption(one)
        if answers == [200, 201]:  # the order came first: the money was under way
            assert (shown["status"], shown["refunded_fen"], shown["recovered_fen"]) == ("in_settlement", 0, 15_000)
        else:
            assert answers == [201, 409]
            assert (shown["status"], shown["refunded_fen"], shown["recovered_fen"]) == ("posted", 15_000, 0)
        assert world.differences() == []


@pytest.mark.parametrize(("what", "money"), [("confirm", (0, 15_000)), ("bounce", (15_000, 0))])
def test_a_refund_that_races_the_bank_comes_to_the_same(
    world: World, paying: Paying, what: str, money: tuple[int, int]
) -> None:
    for _ in range(2):
        (one,) = redeemed(paying.desk, 100_000)
        order_id = paying.order(one)
        body = {"reason": "客户退单", "amount_fen": 50_000}
        refund = partial(paying.desk.machine.post, f"/v1/redemptions/{one}/refunds", body)
        assert together(partial(getattr(paying, what), order_id), refund) == [200, 201]
        shown = paying.redemption(one)
        assert (shown["refunded_fen"], shown["recovered_fen"]) == money
        assert world.differences() == []
    assert paying.pool().get("recovery_due", 0) == 2 * money[1]


def test_racing_refunds_of_a_paid_bill_claim_it_back_once(world: World, paying: Paying) -> None:
    (one,) = redeemed(paying.desk, 100_000)
    ok(paying.confirm(paying.order(one)))
    body = {"reason": "客户退单", "amount_fen": 60_000}
    path = f"/v1/redemptions/{one}/refunds"
    assert together(*[lambda: paying.desk.machine.post(path, body)] * 3) == [201, 422, 422]
    (due,) = ok(paying.desk.city.finance.get("/v1/recoveries", status="due"))["data"]
    assert due["amount_fen"] == 18_000
    statuses = together(*[lambda: paying.receive(due["id"])] * 3)
    assert statuses == [200, 409, 409]
    assert paying.pool()["disbursed"] == 12_000
    assert world.differences() == []
