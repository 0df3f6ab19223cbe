"""Days begin and end in Shanghai; instants are written so that they sort."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.clock import civil_date, end_of_day, fiscal_year, rfc3339, start_of_day, utc_now

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
A_THOUSAND_YEARS_US = 31_556_952_000_000_000

instants = st.integers(0, A_THOUSAND_YEARS_US).map(lambda us: EPOCH + timedelta(microseconds=us))


def test_until_the_last_day_of_a_year_ends_with_the_next_year() -> None:
    assert rfc3339(end_of_day(date(2026, 12, 31))) == "2026-12-31T16:00:00.000000Z"
    assert end_of_day(date(2026, 12, 31)) == start_of_day(date(2027, 1, 1))


def test_the_budget_year_turns_at_midnight_in_shanghai() -> None:
    midnight = datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert (fiscal_year(midnight - timedelta(microseconds=1)), fiscal_year(midnight)) == (2026, 2027)
    assert (civil_date(midnight - timedelta(microseconds=1)), civil_date(midnight)) == (
        date(2026, 12, 31),
        date(2027, 1, 1),
    )


@given(instants)
def test_an_instant_lies_within_its_civil_day(at: datetime) -> None:
    assert start_of_day(civil_date(at)) <= at < end_of_day(civil_date(at))


@given(instants, instants)
def test_written_instants_sort_as_instants_and_read_back(a: datetime, b: datetime) -> None:
    assert (rfc3339(a) < rfc3339(b)) == (a < b)
    assert datetime.fromisoformat(rfc3339(a)) == a


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_the_wall_clock_knows_its_zone() -> None:
    assert utc_now().tzinfo is UTC
