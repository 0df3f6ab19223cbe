"""Reports for officials: budget execution and what is to be expected of it, as JSON and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.drilldown import links_of
from app.api.fields import AnyId, Instant, Read, ShownInstant
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.rates import Rounding, round_to
from app.kernel.vocabulary import Role
from app.services import audit
from app.services.budgets.execution import ACCOUNTS, ExecutionRow, Standing, execution, total_of
from app.services.budgets.execution_sheet import write_execution
from app.services.budgets.forecast import ASSUMPTIONS, Forecast, RunsOut, Unknown
from app.services.budgets.groups import Dimension, Group, grouped
from app.services.budgets.observing import forecasts
from app.services.identity.principals import Caller
from app.sql import now

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Links = Annotated[
    dict[str, str] | None,
    Field(description="For each amount the query that lists exactly its entries; null for roles that read no entries"),
]


class StandingRead(Read):
    """Amounts in fen. The appropriation is the sum of the others; `execution_rate` is disbursed over appropriation."""

    appropriation_fen: int
    available_fen: int
    committed_fen: int
    held_fen: int
    obligated_fen: int
    in_payment_fen: int
    disbursed_fen: int
    lapsed_fen: int
    execution_rate: str | None


class ForecastRead(Read):
    """What is to be expected of a pool, by a straight line: the window's daily rates go on. Amounts in fen.

    `runs_out_on` is the day in whose course the last of what is available is issued. `lapsing_fen` is what would lapse
    on 31 December: what is available, and what vouchers have not drawn by then. Where the window shows too little the
    answer is `unknown`, with the reason; no guess is made.
    """

    method: Literal["straight_line"]
    assumptions: tuple[str, ...]
    window_days: int
    issued_fen: int
    drawn_fen: int
    issued_per_day_fen: str | None
    drawn_per_day_fen: str | None
    days_left: int
    runs_out: RunsOut
    runs_out_on: date | None
    runs_out_unknown: Unknown | None
    expected_drawn_fen: int | None
    lapsing_fen: int | None
    lapsing_unknown: Unknown | None


class PoolExecutionRead(StandingRead):
    """One pool. `county_code` says for whom it is: a pool of the city as a whole has the city's own code there."""

    region_code: str
    city_code: str
    county_code: str
    programme_id: str
    programme_title: str
    document_no: str
    fiscal_year: int
    fund_source: str
    pool_id: str
    closed_at: ShownInstant | None
    links: Links
    forecast: Annotated[ForecastRead | None, Field(description="With `forecast=true`, as things stand now")]


class GroupExecutionRead(StandingRead):
    """Pools that agree in what was grouped by (`key`), added up."""

    key: dict[str, str]
    pool_ids: tuple[str, ...]
    links: Links


class ExecutionRead(Read):
    """Every pool within your reach as of `at`, their groups, and their sum."""

    at: ShownInstant
    pools: tuple[PoolExecutionRead, ...]
    groups: tuple[GroupExecutionRead, ...]
    total: StandingRead


def shown_execution(
    rows: Sequence[ExecutionRow],
    caller: Caller,
    *,
    at: datetime,
    by: Sequence[Dimension] = (),
    asked: Mapping[str, str] = MappingProxyType({}),
    expected: Mapping[str, Forecast] = MappingProxyType({}),
) -> ExecutionRead:
    """Pools on the wire, put together by these dimensions besides. `asked`: the filters by which they were found."""
    return ExecutionRead(
        at=at,
        pools=tuple(_pool(row, caller, at, expected.get(row.pool_id)) for row in rows),
        groups=tuple(_group(group, caller, at, asked) for group in grouped(rows, by)),
        total=StandingRead(**_amounts(total_of(rows))),
    )


