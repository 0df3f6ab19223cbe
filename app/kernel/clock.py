"""The clock and the calendar: instants in UTC, days and budget years as Asia/Shanghai counts them.

One transaction asks for the same instant again and again, so the last answers are kept.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
"""Days of rules, vouchers and bills lie between them: room for every zone and every grace."""

SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc_now() -> datetime:
    """The wall clock, for what no database transaction can date. The one place that reads it."""
    return datetime.now(UTC)


def start_of_day(on: date) -> datetime:
    """The instant at which a Shanghai day begins."""
    return datetime.combine(on, time.min, SHANGHAI)


def end_of_day(on: date) -> datetime:
    """The instant at which a Shanghai day is over, exclusive: "until 2026-12-31" ends at 2027-01-01T00:00+08:00."""
    return start_of_day(on + timedelta(days=1))


@lru_cache(maxsize=1024)
def civil_date(at: datetime) -> date:
    """The day it is in Shanghai at that instant. Raises ValueError for a time without a zone."""
    return _aware(at).astimezone(SHANGHAI).date()


def fiscal_year(at: datetime) -> int:
    """The budget year: in China the calendar year."""
    return civil_date(at).year


def add_months(on: date, months: int) -> date:
    """The same day so many months on, or the month's last day where that day does not exist."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1]))


@lru_cache(maxsize=4096)
def rfc3339(at: datetime) -> str:
    """The instant in UTC, always with six decimals (`2026-12-31T16:00:00.000000Z`): strings sort as instants do."""
    return _aware(at).astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"  # half the time of strftime


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone, so it is no instant.")
    return at
