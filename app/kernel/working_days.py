"""Working days (工作日): Monday to Friday, without public holidays, with make-up days (调休上班). Pure.

What is a holiday is decided year by year by the State Council, so nothing is reckoned for a year whose table is not
there. All days are Asia/Shanghai's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from app.kernel.problems import AppError, Code

_SATURDAY = 5
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """The loaded tables of holidays. Each method raises `calendar_not_loaded` for a day of a year that has none."""

    holidays: frozenset[date]
    """Days off, weekends within a holiday included or not: it makes no difference."""
    make_up_days: frozenset[date]
    """Saturdays and Sundays on which people work."""
    years: frozenset[int]
    """The years whose tables are there."""

    def is_working_day(self, day: date) -> bool:
        """Whether offices are open on this day."""
        if day.year not in self.years:
            raise AppError(Code.CALENDAR_NOT_LOADED, year=str(day.year), actual=day.isoformat())
        return day in self.make_up_days or (day.weekday() < _SATURDAY and day not in self.holidays)

    def add_working_days(self, start: date, count: int) -> date:
        """The last day of a period of `count` working days that begins after `start`, which does not count.

        The day that is returned belongs to the period: it ends when that day is over. Raises ValueError for no day.
        """
        if count < 1:
            raise ValueError("A period has one working day at least.")
        return next(islice(self._working_days_after(start), count - 1, None))

    def count_between(self, start: date, end: date) -> int:
        """How many working days lie after `start` up to and including `end`; 0 where `end` is not after `start`."""
        days = ((start + timedelta(days=n)) for n in range(1, (end - start).days + 1))
        return sum(map(self.is_working_day, days))

    def _working_days_after(self, start: date) -> Iterator[date]:
        day = start
        while True:
            day += _ONE_DAY
            if self.is_working_day(day):
                yield day


def calendar_of(holidays: Iterable[date], make_up_days: Iterable[date], years: Iterable[int]) -> WorkingCalendar:
    """A calendar of any collections of days."""
    return WorkingCalendar(frozenset(holidays), frozenset(make_up_days), frozenset(years))
