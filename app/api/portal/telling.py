"""A trace told step by step: the sentences, the rows of the small sum, and which cuts they speak of. Pure.

The sum has two parts. Its rows up to the subtotal come from the bill to the base, the rows after it from nothing to the
subsidy; what single rows lose by being shown in whole fen stands in a row of its own, so that both parts add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from app.api.portal.naming import Names
from app.kernel.money import format_yuan, split_by_peeling
from app.kernel.vocabulary import Reason

Trace = Mapping[str, Any]

CODES = frozenset(Reason)
"""Reasons that have a name, a sentence and an advice here; a later one is named by its code."""

TOGETHER: Mapping[str, str] = {
    key: f"{key}.together"
    for key in (
        "why.base",
        "why.base_part",
        "why.covered",
        "why.covered_part",
        "why.marginal",
        "why.cliff_prospective",
        "why.cliff_recalc",
        "why.set_off",
        "why.ceiling",
        "why.cap_not_reached",
        "why.cap_within",
        "because.CAP_CLAIM",
        "because.CAP_CONTRACT",
        "because.CAP_VOUCHER",
        "because.CAP_FIRM_PERIOD",
        "because.CAP_GROUP",
        "because.CAP_COUNT",
    )
}
"""Sentences that speak of this bill, and those in their place where the earlier bills of its hold are meant too."""

DECIMALS_SHOWN = 8
"""Exact figures that end within so many decimals of a yuan are shown whole; longer ones are shortened, with an `…`."""

SHORTENED_TO = 4


@dataclass(frozen=True, slots=True)
class SumRow:
    """A line of the calculation. `amount_fen` is negative where something was cut."""

    label: str
    basis: str
    amount_fen: int
    kind: Literal["plain", "cut", "subtotal", "result"] = "plain"


@dataclass(frozen=True, slots=True)
class OfHold:
    """The place of a bill in its hold. The trace numbers the lines of all its bills so far, this one's last."""

    part_no: int
    lines_before: int
    bill_fen: int
    """This bill alone."""


