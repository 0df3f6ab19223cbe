"""Applications (申领): a firm applies, officials decide, a second person grants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from app.api.application_bodies import (
    ApplicationBody,
    ApplicationCreate,
    ApplicationEventRead,
    ApplicationJudged,
    ApplicationRead,
    AssessBody,
    CountsRead,
    GrantsBody,
    GrantsProposed,
    ReasonBody,
    ReturnBody,
    shown_application,
    shown_counts,
    shown_event,
    shown_judged,
)
from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.etags import IfMatch, etag
from app.api.fields import AnyId, Day, Printable, RegionCode
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, cursor_of
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.ids import region_of
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApplicationStatus, Role
from app.services import audit
from app.services.applications import applying, deciding, granting, reviewing
from app.services.applications.judging import Judged
from app.services.applications.queue_sheet import MAX_ROWS, write_csv, write_xlsx
from app.services.applications.reads import (
    QueueFilter,
    Shown,
    Stage,
    count_applications,
    list_applications,
    list_events,
    read_application,
    show,
)
from app.services.applications.records import ApplicationRecord
from app.services.approvals.decisions import read_approval
from app.services.identity.principals import Caller
from app.services.sheets.problems import Language
from app.sql import now

router = APIRouter(prefix="/v1/applications", tags=["applications"])

Filled = tuple[ApplicationRecord, Judged | None]


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


@router.post("", status_code=201, response_model=ApplicationJudged)
def create_application(
    body: ApplicationCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Apply for a voucher, or with `draft` only write it down. Submitted, it is judged at once by the rules."""
    caller.require(Role.FIRM)

    def work(tx: Connection) -> Filled:
        application = applying.create_application(tx, caller=caller, draft=body.as_draft())
        if body.is_draft:
            return application, None
        return applying.submit_application(tx, caller=caller, application_id=application.id)

    return _once(service, request, caller, key, "POST /v1/applications", body.programme_id, _command(body), work, 201)


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


