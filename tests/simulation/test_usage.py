"""GPU usage records as bills."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from app.services.simulation.usage import bills_of_usage
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow

PRICES = PriceList(category="training", default="10.00")


def row(number: int, **changes: Any) -> UsageRow:
    values: dict[str, Any] = {
        "row": number,
        "job_id": f"job-{number}",
        "gpu_model": None,
        "card_hours": Fraction(2),
        "started_s": Fraction(0),
        "ended_s": Fraction(3600),
        "used_from": None,
        "used_until": None,
    }
    return UsageRow(**values | changes)


def test_a_job_is_a_bill_of_its_firm_when_it_ended_on_the_calendar_that_was_chosen() -> None:
    (found,) = bills_of_usage([row(7)], PRICES, firm_of=lambda number: f"F{number}", start_on=date(2026, 5, 1))
    (line,) = found.facts.lines
    assert (found.firm, found.facts.at) == ("F7", datetime(2026, 4, 30, 17, tzinfo=UTC))
    assert (line.category, line.amount_fen, line.quantity, line.unit) == ("training", 2_000, "2.000000", "card_hour")
    assert (line.used_from, line.used_until) == (datetime(2026, 4, 30, 16, tzinfo=UTC), found.facts.at)
    assert set(line.amounts_fen.values()) == {2_000}


def test_a_trace_with_dates_keeps_them() -> None:
    until = datetime(2025, 7, 1, tzinfo=UTC)
    dated = row(2, used_from=datetime(2025, 6, 30, tzinfo=UTC), used_until=until)
    (found,) = bills_of_usage([dated], PRICES, firm_of=str, start_on=date(2026, 1, 1))
    assert found.facts.at == until


def test_another_category_can_be_chosen_and_the_model_is_a_fact() -> None:
    (found,) = bills_of_usage(
        [row(2, gpu_model="A100-80G")], PRICES, firm_of=str, start_on=date(2026, 1, 1), category="compute"
    )
    assert (found.facts.lines[0].category, found.facts.lines[0].facts) == ("compute", {"gpu_model": "A100-80G"})
