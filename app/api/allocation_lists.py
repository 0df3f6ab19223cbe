"""Allocation lists (分配名单) as .xlsx or CSV: frozen as a round's list or only checked; template, annotated copy."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BeforeValidator, Field, model_validator

from app.api.allocation_bodies import Announcement, DrawsAt, RoundProposed, SeedFormat, proposed
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Title, Wire
from app.api.issuance_bodies import FormCount, FormFen, digits
from app.api.keys import IdempotencyKey, created, do_once
from app.api.period_files import read_form, request_body
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.ids import require_region
from app.kernel.money import MAX_FEN
from app.kernel.vocabulary import Role
from app.services.allocation.freezing import RoundRequest, SentFile, find_complaints, freeze_round, list_form
from app.services.allocation.listing import Draw
from app.services.allocation.sheet import ListSheet, read_list_sheet
from app.services.issuance.annotated import write_annotated
from app.services.issuance.template import write_template

router = APIRouter(prefix="/v1/programmes/{programme_id}/allocation-lists", tags=["allocation"])


class AllocationListForm(Wire):
    """What is said about the list, which is the part `file`. Of a lottery the three about its seed are needed."""

    title: Title
    declared_count: FormCount
    declared_total_fen: FormFen
    budget_fen: Annotated[
        Annotated[int, Field(ge=0, le=MAX_FEN), BeforeValidator(digits)] | None,
        Field(description="What the round gives out at most; default: all there is"),
    ] = None
    announcement: Announcement | None = None
    seed_format: SeedFormat | None = None
    draws_at: DrawsAt | None = None
    dry_run: Annotated[bool, Field(description="Only say what would come of it; nothing is kept")] = False

    @model_validator(mode="after")
    def _all_of_a_draw(self) -> AllocationListForm:
        if len({self.announcement is None, self.seed_format is None, self.draws_at is None}) > 1:
            raise ValueError(
                "announcement, seed_format and draws_at go together / announcement、seed_format 与 draws_at 须同时填写"
            )
        return self

    def announced(self) -> Draw | None:
        """How the seed is announced."""
        if self.announcement is None or self.seed_format is None or self.draws_at is None:
            return None
        return Draw(self.announcement, self.seed_format, self.draws_at)


async def _sent(request: Request, caller: CallerDep) -> tuple[AllocationListForm, bytes, str]:
    """The form and its file; only a maker's is read at all."""
    caller.require(Role.MAKER)
    return await read_form(request, AllocationListForm)


Sent = Annotated[tuple[AllocationListForm, bytes, str], Depends(_sent)]


@router.post(
    "",
    status_code=201,
    response_model=RoundProposed,
    responses={200: {"model": RoundProposed, "description": "What would come of it (`dry_run`)"}},
    openapi_extra={"requestBody": request_body(AllocationListForm)},
)
def freeze_list(
    programme_id: AnyId, sent: Sent, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Freeze a list of candidates from a sheet, in its order. All or nothing; every error by row and column.

    Its columns are those that the rules' way of allocating asks for. The same file twice freezes nothing twice.
    """
    form, data, _ = sent
    region_code = require_region(programme_id, what="programme")
    asked, _ = _asked(programme_id, form, data, request)
    assert asked.file is not None, "it came as one"
    if form.dry_run:
        report = service.database.transact(lambda tx: freeze_round(tx, caller=caller, request=asked, dry_run=True))
        return Response(proposed(report, kept=False).model_dump_json(), media_type="application/json")
    said = form.model_dump(mode="json", exclude={"dry_run"})
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/programmes/{id}/allocation-lists",
        key=key,
        command={"programme_id": programme_id, "file_sha256": asked.file.sha256} | said,
        work=lambda tx: freeze_round(tx, caller=caller, request=asked, dry_run=False),
        render=lambda report: created(proposed(report, kept=True), report.frozen.round_id),
    )


@router.post(
    "/annotated-sheet",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}}},
    openapi_extra={"requestBody": request_body(AllocationListForm)},
)
def annotate_list(
    programme_id: AnyId, sent: Sent, caller: CallerDep, service: ServiceDep, request: Request
) -> Response:
    """The list as an .xlsx in which every error stands beside its row, to be corrected and sent again.

    The same form and the same checks of the list as for freezing it; nothing is kept.
    """
    form, data, _ = sent
    require_region(programme_id, what="programme")
    asked, listed = _asked(programme_id, form, data, request)
    errors = service.database.transact(lambda tx: find_complaints(tx, caller=caller, request=asked))
    return xlsx_response(write_annotated(listed.sheet, errors), "voucher-allocation-annotated.xlsx")


@router.get("/template", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_list_template(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> Response:
    """The empty list with its explanations: the columns that the programme's rules in force ask for, and no others."""
    require_region(programme_id, what="programme")
    form = service.database.transact(lambda tx: list_form(tx, caller=caller, programme_id=programme_id))
    return xlsx_response(write_template(form), "voucher-allocation.xlsx")


def _asked(
    programme_id: str, form: AllocationListForm, data: bytes, request: Request
) -> tuple[RoundRequest, ListSheet]:
    listed = read_list_sheet(data, language=language_of(request))
    asked = RoundRequest(
        programme_id,
        form.title,
        form.budget_fen,
        form.announced(),
        listed.rows,
        listed.sheet.layout,
        listed.sheet.errors,
        SentFile(hashlib.sha256(data).hexdigest(), form.declared_count, form.declared_total_fen),
    )
    return asked, listed
