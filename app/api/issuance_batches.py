"""Issuance: batches from a sheet or from JSON, a single voucher as a batch of one, and the sheet's template."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Read, ShownInstant
from app.api.issuance_bodies import (
    BATCH_REQUEST_BODY,
    SHEET_REQUEST_BODY,
    Received,
    SentByMaker,
    VoucherCreate,
    given,
)
from app.api.jobs import ACCEPTED, Prefer, as_job, is_asynchronous
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.ids import require_region
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import BatchStatus, JobKind, Role
from app.services.identity.principals import Caller
from app.services.issuance.annotated import write_annotated
from app.services.issuance.checks import Submission, find_complaints
from app.services.issuance.forms import ISSUANCE
from app.services.issuance.reads import BatchRecord, list_batches, list_rows, read_batch
from app.services.issuance.rows import Layout, clean_rows
from app.services.issuance.submission import BatchReport, submit_batch
from app.services.issuance.template import write_template
from app.services.sheets.scanning import LAST_ROW

router = APIRouter(prefix="/v1", tags=["issuance"])

SHOWN_ROWS = 1_000
"""Rows that the answer to a submission shows; all of them are read page by page."""


def _document(text: object) -> object:
    return orjson.loads(text) if isinstance(text, str) else text


class DrawRead(Read):
    """What the batch takes from one pool."""

    pool_id: str
    fund_source: str
    amount_fen: int
    available_before_fen: int
    available_after_fen: int


class PlannedRowRead(Read):
    """A row as it was understood. Without a validity of its own, the rules give it at the moment of issue."""

    row_no: int
    reference_no: str
    firm_id: str
    firm_name: str
    face_value_fen: int
    valid_from: ShownInstant | None
    valid_until: ShownInstant | None
    terms: Annotated[dict[str, Any] | None, BeforeValidator(_document)]


class BatchSubmitted(Read):
    """What will be issued once a checker approves. A dry run has no ids: nothing was kept.

    Of more than 1,000 rows the first ones are shown; all are at `/v1/issuance-batches/{id}/rows`.
    """

    batch_id: str | None
    approval_id: str | None
    dry_run: bool
    status: BatchStatus
    region_code: str
    programme_id: str
    row_count: int
    total_fen: int
    firm_count: int
    file_sha256: str | None
    pools: tuple[DrawRead, ...]
    rows: tuple[PlannedRowRead, ...]


class BatchRead(Read):
    """A batch; `approval_id` is where a checker decides it."""

    id: str
    region_code: str
    programme_id: str
    programme_title: str
    status: BatchStatus
    row_count: int
    total_fen: int
    file_name: str | None
    file_sha256: str | None
    approval_id: str
    created_at: ShownInstant
    created_by: str
    decided_at: ShownInstant | None


class RowRead(PlannedRowRead):
    """A row of a batch; `voucher_id` is set once it is issued."""

    note: str | None
    voucher_id: str | None


class RowPage(Read):
    """Rows in their order."""

    data: tuple[RowRead, ...]
    next_cursor: str | None


@router.post(
    "/issuance-batches",
    status_code=201,
    response_model=BatchSubmitted,
    responses=ACCEPTED,
    openapi_extra={"requestBody": BATCH_REQUEST_BODY},
)
def create_batch(
    sent: SentByMaker,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
    prefer: Prefer = None,
) -> Response:
    """Ask a checker to issue vouchers, by sheet or JSON. All or nothing; every error is named with row and column."""
    parsed, language = given(sent), language_of(request)
    region_code = require_region(parsed.body.programme_id, what="programme")

    def work() -> Response:
        return _submit(service, request, caller, key, "POST /v1/issuance-batches", parsed.received(language))

    if not is_asynchronous(prefer):
        return work()
    subject = sent.file_name or parsed.body.programme_id
    return as_job(
        service, request, caller, region_code=region_code, kind=JobKind.SUBMIT_BATCH, subject=subject, work=work
    )


@router.post(
    "/issuance-batches/annotated-sheet",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}}},
    openapi_extra={"requestBody": SHEET_REQUEST_BODY},
)
def annotate_sheet(sent: SentByMaker, caller: CallerDep, service: ServiceDep, request: Request) -> Response:
    """The sheet as an .xlsx in which every error stands beside its row, to be corrected and sent again.

    The same form and the same checks as for a submission; nothing is kept.
    """
    parsed = given(sent)
    require_region(parsed.body.programme_id, what="programme")
    asked = parsed.received(language_of(request))
    if asked.sheet is None:
        raise AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected="multipart/form-data")
    errors = service.database.transact(lambda tx: find_complaints(tx, caller=caller, submission=asked.submission))
    return xlsx_response(write_annotated(asked.sheet, errors), "voucher-issuance-annotated.xlsx")


@router.post("/vouchers", status_code=201, response_model=BatchSubmitted)
def create_voucher(
    body: VoucherCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to issue a single voucher: a batch of one."""
    caller.require(Role.MAKER)
    layout = Layout(language_of(request), single=True)
    rows, errors = clean_rows([body.row(1)], layout)
    submission = Submission(body.programme_id, rows, layout, 1, body.face_value_fen, errors=tuple(errors))
    command = body.model_dump(mode="json", exclude={"dry_run"})
    return _submit(
        service, request, caller, key, "POST /v1/vouchers", Received(submission, command, body.dry_run, None)
    )


