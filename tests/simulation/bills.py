"""Bills and rules for the tests: a test states only the values it cares about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.simulation.bills import SimulatedBill

START = datetime(2026, 1, 10, 2, tzinfo=UTC)


def rules_of(*, rate: str = "0.30", **more: Any) -> Rules:
    return Rules.model_validate({"categories": ["compute"], "rate": {"kind": "flat", "rate": rate}, **more})


def bill(
    firm: str, fen: int, *, day: int = 0, voucher: str | None = None, category: str = "compute", **facts: Any
) -> SimulatedBill:
    lines = [Line(category, fen)]
    return SimulatedBill(firm, Facts(lines=lines, at=START + timedelta(days=day), **facts), voucher)
