"""A hold claims nothing of an invoice; each redemption from it does, and the parts together get what one bill gets."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from app.services.redemption.replaying import replay
from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund
from tests.redemption.test_replay_assessment import stored_by
from tests.world import Counter, World, bill_body, counter, ok, problem

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


def held(desk: Counter, bill: dict[str, Any]) -> Any:
    body = {"voucher_code": desk.voucher["code"], "hold_no": f"INV-{next(_NUMBERS)}", "bill": bill}
    return ok(desk.machine.post("/v1/holds", body))


def part(desk: Counter, hold: dict[str, Any], *lines: dict[str, Any], **changes: Any) -> Any:
    body = {"hold_id": hold["id"], "order_no": f"INV-{next(_NUMBERS)}", "bill": bill_of(*lines)}
    return desk.machine.post("/v1/redemptions", body | changes)


def test_parts_of_a_hold_claim_line_by_line(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    hold = held(desk, bill_body(100_000))
    first = ok(part(desk, hold, on_invoice(60_000, number, whole_fen=100_000)))
    assert (first["subsidy_fen"], claimed_fen(world, number)) == (18_000, (100_000, 60_000))
    second = ok(part(desk, hold, on_invoice(60_000, number, whole_fen=100_000)))
    assert (second["subsidy_fen"], claimed_fen(world, number)) == (12_000, (100_000, 100_000))
    back = ok(refund(desk, first, 60_000))["refund"]
    assert (back["subsidy_refund_fen"], claimed_fen(world, number)) == (18_000, (100_000, 40_000))
    for subject in (hold["id"], first["id"], second["id"], back["id"]):
        assert replay(stored_by(desk.city.auditor, subject)).differences == ()
    assert world.differences() == []


def test_a_hold_is_told_what_is_left_and_claims_nothing(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    bill = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    hold = held(desk, bill)
    first = ok(desk.redeem(0, bill=bill_of(on_invoice(30_000, number, whole_fen=100_000))))
    less = held(desk, bill)
    assert (hold["subsidy_fen"], less["subsidy_fen"]) == (30_000, 21_000)
    assert claimed_fen(world, number) == (100_000, 30_000)
    assert ok(part(desk, hold, *bill["lines"], final=True))["subsidy_fen"] == 21_000
    problem(part(desk, less, *bill["lines"]), 409, "invoice_already_used")
    ok(desk.machine.post(f"/v1/holds/{less['id']}/release"))
    assert claimed_fen(world, number) == (100_000, 100_000)
    ok(refund(desk, first, 30_000))
    assert claimed_fen(world, number) == (100_000, 70_000)
    assert world.differences() == []


def test_a_part_below_the_minimum_claims_before_it_draws(world: World) -> None:
    floors = [{"of": "base", "at_least_fen": 50_000}]
    desk, number = counter(world.city(), floors=floors), digital_number()
    hold = held(desk, bill_body(100_000))
    first = ok(part(desk, hold, on_invoice(40_000, number, whole_fen=100_000)))
    assert (first["subsidy_fen"], claimed_fen(world, number)) == (0, (100_000, 40_000))
    other = desk.second_voucher(100_000)
    assert ok(other.redeem(0, bill=bill_of(on_invoice(60_000, number, whole_fen=100_000))))["subsidy_fen"] == 18_000
    assert ok(part(desk, hold, on_invoice(60_000, digital_number(), whole_fen=60_000)))["subsidy_fen"] == 30_000
    assert world.differences() == []


def test_a_part_that_leaves_some_to_the_next_one_claims_its_whole_line(world: World) -> None:
    """400 + 100 yuan reach the minimum: of the 150 due the second draws 100, the third 50 and 30 of its own."""
    desk, number = counter(world.city(), floors=[{"of": "base", "at_least_fen": 50_000}]), digital_number()
    hold = held(desk, bill_body(100_000))
    ok(part(desk, hold, on_invoice(40_000, digital_number(), whole_fen=40_000)))
    second = ok(part(desk, hold, on_invoice(10_000, number, whole_fen=10_000)))
    assert (second["subsidy_fen"], claimed_fen(world, number)) == (10_000, (10_000, 10_000))
    assert ok(part(desk, hold, on_invoice(10_000, digital_number(), whole_fen=10_000)))["subsidy_fen"] == 8_000
    assert world.differences() == []


def test_a_part_that_the_hold_cuts_claims_in_proportion(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    hold = held(desk, bill_body(50_000))  # 15,000
    first = ok(part(desk, hold, on_invoice(100_000, number, whole_fen=100_000)))
    assert (first["subsidy_fen"], claimed_fen(world, number)) == (15_000, (100_000, 50_000))
    assert world.differences() == []


def test_a_red_letter_on_one_part_is_known_to_the_next(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    hold = held(desk, bill_body(200_000))
    first = ok(part(desk, hold, on_invoice(50_000, number, whole_fen=100_000)))
    second = ok(part(desk, hold, on_invoice(50_000, number, whole_fen=100_000)))
    back = ok(refund(desk, second, 20_000, red_letter={"number": digital_number()}))["refund"]
    assert (back["subsidy_refund_fen"], claimed_fen(world, number)) == (6_000, (80_000, 80_000))
    third = ok(part(desk, hold, on_invoice(10_000, digital_number(), whole_fen=10_000)))
    assert third["subsidy_fen"] == 3_000
    for subject in (first["id"], second["id"], back["id"], third["id"]):
        assert replay(stored_by(desk.city.auditor, subject)).differences == ()
    assert world.differences() == []
