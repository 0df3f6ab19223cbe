"""统一社会信用代码: read in any typing, refused with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.uscc import (
    UsccCharacterError,
    UsccCheckError,
    UsccError,
    UsccLengthError,
    organisation_check,
    parse_uscc,
)

CODE = "91330106MA0000015K"


@pytest.mark.parametrize("code", [CODE, "91330282MA0000023M", "91110000600037341L"])
def test_valid_codes_are_taken(code: str) -> None:
    assert parse_uscc(code) == code


@pytest.mark.parametrize(
    "typed",
    ["91330106ma0000015k", " 91330106 MA000001 5K ", "９１３３０１０６ＭＡ０００００１５Ｋ", "91330106-MA000001-5K"],
)
def test_width_case_and_spaces_do_not_count(typed: str) -> None:
    assert parse_uscc(typed) == CODE


@pytest.mark.parametrize(("typed", "length"), [("", 0), (CODE[:-1], 17), (CODE + "0", 19)])
def test_a_wrong_length_is_named(typed: str, length: int) -> None:
    with pytest.raises(UsccLengthError, match=f"this one has {length}") as refusal:
        parse_uscc(typed)
    assert refusal.value.length == length


@pytest.mark.parametrize(
    ("typed", "position", "character"),
    [
        ("9133O106MA0000015K", 5, "O"),
        ("91330106MAI000015K", 11, "I"),
        ("91330106MA00000Z5K", 16, "Z"),
        ("9133010²MA0000015K", 8, "²"),
    ],
)
def test_an_impossible_character_is_named_with_its_place(typed: str, position: int, character: str) -> None:
    with pytest.raises(UsccCharacterError) as refusal:
        parse_uscc(typed)
    assert (refusal.value.position, refusal.value.character) == (position, character)


def test_a_wrong_check_character_is_named_with_the_right_one() -> None:
    with pytest.raises(UsccCheckError, match="should be 'K' but is 'J'") as refusal:
        parse_uscc("91330106MA0000015J")
    assert (refusal.value.position, refusal.value.expected, refusal.value.found) == (18, "K", "J")


def test_the_organisation_code_within_is_checked_too() -> None:
    with pytest.raises(UsccCheckError, match="organisation code") as refusal:
        parse_uscc("91330106MA0000016N")  # its last character fits, the 17th does not
    assert (refusal.value.position, refusal.value.expected, refusal.value.found) == (17, "5", "6")


@pytest.mark.parametrize(("body", "check"), [("MA000001", "5"), ("60003734", "1"), ("D2143569", "X")])
def test_the_check_character_of_an_organisation_code(body: str, check: str) -> None:
    assert organisation_check(body) == check


@given(st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_every_single_wrong_character_is_found(position: int, character: str) -> None:
    if character == CODE[position]:
        return
    with pytest.raises(UsccError):
        parse_uscc(CODE[:position] + character + CODE[position + 1 :])
