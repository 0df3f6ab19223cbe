"""Providers' statements (对账单): uploaded as .xlsx or CSV, read back line by line, and the sheet's template."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant
from app.api.paging import Cursor, Limit, Page, RowCursor, page_of
from app.api.period_files import PeriodForm, read_form, request_body
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.vocabulary import Role
from app.services.statements.reads import list_lines, list_statements, read_one
from app.services.statements.template import write_template
from app.services.statements.uploads import Upload, upload_statement

router = APIRouter(prefix="/v1/statements", tags=["statements"])


class StatementForm(PeriodForm):
    """A statement as a form; the file is its part `file`. Days are Asia/Shanghai's, both included."""

    provider_id: Annotated[AnyId | None, Field(description="For finance; a provider sends its own")] = None


class StatementUploaded(Read):
    """What was taken in. A dry run has no id; `repeated` says that this very file was there already."""

    statement_id: str | None
    repeated: bool
    replaces_id: str | None
    region_code: str
    provider_id: str
    period_from: date
    period_until: date
    line_count: int
    subsidy_total_fen: int
    file_sha256: str
    ignored_columns: tuple[str, ...]


class StatementRead(Read):
    """A statement; one that was replaced is kept and no longer compared."""

    id: str
    region_code: str
    provider_id: str
    period_from: date
    period_until: date
    line_count: int
    subsidy_total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: ShownInstant
    uploaded_by: str
    replaced_at: ShownInstant | None
    replaced_by_id: str | None


class LineRead(Read):
    """One redemption as the provider has it, and the row of the file."""

    row_no: int
    order_no: str | None
    redemption_id: str | None
    redeemed_on: date | None
    bill_total_fen: int | None
    subsidy_fen: int
    refunded_fen: int | None
    voucher_code: str | None


class LinePage(Read):
    """Lines in the order of the file."""

    data: tuple[LineRead, ...]
    next_cursor: str | None


async def _sent(request: Request, caller: CallerDep) -> tuple[StatementForm, bytes, str]:
    """The form and its file; only that of somebody who may send one is read at all."""
    caller.require(Role.PROVIDER, Role.FINANCE)
    return await read_form(request, StatementForm)


@router.post("", status_code=201, openapi_extra={"requestBody": request_body(StatementForm)})
async def create_statement(
    sent: Annotated[tuple[StatementForm, bytes, str], Depends(_sent)],
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    response: Response,
) -> StatementUploaded:
    """Send a period's statement. All or nothing, every error with row and column; the same file twice is harmless.

    A later file of the same period replaces the earlier one. Answers 200 where nothing new was stored.
    """
    form, data, file_name = sent
    upload = Upload(
        region_code=form.region_code,
        period_from=form.period_from,
        period_until=form.period_until,
        data=data,
        file_name=file_name,
        provider_id=form.provider_id,
        declared_count=form.declared_count,
        declared_total_fen=form.declared_total_fen,
    )
    language = language_of(request)
    report = await run_in_threadpool(
        lambda: upload_statement(
            service.database, caller=caller, upload=upload, language=language, dry_run=form.dry_run
        )
    )
    if report.repeated or report.statement_id is None:
        response.status_code = 200
    return StatementUploaded.model_validate(report)


@router.get("")
def read_statements(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
    provider_id: Annotated[AnyId | None, Query()] = None,
) -> Page[StatementRead]:
    """Statements within your reach, newest first."""
    records = service.database.transact(
        lambda tx: list_statements(
            tx, caller=caller, limit=limit + 1, before_id=cursor, region_code=region_code, provider_id=provider_id
        )
    )
    return page_of([StatementRead.model_validate(record) for record in records], limit)


@router.get("/template", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_statement_template(_caller: CallerDep) -> Response:
    """The empty statement with its explanations."""
    return xlsx_response(write_template(), "voucher-statement.xlsx")


@router.get("/{statement_id}")
def read_one_statement(statement_id: AnyId, caller: CallerDep, service: ServiceDep) -> StatementRead:
    """One statement."""
    record = service.database.transact(lambda tx: read_one(tx, caller=caller, statement_id=statement_id))
    return StatementRead.model_validate(record)


@router.get("/{statement_id}/lines")
def read_statement_lines(
    statement_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: RowCursor = 0,
) -> LinePage:
    """The lines of a statement in the order of the file."""
    records = service.database.transact(
        lambda tx: list_lines(tx, caller=caller, statement_id=statement_id, limit=limit + 1, after_row=cursor)
    )
    shown = tuple(LineRead.model_validate(record) for record in records[:limit])
    return LinePage(data=shown, next_cursor=str(shown[-1].row_no) if len(records) > limit else None)
