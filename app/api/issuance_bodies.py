"""What a maker sends to have vouchers issued: rows as JSON, or a form with a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from app.api.authentication import CallerDep
from app.api.fields import AnyId, Day, PositiveFen, Wire
from app.api.inlined import inlined
from app.api.middleware import MIB
from app.api.multipart import sent_form
from app.api.period_files import form_schema
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import JobStage, Role
from app.kernel.wording import Language
from app.services.issuance.checks import Submission
from app.services.issuance.rows import MAX_ROWS, GrantRow, Layout, clean_rows
from app.services.issuance.sheet import Sheet, read_sheet
from app.services.issuance.terms import Terms
from app.services.jobs.progress import tell

MAX_JSON_BYTES = 8 * MIB

M = TypeVar("M", bound=BaseModel)
Text = Annotated[str, StringConstraints(max_length=1_000)]
"""Its own limit is the service's to check, which says it in the reader's language."""


def digits(value: object) -> object:
    """Of a form's field only digits are a number. Raises ValueError."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("needs a whole number in digits")


FormCount = Annotated[int, Field(ge=1, le=MAX_ROWS), BeforeValidator(digits)]
FormFen = Annotated[int, Field(ge=1, le=MAX_FEN), BeforeValidator(digits)]


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
    async with sent_form(request, expected="application/json, multipart/form-data") as sent:
        return Sent(form=sent.fields, file=await sent.file.read(), file_name=sent.file_name)


SentByMaker = Annotated[Sent, Depends(sent_by_maker)]


_FORM = {"schema": form_schema(BatchForm)}
BATCH_REQUEST_BODY = {
    "required": True,
    "content": {"application/json": {"schema": inlined(BatchCreate)}, "multipart/form-data": _FORM},
}
SHEET_REQUEST_BODY = {"required": True, "content": {"multipart/form-data": _FORM}}


def _validated(parse: Callable[[], M]) -> M:
    """What Pydantic refuses becomes the same problem as on every other route."""
    try:
        return parse()
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


@dataclass(frozen=True, slots=True)
class Received:
    """What was sent, as the domain's values. `command` is what an Idempotency-Key stands for."""

    submission: Submission
    command: Mapping[str, Any]
    dry_run: bool
    sheet: Sheet | None


@dataclass(frozen=True, slots=True)
class Given:
    """What was sent, parsed: a form's file is read when it is asked for."""

    body: BatchCreate | BatchForm
    sent: Sent

    def received(self, language: Language) -> Received:
        """The rows. Raises `file_unreadable`; what is wrong with rows the submission tells."""
        tell(JobStage.READING)
        if isinstance(self.body, BatchCreate):
            return _from_json(self.body, language)
        return _from_file(self.body, self.sent, language)


def given(sent: Sent) -> Given:
    """Parse what a maker sent. Raises where it does not fit the schema."""
    if sent.json is not None:
        return Given(_validated(lambda: BatchCreate.model_validate_json(sent.json or b"")), sent)
    return Given(_validated(lambda: BatchForm.model_validate(sent.form)), sent)


def _from_json(body: BatchCreate, language: Language) -> Received:
    layout = Layout(language)
    rows, errors = clean_rows([grant.row(place) for place, grant in enumerate(body.rows, start=1)], layout)
    submission = Submission(
        body.programme_id, rows, layout, body.declared_count, body.declared_total_fen, errors=tuple(errors)
    )
    return Received(submission, body.model_dump(mode="json", exclude={"dry_run"}), body.dry_run, None)


def _from_file(form: BatchForm, sent: Sent, language: Language) -> Received:
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
        sheet.errors,
    )
    command = form.model_dump(mode="json", exclude={"dry_run"}) | {"file_sha256": file_sha256}
    return Received(submission, command, form.dry_run, sheet)