@router.post("/grants", status_code=202, response_model=GrantsProposed)
def propose_grants(
    body: GrantsBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to grant reviewed applications of one programme together: all of them or none."""
    return _propose(service, request, caller, key, "POST /v1/applications/grants", body.application_ids)


@router.get("/{application_id}")
def read_one_application(
    application_id: AnyId, caller: CallerDep, service: ServiceDep, response: Response
) -> ApplicationRead:
    """One application with its papers. Its ETag is the version."""
    shown = service.database.transact(lambda tx: read_application(tx, caller=caller, application_id=application_id))
    response.headers["ETag"] = etag(shown.record.version)
    return shown_application(shown)


@router.put("/{application_id}")
def change_application(
    application_id: AnyId,
    body: ApplicationBody,
    version: IfMatch,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> ApplicationRead:
    """Rewrite a draft, or an application that was returned for correction; then submit it."""
    caller.require(Role.FIRM)

    def work(tx: Connection) -> Shown:
        draft = body.as_draft()
        changed = applying.change_application(
            tx, caller=caller, application_id=application_id, version=version, draft=draft
        )
        return show(tx, changed)

    shown = service.database.transact(work)
    response.headers["ETag"] = etag(shown.record.version)
    return shown_application(shown)


@router.get("/{application_id}/events")
def read_application_events(
    application_id: AnyId, caller: CallerDep, service: ServiceDep
) -> list[ApplicationEventRead]:
    """Everything that was done about it, oldest first, each decision with the facts it was made from."""
    events = service.database.transact(lambda tx: list_events(tx, caller=caller, application_id=application_id))
    return [shown_event(event) for event in events]


@router.post("/{application_id}/submit", response_model=ApplicationJudged)
def submit_application(
    application_id: AnyId, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Send a draft in, or a correction."""
    caller.require(Role.FIRM)
    return _act(
        service,
        request,
        caller,
        key,
        "submit",
        application_id,
        {},
        lambda tx: applying.submit_application(tx, caller=caller, application_id=application_id),
    )


@router.post("/{application_id}/withdraw", response_model=ApplicationJudged)
def withdraw_application(
    application_id: AnyId,
    body: ReasonBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Take your application back, as long as it is not decided."""
    caller.require(Role.FIRM)
    return _act(
        service,
        request,
        caller,
        key,
        "withdraw",
        application_id,
        _command(body),
        lambda tx: (
            applying.withdraw_application(tx, caller=caller, application_id=application_id, reason=body.reason),
            None,
        ),
    )


@router.post("/{application_id}/accept", response_model=ApplicationJudged)
def accept_application(
    application_id: AnyId, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Accept (受理): the papers are complete, and the time for the decision begins."""
    caller.require(Role.MAKER)
    return _act(
        service,
        request,
        caller,
        key,
        "accept",
        application_id,
        {},
        lambda tx: (reviewing.accept_application(tx, caller=caller, application_id=application_id), None),
    )


@router.post("/{application_id}/return", response_model=ApplicationJudged)
def return_application(
    application_id: AnyId,
    body: ReturnBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Return for correction (补正) with all that is missing and a day; the officials' clock stands until it is back."""
    caller.require(Role.MAKER)

    def work(tx: Connection) -> Filled:
        returned = reviewing.return_application(
            tx,
            caller=caller,
            application_id=application_id,
            reason=body.reason,
            items=body.items,
            working_days=body.working_days,
        )
        return returned, None

    return _act(service, request, caller, key, "return", application_id, _command(body), work)


@router.post("/{application_id}/first-review", response_model=ApplicationJudged)
def pass_first_review(
    application_id: AnyId,
    body: ReasonBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """The firm's county passes an accepted application on to the city (初审)."""
    caller.require(Role.MAKER)
    return _act(
        service,
        request,
        caller,
        key,
        "first-review",
        application_id,
        _command(body),
        lambda tx: (
            reviewing.first_review(tx, caller=caller, application_id=application_id, reason=body.reason),
            None,
        ),
    )


@router.post("/{application_id}/assess", response_model=ApplicationJudged)
def assess_application(
    application_id: AnyId,
    body: AssessBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Fix the amount (核定), at most the computed maximum. What the conditions forbid needs an exemption."""
    caller.require(Role.MAKER)

    def work(tx: Connection) -> Filled:
        return reviewing.assess_application(
            tx,
            caller=caller,
            application_id=application_id,
            assessed_fen=body.assessed_fen,
            reason=body.reason,
            language=cast(Language, language_of(request)),
            terms=body.terms,
            exemption=body.as_exemption(),
        )

    return _act(service, request, caller, key, "assess", application_id, _command(body), work)


@router.post("/{application_id}/approve", status_code=202, response_model=GrantsProposed)
def approve_application(
    application_id: AnyId, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to grant a reviewed application: approving issues its voucher."""
    return _propose(service, request, caller, key, "POST /v1/applications/{id}/approve", [application_id])


@router.post("/{application_id}/reject", status_code=202, response_model=ApprovalRead)
def reject_application(
    application_id: AnyId,
    body: ReasonBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker to refuse it. The firm learns of it, with the reason, when that is approved, and not before."""
    return _ask(service, request, caller, key, "reject", application_id, body, deciding.request_rejection)


@router.post("/{application_id}/waitlist", status_code=202, response_model=ApprovalRead)
def waitlist_application(
    application_id: AnyId,
    body: ReasonBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker to put a reviewed one on the waiting list (候补); it keeps its place in the order.

    Only where the pool cannot carry it, now and when it is approved (`pool_suffices`).
    """
    return _ask(service, request, caller, key, "waitlist", application_id, body, deciding.request_waiting)


def _command(body: Any) -> dict[str, Any]:
    command: dict[str, Any] = body.model_dump(mode="json")
    return command


def _act(
    service: Service,
    request: Request,
    caller: Caller,
    key: str,
    act: str,
    application_id: str,
    command: Mapping[str, Any],
    work: Callable[[Connection], Filled],
) -> Response:
    route = f"POST /v1/applications/{{id}}/{act}"
    asked = {"application_id": application_id, **command}
    return _once(service, request, caller, key, route, application_id, asked, work, 200)


def _ask(
    service: Service,
    request: Request,
    caller: Caller,
    key: str,
    act: str,
    application_id: str,
    body: ReasonBody,
    ask: Callable[..., str],
) -> Response:
    caller.require(Role.MAKER)

    def work(tx: Connection) -> ApprovalRead:
        asked = ask(tx, caller=caller, application_id=application_id, reason=body.reason)
        return shown_approval(read_approval(tx, caller=caller, approval_id=asked))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=_region(application_id),
        route=f"POST /v1/applications/{{id}}/{act}",
        key=key,
        command={"application_id": application_id, **_command(body)},
        work=work,
        render=lambda approval: created(approval, approval.id, status=202),
    )


def _once(
    service: Service,
    request: Request,
    caller: Caller,
    key: str,
    route: str,
    regional_id: str,
    command: Mapping[str, Any],
    work: Callable[[Connection], Filled],
    status: int,
) -> Response:
    def shown(tx: Connection) -> ApplicationJudged:
        application, judged = work(tx)
        return shown_judged(show(tx, application), judged)

    return do_once(
        service,
        request,
        caller=caller,
        region_code=_region(regional_id),
        route=route,
        key=key,
        command=command,
        work=shown,
        render=lambda read: created(read, read.id, status=status),
    )


def _propose(
    service: Service, request: Request, caller: Caller, key: str, route: str, application_ids: list[str]
) -> Response:
    caller.require(Role.MAKER)
    wanted = list(dict.fromkeys(application_ids))

    def work(tx: Connection) -> GrantsProposed:
        report, proposed = granting.propose_grants(
            tx, caller=caller, application_ids=wanted, language=cast(Language, language_of(request))
        )
        return GrantsProposed(
            batch_id=report.batch_id or "",
            approval_id=report.approval_id or "",
            programme_id=report.programme_id,
            count=report.row_count,
            total_fen=report.total_fen,
            application_ids=tuple(one.id for one in proposed),
        )

    return do_once(
        service,
        request,
        caller=caller,
        region_code=_region(wanted[0]),
        route=route,
        key=key,
        command={"application_ids": wanted},
        work=work,
        render=lambda read: created(read, read.batch_id, status=202),
    )


def _region(regional_id: str) -> str:
    region_code = region_of(regional_id)
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what="programme" if regional_id.startswith("prg") else "application")
    return region_code
