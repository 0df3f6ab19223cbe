"""Red-letter invoices take off the line that they correct, and what is then too much goes back."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.redemption.replaying import replay
from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund
from tests.redemption.test_replay_assessment import stored_by
from tests.world import NINGBO, Counter, World, counter, ok, problem


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def red(number: str) -> dict[str, Any]:
    return {"red_letter": {"number": number}}


def test_a_red_letter_takes_its_amount_off_the_invoice_line_for_good(world: World, desk: Counter) -> None:
    number = digital_number()
    whole = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=whole))
    back = ok(refund(desk, first, 40_000, **red(digital_number())))
    assert back["refund"]["subsidy_refund_fen"] == 12_000
    assert claimed_fen(world, number) == (60_000, 60_000)
    again = bill_of(on_invoice(1_000, number, whole_fen=100_000))
    problem(desk.redeem(0, bill=again), 409, "invoice_already_used")
    assert world.differences() == []


def test_a_split_line_that_is_worth_less_is_cut_where_it_was_cancelled(world: World, desk: Counter) -> None:
    number = digital_number()
    other = counter(world.city(NINGBO))
    ok(other.redeem(0, bill=bill_of(on_invoice(30_000, number, whole_fen=100_000))))
    whole = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=whole))
    assert first["subsidy_fen"] == 21_000
    # Worth 80,000 now, of which the other city has 30,000: 50,000 are left to count, and 15,000 are due.
    back = ok(refund(desk, first, 20_000, **red(digital_number())))["refund"]
    assert back["subsidy_refund_fen"] == 6_000
    assert claimed_fen(world, number) == (80_000, 80_000)
    # Without a red letter nothing changes: 70,000 of the bill are left, 50,000 count as before.
    plain = ok(refund(desk, first, 10_000))["refund"]
    assert plain["subsidy_refund_fen"] == 0
    assert claimed_fen(world, number) == (80_000, 80_000)
    for subject in (first["id"], back["id"], plain["id"]):
        assert replay(stored_by(desk.city.auditor, subject)).differences == ()
    assert world.differences() == []


def test_what_others_claim_of_a_line_has_to_be_refunded_first(world: World, desk: Counter) -> None:
    number, red_number = digital_number(), digital_number()
    other = counter(world.city(NINGBO))
    theirs = ok(other.redeem(0, bill=bill_of(on_invoice(30_000, number, whole_fen=100_000))))
    first = ok(desk.redeem(0, bill=bill_of(on_invoice(100_000, number, whole_fen=100_000))))
    refused = problem(refund(desk, first, 100_000, **red(red_number)), 409, "invoice_still_claimed")
    assert (refused["errors"][0]["limit"], refused["errors"][0]["actual"]) == (0, 30_000)
    assert claimed_fen(world, number) == (100_000, 100_000)
    ok(refund(other, theirs, 30_000, **red(red_number)))
    ok(refund(desk, first, 70_000, **red(red_number)))
    assert claimed_fen(world, number) == (0, 0)
    assert world.differences() == []


def test_a_red_letter_corrects_one_invoice_and_is_none_itself(world: World, desk: Counter) -> None:
    one, two, red_number = digital_number(), digital_number(), digital_number()
    bill = bill_of(
        *(on_invoice(1_000, number, whole_fen=1_000) for number in (one, two)),
        on_invoice(5, two, whole_fen=5, line_no=2),
    )
    del bill["lines"][2]["invoice"]
    first = ok(desk.redeem(0, bill=bill))

    def wrong(number: str, *lines: int) -> Any:
        cancelled = [{"line": line, "amount_fen": 1} for line in lines]
        body = {"lines": cancelled, "reason": "红冲", **red(number)}
        answer = desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", body)
        (error,) = problem(answer, 422, "validation_failed")["errors"]
        return error["code"]

    assert wrong(red_number, 1, 2) == "corrects_one_invoice"
    assert wrong(red_number, 3) == "line_names_no_invoice"
    assert wrong(one, 1) == "is_the_invoice_itself"
    assert wrong(two, 1) == "claimed_as_an_invoice"
    body = {"lines": [{"line": 1, "amount_fen": 100}], "reason": "红冲", **red(red_number)}
    ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", body))
    assert wrong(red_number, 2) == "corrects_another_invoice"
    as_blue = bill_of(on_invoice(1_000, red_number, whole_fen=1_000))
    (error,) = problem(desk.redeem(0, bill=as_blue), 422, "validation_failed")["errors"]
    assert error["code"] == "is_a_red_letter"
    assert world.differences() == []


def test_a_red_letter_may_come_after_its_refund(world: World, desk: Counter) -> None:
    number, red_number = digital_number(), digital_number()
    whole = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=whole))
    back = ok(refund(desk, first, 40_000))["refund"]
    assert claimed_fen(world, number) == (100_000, 60_000)
    path = f"/v1/redemptions/{first['id']}/refunds/{back['id']}/red-letter"
    answer = desk.machine.post(path, {"number": red_number}, key="red-1")
    assert ok(answer)["lines"] == [{"line_no": 1, "amount_fen": 40_000, "left_fen": 60_000}]
    assert desk.machine.post(path, {"number": f" {red_number[:4]} {red_number[4:]}"}, key="red-1").text == answer.text
    assert claimed_fen(world, number) == (60_000, 60_000)
    (error,) = problem(desk.machine.post(path, {"number": digital_number()}), 422, "validation_failed")["errors"]
    assert error["code"] == "refund_has_a_red_letter"
    problem(desk.redeem(0, bill=whole), 409, "invoice_already_used")
    assert world.differences() == []


def test_what_was_claimed_again_keeps_a_late_red_letter_out(world: World, desk: Counter) -> None:
    number = digital_number()
    whole = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=whole))
    back = ok(refund(desk, first, 40_000))["refund"]
    second = ok(desk.redeem(0, bill=whole))
    path = f"/v1/redemptions/{first['id']}/refunds/{back['id']}/red-letter"
    problem(desk.machine.post(path, {"number": digital_number()}), 409, "invoice_still_claimed")
    ok(refund(desk, second, 100_000))
    ok(desk.machine.post(path, {"number": digital_number()}))
    assert claimed_fen(world, number) == (60_000, 60_000)
    assert world.differences() == []


def test_only_the_provider_itself_records_it(world: World, desk: Counter) -> None:
    first = ok(desk.redeem(0, bill=bill_of(on_invoice(100_000, digital_number(), whole_fen=100_000))))
    back = ok(refund(desk, first, 40_000))["refund"]
    path = f"/v1/redemptions/{first['id']}/refunds/{back['id']}/red-letter"
    body = {"number": digital_number()}
    problem(counter(world.city(NINGBO)).machine.post(path, body), 404, "not_found")
    problem(desk.city.finance.post(path, body), 403, "forbidden")
    problem(desk.manager.post(path, body), 403, "forbidden")
    unknown = path.replace(back["id"][-6:], "000000")
    problem(desk.machine.post(unknown, body), 404, "not_found")
