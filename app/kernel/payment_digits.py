"""The digits of a payment code: what a firm reads out over the telephone. Eight digits and a check digit, in threes.

The check digit is Verhoeff's: it finds every single wrong digit and every swap of neighbours, so that a slip of the
tongue is told before anything is asked, and does not count as a guess.
"""

from __future__ import annotations

import re

from stdnum import verhoeff

from app.kernel.widths import half_width

DRAWN = 8
"""Digits that are drawn: 10⁸ of them are equally likely. The ninth follows from these and keeps nobody out."""

LENGTH = DRAWN + 1

_SEPARATORS = re.compile(r"[\s\-_.·\u2010-\u2015\u2212]+")
_DIGITS = re.compile(f"[0-9]{{{LENGTH}}}")


def digits_of(number: int) -> str:
    """The digits for a number below 10⁸, check digit included, without groups."""
    assert 0 <= number < 10**DRAWN, "the caller reduces what it draws"
    drawn = f"{number:0{DRAWN}d}"
    return drawn + verhoeff.calc_check_digit(drawn)


def parse_digits(text: str) -> str:
    """Read digits as they were typed: width, spaces and separators do not count.

    Raises ValueError with a sentence in English and Chinese: the length, or the check digit.
    """
    typed = _SEPARATORS.sub("", half_width(text))
    if _DIGITS.fullmatch(typed) is None:
        raise ValueError(f"a payment code's number has {LENGTH} digits / 付款码数字为 {LENGTH} 位")
    if not verhoeff.is_valid(typed):
        raise ValueError(
            "the payment code's check digit does not fit: a digit is mistyped or two are swapped"
            " / 付款码数字校验不符，可能有一位输错或两位颠倒"
        )
    return typed


def format_digits(digits: str) -> str:
    """The form for people, `483 920 170`."""
    return " ".join(digits[start : start + 3] for start in range(0, LENGTH, 3))
