"""assess(): what the rules grant for a bill, with every step shown. Pure, exact, rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from app.kernel.rates import round_to
from app.services.rules.model import Rules


@dataclass(frozen=True, slots=True)
class Line:
    """A bill's line as far as the rules look at it; `amount_fen` includes VAT."""

    category: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """The subsidy in fen and the trace that explains it. `eligible_fen` is the covered part of the bill."""

    amount_fen: int
    eligible_fen: int
    steps: tuple[dict[str, Any], ...]
    reductions: tuple[dict[str, Any], ...]


def assess(rules: Rules, lines: Sequence[Line], provider_categories: Collection[str]) -> Assessment:
    """Say what these rules grant for these lines.

    The order is the domain's: eligible lines → base → floor → rate → round once → ceiling → cap. A line counts where
    its category is both the programme's and admitted for the provider. Never more than the base is granted, however
    coarse the rounding. Each reduction names its reason code.
    """
    covered = frozenset(rules.categories) & frozenset(provider_categories)
    steps: list[dict[str, Any]] = []
    reductions: list[dict[str, Any]] = []

    bill_fen = sum(line.amount_fen for line in lines)
    eligible_fen = sum(line.amount_fen for line in lines if line.category in covered)
    left_out = [
        {"line": number, "category": line.category, "amount_fen": line.amount_fen}
        for number, line in enumerate(lines, start=1)
        if line.category not in covered
    ]
    steps.append({"step": "eligible_lines", "bill_fen": bill_fen, "eligible_fen": eligible_fen, "left_out": left_out})
    if left_out:
        reductions.append({"code": "NOT_ELIGIBLE_LINE", "base_fen": bill_fen - eligible_fen})

    if eligible_fen < rules.minimum_bill_fen:
        steps.append({"step": "minimum", "minimum_fen": rules.minimum_bill_fen, "base_fen": eligible_fen})
        reductions.append({"code": "BELOW_MIN", "base_fen": eligible_fen})
        return Assessment(0, eligible_fen, tuple(steps), tuple(reductions))
    steps.append({"step": "base", "vat": "included", "base_fen": eligible_fen})

    exact = Fraction(eligible_fen) * rules.rate.fraction
    steps.append({"step": "rate", "rate": rules.rate.rate, "exact_fen": _exact(exact)})
    rounded_fen = round_to(exact, rules.rounding.unit_fen, rules.rounding.rounding)
    steps.append(
        {
            "step": "rounding",
            "unit_fen": rules.rounding.unit_fen,
            "mode": rules.rounding.mode,
            "subsidy_fen": rounded_fen,
        }
    )

    granted_fen = min(rounded_fen, eligible_fen)
    if granted_fen < rounded_fen:  # a coarse unit, rounded half up
        steps.append({"step": "ceiling", "base_fen": eligible_fen, "subsidy_fen": granted_fen})
        reductions.append({"code": "STACK_CEILING", "subsidy_fen": rounded_fen - granted_fen})
    if rules.cap is not None:
        before_fen, granted_fen = granted_fen, min(granted_fen, rules.cap.limit_fen)
        steps.append({"step": "cap", "scope": "bill", "limit_fen": rules.cap.limit_fen, "subsidy_fen": granted_fen})
        if granted_fen < before_fen:
            reductions.append({"code": "CAP_CLAIM", "subsidy_fen": before_fen - granted_fen})
    return Assessment(granted_fen, eligible_fen, tuple(steps), tuple(reductions))


def _exact(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)
