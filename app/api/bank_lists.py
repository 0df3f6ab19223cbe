"""Lists of the bank's results (银行支付结果): uploaded as .xlsx or CSV, read back line by line, and the template."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant
from app.api.paging import Cursor, Limit, Page, RowCursor, page_of
from app.api.period_files import PeriodForm, read_form, request_body
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.vocabulary import BankLineStatus, Role
from app.services.bank_lists.reads import list_bank_lines, list_bank_lists, read_bank_list_record
from app.services.bank_lists.template import write_bank_list_template
from app.services.bank_lists.uploads import BankListUpload, upload_bank_list
from app.services.period_files import Days
from app.services.sheets.lists import Declared

router = APIRouter(prefix="/v1/bank-lists", tags=["reconciliations"])


class BankListForm(PeriodForm):
    """All that the bank settled for a region on these days; the file is the part `file`."""


class BankListUploaded(Read):
    """What was taken in. A dry run has no id; `repeated` says that this very file was there already."""

    bank_list_id: str | None
    repeated: bool
    replaces_id: str | None
    line_count: int
    total_fen: int
    file_sha256: str
    ignored_columns: tuple[str, ...]


class BankListRead(Read):
    """A list; one that was replaced is kept and no longer compared. `total_fen` is of all lines, returns included."""

    id: str
    region_code: str
    organisation_id: str
    period_from: date
    period_until: date
    line_count: int
    total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: ShownInstant
    uploaded_by: str
    replaced_at: ShownInstant | None
    replaced_by_id: str | None


class BankLineRead(Read):
    """One payment, return or receipt as the bank has it, and the row of the file."""

    row_no: int
    status: BankLineStatus
    bank_reference: str
    order_id: str | None
    amount_fen: int
    settled_on: date
    payee_name: str | None
    account_tail: str | None


class BankLinePage(Read):
    """Lines in the order of the file."""

    data: tuple[BankLineRead, ...]
    next_cursor: str | None


async def _sent(request: Request, caller: CallerDep) -> tuple[BankListForm, bytes, str]:
    """The form and its file; only that of somebody who may send one is read at all."""
    caller.require(Role.FINANCE)
    return await read_form(request, BankListForm)


@router.post("", status_code=201, openapi_extra={"requestBody": request_body(BankListForm)})
async def create_bank_list(
    sent: Annotated[tuple[BankListForm, bytes, str], Depends(_sent)],
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    response: Response,
) -> BankListUploaded:
    """Send a period's results of the bank. All or nothing, every error with row and column; repeating it is harmless.

    Nothing is confirmed or returned by it: a reconciliation holds payment orders against it. A later file of the same
    period replaces the earlier one. Answers 200 where nothing new was stored.
    """
    form, data, file_name = sent
    upload = BankListUpload(
        form.region_code,
        Days(form.period_from, form.period_until),
        Declared(form.declared_count, form.declared_total_fen),
        data,
        file_name,
    )
    language = language_of(request)
    report = await run_in_threadpool(
        lambda: upload_bank_list(
            service.database, caller=caller, upload=upload, language=language, dry_run=form.dry_run
        )
    )
    if report.repeated or report.bank_list_id is None:
        response.status_code = 200
    return BankListUploaded.model_validate(report)


@router.get("")
def read_bank_lists(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
) -> Page[BankListRead]:
    """Lists within your reach, newest first."""
    records = service.database.transact(
        lambda tx: list_bank_lists(tx, caller=caller, limit=limit + 1, before_id=cursor, region_code=region_code)
    )
    return page_of([BankListRead.model_validate(record) for record in records], limit)


@router.get("/template", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_bank_list_template(_caller: CallerDep) -> Response:
    """The empty list with its explanations."""
    return xlsx_response(write_bank_list_template(), "voucher-bank-list.xlsx")


@router.get("/{bank_list_id}")
def read_one_bank_list(bank_list_id: AnyId, caller: CallerDep, service: ServiceDep) -> BankListRead:
    """One list."""
    record = service.database.transact(lambda tx: read_bank_list_record(tx, caller=caller, bank_list_id=bank_list_id))
    return BankListRead.model_validate(record)


@router.get("/{bank_list_id}/lines")
def read_bank_list_lines(
    bank_list_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: RowCursor = 0,
) -> BankLinePage:
    """The lines of a list in the order of the file."""
    records = service.database.transact(
        lambda tx: list_bank_lines(tx, caller=caller, bank_list_id=bank_list_id, limit=limit + 1, after_row=cursor)
    )
    shown = tuple(BankLineRead.model_validate(record) for record in records[:limit])
    return BankLinePage(data=shown, next_cursor=str(shown[-1].row_no) if len(records) > limit else None)
