"""One subsidy per invoice line, in whatever city: what is claimed, what is left, and what a refund gives back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund
from tests.world import NINGBO, Counter, World, counter, ok, problem


def test_what_was_subsidised_of_an_invoice_line_counts_no_more(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    bill = bill_of(on_invoice(60_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=bill))
    assert first["subsidy_fen"] == 18_000
    path = f"/v1/programmes/{desk.programme_id}/quotes"
    quoted = ok(desk.machine.post(path, {"bill": bill, "voucher_code": desk.voucher["code"]}))
    second = ok(desk.redeem(0, bill=bill))
    assert second["subsidy_fen"] == quoted["subsidy_fen"] == 12_000  # 30 % of the 40,000 that are left
    assert [(one["code"], one["base_fen"]) for one in second["trace"]["reductions"]] == [("DUP_BASE", 20_000)]
    assert quoted["trace"] == second["trace"]
    asked = bill_of(on_invoice(1_000, number, whole_fen=100_000))
    third = problem(desk.redeem(0, bill=asked), 409, "invoice_already_used")
    assert third["redemption_id"] in {first["id"], second["id"]}
    refused = ok(desk.machine.post(path, {"bill": asked, "voucher_code": desk.voucher["code"]}))["refusal"]
    assert refused["code"] == "invoice_already_used"
    other_line = bill_of(on_invoice(1_000, number, whole_fen=100_000, line_no=2))
    assert ok(desk.redeem(0, bill=other_line))["subsidy_fen"] == 300
    assert claimed_fen(world, number) == (100_000, 100_000)
    assert world.differences() == []


def test_an_invoice_is_one_however_it_is_typed(world: World) -> None:
    desk = counter(world.city())
    old = {"code": "033002100111", "number": f"{int(digital_number()[-8:]):08d}"}
    typed = {"code": "０３３００ 2100-111", "number": f" {old['number'][:4]} {old['number'][4:]} "}
    first = bill_of(on_invoice(1_000, "", whole_fen=1_000, invoice=old))
    ok(desk.redeem(0, bill=first))
    again = bill_of(on_invoice(1_000, "", whole_fen=1_000, invoice=typed))
    problem(desk.redeem(0, bill=again), 409, "invoice_already_used")


def test_two_cities_race_for_one_invoice_line_and_one_wins(world: World) -> None:
    desks = [counter(world.city()), counter(world.city(NINGBO))]
    bill = bill_of(*(on_invoice(1_000, digital_number(), whole_fen=1_000) for _ in range(4)))
    start = Barrier(4)

    def race(n: int) -> Any:
        lines = bill["lines"] if n < 2 else bill["lines"][::-1]
        start.wait()
        return desks[n % 2].redeem(0, bill=bill | {"lines": lines})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(race, range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 201) % 2
    for n, answer in enumerate(answers):
        if answer.status_code == 409:
            lost = problem(answer, 409, "invoice_already_used")
            assert ("redemption_id" in lost) is (n % 2 == winner)  # what another provider did is not told
            if n % 2 != winner:
                for hidden in (desks[winner].voucher["firm_id"], desks[winner].machine.organisation_id):
                    assert hidden not in answer.text
    assert world.differences() == []


def test_bills_on_one_invoice_line_in_one_batch_share_it(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    rows = [
        {
            "voucher_code": desk.voucher["code"],
            "order_no": f"{number}-{n}",
            "bill": bill_of(on_invoice(40_000, number, whole_fen=100_000)),
        }
        for n in range(4)
    ]
    answer = ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": rows}))
    drawn = sorted(row["body"].get("subsidy_fen", 0) for row in answer["data"])
    assert drawn == [0, 6_000, 12_000, 12_000]
    assert claimed_fen(world, number) == (100_000, 100_000)
    assert world.differences() == []


def test_a_refund_gives_the_base_back(world: World) -> None:
    desk, number = counter(world.city()), digital_number()
    whole = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=whole))
    ok(refund(desk, first, 40_000))
    assert claimed_fen(world, number) == (100_000, 60_000)
    assert ok(desk.redeem(0, bill=whole))["subsidy_fen"] == 12_000
    ok(refund(desk, first, 60_000))
    assert claimed_fen(world, number) == (100_000, 40_000)
    assert world.differences() == []


def test_what_a_voucher_had_no_money_for_is_left_for_another(world: World) -> None:
    desk, number = counter(world.city(), face_value_fen=10_000), digital_number()
    bill = bill_of(on_invoice(100_000, number, whole_fen=100_000))
    first = ok(desk.redeem(0, bill=bill))
    assert first["subsidy_fen"] == 10_000  # of 30,000: a third of the base, 33,333.33, rounded up
    assert claimed_fen(world, number) == (100_000, 33_334)
    other = desk.second_voucher(100_000)
    assert ok(other.redeem(0, bill=bill))["subsidy_fen"] == 20_000  # 30 % of 66,666
    ok(refund(desk, first, 60_000))  # 12,000 would be due for what is left: the voucher keeps its 10,000
    assert claimed_fen(world, number) == (100_000, 100_000)
    ok(refund(desk, first, 30_000))  # 3,000 are due for the 10,000 left
    assert claimed_fen(world, number) == (100_000, 76_666)
    assert world.differences() == []


@pytest.mark.parametrize(
    ("invoice", "pointer", "code"),
    [
        ({"number": "2533200000123456789"}, "/bill/lines/0/invoice/number", "wrong_number_of_digits"),
        ({"number": "2.53320E+19"}, "/bill/lines/0/invoice/number", "only_digits"),
        ({"number": "12345678"}, "/bill/lines/0/invoice/code", "invoice_code_missing"),
        ({"code": "033002100111"}, "/bill/lines/0/invoice/code", "digital_invoice_has_no_code"),
        ({"net_fen": 900, "tax_fen": 90}, "/bill/lines/0/invoice/amount_fen", "net_and_tax_do_not_add_up"),
        ({"net_fen": 1_000}, "/bill/lines/0/invoice/tax_fen", "goes_with_the_other"),
        ({"amount_fen": 999}, "/bill/lines/0/amount_fen", "beyond_the_invoice_line"),
        ({"seller": "91330106MA0000015L"}, "/bill/lines/0/invoice/seller", "not_a_uscc"),
        ({"seller": "91330106MA0000015K"}, "/bill/lines/0/invoice/seller", "not_the_seller"),
        ({"buyer": "91330282MA0000023M"}, "/bill/lines/0/invoice/buyer", "not_the_buyer"),
        ({"issued_on": "2099-01-01"}, "/bill/lines/0/invoice/issued_on", "lies_in_the_future"),
        ({"line_no": 0}, "/bill/lines/0/invoice/line_no", "greater_than_equal"),
        ({"nummer": "1"}, "/bill/lines/0/invoice/nummer", "extra_forbidden"),
    ],
)
def test_what_is_wrong_with_an_invoice_is_told_with_its_place(
    desk: Counter, invoice: dict[str, Any], pointer: str, code: str
) -> None:
    bill = bill_of(on_invoice(1_000, digital_number(), whole_fen=1_000, invoice=invoice))
    found = problem(desk.redeem(0, bill=bill), 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in found["errors"]] == [(pointer, code)]


def test_seller_and_buyer_are_the_provider_and_the_holder(world: World, desk: Counter) -> None:
    with world.database.engine.connect() as tx:
        rows = tx.execute(text("SELECT id, identifier_value FROM organisations")).all()
    codes = {row.id: row.identifier_value for row in rows}
    parties = {"seller": codes[desk.machine.organisation_id], "buyer": codes[desk.voucher["firm_id"]].lower()}
    bill = bill_of(on_invoice(1_000, digital_number(), whole_fen=1_000, invoice=parties))
    assert ok(desk.redeem(0, bill=bill))["subsidy_fen"] == 300


def test_a_line_has_the_amount_with_which_it_was_first_claimed(world: World, desk: Counter) -> None:
    number = digital_number()
    ok(desk.redeem(0, bill=bill_of(on_invoice(1_000, number, whole_fen=1_000))))
    more = bill_of(on_invoice(1_000, number, whole_fen=2_000))
    (error,) = problem(desk.redeem(0, bill=more), 422, "validation_failed")["errors"]
    assert (error["pointer"], error["code"]) == ("/bill/lines/0/invoice/amount_fen", "differs_from_before")
    assert (error["limit"], error["actual"]) == (1_000, 2_000)
    stranger = counter(world.city(NINGBO))
    (error,) = problem(stranger.redeem(0, bill=more), 422, "validation_failed")["errors"]
    assert "limit" not in error


def test_once_a_wrong_claim_is_refunded_the_amount_is_stated_anew(world: World, desk: Counter) -> None:
    number, stranger = digital_number(), counter(world.city(NINGBO))
    wrong = ok(stranger.redeem(0, bill=bill_of(on_invoice(10, number, whole_fen=10))))
    right = bill_of(on_invoice(2_000, number, whole_fen=2_000))
    problem(desk.redeem(0, bill=right), 422, "validation_failed")
    ok(refund(stranger, wrong, 10))
    assert ok(desk.redeem(0, bill=right))["subsidy_fen"] == 600
    assert claimed_fen(world, number) == (2_000, 2_000)
    assert world.differences() == []


def test_a_refused_bill_states_nothing(world: World, desk: Counter) -> None:
    number = digital_number()
    wrong = bill_of(on_invoice(1_000, number, whole_fen=1_000, category="storage"))
    problem(desk.redeem(0, bill=wrong), 422, "category_not_covered")
    assert ok(desk.redeem(0, bill=bill_of(on_invoice(1_000, number, whole_fen=2_000))))["subsidy_fen"] == 300


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
def desk(world: World) -> Counter:
    return counter(world.city())
