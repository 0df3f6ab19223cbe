"""Forecasts, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.database import Database
from app.services.budgets.forecast import Observed, RunsOut, Unknown, forecast
from tests.world import World, counter, ok

SEEN = Observed(
    fiscal_year=2026,
    on=date(2026, 10, 1),
    closed=False,
    days=90,
    issued_fen=900_000,  # 10,000 a day
    issue_days=20,
    drawn_fen=450_000,  # 5,000 a day
    draw_days=40,
    available_fen=300_000,
    promised_fen=800_000,
    usable_fen=800_000,
)
"""92 days are left, 1 October and 31 December included."""


def test_the_pool_runs_out_on_the_day_its_last_fen_is_issued() -> None:
    """300,000 at 10,000 a day: the thirtieth day, counted from 1 October, is 30 October."""
    expected = forecast(SEEN)
    assert (expected.issued_per_day_fen, expected.days_left) == (Fraction(10_000), 92)
    assert (expected.runs_out, expected.runs_out_on) == (RunsOut.ON_A_DAY, date(2026, 10, 30))
    assert forecast(replace(SEEN, available_fen=300_001)).runs_out_on == date(2026, 10, 31)
    assert forecast(replace(SEEN, available_fen=1)).runs_out_on == date(2026, 10, 1)


def test_what_lapses_is_what_is_available_and_not_drawn() -> None:
    """Drawn until then: 92 × 5,000 = 460,000. Of 300,000 available and 800,000 promised 640,000 are left."""
    expected = forecast(SEEN)
    assert (expected.expected_drawn_fen, expected.lapsing_fen) == (460_000, 640_000)


def test_no_more_is_drawn_than_can_be() -> None:
    """10,000 usable and nothing issued to come: of 300,000 + 800,000 all but 10,000 lapses."""
    little = replace(SEEN, usable_fen=10_000, issued_fen=0)
    assert (forecast(little).expected_drawn_fen, forecast(little).lapsing_fen) == (10_000, 1_090_000)
    # With 10,000 a day to come (920,000, of which 300,000 are there) the 460,000 are bounded by 10,000 + 300,000.
    issuing = replace(SEEN, usable_fen=10_000)
    assert (forecast(issuing).expected_drawn_fen, forecast(issuing).lapsing_fen) == (310_000, 790_000)


def test_a_pool_that_lasts_beyond_december_does_not_run_out() -> None:
    assert forecast(replace(SEEN, available_fen=920_000)).runs_out_on == date(2026, 12, 31)
    assert forecast(replace(SEEN, available_fen=920_001)).runs_out is RunsOut.NOT_THIS_YEAR
    assert forecast(replace(SEEN, issued_fen=0)).runs_out is RunsOut.NOT_THIS_YEAR
    assert forecast(replace(SEEN, available_fen=10**15, issued_fen=1)).runs_out is RunsOut.NOT_THIS_YEAR
    assert forecast(replace(SEEN, available_fen=0)).runs_out is RunsOut.EXHAUSTED


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"days": 13}, Unknown.WINDOW_TOO_SHORT),
        ({"days": 0}, Unknown.WINDOW_TOO_SHORT),
        ({"issue_days": 2, "draw_days": 2}, Unknown.TOO_FEW_DAYS),
        ({"issue_days": 0, "issued_fen": 0, "draw_days": 0, "drawn_fen": 0}, Unknown.TOO_FEW_DAYS),
        ({"on": date(2027, 1, 1)}, Unknown.YEAR_OVER),
        ({"closed": True}, Unknown.YEAR_CLOSED),
    ],
)
def test_with_too_little_to_go_by_the_answer_is_unknown(changes: dict[str, Any], why: Unknown) -> None:
    expected = forecast(replace(SEEN, **changes))
    assert (expected.runs_out, expected.runs_out_on, expected.runs_out_unknown) == (RunsOut.UNKNOWN, None, why)
    assert (expected.lapsing_fen, expected.lapsing_unknown) == (None, why)
    assert (expected.issued_per_day_fen, expected.drawn_per_day_fen) == (None, None)


def test_a_rate_is_exact() -> None:
    """100 fen in 90 days, 92 days to come: 102.2 fen, of which 102 are expected."""
    expected = forecast(replace(SEEN, drawn_fen=100))
    assert (expected.drawn_per_day_fen, expected.expected_drawn_fen) == (Fraction(10, 9), 102)


FEN = st.integers(0, 10**15)


@given(FEN, FEN, FEN, FEN, st.integers(0, 90), st.dates(date(2026, 1, 1), date(2027, 2, 1)), st.integers(0, 9))
def test_a_forecast_never_leaves_what_is_there(
    issued: int, drawn: int, available: int, promised: int, days: int, on: date, active: int
) -> None:
    seen = Observed(2026, on, False, days, issued, active, drawn, active, available, promised, promised // 2)
    expected = forecast(seen)
    if expected.lapsing_fen is not None:
        assert 0 <= expected.lapsing_fen <= available + promised
    if expected.runs_out_on is not None:
        assert on <= expected.runs_out_on <= date(2026, 12, 31)


def test_the_report_observes_what_moved_the_pool(world: World, owner: Database) -> None:
    """Three bills of 100, 200 and 300 fen on three days of a pool that was opened 20 days ago: 600 in 20 days.

    A fourth one of 5,000 was a mistake and reversed: it was never drawn.
    """
    city = world.city()
    desk = counter(city, face_value_fen=10_000, rate="1.00")
    bills = [ok(desk.redeem(fen))["id"] for fen in (100, 200, 300)]
    wrong = ok(desk.redeem(5_000))
    ok(city.approve(city.maker.post(f"/v1/ledger/entries/{wrong['entry_id']}/reverse", {"reason": "券号有误"})))

    def backdate(tx: Any) -> None:
        tx.execute(text("ALTER TABLE entries DISABLE TRIGGER append_only"))
        tx.execute(text("UPDATE pools SET created_at = now() - interval '20 days'"))
        for days, bill_id in enumerate((*bills, wrong["id"]), start=2):
            at = {"days": days, "id": bill_id}
            tx.execute(text("UPDATE entries SET at = now() - :days * interval '1 day' WHERE subject_id = :id"), at)
        tx.execute(text("UPDATE entries SET at = now() - interval '4 days' WHERE kind = 'reverse'"))

    owner.transact(backdate)
    (pool,) = ok(city.finance.get("/v1/reports/execution", forecast="true"))["pools"]
    expected = pool["forecast"]
    assert (expected["window_days"], expected["drawn_fen"], expected["drawn_per_day_fen"]) == (20, 600, "30.00")
    assert (expected["runs_out"], expected["runs_out_unknown"]) == ("unknown", "too_few_days")  # issued today
    left_fen = 100_000_000 - 600
    assert expected["lapsing_fen"] == left_fen - expected["expected_drawn_fen"]
    assert expected["expected_drawn_fen"] == min(9_400, 30 * expected["days_left"])
    (plain,) = ok(city.finance.get("/v1/reports/execution"))["pools"]
    assert plain["forecast"] is None
