"""The queue of applications: found by what they are and where they stand, counted, and as a spreadsheet."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from app.api.application_bodies import ApplicationRead, CountsRead, shown_application, shown_counts
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Printable, RegionCode
from app.api.paging import Cursor, Limit, Page, cursor_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApplicationStatus
from app.services import audit
from app.services.applications.queue_sheet import MAX_ROWS, write_csv, write_xlsx
from app.services.applications.reads import QueueFilter, Shown, Stage, count_applications, list_applications
from app.sql import now

router = APIRouter(prefix="/v1/applications", tags=["applications"])


def _wanted(
    status: Annotated[ApplicationStatus | None, Query()] = None,
    stage: Annotated[Stage | None, Query(description="区县审核中, 市审核中, 待补正, 候补, 通过, 不通过")] = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
    district_code: Annotated[RegionCode | None, Query(description="The firm's registered region")] = None,
    firm_id: Annotated[AnyId | None, Query()] = None,
    firm_name: Annotated[
        Annotated[str, Printable] | None, Query(min_length=1, max_length=100, description="A part of the name")
    ] = None,
    submitted_from: Annotated[Day | None, Query()] = None,
    submitted_until: Annotated[Day | None, Query(description="That day included")] = None,
    least_fen: Annotated[int | None, Query(ge=0, le=MAX_FEN, description="Amount asked for, at least")] = None,
    most_fen: Annotated[int | None, Query(ge=0, le=MAX_FEN, description="At most")] = None,
    overdue: Annotated[bool | None, Query(description="Past the last day in time")] = None,
) -> QueueFilter:
    return QueueFilter(
        status=status,
        stage=stage,
        programme_id=programme_id,
        district_code=district_code,
        firm_id=firm_id,
        firm_name=firm_name,
        submitted_from=submitted_from,
        submitted_until=submitted_until,
        least_fen=least_fen,
        most_fen=most_fen,
        overdue=overdue,
    )


Wanted = Annotated[QueueFilter, Depends(_wanted)]


@router.get("")
def read_applications(
    wanted: Wanted, caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[ApplicationRead]:
    """Applications within your reach, newest first: a firm's own, an authority's, a county's. Papers are not listed."""
    found = service.database.transact(
        lambda tx: list_applications(tx, caller=caller, wanted=wanted, limit=limit + 1, before_id=cursor)
    )
    shown = [shown_application(one) for one in found[:limit]]
    return Page(data=shown, next_cursor=cursor_of(shown[-1].id) if len(found) > limit else None)


@router.get("/counts")
def read_application_counts(wanted: Wanted, caller: CallerDep, service: ServiceDep) -> CountsRead:
    """How many applications lie at each stage, in all and per district, and how many are overdue."""
    return shown_counts(service.database.transact(lambda tx: count_applications(tx, caller=caller, wanted=wanted)))


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"content": {XLSX: {}, "text/csv": {}}}},
)
def export_applications(
    wanted: Wanted,
    caller: CallerDep,
    service: ServiceDep,
    form: Annotated[Literal["xlsx", "csv"], Query(alias="format", description=".xlsx, or CSV in UTF-8")] = "xlsx",
) -> Response:
    """The queue as a spreadsheet, newest first; no cell is ever a formula. At most 20,000: narrow the filters."""

    def work(tx: Connection) -> tuple[list[Shown], datetime]:
        found, at = list_applications(tx, caller=caller, wanted=wanted, limit=MAX_ROWS + 1), now(tx)
        if len(found) > MAX_ROWS:
            error = FieldError("/query", "too_many_rows", limit=MAX_ROWS)
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
        audit.record_export(
            tx, caller=caller, what="applications", object_id=caller.organisation_id, rows=len(found), at=at
        )
        return found, at

    found, at = service.database.transact(work)
    if form == "xlsx":
        return xlsx_response(write_xlsx(found, at=at), "applications.xlsx")
    headers = {"Content-Disposition": 'attachment; filename="applications.csv"', "X-Content-Type-Options": "nosniff"}
    return Response(write_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
