"""The redemption judges evidence as its quote did: a usage is billed once, whoever races for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.services.redemption.replaying import replay
from tests.redemption.test_bills_over_http import USED, bill, declares, line, quoted
from tests.redemption.test_replay_assessment import stored_by
from tests.world import Counter, World, counter, ok, problem, redemption_body

REFUSED: dict[str, Any] = {"bill_checks": {"usage_ref": {"repeated": "refuse"}}}


def used(ref: str, **changes: Any) -> dict[str, Any]:
    return bill(line(usage_ref=ref, **changes))


def test_a_second_bill_for_one_usage_is_refused_and_names_the_first(world: World) -> None:
    desk = counter(world.city(), **REFUSED)
    first = ok(desk.redeem(0, bill=used("job-1")))
    refused = problem(desk.redeem(0, bill=bill(line(), line(usage_ref="job-1"))), 409, "usage_already_billed")
    assert refused["redemption_id"] == first["id"]
    (place,) = refused["errors"]
    assert (place["pointer"], place["limit"], place["actual"]) == ("/bill/lines/1/usage_ref", first["id"], "job-1")
    assert desk.balance_fen() == 1_000_000 - 6_000
    assert world.differences() == []


def test_a_refusal_frees_what_it_had_claimed(world: World) -> None:
    desk = counter(world.city(), **REFUSED)
    ok(desk.redeem(0, bill=used("job-1")))
    problem(desk.redeem(0, bill=bill(line(usage_ref="job-1"), line(usage_ref="job-2"))), 409, "usage_already_billed")
    problem(desk.redeem(0, bill=used("job-3", category="storage")), 422, "category_not_covered")
    ok(desk.redeem(0, bill=used("job-2")))
    ok(desk.redeem(0, bill=used("job-3")))
    assert world.differences() == []


def test_rules_that_say_nothing_note_it_and_the_replay_finds_the_same_flags(world: World) -> None:
    city = world.city()
    desk = counter(city)
    first = ok(desk.redeem(0, bill=used("job-1")))
    assert first["flags"] == []
    second = ok(desk.redeem(0, bill=used("job-1")))
    assert second["subsidy_fen"] == 6_000
    flag = {"code": "usage_already_billed", "line": 1, "limit": first["id"], "actual": "job-1"}
    assert second["flags"] == [flag]
    before, after = (stored_by(city.auditor, redemption["id"]) for redemption in (first, second))
    assert replay(before).differences == replay(after).differences == ()
    assert ('"evidence"' in before.facts, '"evidence"' in after.facts) == (False, True)
    assert world.differences() == []


def test_a_cancelled_bill_may_be_billed_anew(world: World) -> None:
    desk = counter(world.city(), **REFUSED)
    first = ok(desk.redeem(0, bill=used("job-1")))
    ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 20_000, "reason": "开错"}))
    second = ok(desk.redeem(0, bill=used("job-1")))
    refused = problem(desk.redeem(0, bill=used("job-1")), 409, "usage_already_billed")
    assert refused["redemption_id"] == second["id"]
    assert world.differences() == []


def test_racing_bills_for_one_usage_are_drawn_once(world: World) -> None:
    desk = counter(world.city(), **REFUSED)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.redeem(0, bill=used("job-1")), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"usage_already_billed"}
    assert desk.balance_fen() == 1_000_000 - 6_000
    assert world.differences() == []


def test_rows_of_one_batch_that_share_a_usage_are_drawn_once(world: World) -> None:
    desk = counter(world.city(), **REFUSED)
    rows = [
        redemption_body(desk.voucher["code"], 0, bill=bill(line(usage_ref=ref), line(usage_ref=other)))
        for ref, other in (("a", "b"), ("b", "c"), ("c", "d"), ("e", "f"))
    ]
    answer = ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": rows}))["data"]
    statuses = [row["status"] for row in answer]
    assert statuses[0] == statuses[3] == 201
    assert statuses[1] == 409
    assert statuses[2] == 201, "the row before it was refused and frees c"
    assert world.differences() == []


@pytest.mark.parametrize("verdict", ["refuse", "flag"])
def test_capacity_and_prices_are_judged_as_quoted(world: World, verdict: str) -> None:
    desk = counter(world.city(), bill_checks={"capacity": {"beyond": verdict}, "price": {"above_list": verdict}})
    declares(world, desk.machine.organisation_id, capacity_cards=1)
    city = desk.city
    path = f"/v1/programmes/{desk.programme_id}/providers/{desk.machine.organisation_id}"
    prices = [{"category": "training", "unit": "card_hour", "unit_price": "20"}]
    ok(city.approve(city.maker.http.put(path, json={"categories": ["training"], "prices": prices})))
    fits = line(**USED)
    assert ok(desk.redeem(0, bill=bill(fits)))["flags"] == []
    wrong = fits | {"quantity": "11", "unit_price": "21", "amount_fen": 23_100}
    if verdict == "refuse":
        refused = problem(desk.redeem(0, bill=bill(wrong)), 422, "beyond_capacity")
        assert [place["code"] for place in refused["errors"]] == ["beyond_capacity", "price_above_list"]
        return
    quote, redeemed = quoted(desk, wrong), ok(desk.redeem(0, bill=bill(wrong)))
    assert quote["trace"] == redeemed["trace"]
    assert [flag["code"] for flag in redeemed["flags"]] == ["beyond_capacity", "price_above_list"]
    assert replay(stored_by(city.auditor, redeemed["id"])).differences == ()


def test_an_unknown_unit_is_refused_and_nothing_is_stored(world: World) -> None:
    desk: Counter = counter(world.city(), category_units={"training": ["card_hour", "pflops_hour"]})
    refused = problem(desk.redeem(0, bill=used("job-1", unit="month"), order_no="A"), 422, "unit_not_known")
    (place,) = refused["errors"]
    assert (place["pointer"], place["limit"], place["actual"]) == (
        "/bill/lines/0/unit",
        "card_hour, pflops_hour",
        "month",
    )
    ok(desk.redeem(0, bill=used("job-1"), order_no="A"))
    assert world.differences() == []
