"""Rates, quantities and unit prices: exact fractions from decimal strings, rounded to fen once and by a stated rule."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

RATE_DECIMALS = 6

_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")


class Rounding(StrEnum):
    """What becomes of the part below the rounding unit."""

    FLOOR = "floor"
    HALF_UP = "half_up"


@lru_cache(maxsize=8192)
def parse_decimal(text: str, *, max_decimals: int, max_digits: int) -> Fraction:
    """Read a quantity or unit price such as `12.5`, exactly. `max_digits` counts those on both sides of the point.

    Raises ValueError with a sentence in English and Chinese. One number has one spelling: no sign, exponent, leading
    zero, comma or full-width digit, because these strings come from machines and enter hashes. The last ones read are
    remembered: a bill's numbers are looked at several times on its way, and prices come again with every bill.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        shown = _quoted(text)
        raise ValueError(f"{shown} is not a plain decimal number such as 12.5. / {shown} 不是 12.5 这样的十进制数。")
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > max_decimals:
        shown = _quoted(text)
        raise ValueError(f"{shown} has more than {max_decimals} decimals. / {shown} 的小数超过 {max_decimals} 位。")
    if len(whole) + len(decimals) > max_digits:
        shown = _quoted(text)
        raise ValueError(f"{shown} has more than {max_digits} digits. / {shown} 超过 {max_digits} 位数字。")
    return Fraction(int(whole + decimals), 10 ** len(decimals))


def _quoted(text: str) -> str:
    """What was written, shortened, and without the mark between two languages."""
    return repr(text[:40].replace(" / ", "/"))


def parse_rate(text: str) -> Fraction:
    """Read a subsidy rate such as `0.30`, from 0 to 1 with at most six decimals. Raises ValueError with a sentence."""
    rate = parse_decimal(text, max_decimals=RATE_DECIMALS, max_digits=1 + RATE_DECIMALS)
    if rate > 1:
        raise ValueError(
            f"{text!r} is above 1. A rate is a share of the bill: 30% is written 0.30."
            f" / {text!r} 大于 1。比例为 0 至 1 的小数：30% 写作 0.30。"
        )
    return rate


def round_to(value: Fraction | int, unit_fen: int, mode: Rounding) -> int:
    """Round an exact amount of fen (≥ 0) to a multiple of `unit_fen`: 1 is the fen, 100 the yuan, 10,000 百元."""
    if value < 0 or unit_fen < 1:
        raise ValueError("Only amounts from zero up are rounded, to a unit of at least one fen.")
    # ⌊p/q + ½⌋ = ⌊(2p + q) / 2q⌋: whole numbers all the way, so a half is exactly a half.
    numerator, denominator = value.numerator, value.denominator * unit_fen
    if mode is Rounding.HALF_UP:
        numerator, denominator = 2 * numerator + denominator, 2 * denominator
    return numerator // denominator * unit_fen


def decimal_text(value: Fraction) -> str:
    """A number whose decimals end, written out: no more zeros than it needs, so `12.50` reads `12.5`.

    Raises ValueError where the decimals never end, as those of a third.
    """
    decimals = 0
    while (value * 10**decimals).denominator != 1:
        decimals += 1
        if decimals > value.denominator.bit_length():  # 2^k divides 10^k: k decimals are always enough
            raise ValueError(f"{value} has no end as a decimal number.")
    whole, below = divmod(int(value * 10**decimals), 10**decimals)
    return f"{whole}.{below:0{decimals}d}" if decimals else str(whole)
