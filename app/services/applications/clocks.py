"""The officials' time for an application: counted in working days, standing while the firm corrects. Pure.

No due day is stored: it follows from the day the clock began, the days that are allowed and the holidays that are
loaded, so a holiday that is announced later moves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from app.kernel.problems import AppError, Code
from app.kernel.working_days import WorkingCalendar

LONGEST_DAYS = 400
"""No period is longer than that many days: how far back a search goes."""


@dataclass(frozen=True, slots=True)
class Clock:
    """`days` working days after `from_on`; standing since `stopped_on`, where that is set."""

    from_on: date
    days: int
    stopped_on: date | None = None

    def stopped(self, on: date) -> Clock:
        """Standing from the end of that day on; a clock that stands already stands on."""
        return self if self.stopped_on else replace(self, stopped_on=on)

    def resumed(self, on: date, calendar: WorkingCalendar) -> Clock:
        """Running again from the end of that day on: what it stood is allowed besides.

        Raises `calendar_not_loaded`.
        """
        if self.stopped_on is None:
            return self
        return Clock(self.from_on, self.days + calendar.count_between(self.stopped_on, on))

    def due_on(self, calendar: WorkingCalendar) -> date | None:
        """The last day in time; None while it stands, and where the holidays of that year are not loaded."""
        if self.stopped_on is not None:
            return None
        try:
            return calendar.add_working_days(self.from_on, self.days)
        except AppError as error:
            if error.code is not Code.CALENDAR_NOT_LOADED:
                raise
            return None


def overdue_since(calendar: WorkingCalendar, days: Iterable[int], *, today: date) -> dict[int, date]:
    """For each allowed number of working days the newest day on which a clock that is overdue today can have begun.

    A number for which that cannot be said, because holidays are not loaded, is left out.
    """
    return {allowed: found for allowed in set(days) if (found := _newest_start(calendar, allowed, today)) is not None}


def _newest_start(calendar: WorkingCalendar, days: int, today: date) -> date | None:
    """The newest day after which `days` working days are over before today begins."""
    day, passed = today, 0
    try:
        for _ in range(LONGEST_DAYS):
            day -= timedelta(days=1)
            passed += calendar.is_working_day(day)
            if passed >= days:
                return day - timedelta(days=1)
    except AppError as error:
        if error.code is not Code.CALENDAR_NOT_LOADED:
            raise
    return None
