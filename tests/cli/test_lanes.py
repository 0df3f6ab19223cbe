"""Which voucher, which order number, which key: from file, seed and row alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.lanes import Order, Place, Usage, draw, make_orders, order_no, split_into_lanes
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow

SHA = "ab" * 32
PRICES = PriceList(category="training", default="36.00")
PLACES = [Place(f"voucher-{number}", ("cli_a", "cli_b")) for number in range(7)]


def row(number: int, *, job_id: str = "job", hours: int = 1) -> UsageRow:
    return UsageRow(number, job_id, None, Fraction(hours), Fraction(0), Fraction(3600 * hours), None, None)


def usage(*rows: UsageRow, sha256: str = SHA) -> Usage:
    return Usage("trace.csv", sha256, rows, {})


def orders(*numbers: int, seed: int = 65, places: list[Place] = PLACES, series: str = "") -> list[Order]:
    return make_orders(usage(*map(row, numbers)), PRICES, places, seed=seed, series=series)


def test_a_row_makes_the_same_bill_whatever_other_rows_there_are() -> None:
    alone = orders(500)
    assert alone == [order for order in orders(*range(2, 1000)) if order.row == 500]


def test_another_seed_gives_other_vouchers_and_other_numbers() -> None:
    one, other = orders(*range(2, 200), seed=1), orders(*range(2, 200), seed=2)
    assert [order.voucher_code for order in one] != [order.voucher_code for order in other]
    assert {order.key for order in one}.isdisjoint(order.key for order in other)
    assert {order.order_no for order in one}.isdisjoint(order.order_no for order in other)


def test_another_file_and_another_series_give_other_numbers_for_the_same_vouchers() -> None:
    one = orders(*range(2, 50))
    for other in (
        make_orders(usage(*map(row, range(2, 50)), sha256="cd" * 32), PRICES, PLACES, seed=65),
        orders(*range(2, 50), series="330100-"),
    ):
        assert [order.voucher_code for order in one] == [order.voucher_code for order in other]
        assert {order.order_no for order in one}.isdisjoint(order.order_no for order in other)


def test_every_voucher_and_every_machine_gets_its_part() -> None:
    made = orders(*range(2, 2002))
    per_voucher = Counter(order.voucher_code for order in made)
    per_machine = Counter(order.client_id for order in made)
    assert len(per_voucher) == len(PLACES)
    assert min(per_voucher.values()) > 2000 / len(PLACES) / 2
    assert min(per_machine.values()) > 800


def test_a_lane_holds_one_voucher_in_the_order_of_the_file() -> None:
    made = orders(*range(2, 300))
    lanes = split_into_lanes(made)
    assert [len({order.voucher_code for order in lane}) for lane in lanes] == [1] * len(PLACES)
    assert all([order.row for order in lane] == sorted(order.row for order in lane) for lane in lanes)
    assert sorted(order.row for lane in lanes for order in lane) == list(range(2, 300))


def test_a_bill_is_what_the_api_takes() -> None:
    [order] = orders(9, places=[Place("330100XXXXXXXXXXXX", ("cli_a",))])
    assert order.body() == {
        "voucher_code": "330100XXXXXXXXXXXX",
        "order_no": order.order_no,
        "bill": {
            "total_fen": 3600,
            "lines": [
                {
                    "category": "training",
                    "quantity": "1.000000",
                    "unit": "card_hour",
                    "unit_price": "36.00",
                    "amount_fen": 3600,
                    "usage_ref": "job",
                }
            ],
        },
    }


@pytest.mark.parametrize("job_id", ["作业-1", "a job", "x" * 65])
def test_a_job_id_that_is_no_reference_is_left_out(job_id: str) -> None:
    [order] = make_orders(usage(row(2, job_id=job_id)), PRICES, PLACES, seed=65)
    assert order.line.usage_ref is None


def test_card_hours_are_those_of_the_billable_rows() -> None:
    assert replace(usage(row(2, hours=3), row(5, hours=4)), skipped={"no_gpu": 2}).card_hours == 7


@given(st.integers(0, 10**9), st.integers(2, 10**7), st.integers(1, 100))
def test_a_draw_is_within_its_choices_and_repeats(seed: int, number: int, choices: int) -> None:
    drawn = draw(seed, number, "voucher", choices)
    assert 0 <= drawn < choices
    assert drawn == draw(seed, number, "voucher", choices)


@given(st.integers(0, 10**9), st.integers(2, 10**7))
def test_an_order_number_fits_the_contract(seed: int, number: int) -> None:
    text = order_no(SHA, seed, number, series="330100-")
    assert len(text) <= 64
    assert all("!" <= character <= "~" for character in text)
