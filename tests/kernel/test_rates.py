"""Rates, quantities and rounding are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.rates import Rounding, parse_decimal, parse_rate, round_to

FLOOR, HALF_UP = Rounding.FLOOR, Rounding.HALF_UP


@pytest.mark.parametrize(
    ("base_fen", "unit_fen", "mode", "expected_fen"),
    [
        (12_345_678, 1, HALF_UP, 3_703_703),
        (12_345_678, 100, FLOOR, 3_703_700),
        (12_345_678, 10_000, FLOOR, 3_700_000),
        (3_335, 1, HALF_UP, 1_001),
        (3_335, 1, FLOOR, 1_000),
        (3 * 3_335, 1, HALF_UP, 3_002),
    ],
)
def test_e11_rounding(base_fen: int, unit_fen: int, mode: Rounding, expected_fen: int) -> None:
    assert round_to(base_fen * parse_rate("0.30"), unit_fen, mode) == expected_fen


def test_e11_three_lines_rounded_each() -> None:
    assert 3 * round_to(3_335 * parse_rate("0.30"), 1, HALF_UP) == 3_003


def test_e11_value_added_tax_is_taken_out_exactly() -> None:
    base = Fraction(50_000_000) / (1 + parse_rate("0.06"))
    assert round_to(base, 1, HALF_UP) == 47_169_811
    assert round_to(base * parse_rate("0.30"), 1, HALF_UP) == 14_150_943


@given(st.fractions(0, 10**15), st.sampled_from([1, 100, 10_000, 1_000_000]))
def test_rounding_stays_within_its_unit(value: Fraction, unit_fen: int) -> None:
    floor, half_up = round_to(value, unit_fen, FLOOR), round_to(value, unit_fen, HALF_UP)
    assert floor % unit_fen == half_up % unit_fen == 0
    assert floor <= value < floor + unit_fen
    assert half_up - floor == (unit_fen if 2 * (value - floor) >= unit_fen else 0)


@pytest.mark.parametrize(("value", "unit_fen"), [(Fraction(-1), 1), (Fraction(1), 0)])
def test_rounding_refuses_what_is_no_amount(value: Fraction, unit_fen: int) -> None:
    with pytest.raises(ValueError, match="rounded"):
        round_to(value, unit_fen, FLOOR)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0", 0), ("1", 1), ("1.000000", 1), ("0.30", Fraction(3, 10)), ("0.333333", Fraction(333_333, 10**6))],
)
def test_a_rate_is_read_exactly(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "1.000001",
        "2",
        "30%",
        "0.3333333",
        "-0.1",
        "+0.1",
        "1e-1",
        ".3",
        "0.",
        "",
        "00.3",
        "０.3",
        "nan",
        " 0.3",
        "0.3\n",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_rate(text)


@given(st.integers(0, 10**15 - 1), st.integers(0, 6))
def test_a_decimal_is_read_exactly(digits: int, decimals: int) -> None:
    whole, rest = divmod(digits, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)
    assert parse_decimal(text, max_decimals=6, max_digits=21) == Fraction(digits, 10**decimals)


@pytest.mark.parametrize("text", ["1.2345", "123456", "12345.6", "1,000", "٣", "9" * 5000])
def test_a_decimal_beyond_its_limits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|digits"):
        parse_decimal(text, max_decimals=3, max_digits=5)
