"""The officials' time, counted in working days. Expected days are read off the calendar of 2026 (October: 1–8 off)."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.kernel.working_days import calendar_of
from app.services.applications.clocks import Clock, overdue_since

OCTOBER = calendar_of(
    holidays=[date(2026, 10, day) for day in range(1, 8)],
    make_up_days=[date(2026, 9, 20), date(2026, 10, 10)],
    years=[2026],
)


def test_the_last_day_counts_holidays_off_and_make_up_days_in() -> None:
    assert Clock(date(2026, 9, 28), 5).due_on(OCTOBER) == date(2026, 10, 10)  # 29, 30, 8, 9, Saturday 10 is worked
    assert Clock(date(2026, 9, 18), 1).due_on(OCTOBER) == date(2026, 9, 20)  # a Sunday that is worked


def test_the_clock_stands_while_the_firm_corrects() -> None:
    clock = Clock(date(2026, 9, 21), 5).stopped(date(2026, 9, 22))  # due on the 28th; one day is used, four are left
    assert clock.due_on(OCTOBER) is None
    assert clock.stopped(date(2026, 9, 24)) == clock, "returned once more it stands on"
    resumed = clock.resumed(date(2026, 9, 28), OCTOBER)  # 23, 24, 25, 28: four working days with the firm
    assert (resumed.days, resumed.due_on(OCTOBER)) == (9, date(2026, 10, 9))  # four are left: 29, 30, 8, 9


def test_returned_and_back_on_one_day_nothing_is_added() -> None:
    clock = Clock(date(2026, 9, 21), 5)
    assert clock.stopped(date(2026, 9, 22)).resumed(date(2026, 9, 22), OCTOBER) == clock


def test_nothing_is_reckoned_for_a_year_whose_holidays_are_not_known() -> None:
    assert Clock(date(2026, 12, 30), 5).due_on(OCTOBER) is None
    assert overdue_since(OCTOBER, [5], today=date(2027, 1, 4)) == {}


@given(st.dates(date(2026, 2, 1), date(2026, 11, 30)), st.integers(1, 30), st.integers(0, 60))
def test_what_is_overdue_as_a_condition_on_all_is_what_each_one_says(start: date, days: int, later: int) -> None:
    today = min(start + timedelta(days=later), date(2026, 12, 31))
    due_on = Clock(start, days).due_on(OCTOBER)
    newest = overdue_since(OCTOBER, [days], today=today).get(days)
    if due_on is not None and newest is not None:
        assert (due_on < today) == (start <= newest)
