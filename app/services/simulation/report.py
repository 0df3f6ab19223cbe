"""What a simulation came to, and how two of the same bills differ. Pure values; amounts are fen.

Where vouchers are in kind, `_fen` counts hundredths of the unit, as everywhere in the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from app.kernel.rates import Rounding, round_to

LARGEST = 10
"""Firms listed among the largest beneficiaries, and among those that win or lose most."""

_SHARE_SCALE = 10_000


@dataclass(frozen=True, slots=True)
class Month:
    """One month, Asia/Shanghai: `2026-03`."""

    month: str
    bills: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """A firm, what it got, and its share of all that was given out, such as `0.1250`."""

    firm: str
    subsidy_fen: int
    bills: int
    share: str | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """Bills that got nothing, by the reason that decided."""

    reason: str
    bills: int
    billed_fen: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What one reason took away: from the base, or from the subsidy itself; with its cap, requirement or missing facts.

    A requirement that fails takes the whole covered base. The two are never added up: a fen of base is not one of
    subsidy.
    """

    code: str
    cap: str | None
    requirement: str | None
    missing: tuple[str, ...]
    bills: int
    base_fen: int
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """The result of one version. `runs_out_on` is the day of the first bill that the budget did not pay in full.

    `unmet_fen` is what bills were entitled to beyond the budget; `average_rate` is subsidy over eligible amount.
    """

    unit: str
    budget_fen: int | None
    left_fen: int | None
    on_exhaustion: str
    runs_out_on: date | None
    bills: int
    paid_bills: int
    firms: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int
    average_rate: str | None
    months: tuple[Month, ...]
    largest: tuple[Beneficiary, ...]
    refused: tuple[Refusals, ...]
    cuts: tuple[Cut, ...]
    by_firm: Mapping[str, int]
    """Every firm's subsidy, from which two versions are compared; no part of `plain()`."""


@dataclass(frozen=True, slots=True)
class MonthDifference:
    """One month under both versions; `difference_fen` is the second less the first."""

    month: str
    first_fen: int
    second_fen: int
    difference_fen: int


@dataclass(frozen=True, slots=True)
class FirmDifference:
    """One firm under both versions."""

    firm: str
    first_fen: int
    second_fen: int
    difference_fen: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second version less the first, on the same bills."""

    difference_fen: int
    months: tuple[MonthDifference, ...]
    firms_gaining: int
    firms_losing: int
    gain_most: tuple[FirmDifference, ...]
    lose_most: tuple[FirmDifference, ...]


def compare(first: Simulation, second: Simulation) -> Comparison:
    """How the second differs from the first. Both must be of the same bills."""
    before = {month.month: month.subsidy_fen for month in first.months}
    after = {month.month: month.subsidy_fen for month in second.months}
    firms = [
        FirmDifference(firm, fen, second.by_firm.get(firm, 0), second.by_firm.get(firm, 0) - fen)
        for firm, fen in first.by_firm.items()
    ]
    gaining = sorted((one for one in firms if one.difference_fen > 0), key=lambda one: (-one.difference_fen, one.firm))
    losing = sorted((one for one in firms if one.difference_fen < 0), key=lambda one: (one.difference_fen, one.firm))
    return Comparison(
        difference_fen=second.subsidy_fen - first.subsidy_fen,
        months=tuple(
            MonthDifference(month, fen, after.get(month, 0), after.get(month, 0) - fen)
            for month, fen in sorted(before.items())
        ),
        firms_gaining=len(gaining),
        firms_losing=len(losing),
        gain_most=tuple(gaining[:LARGEST]),
        lose_most=tuple(losing[:LARGEST]),
    )


def share_of(part: int, whole: int) -> str | None:
    """`part` over `whole` with four decimals, rounded half up; None of nothing."""
    if whole <= 0:
        return None
    share = round_to(Fraction(part * _SHARE_SCALE, whole), 1, Rounding.HALF_UP)
    return f"{share // _SHARE_SCALE}.{share % _SHARE_SCALE:04d}"


def plain(value: Any) -> Any:
    """A result as plain JSON values, for a file; every field but `by_firm`."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.name != "by_firm"}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
