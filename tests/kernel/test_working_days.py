"""Working days by the published tables of 2024 to 2026, counted by hand on a calendar."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import DayKind
from app.kernel.working_days import WorkingCalendar, calendar_of
from app.services.calendar_files import read_calendar_file

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "calendars"


def published(*years: int) -> WorkingCalendar:
    files = [read_calendar_file((EXAMPLES / f"{year}.csv").read_bytes()) for year in years]
    days = [special for file in files for special in file.days]
    return calendar_of(
        (special.day for special in days if special.kind is DayKind.HOLIDAY),
        (special.day for special in days if special.kind is DayKind.MAKE_UP_DAY),
        years,
    )


CALENDAR = published(2024, 2025, 2026)


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        # An ordinary week: Monday, and five days after it.
        ("2026-03-02", 5, "2026-03-09"),
        # 春节 2026 (15–23 February off; Saturdays 14 and 28 worked). After Friday 13 come Saturday 14 (1), Tuesday
        # 24 (2), … Friday 27 (5), Saturday 28 (6).
        ("2026-02-13", 1, "2026-02-14"),
        ("2026-02-13", 5, "2026-02-27"),
        ("2026-02-13", 6, "2026-02-28"),
        ("2026-02-13", 7, "2026-03-02"),
        # 国庆 2026 (1–7 October off; Sunday 20 September and Saturday 10 October worked). From Monday 28 September:
        # 29 (1), 30 (2), 8 (3), 9 (4), Saturday 10 (5), Monday 12 (6).
        ("2026-09-28", 5, "2026-10-10"),
        ("2026-09-28", 6, "2026-10-12"),
        # 中秋 2026 (25–27 September off) after the Sunday that is worked for 国庆: 18 is a Friday; 20 (1), 21 … 24 (5).
        ("2026-09-18", 5, "2026-09-24"),
        # 春节 2025 (28 January–4 February; Sunday 26 January and Saturday 8 February worked).
        ("2025-01-24", 3, "2025-02-05"),
        ("2025-02-05", 3, "2025-02-08"),
        # 国庆 and 中秋 2025 in one (1–8 October; Sunday 28 September and Saturday 11 October worked).
        ("2025-09-26", 3, "2025-09-30"),
        ("2025-09-26", 7, "2025-10-13"),
        # 春节 2024 (10–17 February; Sundays 4 and 18 worked); 除夕, Friday the 9th, was worked by the notice.
        ("2024-02-02", 6, "2024-02-09"),
        ("2024-02-09", 2, "2024-02-19"),
        # From one year into the next: Wednesday 31 December 2025, then 1–3 January off, Sunday 4 worked.
        ("2025-12-30", 2, "2026-01-04"),
        # It may begin on a day that is none: the seven days after Thursday 1 October 2026.
        ("2026-10-01", 1, "2026-10-08"),
    ],
)
def test_a_period_ends_with_its_last_working_day(start: str, count: int, end: str) -> None:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    assert CALENDAR.add_working_days(first, count) == last
    assert CALENDAR.count_between(first, last) == count


def test_a_year_has_as_many_working_days_as_its_notice_leaves() -> None:
    # 2026 has 261 days from Monday to Friday. Off are 33 days, of which 14 are weekends (3 January, 15, 21 and 22
    # February, 4 and 5 April, 2 and 3 May, 20 and 21 June, 26 and 27 September, 3 and 4 October), worked are 6.
    assert CALENDAR.count_between(date(2025, 12, 31), date(2026, 12, 31)) == 261 - (33 - 14) + 6


def test_a_year_that_is_not_loaded_is_never_guessed() -> None:
    calendar = published(2026)
    for wrong in (
        lambda: calendar.is_working_day(date(2027, 1, 4)),
        lambda: calendar.add_working_days(date(2026, 12, 28), 5),
        lambda: calendar.count_between(date(2025, 12, 29), date(2026, 1, 5)),
    ):
        with pytest.raises(AppError) as refused:
            wrong()
        assert refused.value.code is Code.CALENDAR_NOT_LOADED
    assert calendar.add_working_days(date(2026, 12, 28), 3) == date(2026, 12, 31)
    with pytest.raises(ValueError, match="one working day"):
        calendar.add_working_days(date(2026, 3, 2), 0)


@given(st.dates(date(2024, 1, 1), date(2026, 10, 1)), st.integers(1, 40))
def test_what_is_added_is_counted(start: date, count: int) -> None:
    end = CALENDAR.add_working_days(start, count)
    assert CALENDAR.is_working_day(end)
    assert CALENDAR.count_between(start, end) == count
    assert CALENDAR.count_between(end, start) == 0
