"""The claims that are measured: rules and facts of a kind, from the simplest to those with counters and layers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter, Position
from app.services.simulation.bills import SimulatedBill

AT = datetime(2026, 5, 20, 2, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """One kind of claim; `facts` differ in their amounts, so that no result is a repetition."""

    name: str
    rules: Rules
    facts: list[Facts]
    position: Position


def cases(count: int, *, seed: int) -> list[Case]:
    """The four kinds, each with `count` claims drawn by the seed."""
    draw = Random(seed)
    return [
        Case(
            "flat rate, 1 line", _rules({"kind": "flat", "rate": "0.30"}), _bills(draw, count, ["compute"]), Position()
        ),
        Case(
            "by category, 3 lines",
            _rules(
                {"kind": "by", "fact": "line.category", "rates": {"domestic": "0.30", "other": "0.20"}},
                categories=["domestic", "other"],
            ),
            _bills(draw, count, ["domestic", "other", "storage"]),
            Position(),
        ),
        Case(
            "bracket, firm cap, position",
            _rules(BRACKET, caps=[FIRM_CAP], requirements=[SMALL]),
            _bills(draw, count, ["compute"], holder={"size": "small"}),
            Position([(Bucket("firm", "2026"), Counter(30_000_000, 15_000_000, 15_000_000, 3))]),
        ),
        Case(
            "layers under a ceiling",
            _rules({"kind": "flat", "rate": "0.30"}, stacking=LAYERS),
            _bills(draw, count, ["compute"]),
            Position(),
        ),
    ]


def simulated(count: int, *, firms: int, seed: int) -> tuple[Rules, list[SimulatedBill]]:
    """A year of bills of many firms, and rules with a bracket and a yearly cap per firm."""
    draw = Random(seed)
    bills = [
        SimulatedBill(
            f"F{draw.randrange(firms):04d}",
            _facts(draw, ["compute"], AT + timedelta(minutes=5 * number), {"size": "small"}),
        )
        for number in range(count)
    ]
    return _rules(BRACKET, caps=[FIRM_CAP], requirements=[SMALL]), bills


BRACKET = {
    "kind": "bracket",
    "method": "marginal",
    "bands": [
        {"up_to_fen": 50_000_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ],
}
FIRM_CAP = {"scope": "firm", "name": "firm_year", "limit_fen": 800_000_000}
SMALL = {"name": "small", "when": {"kind": "is", "fact": "holder.size", "one_of": ["micro", "small", "medium"]}}
LAYERS = {
    "base": "stackable",
    "ceiling": "0.60",
    "layers": [
        {"name": "national", "rate": {"kind": "flat", "rate": "0.30"}},
        {"name": "district", "rate": {"kind": "flat", "rate": "0.10"}, "before": False},
    ],
}


def _rules(rate: dict[str, Any], **more: Any) -> Rules:
    return Rules.model_validate({"categories": ["compute"], "rate": rate, **more})


def _bills(draw: Random, count: int, categories: list[str], holder: dict[str, Any] | None = None) -> list[Facts]:
    return [_facts(draw, categories, AT, holder or {}) for _ in range(count)]


def _facts(draw: Random, categories: list[str], at: datetime, holder: dict[str, Any]) -> Facts:
    lines = [Line(category, draw.randrange(1, 5_000_000)) for category in categories]
    return Facts(lines=lines, at=at, holder=holder)
