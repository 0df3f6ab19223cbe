"""Two versions on the same bills: who wins, who loses, month by month."""

from __future__ import annotations

from app.services.simulation.engine import simulate
from app.services.simulation.report import FirmDifference, MonthDifference, compare, share_of
from tests.simulation.bills import bill, rules_of


def test_the_second_version_less_the_first() -> None:
    bills = [bill("A", 100_000), bill("B", 400_000, day=30), bill("C", 1_000, category="storage")]
    cap = {"scope": "firm", "name": "firm", "limit_fen": 50_000}
    first = simulate(rules_of(rate="0.20"), bills, budget_fen=None)
    second = simulate(rules_of(rate="0.30", caps=[cap]), bills, budget_fen=None)
    found = compare(first, second)
    # A: 20,000 → 30,000. B: 80,000 → 50,000, capped. C: nothing under either.
    assert found.difference_fen == 10_000 - 30_000
    assert found.months == (
        MonthDifference("2026-01", 20_000, 30_000, 10_000),
        MonthDifference("2026-02", 80_000, 50_000, -30_000),
    )
    assert (found.firms_gaining, found.firms_losing) == (1, 1)
    assert found.gain_most == (FirmDifference("A", 20_000, 30_000, 10_000),)
    assert found.lose_most == (FirmDifference("B", 80_000, 50_000, -30_000),)


def test_only_ten_firms_are_listed_the_largest_changes_first() -> None:
    bills = [bill(f"F{number:02d}", number * 1_000) for number in range(1, 13)]
    found = compare(
        simulate(rules_of(rate="0.20"), bills, budget_fen=None), simulate(rules_of(), bills, budget_fen=None)
    )
    assert found.firms_gaining == 12
    assert [one.firm for one in found.gain_most] == [f"F{number:02d}" for number in range(12, 2, -1)]


def test_a_share_is_rounded_half_up_to_four_decimals() -> None:
    assert share_of(1, 3) == "0.3333"
    assert share_of(1, 20_000) == "0.0001"
    assert share_of(5, 5) == "1.0000"
    assert share_of(0, 0) is None