@router.get("/issuance-batches")
def read_batches(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
) -> Page[BatchRead]:
    """Batches within your reach, newest first."""
    records = service.database.transact(
        lambda tx: list_batches(tx, caller=caller, limit=limit + 1, before_id=cursor, programme_id=programme_id)
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/issuance-batches/template", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_template(_caller: CallerDep) -> Response:
    """The empty issuance sheet with its explanations."""
    return xlsx_response(write_template(ISSUANCE), "voucher-issuance.xlsx")


@router.get("/issuance-batches/{batch_id}")
def read_one_batch(batch_id: AnyId, caller: CallerDep, service: ServiceDep) -> BatchRead:
    """One batch."""
    return _shown(service.database.transact(lambda tx: read_batch(tx, caller=caller, batch_id=batch_id)))


@router.get("/issuance-batches/{batch_id}/rows")
def read_rows(
    batch_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Annotated[int, Query(ge=0, le=LAST_ROW, description="`next_cursor` of the page before")] = 0,
) -> RowPage:
    """The rows of a batch in their order, each with its voucher once issued."""
    records = service.database.transact(
        lambda tx: list_rows(tx, caller=caller, batch_id=batch_id, limit=limit + 1, after_row=cursor)
    )
    shown = tuple(RowRead.model_validate(record) for record in records[:limit])
    return RowPage(data=shown, next_cursor=str(shown[-1].row_no) if len(records) > limit else None)


def _submit(service: Service, request: Request, caller: Caller, key: str, route: str, asked: Received) -> Response:
    submission = asked.submission
    region_code = require_region(submission.programme_id, what="programme")
    if asked.dry_run:
        report = service.database.transact(
            lambda tx: submit_batch(tx, caller=caller, submission=submission, dry_run=True)
        )
        return Response(_submitted(report).model_dump_json(), media_type="application/json")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route=route,
        key=key,
        command=asked.command,
        work=lambda tx: submit_batch(tx, caller=caller, submission=submission, dry_run=False),
        render=lambda report: created(_submitted(report), report.batch_id or ""),
    )


def _submitted(report: BatchReport) -> BatchSubmitted:
    return BatchSubmitted(
        batch_id=report.batch_id,
        approval_id=report.approval_id,
        dry_run=report.batch_id is None,
        status=BatchStatus.SUBMITTED,
        region_code=report.region_code,
        programme_id=report.programme_id,
        row_count=report.row_count,
        total_fen=report.total_fen,
        firm_count=report.firm_count,
        file_sha256=report.file_sha256,
        pools=tuple(DrawRead.model_validate(draw) for draw in report.draws),
        rows=tuple(PlannedRowRead.model_validate(row) for row in report.rows[:SHOWN_ROWS]),
    )


def _shown(record: BatchRecord) -> BatchRead:
    return BatchRead.model_validate(record)
