"""Tables of holidays: loaded year by year from the State Council's notices, with their history. One for everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, insert, select, text

from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import DayKind, Role
from app.kernel.working_days import WorkingCalendar, calendar_of
from app.models import CalendarDay, CalendarTable
from app.services import audit
from app.services.identity.principals import Caller
from app.services.organisations import require_reach_over_all
from app.sql import now

ALWAYS_OFF = ("01-01", "05-01", "10-01")
"""Holidays by law on the same day of every year: a table without one of them is not whole."""

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('calendar ' || :year, 0))")
"""Two tables of one year are loaded one after the other."""

_CURRENT = (
    select(CalendarTable.year, func.max(CalendarTable.version).label("version"))
    .group_by(CalendarTable.year)
    .subquery("current_tables")
)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that is not what its weekday says."""

    day: date
    kind: DayKind
    name: str


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """A year's table as it was loaded; `version` is its ETag."""

    year: int
    version: int
    document_no: str
    loaded_at: datetime
    loaded_by: str
    days: tuple[SpecialDay, ...]


def load_calendar(tx: Connection) -> WorkingCalendar:
    """The calendar of all years that are there, to count working days with."""
    years = tx.execute(select(_CURRENT.c.year)).scalars().all()
    days = tx.execute(
        select(CalendarDay.day, CalendarDay.kind).join(
            _CURRENT, (CalendarDay.year == _CURRENT.c.year) & (CalendarDay.version == _CURRENT.c.version)
        )
    ).all()
    return calendar_of(
        holidays=(day for day, kind in days if kind == DayKind.HOLIDAY),
        make_up_days=(day for day, kind in days if kind == DayKind.MAKE_UP_DAY),
        years=years,
    )


def load_table(
    tx: Connection,
    *,
    caller: Caller,
    year: int,
    document_no: str,
    days: Sequence[SpecialDay],
    version: int | None = None,
) -> tuple[LoadedTable, bool]:
    """Load a year's table, and say whether that changed anything; loading the same again does not.

    A table that is there is replaced by whoever has read it: `version` is the one he saw. What was reckoned before
    stays as it was. Raises `forbidden`, `validation_failed` with each day that cannot be, `etag_missing`, `etag_stale`.

    The table counts for everybody, so a registrar loads it whose reach is everybody's: the province's, or the city's
    own where no other takes part.
    """
    caller.require(Role.REGISTRAR)
    require_reach_over_all(tx, caller, Role.REGISTRAR)
    errors = list(_wrong_days(year, days))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    tx.execute(_ALONE, {"year": str(year)})
    ordered = tuple(sorted(days, key=lambda special: special.day))
    known = _current(tx, year)
    if known is not None and (known.document_no, known.days) == (document_no, ordered):
        return known, False
    if known is not None and version is None:
        raise AppError(Code.ETAG_MISSING)
    if version != (known.version if known else None):
        raise AppError(Code.ETAG_STALE)
    loaded = LoadedTable(year, (version or 0) + 1, document_no, now(tx), caller.principal_id, ordered)
    _store(tx, caller, loaded)
    return loaded, True


def read_table(tx: Connection, *, year: int, version: int | None = None) -> LoadedTable:
    """A year's table, or an earlier version of it. Raises `not_found`."""
    found = _current(tx, year, version)
    if found is None:
        raise AppError(Code.NOT_FOUND, what="calendar")
    return found


def list_tables(tx: Connection, *, year: int | None = None) -> list[LoadedTable]:
    """The tables that count, by year; of one year every version, newest first."""
    if year is None:
        years = tx.execute(select(_CURRENT.c.year).order_by(_CURRENT.c.year)).scalars()
        return [read_table(tx, year=known) for known in years]
    versions = select(CalendarTable.version).where(CalendarTable.year == year).order_by(CalendarTable.version.desc())
    return [read_table(tx, year=year, version=version) for version in tx.execute(versions).scalars()]


def _current(tx: Connection, year: int, version: int | None = None) -> LoadedTable | None:
    query = select(CalendarTable).where(CalendarTable.year == year)
    if version is not None:
        query = query.where(CalendarTable.version == version)
    row = tx.execute(query.order_by(CalendarTable.version.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    days = tx.execute(
        select(CalendarDay.day, CalendarDay.kind, CalendarDay.name)
        .where(CalendarDay.year == year, CalendarDay.version == row.version)
        .order_by(CalendarDay.day)
    )
    special = tuple(SpecialDay(day, DayKind(kind), name) for day, kind, name in days)
    return LoadedTable(row.year, row.version, row.document_no, row.loaded_at, row.loaded_by, special)


def _wrong_days(year: int, days: Sequence[SpecialDay]) -> Iterator[FieldError]:
    counts = Counter(special.day for special in days)
    for place, special in enumerate(days):
        shown = special.day.isoformat()
        if special.day.year != year and (special.day.year, special.day.month) != (year - 1, 12):
            yield _wrong(place, "day_of_other_year", f"lies outside {year} / 不在 {year} 年内", shown)
        elif counts[special.day] > 1:
            yield _wrong(place, "named_twice", f"{shown} is named more than once / {shown} 重复填写", shown)
        elif special.kind is DayKind.MAKE_UP_DAY and special.day.isoweekday() < 6:
            sentence = f"{shown} is no Saturday or Sunday, so people work anyway / {shown} 不是周六或周日，本就是工作日"
            yield _wrong(place, "not_a_weekend", sentence, shown)
    off = {special.day for special in days if special.kind is DayKind.HOLIDAY}
    for missing in (day for day in (date.fromisoformat(f"{year}-{on}") for on in ALWAYS_OFF) if day not in off):
        sentence = f"{missing} is a holiday every year; the table is not whole / {missing} 每年放假，安排不完整"
        yield FieldError("/days", "holiday_missing", sentence, limit=missing.isoformat())


def _wrong(place: int, code: str, sentence: str, actual: str) -> FieldError:
    return FieldError(f"/days/{place}/day", code, sentence, actual=actual)


def _store(tx: Connection, caller: Caller, loaded: LoadedTable) -> None:
    key = {"year": loaded.year, "version": loaded.version}
    tx.execute(
        insert(CalendarTable).values(
            **key, document_no=loaded.document_no, loaded_at=loaded.loaded_at, loaded_by=loaded.loaded_by
        )
    )
    tx.execute(
        insert(CalendarDay),
        [key | {"day": special.day, "kind": special.kind, "name": special.name} for special in loaded.days],
    )
    audit.record(
        tx,
        caller=caller,
        region_code=min(grant.region_code for grant in caller.regions(Role.REGISTRAR)),
        action="calendar.loaded",
        object_id=f"calendar-{loaded.year}",
        at=loaded.loaded_at,
        details={
            "version": loaded.version,
            "document_no": loaded.document_no,
            "days": [f"{special.day} {special.kind}" for special in loaded.days],
        },
    )
