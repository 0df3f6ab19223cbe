"""The price of a job, to the fen."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.usage.billing import bill_line
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow


def used(card_hours: Fraction, gpu_model: str | None = None) -> UsageRow:
    return UsageRow(
        row=2,
        job_id="job-1",
        gpu_model=gpu_model,
        card_hours=card_hours,
        started_s=Fraction(0),
        ended_s=Fraction(3600),
        used_from=None,
        used_until=None,
    )


def prices(default: str) -> PriceList:
    return PriceList(category="training_inference", default=default, by_gpu_model={"A100-80G": "26.50"})


@pytest.mark.parametrize(
    ("card_hours", "unit_price", "quantity", "amount_fen"),
    [
        (Fraction(5, 2), "38.50", "2.500000", 9_625),
        (Fraction(590 * 4, 3_600_000), "38.50", "0.000656", 3),
        (Fraction(1, 3), "1.00", "0.333333", 33),
        (Fraction(1, 2), "0.01", "0.500000", 1),
        (Fraction(15, 10**7), "1.00", "0.000002", 1),
        (Fraction(1, 10**9), "0.0035", "0.000001", 1),
    ],
)
def test_a_job_costs_its_card_hours_times_the_price(
    card_hours: Fraction, unit_price: str, quantity: str, amount_fen: int
) -> None:
    line = bill_line(used(card_hours), prices(unit_price))
    assert (line.quantity, line.unit, line.unit_price, line.amount_fen) == (
        quantity,
        "card_hour",
        unit_price,
        amount_fen,
    )
    assert (line.category, line.usage_ref) == ("training_inference", "job-1")


def test_a_listed_gpu_model_has_its_own_price() -> None:
    assert bill_line(used(Fraction(2), "A100-80G"), prices("1.00")).amount_fen == 5_300


@given(st.fractions(Fraction(1, 10**9), 10**6), st.decimals("0.0001", "9999", places=4))
def test_the_amount_is_quantity_times_price_to_within_a_fen(card_hours: Fraction, unit_price: Decimal) -> None:
    line = bill_line(used(card_hours), prices(f"{unit_price:f}"))
    assert line.amount_fen >= 1
    assert abs(line.amount_fen - line.priced_fen()) <= 1
