"""Programmes whose base may be stacked count an invoice line each by itself, under the ceiling of all public money."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.redemption.replaying import replay
from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund
from tests.redemption.test_replay_assessment import stored_by
from tests.world import NINGBO, Counter, World, counter, ok, problem

STACKABLE: dict[str, Any] = {"stacking": {"base": "stackable"}}
CONTRACT: dict[str, Any] = {"contract_no": "HT-2026-001", "contract_fen": 150_000}


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


def drawn(desk: Counter, number: str, amount_fen: int, **changes: Any) -> Any:
    return ok(desk.redeem(0, bill=bill_of(on_invoice(amount_fen, number, whole_fen=100_000)), **changes))


def test_layers_stack_up_to_the_line_and_never_twice_in_one_programme(world: World) -> None:
    number = digital_number()
    national = counter(world.city(), rate="0.60", **STACKABLE)
    city = counter(world.city(NINGBO), rate="0.60", **STACKABLE)
    exclusive = counter(world.city(NINGBO), rate="0.30")
    assert drawn(national, number, 100_000)["subsidy_fen"] == 60_000
    half = drawn(city, number, 50_000)  # 30,000 by its rate; of the 50,000 the other programme paid 30,000
    assert half["subsidy_fen"] == 20_000
    assert [one["code"] for one in half["trace"]["reductions"]] == ["STACK_CEILING"]
    rest = drawn(city, number, 100_000)  # 50,000 are left to it, for which the other programme paid the other 30,000
    assert [one["code"] for one in rest["trace"]["reductions"]] == ["DUP_BASE", "STACK_CEILING"]
    assert rest["subsidy_fen"] == 20_000  # together 100,000, which is all there is
    bill = bill_of(on_invoice(1_000, number, whole_fen=100_000))
    problem(exclusive.redeem(0, bill=bill), 409, "invoice_already_used")
    assert claimed_fen(world, number, layer=city.programme_id) == (100_000, 100_000)
    assert claimed_fen(world, number, layer=national.programme_id) == (100_000, 100_000)
    for desk, subject in ((city, half["id"]), (city, rest["id"])):
        assert replay(stored_by(desk.city.auditor, subject)).differences == ()
    back = ok(refund(city, half, 25_000))["refund"]
    assert replay(stored_by(city.city.auditor, back["id"])).differences == ()
    assert world.differences() == []


def test_bills_on_a_contract_count_no_more_than_the_contract(world: World) -> None:
    desk = counter(world.city(), bill_checks={"invoice": {"required": True, "contract_required": True}})
    one, two = digital_number(), digital_number()
    assert drawn(desk, one, 100_000, claim=CONTRACT)["subsidy_fen"] == 30_000
    cut = drawn(desk, two, 100_000, claim=CONTRACT | {"contract_no": "ht－2026－001"})
    assert (cut["subsidy_fen"], cut["trace"]["reductions"][0]["code"]) == (15_000, "DUP_BASE")
    assert claimed_fen(world, two) == (100_000, 50_000)
    spent = bill_of(on_invoice(1_000, digital_number(), whole_fen=100_000))
    problem(desk.redeem(0, bill=spent, claim=CONTRACT), 409, "invoice_already_used")
    other_amount = problem(desk.redeem(0, bill=spent, claim=CONTRACT | {"contract_fen": 1}), 422, "validation_failed")
    assert other_amount["errors"][0]["pointer"] == "/claim/contract_fen"
    nothing = problem(desk.redeem(0, bill=spent), 422, "not_eligible")
    assert nothing["what"] == "claim.contract_no, claim.contract_fen"
    problem(desk.redeem(1_000, claim=CONTRACT), 422, "invoice_missing")
    back = ok(refund(desk, cut, 60_000))["refund"]  # 40,000 of the bill are left, 50,000 counted
    assert (back["subsidy_refund_fen"], claimed_fen(world, two)) == (3_000, (100_000, 40_000))
    assert drawn(desk, two, 60_000, claim=CONTRACT)["subsidy_fen"] == 3_000  # what the contract leaves
    assert world.differences() == []
