"""Tables of holidays (节假日安排): which days are off, which weekends are worked. Working days are counted by them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.etags import OptionalIfMatch, etag
from app.api.fields import Day, Read, ShownInstant, Title, Wire
from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.vocabulary import DayKind
from app.services.calendars import SpecialDay, list_tables, load_table, read_table

router = APIRouter(prefix="/v1/calendars", tags=["calendars"])

MOST_DAYS = 200

Year = Annotated[int, Path(ge=FIRST_DAY.year, le=LAST_DAY.year, description="The calendar year")]


class CalendarDayWrite(Wire):
    """A holiday, or a Saturday or Sunday on which people work (调休上班)."""

    day: Day
    kind: DayKind
    name: Title


class CalendarWrite(Wire):
    """A year's table as the notice has it. A day may lie in the December before, where the notice says so."""

    document_no: Title
    days: Annotated[tuple[CalendarDayWrite, ...], Field(min_length=1, max_length=MOST_DAYS)]


class CalendarDayRead(Read):
    """A day that is not what its weekday says."""

    day: date
    kind: DayKind
    name: str


class CalendarRead(Read):
    """A year's table. `version` is its ETag; the highest one counts."""

    year: int
    version: int
    document_no: str
    loaded_at: ShownInstant
    loaded_by: str
    days: tuple[CalendarDayRead, ...]


class CalendarList(Read):
    """Tables, each with its days."""

    data: tuple[CalendarRead, ...]


@router.get("")
def read_calendars(_caller: CallerDep, service: ServiceDep) -> CalendarList:
    """The tables that working days are counted by, one for each year that is loaded."""
    return CalendarList.model_validate({"data": service.database.transact(list_tables)})


@router.get("/{year}")
def read_calendar(
    year: Year,
    _caller: CallerDep,
    service: ServiceDep,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=32_000, description="An earlier version")] = None,
) -> CalendarRead:
    """A year's table."""
    table = service.database.transact(lambda tx: read_table(tx, year=year, version=version))
    response.headers["ETag"] = etag(table.version)
    return CalendarRead.model_validate(table)


@router.get("/{year}/versions")
def read_calendar_versions(year: Year, _caller: CallerDep, service: ServiceDep) -> CalendarList:
    """Every table that was ever loaded for a year, newest first."""
    return CalendarList.model_validate({"data": service.database.transact(lambda tx: list_tables(tx, year=year))})


@router.put("/{year}", responses={201: {"model": CalendarRead, "description": "Loaded for the first time"}})
def load_calendar(
    year: Year,
    body: CalendarWrite,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
    version: OptionalIfMatch,
) -> CalendarRead:
    """Load a year's table; a registrar does. Repeating it is harmless.

    One that is there is replaced with If-Match and stays as history; deadlines that were set before do not move.
    """
    days = [SpecialDay(given.day, given.kind, given.name) for given in body.days]
    table, changed = service.database.transact(
        lambda tx: load_table(tx, caller=caller, year=year, document_no=body.document_no, days=days, version=version)
    )
    response.headers["ETag"] = etag(table.version)
    if changed and table.version == 1:
        response.status_code = 201
    return CalendarRead.model_validate(table)
