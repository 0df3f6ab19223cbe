"""Issuance: batches from a sheet or from JSON, a single voucher as a batch of one, and the sheet's template."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, TypeVar, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError, model_validator
from starlette.datastructures import UploadFile

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Day, PositiveFen, Read, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.middleware import MIB
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.ids import region_of
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import BatchStatus, Role
from app.services.identity.principals import Caller
from app.services.issuance.reads import BatchRecord, list_batches, list_rows, read_batch
from app.services.issuance.rows import MAX_ROWS, GrantRow, Language, Layout, clean_rows
from app.services.issuance.sheet import read_sheet
from app.services.issuance.submission import BatchReport, Submission, submit_batch
from app.services.issuance.template import write_template
from app.services.issuance.terms import Terms

router = APIRouter(prefix="/v1", tags=["issuance"])

MAX_JSON_BYTES = 8 * MIB
MAX_FILE_NAME = 200

M = TypeVar("M", bound=BaseModel)
Text = Annotated[str, StringConstraints(max_length=1_000)]
"""Its own limit is the service's to check, which says it in the reader's language."""


def _document(text: object) -> object:
    return orjson.loads(text) if isinstance(text, str) else text


def _digits(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("needs a whole number in digits")


FormCount = Annotated[int, Field(ge=1, le=MAX_ROWS), BeforeValidator(_digits)]
FormFen = Annotated[int, Field(ge=1, le=MAX_FEN), BeforeValidator(_digits)]


class GrantBody(Wire):
    """One voucher to be issued, to a firm given by its code or by its id. Days are Asia/Shanghai's."""

    reference_no: Annotated[Text, Field(description="Your own number of the grant, unique in the programme. 申领编号")]
    uscc: Annotated[Text | None, Field(description="统一社会信用代码 of the firm")] = None
    firm_id: AnyId | None = None
    firm_name: Annotated[Text | None, Field(description="If given, must be the registered name")] = None
    face_value_fen: PositiveFen
    valid_from: Annotated[Day | None, Field(description="First valid day; default: the moment of issue")] = None
    valid_until: Annotated[Day | None, Field(description="Last valid day; default: by the programme's rules")] = None
    note: Text | None = None
    terms: Annotated[
        Terms | None,
        Field(
            description="What officials fix with the grant: facts of the claim, exceptions, other levels' decisions",
            exclude_if=lambda terms: terms is None,  # requests without terms keep the fingerprint they always had
        ),
    ] = None

    @model_validator(mode="after")
    def _one_firm(self) -> GrantBody:
        if (self.uscc is None) == (self.firm_id is None):
            raise ValueError("give either uscc or firm_id")
        return self

    def row(self, row_no: int) -> GrantRow:
        """The row as the domain's value."""
        return GrantRow(
            row_no=row_no,
            reference_no=self.reference_no,
            face_value_fen=self.face_value_fen,
            uscc=self.uscc,
            firm_id=self.firm_id,
            firm_name=self.firm_name,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            note=self.note,
            terms=self.terms,
        )


class VoucherCreate(GrantBody):
    """A batch of one."""

    programme_id: AnyId
    dry_run: Annotated[bool, Field(strict=True)] = False


class BatchCreate(Wire):
    """A batch as JSON. The declared figures must match the rows."""

    programme_id: AnyId
    declared_count: Annotated[int, Field(strict=True, ge=1, le=MAX_ROWS)]
    declared_total_fen: PositiveFen
    rows: Annotated[list[GrantBody], Field(min_length=1, max_length=MAX_ROWS)]
    dry_run: Annotated[bool, Field(strict=True)] = False


class BatchForm(Wire):
    """A batch as a form; the sheet is its part `file`."""

    programme_id: AnyId
    declared_count: FormCount
    declared_total_fen: FormFen
    dry_run: bool = False


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
    """What will be issued once a checker approves. A dry run has no ids: nothing was kept."""

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


@dataclass(frozen=True, slots=True)
class Sent:
    """What a maker sent, read from the network but not yet looked at."""

    json: bytes | None = None
    form: Mapping[str, str] | None = None
    file: bytes = b""
    file_name: str = ""


