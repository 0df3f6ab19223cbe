"""Voucher codes survive being read out, typed and mistyped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.codes import ALPHABET, CODE_LENGTH, format_code, new_code, parse_code, region_of_code

CODE = "330100P7JAZZFNADYV"
characters = st.sampled_from(ALPHABET)


def test_a_new_code_names_its_region_and_has_no_look_alikes() -> None:
    codes = {new_code("330100") for _ in range(500)}
    assert len(codes) == 500
    for code in codes:
        assert len(code) == CODE_LENGTH
        assert not set(code) & set("ILOU")
        assert region_of_code(code) == "330100"
        assert parse_code(code) == code
        assert parse_code(format_code(code)) == code


def test_a_code_is_shown_in_groups() -> None:
    assert format_code(CODE) == "330100-P7JA-ZZFN-ADYV"


@pytest.mark.parametrize(
    "typed",
    [
        "330100-P7JA-ZZFN-ADYV",
        "330100p7jazzfnadyv",
        " 330100 P7JA ZZFN ADYV\n",
        "３３０１００－Ｐ７ＪＡ－ＺＺＦＮ－ＡＤＹＶ",
        "330100–P7JA—ZZFN·ADYV",
    ],
)
def test_case_width_and_separators_do_not_count(typed: str) -> None:
    assert parse_code(typed) == CODE


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    code = next(code for code in iter(lambda: new_code("330100"), None) if {"0", "1"} <= set(code[6:]))
    assert parse_code(code[:6] + code[6:].replace("0", "o").replace("1", "I")) == code
    assert parse_code(code[:6] + code[6:].replace("0", "O").replace("1", "l")) == code


@given(st.integers(6, CODE_LENGTH - 1), characters)
def test_every_single_wrong_character_is_found(position: int, character: str) -> None:
    if character == CODE[position]:
        return
    with pytest.raises(ValueError, match="check character"):
        parse_code(CODE[:position] + character + CODE[position + 1 :])


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "18 characters; this one has 0"),
        ("330100-P7JA-ZZFN-ADY", "this one has 17"),
        ("3301OO-P7JA-ZZFN-ADYV", "six digits"),
        ("330100-P7JA-ZZFN-ADYU", "Character 18 .* 'U'"),
        ("330100-*7JA-ZZFN-ADYV", r"Character 7 .* '\*'"),
        ("330100-7PJA-ZZFN-ADYV", "check character"),
        ("330200-P7JA-ZZFN-ADYV", "check character"),
    ],
)
def test_a_wrong_code_is_refused_with_what_is_wrong(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_code(typed)


@pytest.mark.parametrize("region_code", ["", "3301", "33010a", "３３０１００"])
def test_no_code_is_made_for_what_is_no_region(region_code: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        new_code(region_code)
