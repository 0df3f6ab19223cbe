"""Money: an `int` of fen (分), shown to people in yuan (元) and split over fund sources without a fen lost."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.kernel.widths import half_width

MAX_FEN = 10**15
"""Ten trillion yuan. Below 2^53, so that every JSON reader holds an amount exactly."""

_YUAN = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")


def to_yuan(fen: int) -> str:
    """Fen as plain yuan with two decimals: `123450` is `1234.50`."""
    return _in_yuan(fen, "")


def format_yuan(fen: int) -> str:
    """Fen as yuan for people, thousands grouped: `123450` is `1,234.50`."""
    return _in_yuan(fen, ",")


def _in_yuan(fen: int, grouping: str) -> str:
    yuan, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan:{grouping}}.{rest:02d}"


def parse_yuan(text: str) -> int:
    """Read an amount in yuan as people type it and return fen: `1,234.5`, `1234.50`, `１２３４．５`.

    Raises ValueError with a sentence: a sign, an exponent, a third decimal or a misplaced comma is never guessed at.
    """
    typed = half_width(text).strip()
    match = _YUAN.fullmatch(typed)
    if match is None:
        raise ValueError(
            f"{text!r} is not an amount in yuan. Write it with digits and at most two decimals, such as 1234.50."
        )
    whole, decimals = match[1].replace(",", ""), match[2] or ""
    if len(decimals) > 2:
        raise ValueError(f"{text!r} has more than two decimals. An amount in yuan ends at the fen.")
    # Length first: Python turns very long strings of digits into integers slowly, then refuses them in its own words.
    if len(whole) > 32 or (fen := int(whole) * 100 + int(decimals.ljust(2, "0"))) > MAX_FEN:
        raise ValueError(f"An amount may be at most {format_yuan(MAX_FEN)} yuan.")
    return fen


def split_by_peeling(amount: int, shares: Sequence[int]) -> list[int]:
    """Split `amount` (fen, ≥ 0) in proportion to `shares`, to the fen: each takes its ceiling from what is left.

    The first part is ⌈amount·s₁/S⌉, the rest is split among the rest, so the declared order takes the spare fen. The
    parts add up to `amount`; a share of zero gets nothing; where `amount` ≤ S no part exceeds its share.

    Raises ValueError for negative numbers, and where there is an amount but no share to carry it.
    """
    shares_left = sum(shares)
    if amount < 0 or any(share < 0 for share in shares):
        raise ValueError("Only amounts and shares from zero up can be split.")
    if amount > 0 and shares_left == 0:
        raise ValueError("An amount cannot be split where every share is zero.")
    parts = []
    for share in shares:
        part = -(-amount * share // shares_left) if share else 0
        parts.append(part)
        amount -= part
        shares_left -= share
    return parts
