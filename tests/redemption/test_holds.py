"""Holds: reserved before work, redeemed in parts as one bill, released, expired, frozen, voided, refunded."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from app.embedded.databases import Urls
from app.embedded.server import Server
from app.services.redemption.holds.ending import sweep
from app.services.redemption.replaying import replay
from app.services.sweeper import sweeper
from tests.past import OVER, end_validity
from tests.redemption.test_replay_assessment import stored_by
from tests.world import Counter, World, bill_body, counter, line_body, ok, problem

BRACKETED: dict[str, Any] = {
    "floors": [{"of": "base", "at_least_fen": 50_000}],
    "caps": [{"scope": "claim", "name": "per_bill", "limit_fen": 30_000}],
}
"""Nothing below 500 yuan of base, at most 300 yuan a bill: parts that were judged alone would evade both."""


def hold(desk: Counter, total_fen: int, *, key: str | None = None, **changes: Any) -> httpx.Response:
    body = {"voucher_code": desk.voucher["code"], "hold_no": f"H{total_fen}", "bill": bill_body(total_fen)} | changes
    return desk.machine.post("/v1/holds", body, key=key)


def redeem(
    desk: Counter, held: dict[str, Any], total_fen: int, order_no: str, *, key: str | None = None, **changes: Any
) -> httpx.Response:
    body = {"hold_id": held["id"], "order_no": order_no, "bill": bill_body(total_fen)} | changes
    return desk.machine.post("/v1/redemptions", body, key=key)


def read(desk: Counter, held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = ok(desk.machine.get(f"/v1/holds/{held['id']}"))
    return found


def voucher(desk: Counter) -> tuple[int, int, int]:
    """Balance, held, redeemed."""
    found = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    return found["balance_fen"], found["held_fen"], found["redeemed_fen"]


def mandate_used(desk: Counter) -> int:
    (mandate,) = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/mandates"))
    used: int = mandate["used_fen"]
    return used


def let_expire(world: World, held: dict[str, Any]) -> None:
    """Set its end to an instant ago, as if the time had passed."""
    world.database.transact(
        lambda tx: tx.execute(
            text("UPDATE holds SET expires_at = clock_timestamp() - interval '1 second' WHERE id = :id"),
            {"id": held["id"]},
        )
    )


def test_a_hold_reserves_and_its_parts_draw(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 1_000_000))
    assert (held["status"], held["subsidy_fen"], held["firm_pays_fen"]) == ("open", 300_000, 700_000)
    assert voucher(desk) == (700_000, 300_000, 0)
    assert mandate_used(desk) == 300_000

    first = ok(redeem(desk, held, 400_000, "P1"))
    assert (first["subsidy_fen"], first["firm_pays_fen"], first["part_no"]) == (120_000, 280_000, 1)
    assert voucher(desk) == (700_000, 180_000, 120_000)
    last = ok(redeem(desk, held, 300_000, "P2", final=True))
    assert (last["subsidy_fen"], last["part_no"]) == (90_000, 2)
    assert voucher(desk) == (790_000, 0, 210_000)
    assert mandate_used(desk) == 210_000
    ended = read(desk, held)
    assert (ended["status"], ended["held_fen"], ended["redeemed_fen"], ended["released_fen"]) == (
        "redeemed",
        0,
        210_000,
        90_000,
    )
    assert problem(redeem(desk, held, 1_000, "P3"), 409, "hold_already_resolved")["hold_status"] == "redeemed"
    assert [row["order_no"] for row in ok(desk.machine.get("/v1/redemptions", hold_id=held["id"]))["data"]] == [
        "P2",
        "P1",
    ]
    assert world.differences() == []


def test_parts_get_what_one_bill_would_have_got(world: World) -> None:
    """200 + 400 + 500 yuan at 30 %: nothing below the floor, then 180, then capped at 300 for all."""
    desk = counter(world.city(), **BRACKETED)
    held = ok(hold(desk, 110_000))
    assert held["subsidy_fen"] == 30_000
    first = ok(redeem(desk, held, 20_000, "P1"))
    assert (first["subsidy_fen"], first["entry_id"]) == (0, None)
    second = ok(redeem(desk, held, 40_000, "P2"))
    assert second["subsidy_fen"] == 18_000
    third = ok(redeem(desk, held, 50_000, "P3"))
    assert third["subsidy_fen"] == 12_000
    assert read(desk, held)["status"] == "redeemed"
    assert ok(desk.machine.get(f"/v1/redemptions/{first['id']}"))["subsidy_fen"] == 0
    assert world.differences() == []


def test_a_small_part_that_reaches_the_floor_draws_no_more_than_its_bill(world: World) -> None:
    """400 + 100 yuan reach the floor of 500: 150 are due at 30 %, on a bill of 100. The other 50 come with the next.

    300 yuan are held. 100 yuan more make 180 due for all: 80 for the last bill, of which it pays the other 20.
    """
    desk = counter(world.city(), **BRACKETED)
    held = ok(hold(desk, 100_000))
    first = ok(redeem(desk, held, 40_000, "P1"))
    second = ok(redeem(desk, held, 10_000, "P2"))
    assert (first["subsidy_fen"], second["subsidy_fen"], second["firm_pays_fen"]) == (0, 10_000, 0)
    (step,) = [step for step in second["trace"]["steps"] if step["step"] == "hold"]
    assert (step["entitled_fen"], step["drawn_fen"], step["deferred_fen"]) == (15_000, 10_000, 5_000)
    third = ok(redeem(desk, held, 10_000, "P3"))
    assert (third["subsidy_fen"], third["firm_pays_fen"]) == (8_000, 2_000)
    assert world.differences() == []
    back = ok(desk.machine.post(f"/v1/redemptions/{second['id']}/refunds", {"amount_fen": 5_000, "reason": "退单"}))
    assert back["refund"]["subsidy_refund_fen"] == 1_500  # 550 yuan are left: 165 are due, 180 were drawn
    fourth = ok(redeem(desk, held, 1_000, "P4", final=True))
    assert fourth["subsidy_fen"] == 300
    assert voucher(desk) == (983_200, 0, 16_800)
    assert world.differences() == []
    for subject_id in (first["id"], second["id"], third["id"], back["refund"]["id"], fourth["id"]):
        assert replay(stored_by(desk.city.auditor, subject_id)).differences == (), subject_id


def test_what_the_last_bill_cannot_draw_goes_back(world: World) -> None:
    desk = counter(world.city(), **BRACKETED)
    held = ok(hold(desk, 50_000))  # 150 yuan
    ok(redeem(desk, held, 40_000, "P1"))
    last = ok(redeem(desk, held, 10_000, "P2", final=True))
    assert (last["subsidy_fen"], last["firm_pays_fen"]) == (10_000, 0)
    assert read(desk, held)["released_fen"] == 5_000
    assert voucher(desk) == (990_000, 0, 10_000)
    assert world.differences() == []


def test_no_part_draws_more_than_is_held(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    drawn = ok(redeem(desk, held, 200_000, "P1"))
    assert drawn["subsidy_fen"] == 30_000
    assert {"code": "CAP_HOLD", "subsidy_fen": 30_000} in drawn["trace"]["reductions"]
    assert voucher(desk) == (970_000, 0, 30_000)
    assert world.differences() == []


def test_two_holds_share_one_balance(world: World) -> None:
    desk = counter(world.city(), face_value_fen=40_000)
    assert ok(hold(desk, 100_000, hold_no="A"))["subsidy_fen"] == 30_000
    assert ok(hold(desk, 100_000, hold_no="B"))["subsidy_fen"] == 10_000
    problem(hold(desk, 100_000, hold_no="C"), 409, "insufficient_balance")
    problem(desk.redeem(10_000), 409, "insufficient_balance")
    assert world.differences() == []


def test_a_hold_and_its_parts_happen_once(world: World) -> None:
    desk = counter(world.city())
    first = hold(desk, 100_000, key="K")
    again = hold(desk, 100_000, key="K")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    held = ok(first)
    refused = problem(hold(desk, 100_000), 409, "hold_no_already_used")
    assert refused["hold_id"] == held["id"]
    problem(hold(desk, 200_000, key="K"), 422, "idempotency_key_reused")
    part = redeem(desk, held, 10_000, "P1", key="P")
    assert redeem(desk, held, 10_000, "P1", key="P").content == part.content
    used = problem(redeem(desk, held, 10_000, "P1"), 409, "order_no_already_used")
    assert used["redemption_id"] == ok(part)["id"]
    assert voucher(desk) == (970_000, 27_000, 3_000)
    assert world.differences() == []


def test_released_gives_the_rest_back(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    ok(redeem(desk, held, 50_000, "P1"))
    url = f"/v1/holds/{held['id']}/release"
    released = desk.machine.post(url, {}, key="R")
    assert (ok(released)["status"], ok(released)["released_fen"]) == ("released", 15_000)
    assert desk.machine.post(url, {}, key="R").content == released.content
    assert problem(desk.machine.post(url, {}), 409, "hold_already_resolved")["hold_status"] == "released"
    problem(redeem(desk, held, 10_000, "P2"), 409, "hold_already_resolved")
    assert voucher(desk) == (985_000, 0, 15_000)
    assert mandate_used(desk) == 15_000
    assert world.differences() == []


def test_an_expired_hold_is_refused_and_told_what_to_do(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    let_expire(world, held)
    assert read(desk, held)["status"] == "expired"
    late = problem(redeem(desk, held, 10_000, "P1"), 409, "hold_expired")
    assert "hold anew" in late["detail"]
    assert late["hold_id"] == held["id"]
    problem(desk.machine.post(f"/v1/holds/{held['id']}/release", {}), 409, "hold_expired")
    problem(desk.machine.post(f"/v1/holds/{held['id']}/extend", {}), 409, "hold_expired")
    assert voucher(desk) == (1_000_000, 0, 0)  # the late redemption found it due and gave its money back
    assert world.differences() == []


def test_who_draws_gets_the_money_of_expired_holds_back_first(world: World) -> None:
    desk = counter(world.city(), face_value_fen=30_000)
    held = ok(hold(desk, 100_000))
    problem(desk.redeem(10_000), 409, "insufficient_balance")
    let_expire(world, held)
    assert ok(desk.redeem(100_000))["subsidy_fen"] == 30_000
    assert world.differences() == []


def test_the_sweep_moves_the_money_once(world: World) -> None:
    desk = counter(world.city())
    ok(hold(desk, 200_000, hold_no="B"))
    let_expire(world, ok(hold(desk, 100_000, hold_no="A")))
    assert world.database.transact(lambda tx: sweep(tx, most=10)) == 1
    assert world.database.transact(lambda tx: sweep(tx, most=10)) == 0
    assert voucher(desk) == (940_000, 60_000, 0)
    assert world.differences() == []


def test_a_freeze_stops_the_clock(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    city = desk.city
    reason = {"reason": "核查"}
    ok(city.approve(city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/freeze", reason)))
    problem(redeem(desk, held, 10_000, "P1"), 409, "voucher_frozen")
    problem(desk.machine.post(f"/v1/holds/{held['id']}/extend", {}), 409, "voucher_frozen")
    world.database.transact(  # a day passes, and its end with it
        lambda tx: (
            tx.execute(text("UPDATE vouchers SET frozen_at = frozen_at - interval '1 day'")),
            tx.execute(text("UPDATE holds SET expires_at = clock_timestamp() - interval '1 hour'")),
        )
    )
    assert read(desk, held)["status"] == "open"
    assert world.database.transact(lambda tx: sweep(tx, most=10)) == 0
    ok(city.approve(city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/unfreeze", reason)))
    ran_on = datetime.fromisoformat(read(desk, held)["expires_at"]) - datetime.fromisoformat(held["held_at"])
    assert timedelta(hours=22) < ran_on < timedelta(hours=24)
    assert ok(redeem(desk, held, 10_000, "P1"))["subsidy_fen"] == 3_000
    assert world.differences() == []


def test_voiding_releases_its_holds(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    ok(redeem(desk, held, 50_000, "P1"))
    asked = desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/void", {"reason": "违规"})
    ok(desk.city.approve(asked))
    assert read(desk, held)["status"] == "released"
    problem(redeem(desk, held, 10_000, "P2"), 409, "hold_already_resolved")
    gone = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert (gone["balance_fen"], gone["held_fen"], gone["redeemed_fen"], gone["voided_fen"]) == (0, 0, 15_000, 985_000)
    assert world.differences() == []


def test_extended_never_runs_shorter_nor_beyond_the_rules(world: World) -> None:
    desk = counter(world.city(), use={"hold_days": 10})
    soon = (datetime.fromisoformat(ok(hold(desk, 1_000_000))["held_at"]) + timedelta(days=1)).isoformat()
    held = ok(hold(desk, 100_000, expires_at=soon))
    assert datetime.fromisoformat(held["expires_at"]) == datetime.fromisoformat(soon)
    url = f"/v1/holds/{held['id']}/extend"
    longest = ok(desk.machine.post(url, {}))
    ran = datetime.fromisoformat(longest["expires_at"]) - datetime.fromisoformat(held["held_at"])
    assert timedelta(days=10) <= ran < timedelta(days=10, minutes=10)
    assert ok(desk.machine.post(url, {"expires_at": soon}))["expires_at"] == longest["expires_at"]
    too_long = (datetime.fromisoformat(soon) + timedelta(days=10)).isoformat()
    (error,) = problem(desk.machine.post(url, {"expires_at": too_long}), 422, "validation_failed")["errors"]
    assert (error["pointer"], error["code"]) == ("/expires_at", "out_of_range")
    (error,) = problem(hold(desk, 1_000, expires_at=too_long), 422, "validation_failed")["errors"]
    assert error["pointer"] == "/expires_at"


def test_a_hold_is_its_providers_own(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    other = counter(desk.city)
    body = {"hold_id": held["id"], "order_no": "P1", "bill": bill_body(1_000)}
    problem(other.machine.post("/v1/redemptions", body), 404, "hold_not_found")
    problem(other.machine.get(f"/v1/holds/{held['id']}"), 404, "hold_not_found")
    problem(other.machine.post(f"/v1/holds/{held['id']}/release", {}), 404, "hold_not_found")
    problem(other.machine.post(f"/v1/holds/{held['id']}/extend", {}), 404, "hold_not_found")
    assert ok(desk.manager.get(f"/v1/holds/{held['id']}"))["id"] == held["id"]
    assert [row["id"] for row in ok(desk.city.auditor.get("/v1/holds", status="open"))["data"]] == [held["id"]]


def test_a_refund_judges_all_bills_of_the_hold(world: World) -> None:
    """Two bills of 300 yuan reach the floor of 500 together. With one cancelled the other gives back too."""
    desk = counter(world.city(), **BRACKETED)
    held = ok(hold(desk, 100_000))
    first = ok(redeem(desk, held, 30_000, "P1"))
    second = ok(redeem(desk, held, 30_000, "P2"))
    assert (first["subsidy_fen"], second["subsidy_fen"]) == (0, 18_000)
    body = {"amount_fen": 30_000, "reason": "未运行"}
    done = ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", body))
    assert done["refund"]["subsidy_refund_fen"] == 0
    (also,) = done["also"]
    assert (also["redemption_id"], also["subsidy_refund_fen"]) == (second["id"], 18_000)
    assert also["because_of_id"] == done["refund"]["id"]
    assert voucher(desk) == (970_000 + 18_000, 12_000, 0)
    third = ok(redeem(desk, held, 40_000, "P3", final=True))  # 300 + 400 are left: 210 are due, 120 still held
    assert third["subsidy_fen"] == 12_000
    assert world.differences() == []
    auditor = desk.city.auditor
    for subject_id in (held["id"], first["id"], second["id"], third["id"], done["refund"]["id"], also["id"]):
        assert replay(stored_by(auditor, subject_id)).differences == (), subject_id


@pytest.mark.parametrize("restores_cap", [True, False])
def test_cumulative_caps_count_holds_while_they_run(world: World, *, restores_cap: bool) -> None:
    cap = {"scope": "firm", "name": "yearly", "limit_fen": 40_000, "per": "year"}
    desk = counter(world.city(), caps=[cap], adjustment={"restores_cap": restores_cap})
    held = ok(hold(desk, 100_000))
    assert ok(desk.redeem(100_000))["subsidy_fen"] == 10_000  # 300 of 400 yuan are held
    part = ok(redeem(desk, held, 50_000, "P1"))
    problem(desk.redeem(10_000), 422, "cap_firm_period")
    ok(desk.machine.post(f"/v1/holds/{held['id']}/release", {}))
    assert ok(desk.redeem(100_000))["subsidy_fen"] == 15_000
    assert world.differences() == []
    ok(desk.machine.post(f"/v1/redemptions/{part['id']}/refunds", {"amount_fen": 50_000, "reason": "退单"}))
    if restores_cap:
        assert ok(desk.redeem(100_000))["subsidy_fen"] == 15_000
    else:
        problem(desk.redeem(100_000), 422, "cap_firm_period")
    assert world.differences() == []


@pytest.mark.parametrize("refunded_first", [False, True])
def test_a_refund_uses_up_what_it_gave_back_and_no_more(world: World, *, refunded_first: bool) -> None:
    """Of a cap of 400 yuan 30 were drawn and refunded, which these rules do not restore: 370 are left, 270 released.

    Whether the refund or the end of the hold comes first changes nothing.
    """
    cap = {"scope": "firm", "name": "yearly", "limit_fen": 40_000, "per": "year"}
    desk = counter(world.city(), caps=[cap], adjustment={"restores_cap": False})
    held = ok(hold(desk, 100_000))
    part = ok(redeem(desk, held, 10_000, "P1"))
    acts: list[tuple[str, dict[str, Any]]] = [(f"/v1/holds/{held['id']}/release", {})]
    acts.insert(
        0 if refunded_first else 1,
        (f"/v1/redemptions/{part['id']}/refunds", {"amount_fen": 10_000, "reason": "退单"}),
    )
    for path, body in acts:
        ok(desk.machine.post(path, body))
    assert ok(desk.redeem(200_000))["subsidy_fen"] == 37_000
    assert world.differences() == []


def test_a_final_bill_after_a_refund_uses_up_both(world: World) -> None:
    """30 yuan drawn and refunded, 60 drawn by the last bill: 90 of 400 are used up."""
    cap = {"scope": "firm", "name": "yearly", "limit_fen": 40_000, "per": "year"}
    desk = counter(world.city(), caps=[cap], adjustment={"restores_cap": False})
    held = ok(hold(desk, 100_000))
    part = ok(redeem(desk, held, 10_000, "P1"))
    ok(desk.machine.post(f"/v1/redemptions/{part['id']}/refunds", {"amount_fen": 10_000, "reason": "退单"}))
    assert ok(redeem(desk, held, 20_000, "P2", final=True))["subsidy_fen"] == 6_000
    assert ok(desk.redeem(200_000))["subsidy_fen"] == 31_000
    assert world.differences() == []


@pytest.mark.parametrize(
    ("method", "between_fen"), [("marginal", 260_000), ("cliff_prospective", 180_000), ("cliff_recalc", 60_000)]
)
def test_a_hold_keeps_its_place_among_the_claims_of_the_year(world: World, method: str, between_fen: int) -> None:
    """Up to 10,000 yuan of the year's bills 50 %, above 30 %. The hold for 6,000 came first and gets 3,000.

    The bill of 6,000 between gets 2,600 (4,000 at 50 %, 2,000 at 30 %); or 1,800, all of it at 30 %; or 600, so that
    all 12,000 have had 30 %. Nor does the refund of one fen of the hold's bill move it behind that one.
    """
    bands = [
        {"up_to_fen": 1_000_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ]
    city = world.city()
    desk = counter(city)
    programme_id = city.programme(
        rules={"categories": ["training"], "rate": {"kind": "bracket", "method": method, "bands": bands}}
    )
    city.admit(programme_id, desk.machine.organisation_id)
    voucher_there = city.issue(programme_id, desk.voucher["firm_id"], 1_000_000)
    body = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000_000}
    ok(desk.manager.post(f"/v1/vouchers/{voucher_there['id']}/mandates", body))
    there = Counter(city, programme_id, voucher_there, desk.manager, desk.machine, {})
    held = ok(hold(there, 600_000))
    assert held["subsidy_fen"] == 300_000
    assert ok(there.redeem(600_000))["subsidy_fen"] == between_fen
    assert ok(redeem(there, held, 200_000, "P1"))["subsidy_fen"] == 100_000
    last = ok(redeem(there, held, 400_000, "P2", final=True))
    assert last["subsidy_fen"] == 200_000
    assert replay(stored_by(city.auditor, last["id"])).differences == ()
    refund = {"amount_fen": 1, "reason": "尾差"}
    back = ok(there.machine.post(f"/v1/redemptions/{last['id']}/refunds", refund))
    assert back["refund"]["subsidy_refund_fen"] <= 1
    assert replay(stored_by(city.auditor, back["refund"]["id"])).differences == ()
    assert world.differences() == []


@pytest.mark.parametrize("last_fen", [110_000, 200_000])
def test_what_was_drawn_beyond_what_is_due_counts_in_the_cap(world: World, last_fen: int) -> None:
    """9,000 yuan at 50 % are 4,500; with the last bill all is at 30 %, or beyond 10,500 yuan at nothing.

    The cap of the firm must know of the 4,500, though the bills together are due 3,030, or nothing.
    """
    bands = [
        {"up_to_fen": 1_000_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"up_to_fen": 1_050_000, "rate": {"kind": "flat", "rate": "0.30"}},
        {"rate": {"kind": "flat", "rate": "0.00"}},
    ]
    city = world.city()
    desk = counter(city)
    rules = {
        "categories": ["training"],
        "rate": {"kind": "bracket", "method": "cliff_prospective", "bands": bands, "per": "lifetime"},
        "caps": [{"scope": "firm", "name": "ever", "limit_fen": 500_000, "per": "lifetime"}],
    }
    programme_id = city.programme(rules=rules)
    city.admit(programme_id, desk.machine.organisation_id)
    voucher_there = city.issue(programme_id, desk.voucher["firm_id"], 1_000_000)
    body = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000_000}
    ok(desk.manager.post(f"/v1/vouchers/{voucher_there['id']}/mandates", body))
    there = Counter(city, programme_id, voucher_there, desk.manager, desk.machine, {})
    held = ok(hold(there, 950_000))
    assert ok(redeem(there, held, 900_000, "P1"))["subsidy_fen"] == 450_000
    assert ok(redeem(there, held, last_fen, "P2", final=True))["subsidy_fen"] == 0
    granted = text("SELECT granted_fen FROM positions WHERE programme_id = :id AND period = 'all'")
    counted = world.database.transact(lambda tx: tx.execute(granted, {"id": programme_id}).scalar_one())
    assert counted == 450_000
    assert world.differences() == []


def test_a_programme_with_two_sources_holds_and_draws_from_both(world: World) -> None:
    sources = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    desk = counter(world.city(), fund_sources=sources, face_value_fen=100_001)
    held = ok(hold(desk, 100_003))  # 30 000.9, so 30 001 fen: 15 001 and 15 000
    assert held["subsidy_fen"] == 30_001
    drawn = [ok(redeem(desk, held, 33_334, f"P{n}"))["subsidy_fen"] for n in range(3)]
    assert drawn == [10_000, 10_000, 10_001]
    assert voucher(desk) == (70_000, 0, 30_001)
    assert world.differences() == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"voucher_code": "330100-7K2M-9QXA-4TZ8"}, ""),
        ({"claim": {"contract_no": "1"}}, ""),
        ({"final": "yes"}, "/final"),
        ({"hold_id": "hld_330100_1"}, "/hold_id"),
        ({"bill": bill_body(0)}, "/bill/lines/0/amount_fen"),
        ({"bill": {"total_fen": 3, "lines": [line_body(1), line_body(1)]}}, "/bill"),
    ],
)
def test_bad_input_is_pointed_at_and_nothing_is_stored(
    shared_world: World, changes: dict[str, Any], pointer: str
) -> None:
    desk = counter(shared_world.city())
    held = ok(hold(desk, 100_000))
    refused = problem(redeem(desk, held, 10_000, "P1", **changes), 422, "validation_failed")
    assert any(error["pointer"].startswith(pointer) for error in refused["errors"]), refused
    assert read(desk, held)["redeemed_fen"] == 0
    ok(redeem(desk, held, 10_000, "P1"))  # the number was not used up


def test_a_bill_of_a_foreign_category_is_refused(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    problem(redeem(desk, held, 10_000, "P1", bill=bill_body(10_000, "inference")), 422, "category_not_covered")
    assert read(desk, held)["held_fen"] == 30_000


def test_an_expected_subsidy_that_changed_is_told(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    problem(redeem(desk, held, 10_000, "P1", expected_subsidy_fen=3_001), 409, "subsidy_changed")
    assert ok(redeem(desk, held, 10_000, "P1", expected_subsidy_fen=3_000))["subsidy_fen"] == 3_000


def test_provider_and_firm_are_told_once_when_a_hold_is_nearly_used_or_has_expired(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    for n, fen in enumerate((79_900, 100, 1_000), start=1):
        ok(redeem(desk, held, fen, f"P{n}"))
    page: dict[str, Any] = {}
    for actor in (desk.manager, desk.machine):
        page = ok(actor.get("/v1/events"))
        (told,) = page["data"]
        assert (told["kind"], told["subject_id"]) == ("hold.nearly_used", held["id"])
        assert (told["data"]["redeemed_fen"], told["data"]["held_fen"]) == (24_000, 6_000)
        again = ok(actor.get("/v1/events", cursor=page["next_cursor"]))
        assert again == {"data": [], "next_cursor": page["next_cursor"]}
    let_expire(world, held)
    world.database.transact(lambda tx: sweep(tx, most=10))
    after = ok(desk.machine.get("/v1/events", cursor=page["next_cursor"]))["data"]
    assert [event["kind"] for event in after] == ["hold.expired"]
    other = counter(desk.city)
    assert ok(other.machine.get("/v1/events"))["data"] == []
    problem(desk.machine.get("/v1/events", cursor="bm9uc2Vuc2U"), 400, "malformed_request")
    problem(desk.city.maker.get("/v1/events"), 403, "forbidden")


def test_an_event_of_a_transaction_that_commits_late_is_not_missed(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    with world.database.engine.connect() as late:  # it began first, and is still running
        late.execute(
            text(
                "INSERT INTO events (region_code, id, recipient_id, kind, subject_id, data, at) VALUES"
                " ('330100', 'evn_330100_00000000000000000000000000', :recipient, 'hold.expired', 'late', '{}', now())"
            ),
            {"recipient": desk.machine.organisation_id},
        )
        ok(redeem(desk, held, 90_000, "P1"))
        before = ok(desk.machine.get("/v1/events"))
        late.commit()
    after = ok(desk.machine.get("/v1/events", **({"cursor": before["next_cursor"]} if before["data"] else {})))
    told = [event["subject_id"] for event in before["data"] + after["data"]]
    assert sorted(told) == sorted([held["id"], "late"])


def test_the_bills_of_a_hold_show_evidence_of_their_own(world: World) -> None:
    """A hold only expects a bill: the usage is claimed by the redemption, once, whatever the hold named."""
    desk = counter(world.city(), bill_checks={"usage_ref": {"repeated": "refuse"}})
    ran = {"total_fen": 10_000, "lines": [line_body(10_000) | {"usage_ref": "job-1"}]}
    held = ok(hold(desk, 100_000, bill={"total_fen": 100_000, "lines": [line_body(100_000) | {"usage_ref": "job-1"}]}))
    first = ok(redeem(desk, held, 10_000, "P1", bill=ran))
    again = problem(redeem(desk, held, 10_000, "P2", bill=ran), 409, "usage_already_billed")
    assert again["redemption_id"] == first["id"]
    ok(redeem(desk, held, 10_000, "P2"))
    assert world.differences() == []
    for subject_id in (held["id"], first["id"]):
        assert replay(stored_by(desk.city.auditor, subject_id)).differences == ()


def test_a_freeze_stops_no_clock_beyond_the_vouchers_end(world: World) -> None:
    """A voucher that ended while it was frozen is frozen for ever: what it holds must go back all the same."""
    desk = counter(world.city())
    held = ok(hold(desk, 100_000))
    ok(redeem(desk, held, 40_000, "P1"))
    city = desk.city
    ok(city.approve(city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/freeze", {"reason": "核查"})))
    # the freeze was a day ago; the hold and its voucher ended this second
    end_validity(world.database, f"frozen_at = frozen_at - interval '1 day', {OVER}")
    world.database.transact(
        lambda tx: tx.execute(text("UPDATE holds SET expires_at = (SELECT redeemable_until FROM vouchers)"))
    )
    assert read(desk, held)["status"] == "expired"
    assert [one["id"] for one in ok(desk.machine.get("/v1/holds", status="expired"))["data"]] == [held["id"]]
    problem(redeem(desk, held, 10_000, "P2"), 409, "hold_expired")
    world.database.transact(lambda tx: sweep(tx, most=10))
    assert (read(desk, held)["held_fen"], read(desk, held)["released_fen"]) == (0, 18_000)
    gone = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert (gone["status"], gone["held_fen"], gone["redeemed_fen"], gone["expired_fen"]) == (
        "expired",
        0,
        12_000,
        18_000,
    )
    (found,) = world.differences()
    assert found.startswith(f"12 decisions: freeze of {desk.voucher['id']}"), "nobody froze it a day ago"


@pytest.mark.parametrize("at_once", [100, 1])
def test_a_hold_that_cannot_be_given_back_keeps_no_other(
    world: World, server: Server, urls: Urls, at_once: int
) -> None:
    """Neither those in the same transaction, nor those that come behind a whole transaction of such."""
    desk = counter(world.city())
    broken, whole = desk, desk.second_voucher(1_000_000)
    bad, good = ok(hold(broken, 100_000)), ok(hold(whole, 200_000))
    engine = create_engine(server.url("postgres", server.password, urls.owner_url.rsplit("/", 1)[1]))
    with engine.begin() as connection:  # as nobody can through the service
        connection.execute(text("UPDATE holds SET facts = '{}' WHERE id = :id"), {"id": bad["id"]})
    engine.dispose()
    for held in (bad, good):
        let_expire(world, held)
    sweeping = sweeper(world.database, every_s=0.05, most=at_once)
    sweeping.start()
    deadline = time.monotonic() + 20
    while voucher(whole)[1] and time.monotonic() < deadline:
        time.sleep(0.05)
    sweeping.stop()
    assert voucher(whole) == (1_000_000, 0, 0)
    assert voucher(broken) == (970_000, 30_000, 0)