@dataclass(slots=True)
class Telling:
    """What has been told so far, and the reductions that still wait to be told, in their order."""

    names: Names
    steps: Sequence[Trace]
    waiting: list[Trace]
    quoted: bool = False
    """Whether nothing has been drawn: it is told as what would be."""
    of_hold: OfHold | None = None
    sentences: list[str] = field(default_factory=list)
    rows: list[SumRow] = field(default_factory=list)
    cuts: dict[str, None] = field(default_factory=dict)
    advice: dict[str, None] = field(default_factory=dict)
    base_fen: int = 0
    """What is left of the bill."""
    subsidy_fen: int = 0
    """What the rows of the subsidy come to."""
    base_told: bool = False
    version: int = 0
    """The number of the rule version."""
    years: dict[str, int] = field(default_factory=dict)
    """The rounded subsidy by year, as far as the caps have been told; one entry without a name where none counts."""
    unrounded: Fraction = Fraction(0)
    """What the rates gave exactly."""

    @property
    def together(self) -> bool:
        """Whether this bill was judged together with earlier ones of its hold."""
        return self.of_hold is not None and self.of_hold.part_no > 1

    def own_line(self, number: int) -> int:
        """The number of one of the trace's lines on this bill; none of its own where it is not positive."""
        return number - self.of_hold.lines_before if self.of_hold is not None else number

    def say(self, key: str, **values: object) -> None:
        """Add a sentence; amounts among its values are written already."""
        if self.together:
            key = TOGETHER.get(key, key)
        self.sentences.append(self.names.words(key, unit=self.names.unit, **values))

    def row(self, label: str, basis: str, amount_fen: int, kind: Literal["plain", "cut"] = "plain") -> None:
        """Add a row and let the part of the sum in which it stands run on."""
        self.rows.append(SumRow(label, basis, amount_fen, kind))
        if self.base_told:
            self.subsidy_fen += amount_fen
        else:
            self.base_fen += amount_fen

    def cut(
        self, code: str, basis: str, amount_fen: int, *, label: str | None = None, advice: str | None = None
    ) -> None:
        """Add the row of a cut, with its name and what one can do about it. `amount_fen` is what was taken away."""
        words, known = self.names.words, code in CODES
        label = label or words(f"reason.{code}" if known else "calc.other")
        self.cuts[label] = None
        if known:
            self.advice[words(advice or f"advice.{code}")] = None
        self.row(label, basis, -amount_fen, "cut")

    def subtotal(self, label: str) -> None:
        """Close the first part of the sum."""
        self.rows.append(SumRow(label, "", self.base_fen, "subtotal"))
        self.base_told = True

    def refuse(self, code: str, basis: str, *, label: str | None = None) -> None:
        """Add the row of a reason for which nothing at all is granted."""
        self.cut(code, basis, 0 if self.base_told else self.base_fen, label=label)

    def take(self, *codes: Reason, of_base: bool) -> list[Trace]:
        """The reductions at the head of those that wait, as long as they are of these codes and (not) of the base."""
        count = 0
        for reduction in self.waiting:
            if reduction["code"] not in codes or ("base_fen" in reduction) is not of_base:
                break
            count += 1
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def find(self, code: Reason, **fields: object) -> Trace | None:
        """The first reduction of a code that waits, with these fields; it waits no more."""
        for place, reduction in enumerate(self.waiting):
            if reduction["code"] == code and all(reduction.get(name) == value for name, value in fields.items()):
                return self.waiting.pop(place)
        return None

    def lower_to(self, granted_fen: int, period: str = "") -> int:
        """Let a year's amount, or that of all years together, be no more than this; how much less it is now."""
        years = {period: self.years[period]} if period in self.years else self.years
        own_fen = sum(years.values())
        parts = split_by_peeling(granted_fen, list(years.values()))
        self.years |= zip(years, parts, strict=True)
        return own_fen - granted_fen

    def is_last(self, step: Trace) -> bool:
        """Whether no step of this kind follows."""
        return [one for one in self.steps if one["step"] == step["step"]][-1] is step

    def has(self, kind: str) -> bool:
        """Whether the trace has a step of this kind."""
        return any(step["step"] == kind for step in self.steps)


def amount(fen: int) -> str:
    """Fen for people."""
    return format_yuan(fen)


def exact(fen: str | Fraction | int) -> str:
    """Fen as the trace writes them (`123`, `7407/2`) in yuan: all decimals, at least two, or an `…` after four."""
    yuan = Fraction(fen) / 100
    shortened = (yuan * 10**DECIMALS_SHOWN).denominator != 1
    digits = SHORTENED_TO if shortened else DECIMALS_SHOWN
    shown = Decimal(int(yuan * 10**digits)).scaleb(-digits)
    if shortened:
        return f"{shown:,f}…"
    whole, _, decimals = f"{shown:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def percent(rate: str) -> str:
    """A rate as the trace writes it (`0.3`, `1/3`) in per cent."""
    shown = exact(Fraction(rate) * 10_000)
    return f"{shown.rstrip('0').rstrip('.')}%"


def lifted(trace: Trace) -> tuple[list[Trace], list[Trace]]:
    """Steps and reductions of a stored trace in the words of today: those of the first format are read as well."""
    if trace.get("v", 1) != 1:
        return list(trace["steps"]), list(trace["reductions"])
    base_fen = next((step["base_fen"] for step in trace["steps"] if step["step"] == "base"), 0)
    return [_lifted(step, base_fen) for step in trace["steps"]], list(trace["reductions"])


def _lifted(step: Trace, base_fen: int) -> Trace:
    match step["step"]:
        case "rate":
            part = {"rate": step["rate"], "base": str(base_fen), "exact_fen": step["exact_fen"]}
            return {"kind": "flat", **step, "parts": [part]}
        case "minimum":
            return {**step, "of": "base", "actual_fen": step["base_fen"]}
        case "ceiling":
            return {**step, "share": "1.00", "limit_fen": step["base_fen"]}
        case "cap":
            return {**step, "scope": "claim"}
    return step
