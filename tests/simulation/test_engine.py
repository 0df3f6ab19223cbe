"""A simulation pays the same bills as redemption would, in order of time, from one budget."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.simulation.bills import SimulatedBill
from app.services.simulation.engine import simulate
from app.services.simulation.report import Cut, Month, plain
from tests.simulation.bills import bill, rules_of

FIRM_CAP = {"scope": "firm", "name": "firm_year", "limit_fen": 50_000}
GROUP_CAP = {"scope": "group", "name": "group_year", "limit_fen": 50_000}
MARGINAL = {
    "kind": "bracket",
    "method": "marginal",
    "bands": [
        {"up_to_fen": 50_000_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ],
}


def paid(bills: list[SimulatedBill], budget_fen: int | None = None, **rules: Any) -> dict[str, int]:
    """What each firm got."""
    return dict(simulate(rules_of(**rules), bills, budget_fen=budget_fen).by_firm)


def test_bills_are_paid_in_order_of_time_whatever_their_order_in_the_file() -> None:
    late, early = bill("late", 100_000, day=2), bill("early", 100_000)
    assert paid([late, early], 30_000) == {"early": 30_000, "late": 0}


@pytest.mark.parametrize(
    ("on_exhaustion", "expected", "left_fen", "runs_out"),
    [
        ("partial", [15_000_000, 3_000_000, 0], 0, 1),
        ("stop", [15_000_000, 0, 0], 3_000_000, 1),
        ("skip", [15_000_000, 0, 2_000_000], 1_000_000, 1),
        ("waitlist", [15_000_000, 0, 0], 3_000_000, 1),
    ],
)
def test_e7_the_budget_runs_out_as_the_rules_choose(
    on_exhaustion: str, expected: list[int], left_fen: int, runs_out: int
) -> None:
    rules = rules_of(rate="1", allocation={"on_exhaustion": on_exhaustion})
    bills = [bill("A", 15_000_000), bill("B", 9_000_000, day=1), bill("C", 2_000_000, day=2)]
    result = simulate(rules, bills, budget_fen=18_000_000)
    assert [result.by_firm[firm] for firm in "ABC"] == expected
    assert result.left_fen == left_fen
    assert result.runs_out_on == date(2026, 1, 10 + runs_out)
    assert result.unmet_fen == 26_000_000 - sum(expected)


def test_a_budget_that_suffices_does_not_run_out() -> None:
    result = simulate(rules_of(), [bill("A", 100_000)], budget_fen=30_000)
    assert (result.runs_out_on, result.left_fen, result.unmet_fen) == (None, 0, 0)


def test_a_firms_bills_add_up_to_its_cap() -> None:
    bills = [bill("A", 100_000), bill("A", 100_000, day=1), bill("B", 100_000, day=1)]
    assert paid(bills, caps=[FIRM_CAP]) == {"A": 50_000, "B": 30_000}


def test_the_firms_of_a_group_share_its_cap_and_a_firm_without_group_stands_alone() -> None:
    bills = [
        bill("A", 100_000, holder={"group": "G"}),
        bill("B", 100_000, day=1, holder={"group": "G"}),
        bill("C", 100_000, day=2),
        bill("G", 100_000, day=3),
    ]
    assert paid(bills, caps=[GROUP_CAP]) == {"A": 30_000, "B": 20_000, "C": 30_000, "G": 30_000}


def test_a_contract_cap_follows_firm_and_contract_number() -> None:
    cap = {"scope": "contract", "name": "contract", "limit_fen": 40_000}
    bills = [
        bill("A", 100_000, claim={"contract_no": "1"}),
        bill("A", 100_000, day=1, claim={"contract_no": "1"}),
        bill("A", 100_000, day=2, claim={"contract_no": "2"}),
        bill("B", 100_000, day=3, claim={"contract_no": "1"}),
    ]
    assert paid(bills, caps=[cap]) == {"A": 70_000, "B": 30_000}


def test_bills_without_a_voucher_draw_on_one_voucher_per_firm() -> None:
    cap = {"scope": "voucher", "name": "voucher", "limit_fen": 40_000}
    bills = [
        bill("A", 100_000),
        bill("A", 100_000, day=1),
        bill("B", 100_000, voucher="V1"),
        bill("B", 100_000, day=1, voucher="V2"),
    ]
    assert paid(bills, caps=[cap]) == {"A": 40_000, "B": 60_000}


def test_several_scopes_count_side_by_side() -> None:
    bills = [bill(firm, 100_000, day=day, holder={"group": "G"}) for day, firm in enumerate("AAB")]
    wide = {"scope": "group", "name": "group_year", "limit_fen": 70_000}
    assert paid(bills, caps=[FIRM_CAP, wide]) == {"A": 50_000, "B": 20_000}


def test_e5_the_bracket_sees_a_firms_earlier_bills() -> None:
    result = simulate(
        rules_of().model_validate({"categories": ["compute"], "rate": MARGINAL}),
        [bill("A", 30_000_000), bill("A", 25_000_000, day=1)],
        budget_fen=None,
    )
    assert result.subsidy_fen == 15_000_000 + 11_500_000


def test_a_rolling_window_forgets_what_is_older() -> None:
    cap = {"scope": "firm", "name": "rolling", "limit_fen": 40_000, "per": {"months": 1}}
    bills = [bill("A", 100_000), bill("A", 100_000, day=20), bill("A", 100_000, day=40)]
    # 10 January 300.00, 30 January the other 100.00, 19 February again 300.00: January's first bill is out by then.
    assert paid(bills, caps=[cap]) == {"A": 70_000}


def test_a_refused_bill_leaves_no_trace_in_the_counters() -> None:
    cap = {"scope": "claims", "name": "once", "limit": 1}
    small, real = bill("A", 100), bill("A", 100_000, day=1)
    floor = {"of": "base", "at_least_fen": 1_000}
    assert paid([small, real], caps=[cap], floors=[floor]) == {"A": 30_000}


def test_months_are_those_of_shanghai() -> None:
    # 31 January 16:00 UTC is 1 February in Shanghai: START is the 10th at 02:00 UTC, 10:00 in Shanghai.
    late = bill("A", 100_000, day=21)
    next_day = bill("B", 200_000, day=22)
    months = simulate(rules_of(), [late, next_day], budget_fen=None).months
    assert months == (
        Month("2026-01", 1, 1, 100_000, 100_000, 30_000, 0),
        Month("2026-02", 1, 1, 200_000, 200_000, 60_000, 0),
    )


def test_what_got_nothing_is_counted_by_its_reason() -> None:
    bills = [bill("A", 100_000), bill("B", 7_000, category="storage"), bill("C", 1), bill("D", 100_000, day=1)]
    result = simulate(rules_of(), bills, budget_fen=30_000)
    assert [(one.reason, one.bills, one.billed_fen) for one in result.refused] == [
        ("BUDGET_EXHAUSTED", 1, 100_000),
        ("NOT_ELIGIBLE_LINE", 1, 7_000),
        ("ROUNDED_TO_NOTHING", 1, 1),
    ]
    assert (result.bills, result.paid_bills, result.firms, result.firms_reached) == (4, 1, 4, 1)


def test_cuts_of_the_base_and_of_the_subsidy_are_told_apart_with_cap_and_requirement() -> None:
    small_only = {"name": "small", "when": {"kind": "is", "fact": "holder.size", "one_of": ["small"]}}
    bills = [
        bill("A", 200_000, holder={"size": "small"}),
        bill("B", 300_000, holder={"size": "large"}),
        bill("C", 400_000),
    ]
    result = simulate(rules_of(caps=[FIRM_CAP], requirements=[small_only]), bills, budget_fen=20_000)
    assert set(result.cuts) == {
        Cut("BUDGET_EXHAUSTED", None, None, (), 1, 0, 30_000),
        Cut("CAP_FIRM_PERIOD", "firm_year", None, (), 1, 0, 10_000),
        Cut("FACT_MISSING", None, "small", ("holder.size",), 1, 400_000, 0),
        Cut("NOT_ELIGIBLE", None, "small", (), 1, 300_000, 0),
    }


def test_the_largest_beneficiaries_are_ten_with_their_shares() -> None:
    bills = [bill(f"F{number:02d}", number * 10_000) for number in range(1, 13)]
    largest = simulate(rules_of(), bills, budget_fen=None).largest
    assert [one.firm for one in largest] == [f"F{number:02d}" for number in range(12, 2, -1)]
    # 12 of 78 parts.
    assert (largest[0].subsidy_fen, largest[0].bills, largest[0].share) == (36_000, 1, "0.1538")


def test_totals_and_the_average_rate_over_what_is_eligible() -> None:
    result = simulate(rules_of(), [bill("A", 100_000), bill("B", 50_000, category="storage")], budget_fen=None)
    assert (result.billed_fen, result.eligible_fen, result.subsidy_fen) == (150_000, 100_000, 30_000)
    assert result.average_rate == "0.3000"


def test_no_bills_are_no_problem() -> None:
    result = simulate(rules_of(), [], budget_fen=None)
    assert (result.bills, result.subsidy_fen, result.average_rate, result.months) == (0, 0, None, ())


def test_units_in_kind_keep_their_name() -> None:
    exchange = [{"category": "compute", "unit": "card_hour", "price": "1", "from_on": "2026-01-01"}]
    rules = rules_of(mode="in_kind", unit={"kind": "in_kind", "name": "credit", "exchange": exchange})
    assert simulate(rules, [], budget_fen=None).unit == "credit"


def test_progress_is_told_to_the_end() -> None:
    told: list[int] = []
    simulate(rules_of(), [bill("A", 100)] * 600, budget_fen=None, progress=told.append)
    assert told == [250, 500, 600]


def test_a_result_is_plain_json_without_the_list_of_all_firms() -> None:
    result = plain(simulate(rules_of(), [bill("A", 100_000)], budget_fen=0))
    assert "by_firm" not in result
    assert (result["runs_out_on"], result["months"][0]["unmet_fen"]) == ("2026-01-10", 30_000)


BILLS = st.lists(
    st.builds(
        bill,
        st.sampled_from(["A", "B", "C"]),
        st.integers(1, 10_000_000),
        day=st.integers(0, 400),
        category=st.sampled_from(["compute", "storage"]),
    ),
    max_size=20,
)


@given(
    bills=BILLS,
    budget_fen=st.integers(0, 20_000_000),
    on_exhaustion=st.sampled_from(["partial", "stop", "skip", "waitlist"]),
)
def test_the_budget_is_never_exceeded_and_every_sum_agrees(
    bills: list[SimulatedBill], budget_fen: int, on_exhaustion: str
) -> None:
    rules = rules_of(caps=[FIRM_CAP | {"limit_fen": 900_000}], allocation={"on_exhaustion": on_exhaustion})
    result = simulate(rules, bills, budget_fen=budget_fen)
    assert result.left_fen == budget_fen - result.subsidy_fen >= 0
    for name in ("bills", "billed_fen", "eligible_fen", "subsidy_fen", "unmet_fen"):
        assert sum(getattr(month, name) for month in result.months) == getattr(result, name)
    assert sum(result.by_firm.values()) == result.subsidy_fen
    assert result.paid_bills + sum(one.bills for one in result.refused) == result.bills
    if on_exhaustion != "skip":
        unlimited = simulate(rules, bills, budget_fen=None)
        assert result.subsidy_fen + result.unmet_fen == unlimited.subsidy_fen


@given(bills=BILLS)
def test_the_same_input_gives_the_same_result(bills: list[SimulatedBill]) -> None:
    rules = rules_of(caps=[FIRM_CAP])
    assert simulate(rules, bills, budget_fen=50_000) == simulate(rules, bills, budget_fen=50_000)