async def sent_by_maker(request: Request, caller: CallerDep) -> Sent:
    """The body, JSON or a form with one file; only a maker's is read at all."""
    caller.require(Role.MAKER)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        body = await request.body()
        if len(body) > MAX_JSON_BYTES:
            raise AppError(Code.BODY_TOO_LARGE, limit=MAX_JSON_BYTES)
        return Sent(json=body)
    if media_type != "multipart/form-data":
        raise AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected="application/json, multipart/form-data")
    async with request.form(max_files=1, max_fields=10) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = {name: value for name, value in form.multi_items() if isinstance(value, UploadFile)}
        if len(fields) + len(files) < len(form.multi_items()) or set(files) != {"file"}:
            raise AppError(Code.MALFORMED_REQUEST, why="multipart: one part `file`, every other field once")
        name = PurePath(files["file"].filename or "").name
        shown = "".join(character for character in name if character.isprintable())[:MAX_FILE_NAME]
        return Sent(form=fields, file=await files["file"].read(), file_name=shown)


SentByMaker = Annotated[Sent, Depends(sent_by_maker)]


def _inlined(model: type[BaseModel], **parts: Any) -> dict[str, Any]:
    """The model's JSON schema without references: the route reads its body itself, so FastAPI cannot publish it."""
    schema = model.model_json_schema()
    schema.pop("$defs", None)
    schema["properties"] |= parts
    return schema


_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": _inlined(
                BatchCreate,
                rows={"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": _inlined(GrantBody)},
            )
        },
        "multipart/form-data": {
            "schema": _inlined(BatchForm, file={"type": "string", "format": "binary", "description": "An .xlsx sheet"})
            | {"required": ["file", "programme_id", "declared_count", "declared_total_fen"]}
        },
    },
}


@router.post(
    "/issuance-batches", status_code=201, response_model=BatchSubmitted, openapi_extra={"requestBody": _REQUEST_BODY}
)
def create_batch(
    sent: SentByMaker, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to issue vouchers, by sheet or JSON. All or nothing; every error is named with row and column."""
    language = cast(Language, language_of(request))
    if sent.json is not None:
        body = _validated(lambda: BatchCreate.model_validate_json(sent.json or b""))
        layout = Layout(language)
        rows = clean_rows([grant.row(place) for place, grant in enumerate(body.rows, start=1)], layout)
        submission = Submission(body.programme_id, rows, layout, body.declared_count, body.declared_total_fen)
        command = body.model_dump(mode="json", exclude={"dry_run"})
        dry_run = body.dry_run
    else:
        form = _validated(lambda: BatchForm.model_validate(sent.form))
        sheet = read_sheet(sent.file, language=language)
        file_sha256 = hashlib.sha256(sent.file).hexdigest()
        submission = Submission(
            form.programme_id,
            sheet.rows,
            sheet.layout,
            form.declared_count,
            form.declared_total_fen,
            sent.file_name or None,
            file_sha256,
        )
        command = form.model_dump(mode="json", exclude={"dry_run"}) | {"file_sha256": file_sha256}
        dry_run = form.dry_run
    return _submit(service, request, caller, key, "POST /v1/issuance-batches", submission, command, dry_run=dry_run)


@router.post("/vouchers", status_code=201, response_model=BatchSubmitted)
def create_voucher(
    body: VoucherCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to issue a single voucher: a batch of one."""
    caller.require(Role.MAKER)
    layout = Layout(cast(Language, language_of(request)), single=True)
    rows = clean_rows([body.row(1)], layout)
    submission = Submission(body.programme_id, rows, layout, 1, body.face_value_fen)
    command = body.model_dump(mode="json", exclude={"dry_run"})
    return _submit(service, request, caller, key, "POST /v1/vouchers", submission, command, dry_run=body.dry_run)


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
    return xlsx_response(write_template(), "voucher-issuance.xlsx")


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
    cursor: Annotated[int, Query(ge=0, le=MAX_ROWS + 1, description="`next_cursor` of the page before")] = 0,
) -> RowPage:
    """The rows of a batch in their order, each with its voucher once issued."""
    records = service.database.transact(
        lambda tx: list_rows(tx, caller=caller, batch_id=batch_id, limit=limit + 1, after_row=cursor)
    )
    shown = tuple(RowRead.model_validate(record) for record in records[:limit])
    return RowPage(data=shown, next_cursor=str(shown[-1].row_no) if len(records) > limit else None)


def _submit(
    service: Service,
    request: Request,
    caller: Caller,
    key: str,
    route: str,
    submission: Submission,
    command: Mapping[str, Any],
    *,
    dry_run: bool,
) -> Response:
    region_code = region_of(submission.programme_id)
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    if dry_run:
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
        command=command,
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
        rows=tuple(PlannedRowRead.model_validate(row) for row in report.rows),
    )


def _shown(record: BatchRecord) -> BatchRead:
    return BatchRead.model_validate(record)


def _validated(parse: Callable[[], M]) -> M:
    """What Pydantic refuses becomes the same problem as on every other route."""
    try:
        return parse()
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