@router.get("/execution", response_model=ExecutionRead, responses={200: {"content": {XLSX: {}}}})
def read_execution(
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    fiscal_year: Annotated[int | None, Query(ge=2000, le=2999)] = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
    as_of: Annotated[Instant | None, Query(description="As things stood at this instant; default: now")] = None,
    group_by: Annotated[list[Dimension] | None, Query(description="Sums besides, by each of these together")] = None,
    *,
    forecast: Annotated[bool, Query(description="Say what is to be expected besides; not with as_of")] = False,
    format: Annotated[  # noqa: A002 - the name on the wire
        Literal["json", "xlsx"] | None, Query(description="Default: by the Accept header")
    ] = None,
) -> ExecutionRead | Response:
    """Budget execution (预算执行) per programme, city, county, fund source and year; amounts of the sheet are in 元."""

    def work(tx: Connection) -> tuple[list[ExecutionRow], datetime, dict[str, Forecast]]:
        rows = execution(tx, caller=caller, fiscal_year=fiscal_year, programme_id=programme_id, as_of=as_of)
        moment = now(tx)
        at = as_of or moment  # after the figures: whatever they hold has happened by then
        if as_sheet:
            audit.record_export(
                tx, caller=caller, what="execution", object_id=caller.organisation_id, rows=len(rows), at=moment
            )
        return rows, at, forecasts(tx, rows, at=at) if forecast and as_of is None else {}

    as_sheet = format == "xlsx" or (format is None and XLSX in request.headers.get("accept", ""))
    rows, at, expected = service.database.transact(work)
    by = tuple(dict.fromkeys(group_by or ()))
    if as_sheet:
        return xlsx_response(write_execution(rows, at=at, groups=grouped(rows, by)), "budget-execution.xlsx")
    filters = {"fiscal_year": fiscal_year, "programme_id": programme_id}
    asked = {name: str(value) for name, value in filters.items() if value is not None}
    return shown_execution(rows, caller, at=at, by=by, asked=asked, expected=expected)


def _pool(row: ExecutionRow, caller: Caller, at: datetime, expected: Forecast | None) -> PoolExecutionRead:
    names = ("region_code", "city_code", "programme_id", "programme_title", "document_no", "fiscal_year", "fund_source")
    return PoolExecutionRead(
        **{name: getattr(row, name) for name in names},
        county_code=row.place_code,
        pool_id=row.pool_id,
        closed_at=row.closed_at,
        links=_links([row], caller, {"pool_id": row.pool_id}, at),
        forecast=_forecast(expected) if expected else None,
        **_amounts(row.standing),
    )


def _forecast(expected: Forecast) -> ForecastRead:
    rates = {  # fen with two decimals; exactly it is the amount over the days of the window
        name: None if (rate := getattr(expected, name)) is None else _two_decimals(rate)
        for name in ("issued_per_day_fen", "drawn_per_day_fen")
    }
    values = {name: getattr(expected, name) for name in Forecast.__slots__}
    return ForecastRead(method="straight_line", assumptions=ASSUMPTIONS, **values | rates)


def _two_decimals(value: Fraction) -> str:
    whole, below = divmod(round_to(value * 100, 1, Rounding.HALF_UP), 100)
    return f"{whole}.{below:02d}"


def _group(group: Group, caller: Caller, at: datetime, asked: Mapping[str, str]) -> GroupExecutionRead:
    return GroupExecutionRead(
        key=dict(group.key),
        pool_ids=tuple(row.pool_id for row in group.rows),
        links=_links(group.rows, caller, {**asked, **group.key}, at),
        **_amounts(group.standing),
    )


def _links(
    rows: Sequence[ExecutionRow], caller: Caller, filters: Mapping[str, str], at: datetime
) -> dict[str, str] | None:
    """Makers and checkers see the figures of their authority and not the ledger."""
    reads = all(any(caller.holds_in(role, row.region_code) for role in (Role.FINANCE, Role.AUDITOR)) for row in rows)
    return links_of(filters, until=at) if reads else None


def _amounts(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in (*ACCOUNTS.values(), "execution_rate")}
