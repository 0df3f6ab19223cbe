"""Amounts read, shown and split to the fen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import MAX_FEN, format_yuan, parse_yuan, split_by_peeling, to_yuan

amounts = st.integers(0, MAX_FEN)
shares = st.lists(st.integers(0, 10**13), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("fen", "plain", "grouped"),
    [
        (0, "0.00", "0.00"),
        (5, "0.05", "0.05"),
        (123_450, "1234.50", "1,234.50"),
        (-123_450, "-1234.50", "-1,234.50"),
        (-5, "-0.05", "-0.05"),
        (MAX_FEN, "10000000000000.00", "10,000,000,000,000.00"),
    ],
)
def test_fen_are_shown_in_yuan(fen: int, plain: str, grouped: str) -> None:
    assert (to_yuan(fen), format_yuan(fen)) == (plain, grouped)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1,234.50", 123_450),
        ("1234.5", 123_450),
        ("1234", 123_400),
        (" 0.07 ", 7),
        ("１，２３４．５０", 123_450),
        ("1,234,567", 123_456_700),
        ("10000000000000.00", MAX_FEN),
    ],
)
def test_yuan_are_read_as_people_type_them(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".5",
        "1.234",
        "-1",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "1,23",
        "12,34.00",
        "1 234",
        "1²",
        "①",
        "٣",
        "¥5",
        "1_000",
    ],
)
def test_what_is_not_plainly_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="yuan"):
        parse_yuan(text)


@pytest.mark.parametrize("text", ["10000000000000.01", "9" * 33, "9" * 5000])
def test_an_amount_above_the_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most"):
        parse_yuan(text)


@given(amounts)
def test_reading_what_was_shown_gives_the_amount_back(fen: int) -> None:
    assert parse_yuan(to_yuan(fen)) == fen
    assert parse_yuan(format_yuan(fen)) == fen


def test_e12_the_declared_order_takes_the_spare_fen() -> None:
    assert split_by_peeling(10_000_001, [1, 1]) == [5_000_001, 5_000_000]


@given(amounts, shares)
def test_the_parts_add_up_and_a_share_of_zero_gets_nothing(amount: int, shares: list[int]) -> None:
    if sum(shares) == 0:
        amount = 0
    parts = split_by_peeling(amount, shares)
    assert sum(parts) == amount
    assert all(part >= 0 for part in parts)
    assert all(part == 0 for part, share in zip(parts, shares, strict=True) if share == 0)


@given(st.data(), shares)
def test_no_part_exceeds_its_share_of_what_the_parent_has(data: st.DataObject, shares: list[int]) -> None:
    amount = data.draw(st.integers(0, sum(shares)))
    assert all(part <= share for part, share in zip(split_by_peeling(amount, shares), shares, strict=True))


@given(shares)
def test_drawing_everything_takes_each_share_whole(shares: list[int]) -> None:
    assert split_by_peeling(sum(shares), shares) == shares


@pytest.mark.parametrize(("amount", "shares"), [(1, [0, 0]), (1, []), (-1, [1]), (1, [2, -1])])
def test_what_cannot_be_split_is_refused(amount: int, shares: list[int]) -> None:
    with pytest.raises(ValueError, match="split"):
        split_by_peeling(amount, shares)
