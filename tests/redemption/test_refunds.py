"""Refunds before settlement recompute the whole position (E14)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, insert, select, update

from app.models import Redemption, Refund
from tests.world import Counter, World, counter, line_body, ok, problem

WAN = 1_000_000


def refund(desk: Counter, redemption_id: str, key: str | None = None, **body: Any) -> httpx.Response:
    return desk.machine.post(f"/v1/redemptions/{redemption_id}/refunds", {"reason": "客户退单", **body}, key=key)


def test_e14_a_partial_refund_returns_what_is_then_too_much(world: World) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN)
    redemption = ok(desk.redeem(100 * WAN))
    done = ok(refund(desk, redemption["id"], amount_fen=20 * WAN))
    assert done["refund"]["subsidy_refund_fen"] == 6 * WAN
    assert (done["redemption"]["refunded_fen"], done["redemption"]["bill_refunded_fen"]) == (6 * WAN, 20 * WAN)
    assert desk.balance_fen() == 26 * WAN
    assert world.differences() == []


@pytest.mark.parametrize(("refund_fen", "returned_fen"), [(20 * WAN, 0), (50 * WAN, 5 * WAN)])
def test_e14_under_a_cap_only_what_exceeds_the_new_entitlement_returns(
    world: World, refund_fen: int, returned_fen: int
) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN, cap={"kind": "bill", "limit_fen": 20 * WAN})
    redemption = ok(desk.redeem(100 * WAN))
    assert redemption["subsidy_fen"] == 20 * WAN
    assert ok(refund(desk, redemption["id"], amount_fen=refund_fen))["refund"]["subsidy_refund_fen"] == returned_fen
    assert world.differences() == []


def test_refunds_add_up_and_end_with_the_bill(world: World) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN)
    redemption_id = ok(desk.redeem(100))["id"]
    returned = [ok(refund(desk, redemption_id, amount_fen=fen))["refund"]["subsidy_refund_fen"] for fen in (33, 33, 34)]
    assert sum(returned) == 30
    refused = problem(refund(desk, redemption_id, amount_fen=1), 422, "refund_exceeds_redemption")
    assert "0.00" in refused["detail"]
    assert desk.balance_fen() == 50 * WAN
    assert [row["subsidy_refund_fen"] for row in ok(desk.machine.get(f"/v1/redemptions/{redemption_id}/refunds"))] == (
        returned
    )
    assert world.differences() == []


def test_lines_are_refunded_by_their_number(world: World) -> None:
    desk = counter(world.city())
    lines = [line_body(10_000), line_body(5_000, "storage"), line_body(2_000)]
    redemption_id = ok(desk.redeem(17_000, bill={"total_fen": 17_000, "lines": lines}))["id"]
    problem(refund(desk, redemption_id, amount_fen=1_000), 422, "validation_failed")
    done = ok(refund(desk, redemption_id, lines=[{"line": 2, "amount_fen": 5_000}, {"line": 3, "amount_fen": 500}]))
    assert done["refund"]["subsidy_refund_fen"] == 150
    problem(refund(desk, redemption_id, lines=[{"line": 2, "amount_fen": 1}]), 422, "refund_exceeds_redemption")
    problem(refund(desk, redemption_id, lines=[{"line": 4, "amount_fen": 1}]), 422, "validation_failed")
    rest = ok(refund(desk, redemption_id, amount_fen=11_500))
    assert rest["redemption"]["refunded_fen"] == 3_600
    assert world.differences() == []


def test_a_refund_that_falls_below_the_minimum_returns_everything(world: World) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN, minimum_bill_fen=5 * WAN)
    redemption_id = ok(desk.redeem(5 * WAN))["id"]
    done = ok(refund(desk, redemption_id, amount_fen=1))
    assert done["refund"]["subsidy_refund_fen"] == 1_500_000
    assert desk.balance_fen() == 50 * WAN
    assert world.differences() == []


def test_refunds_add_up_whatever_the_order_of_their_ids(world: World) -> None:
    """Ids carry the clock of the process that made them, and clocks differ."""
    desk = counter(world.city(), face_value_fen=50 * WAN)
    redemption_id = ok(desk.redeem(100_000))["id"]
    ok(refund(desk, redemption_id, amount_fen=40_000))
    world.database.transact(lambda tx: tx.execute(insert(Refund).values(_earlier_by_id(tx, redemption_id, 20_000))))
    world.database.transact(
        lambda tx: tx.execute(update(Redemption).values(bill_refunded_fen=Redemption.bill_refunded_fen + 20_000))
    )
    done = ok(refund(desk, redemption_id, amount_fen=40_000))
    assert done["redemption"]["bill_refunded_fen"] == 100_000
    assert done["redemption"]["refunded_fen"] == 30_000


def _earlier_by_id(tx: Connection, redemption_id: str, fen: int) -> dict[str, Any]:
    facts = {"v": 1, "redemption": redemption_id, "cancelled": {"1": fen}, "refunded": {"1": 60_000}}
    newest = tx.execute(select(Refund)).one()
    return {
        **newest._mapping,
        "id": newest.id[:11] + "0" * 26,
        "bill_refund_fen": fen,
        "subsidy_refund_fen": 0,
        "entry_id": None,
        "facts": json.dumps(facts),
    }


def test_a_refund_revives_an_exhausted_voucher(world: World) -> None:
    desk = counter(world.city(), face_value_fen=3_000)
    redemption_id = ok(desk.redeem(10_000))["id"]
    voucher = f"/v1/vouchers/{desk.voucher['id']}"
    assert ok(desk.manager.get(voucher))["status"] == "exhausted"
    ok(refund(desk, redemption_id, amount_fen=10_000))
    assert ok(desk.manager.get(voucher))["status"] == "active"
    ok(desk.redeem(10_000))


def test_a_refund_of_an_ended_voucher_goes_back_to_the_pool(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=10_000)
    redemption_id = ok(desk.redeem(10_000))["id"]
    voucher = f"/v1/vouchers/{desk.voucher['id']}"
    ok(city.approve(city.maker.post(f"{voucher}/void", {"reason": "企业注销"})))
    ok(refund(desk, redemption_id, amount_fen=10_000))
    shown = ok(desk.manager.get(voucher))
    assert (shown["status"], shown["balance_fen"], shown["voided_fen"]) == ("voided", 0, 10_000)
    pool = ok(city.finance.get(f"/v1/programmes/{desk.programme_id}/budget"))["pools"][0]
    assert pool["available_fen"] == 100_000_000
    assert world.differences() == []


def test_e10_a_cancelled_bill_gives_its_draw_back_and_tops_up_nothing(world: World) -> None:
    desk = counter(world.city(), face_value_fen=30 * WAN)
    bills = [ok(desk.redeem(fen * WAN)) for fen in (20, 50, 40)]
    ok(refund(desk, bills[1]["id"], amount_fen=50 * WAN))
    assert desk.balance_fen() == 15 * WAN
    third = ok(desk.machine.get(f"/v1/redemptions/{bills[2]['id']}"))
    assert third["subsidy_fen"] - third["refunded_fen"] == 9 * WAN


def test_shared_cost_is_returned_to_the_pools_it_came_from(world: World) -> None:
    sources = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    desk = counter(world.city(), face_value_fen=10_000_001, rate="1.00", fund_sources=sources)
    redemption_id = ok(desk.redeem(10_000_001))["id"]
    ok(refund(desk, redemption_id, amount_fen=1))
    ok(refund(desk, redemption_id, amount_fen=10_000_000))
    assert desk.balance_fen() == 10_000_001
    assert world.differences() == []


def test_a_repeated_refund_happens_once(world: World) -> None:
    desk = counter(world.city())
    redemption_id = ok(desk.redeem(10_000))["id"]

    def refund_until_answered(_: int) -> httpx.Response:
        while True:
            answer = refund(desk, redemption_id, key="R", amount_fen=5_000)
            if answer.status_code != 409 or answer.json()["code"] != "request_in_progress":
                return answer

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(refund_until_answered, range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert ok(desk.machine.get(f"/v1/redemptions/{redemption_id}"))["refunded_fen"] == 1_500
    assert world.differences() == []


def test_racing_refunds_never_return_more_than_was_drawn(world: World) -> None:
    desk = counter(world.city())
    redemption_id = ok(desk.redeem(10_000))["id"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refund(desk, redemption_id, amount_fen=4_000), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, 201] + [422] * 6
    assert world.differences() == []


def test_a_refund_needs_an_amount_or_lines_and_a_reason(world: World) -> None:
    desk = counter(world.city())
    redemption_id = ok(desk.redeem(10_000))["id"]
    problem(refund(desk, redemption_id), 422, "validation_failed")
    problem(refund(desk, redemption_id, amount_fen=1, lines=[{"line": 1, "amount_fen": 1}]), 422, "validation_failed")
    problem(refund(desk, redemption_id, amount_fen=0), 422, "validation_failed")
    problem(refund(desk, redemption_id, amount_fen=1, reason=""), 422, "validation_failed")
    stranger = world.machine(world.provider())
    body = {"reason": "不是我的", "amount_fen": 1}
    problem(stranger.post(f"/v1/redemptions/{redemption_id}/refunds", body), 404, "not_found")
