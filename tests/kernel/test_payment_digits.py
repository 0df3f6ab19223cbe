"""Digits of a payment code: a check digit that finds what tongues and fingers get wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.payment_digits import DRAWN, LENGTH, digits_of, format_digits, parse_digits

DIGITS = st.integers(0, 10**DRAWN - 1).map(digits_of)


_BASE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""Verhoeff's permutation of digits, applied once more at each place to the left."""


def _combined(a: int, b: int) -> int:
    """The symmetries of a pentagon: 0 to 4 turn it, 5 to 9 turn it over."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _sum(digits: str) -> int:
    total = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        for _ in range(place):
            digit = _BASE[digit]
        total = _combined(total, digit)
    return total


@pytest.mark.parametrize("published", ["2363", "123451", "1428570"])
def test_the_rule_written_down_here_is_verhoeffs(published: str) -> None:
    assert _sum(published) == 0


@given(st.integers(0, 10**DRAWN - 1))
def test_the_check_digit_is_verhoeffs(number: int) -> None:
    digits = digits_of(number)
    assert (digits[:DRAWN], _sum(digits)) == (f"{number:08}", 0)


def test_a_known_number_has_its_check_digit() -> None:
    assert digits_of(48_392_017) == "483920170"
    assert digits_of(0) == "000000001"


@pytest.mark.parametrize(
    "typed", ["483920170", "483 920 170", "483-920-170", " ４８３ ９２０ １７０ ", "483.920.170", "483·920·170"]
)
def test_digits_are_read_as_people_type_them(typed: str) -> None:
    assert parse_digits(typed) == "483920170"


@pytest.mark.parametrize("typed", ["", "48392017", "4839201701", "48392017x", "①83920170", "483920170²"])
def test_what_is_no_such_number_says_how_many_digits_it_needs(typed: str) -> None:
    with pytest.raises(ValueError, match=r"has 9 digits / 付款码数字为 9 位"):
        parse_digits(typed)


@given(DIGITS, st.integers(0, LENGTH - 1), st.integers(1, 9))
def test_every_single_wrong_digit_is_found(digits: str, place: int, off: int) -> None:
    wrong = digits[:place] + str((int(digits[place]) + off) % 10) + digits[place + 1 :]
    with pytest.raises(ValueError, match="check digit"):
        parse_digits(wrong)


@given(DIGITS, st.integers(0, LENGTH - 2))
def test_every_swap_of_neighbours_is_found(digits: str, place: int) -> None:
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    if swapped == digits:
        assert parse_digits(swapped) == digits
    else:
        with pytest.raises(ValueError, match="check digit"):
            parse_digits(swapped)


@given(DIGITS)
def test_what_is_shown_is_read_back(digits: str) -> None:
    shown = format_digits(digits)
    assert [len(group) for group in shown.split(" ")] == [3, 3, 3]
    assert parse_digits(shown) == digits
