"""Bills as providers send them: cards converted, wrong ones refused where they are wrong, quotes judged by evidence."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text, update

from app.models import Organisation
from app.services.redemption.replaying import replay
from tests.redemption.test_replay_assessment import stored_by
from tests.redemption.test_usage_references import billed_by
from tests.world import Counter, World, counter, line_body, ok, problem, redemption_body

USED = {"used_from": "2026-03-01T00:00:00+08:00", "used_until": "2026-03-01T10:00:00+08:00"}


def bill(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"total_fen": sum(line["amount_fen"] for line in lines), "lines": list(lines)}


def line(**changes: Any) -> dict[str, Any]:
    """Ten card-hours at 20 元."""
    plain = {"category": "training", "quantity": "10", "unit": "card_hour", "unit_price": "20", "amount_fen": 20_000}
    return plain | changes


def declares(world: World, provider_id: str, **profile: Any) -> None:
    stated = {"provider_kind": "compute", "facts": {}, "sites": [], **profile}
    change = update(Organisation).where(Organisation.id == provider_id).values(profile=stated)
    world.database.transact(lambda tx: tx.execute(change))


def quoted(desk: Counter, *lines: dict[str, Any]) -> Any:
    body = {"bill": bill(*lines), "voucher_code": desk.voucher["code"]}
    return ok(desk.machine.post(f"/v1/programmes/{desk.programme_id}/quotes", body))


# -- cards


def test_the_converted_hours_stand_in_the_answer_and_in_the_stored_facts(world: World) -> None:
    city = world.city()
    desk = counter(city)
    lines = (line(accelerator="ascend_910b3"), line())
    redeemed = ok(desk.redeem(0, bill=bill(*lines)))
    first, second = redeemed["bill"]["lines"]
    assert (first["accelerator"], first["pflops_hours"]) == ("ascend_910b3", "3.13")  # 10 × 313 / 1000
    assert {"accelerator", "pflops_hours"}.isdisjoint(second)
    assert redeemed["flags"] == []
    stored = stored_by(city.auditor, redeemed["id"])
    assert '"pflops_hours":"3.13"' in stored.facts
    assert replay(stored).differences == ()
    part = {"lines": [{"line": 1, "amount_fen": 5_000}], "reason": "退单"}
    refund = ok(desk.machine.post(f"/v1/redemptions/{redeemed['id']}/refunds", part))
    assert replay(stored_by(city.auditor, refund["refund"]["id"])).differences == ()


def test_a_retry_is_the_same_command_whatever_the_table_says_by_then(world: World) -> None:
    desk = counter(world.city())
    body = redemption_body(desk.voucher["code"], 0, bill=bill(line(accelerator="nvidia_a100")))
    first = desk.machine.post("/v1/redemptions", body, key="K")
    assert desk.machine.post("/v1/redemptions", body, key="K").content == first.content
    other = redemption_body(desk.voucher["code"], 0, order_no=body["order_no"], bill=bill(line()))
    problem(desk.machine.post("/v1/redemptions", other, key="K"), 422, "idempotency_key_reused")


def test_a_card_that_is_not_in_the_table_is_told_the_known_ones_alone_and_in_a_batch(world: World) -> None:
    desk = counter(world.city())
    wrong = redemption_body(desk.voucher["code"], 0, bill=bill(line(), line(accelerator="tpu_v9")))
    for refused in (
        problem(desk.machine.post("/v1/redemptions", wrong), 422, "accelerator_not_known"),
        ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": [wrong]}))["data"][0]["body"],
    ):
        (place,) = refused["errors"]
        assert (place["pointer"], place["actual"]) == ("/bill/lines/1/accelerator", "tpu_v9")
        assert "ascend_910b3" in place["limit"]
    assert desk.balance_fen() == 1_000_000


# -- bad input


@pytest.mark.parametrize(
    ("wrong", "pointer", "limit", "actual"),
    [
        (line(amount_fen=0), "/bill/lines/0/amount_fen", 0, 0),
        (line(amount_fen=-20_000), "/bill/lines/0/amount_fen", 0, -20_000),
        (line(amount_fen=20_000.5), "/bill/lines/0/amount_fen", None, "20000.5"),
        (line(amount_fen=10**13 + 1), "/bill/lines/0/amount_fen", 10**13, 10**13 + 1),
        (line(amount_fen=19_000), "/bill/lines/0/amount_fen", 20_000, 19_000),
        (line(quantity="-10"), "/bill/lines/0/quantity", None, "-10"),
        (line(quantity=10.0), "/bill/lines/0/quantity", None, "10.0"),
        (line(unit="Card Hour"), "/bill/lines/0/unit", "^[a-z][a-z0-9_]{0,31}$", "Card Hour"),
        (line(accelerator="nvidia_a100", unit="node_hour"), "/bill/lines/0/accelerator", "card_hour", "node_hour"),
        (line(accelerator=""), "/bill/lines/0/accelerator", "^[a-z][a-z0-9_]{0,62}$", ""),
        (line(pflops_hours="3.13"), "/bill/lines/0/pflops_hours", None, None),
        (
            line(used_from=USED["used_until"], used_until=USED["used_from"]),
            "/bill/lines/0/used_until",
            "2026-03-01T02:00:00.000000Z",
            "2026-02-28T16:00:00.000000Z",
        ),
    ],
)
def test_a_wrong_line_is_refused_where_it_is_wrong_and_nothing_is_stored(
    shared_world: World, wrong: dict[str, Any], pointer: str, limit: object, actual: object
) -> None:
    desk = counter(shared_world.city())
    body = {"total_fen": max(1, int(wrong["amount_fen"])) % 10**13, "lines": [wrong]}
    refused = problem(desk.redeem(0, bill=body, order_no="A-1"), 422, "validation_failed")
    place = next(one for one in refused["errors"] if one["pointer"] == pointer)
    assert (place.get("limit"), place.get("actual")) == (limit, actual)
    assert_nothing_stored(shared_world, desk)


def test_lines_that_do_not_add_up_are_told_both_sums(world: World) -> None:
    desk = counter(world.city())
    refused = problem(desk.redeem(0, bill={"total_fen": 40_001, "lines": [line(), line()]}), 422, "validation_failed")
    (place,) = refused["errors"]
    assert (place["pointer"], place["limit"], place["actual"]) == ("/bill/total_fen", 40_000, 40_001)
    assert "40000" in place["detail"]
    assert_nothing_stored(world, desk)


def assert_nothing_stored(world: World, desk: Counter) -> None:
    counted = text(
        "SELECT count(*) FROM order_numbers WHERE provider_id = :provider"
        " UNION ALL SELECT count(*) FROM usage_references WHERE provider_id = :provider"
        " UNION ALL SELECT count(*) FROM redemptions WHERE provider_id = :provider"
    )
    provider = {"provider": desk.machine.organisation_id}
    assert world.database.transact(lambda tx: tx.execute(counted, provider).scalars().all()) == [0, 0, 0]
    assert desk.balance_fen() == 1_000_000


# -- quotes


def test_a_quote_says_that_a_unit_is_not_known(world: World) -> None:
    desk = counter(world.city(), category_units={"training": ["card_hour"]})
    assert quoted(desk, line())["subsidy_fen"] == 6_000
    refused = quoted(desk, line(unit="month"))
    assert (refused["subsidy_fen"], refused["refusal"]["code"]) == (0, "unit_not_known")
    firm = {"bill": bill(line(unit="month"))}
    asked = ok(desk.manager.post(f"/v1/programmes/{desk.programme_id}/quotes", firm))
    assert asked["refusal"]["code"] == "unit_not_known"


def test_a_quote_holds_quantities_against_what_is_declared(world: World) -> None:
    desk = counter(world.city(), bill_checks={"capacity": {"beyond": "refuse"}})
    provider_id = desk.machine.organisation_id
    site = {"code": "lz-1", "name": "一号机房", "region_code": "330110", "capacity_cards": 1}
    declares(world, provider_id, capacity_cards=2, sites=[site])
    fits = line(**USED, provider_site="lz-1")
    assert quoted(desk, fits)["refusal"] is None
    refused = quoted(desk, fits | {"quantity": "10.5", "amount_fen": 21_000})["refusal"]
    assert refused["code"] == "beyond_capacity"
    assert "10.5" in refused["detail"]
    assert "lz-1" in refused["detail"]
    firm = {"bill": bill(line(quantity="1000", amount_fen=2_000_000)), "provider_id": provider_id}
    assert ok(desk.manager.post(f"/v1/programmes/{desk.programme_id}/quotes", firm))["refusal"] is None


def test_a_quote_flags_what_the_rules_only_note(world: World) -> None:
    desk = counter(world.city(), bill_checks={"capacity": {"beyond": "flag"}, "price": {"above_list": "flag"}})
    city, provider_id = desk.city, desk.machine.organisation_id
    prices = [{"category": "training", "unit": "card_hour", "unit_price": "18.50"}]
    path = f"/v1/programmes/{desk.programme_id}/providers/{provider_id}"
    ok(city.approve(city.maker.http.put(path, json={"categories": ["training"], "prices": prices})))
    answer = quoted(desk, line(**USED))
    assert answer["subsidy_fen"] == 6_000
    assert answer["flags"] == [
        {"code": "capacity_not_declared", "line": 1, "limit": None, "actual": "card_hour"},
        {"code": "price_above_list", "line": 1, "limit": "18.50", "actual": "20"},
    ]
    assert answer["trace"]["steps"][1]["step"] == "evidence"


@pytest.mark.parametrize(("said", "refusal"), [({}, None), ({"repeated": "refuse"}, "usage_already_billed")])
def test_a_quote_knows_a_usage_that_was_billed(world: World, said: dict[str, str], refusal: str | None) -> None:
    desk = counter(world.city(), bill_checks={"usage_ref": said})
    redeemed = ok(desk.redeem(10_000))
    billed_by(desk, redeemed["id"], "job-1")
    answer = quoted(desk, line(usage_ref="job-1"))
    assert (answer["refusal"] or {}).get("code") == refusal
    flags = [(flag["code"], flag["limit"]) for flag in answer["flags"]]
    assert flags == ([] if refusal else [("usage_already_billed", redeemed["id"])])
    assert quoted(desk, line(usage_ref="job-2"))["flags"] == []


def test_existing_rules_give_the_trace_they_gave(world: World) -> None:
    """No section, no usage billed twice: not a byte of the trace is other than without this check."""
    desk = counter(world.city())
    body = {"total_fen": 100, "lines": [line_body(100) | {"usage_ref": "job-9"}]}
    redeemed = ok(desk.redeem(100, bill=body))
    assert [step["step"] for step in redeemed["trace"]["steps"]][:2] == ["rule_version", "eligible_lines"]
    assert '"evidence"' not in stored_by(desk.city.auditor, redeemed["id"]).facts
