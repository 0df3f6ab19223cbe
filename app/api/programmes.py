"""Programmes: draft, submit, publish by approval; providers, appropriations, budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.etags import IfMatch, etag
from app.api.fields import AnyId, Day, Instant, Read, Reason, RegionCode, ShownInstant, SignedFen, Title, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.reports import ExecutionRead, shown_execution
from app.kernel.ids import require_region
from app.kernel.rates import parse_decimal
from app.kernel.vocabulary import AdmissionStatus, ProgrammeStatus, Role, VoucherKind
from app.services.approvals.decisions import read_approval
from app.services.budgets.appropriations import request_appropriation
from app.services.budgets.execution import budget_of
from app.services.identity.principals import Caller
from app.services.programmes import programmes as services
from app.services.programmes.admissions import list_admissions, propose_admission, read_admission
from app.services.programmes.closing import request_close
from app.services.programmes.programmes import ProgrammeDraft
from app.services.programmes.suspensions import Step, request_step
from app.services.redemption.bills import UNIT_PRICE_DECIMALS
from app.services.redemption.grounds import ListedPrice
from app.services.rules.bill_checks import UnitName
from app.services.rules.model import Rules
from app.services.rules.parts import Slug
from app.sql import now

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])

MAX_PRICES = 200
"""Rows of one price list."""


def _unit_price(text: str) -> str:
    if not parse_decimal(text, max_decimals=UNIT_PRICE_DECIMALS, max_digits=18):
        raise ValueError("must be more than 0 / 须大于 0")
    return text


class ProgrammeBody(Wire):
    """A programme as a maker writes it down."""

    region_code: RegionCode
    authority_id: AnyId
    title: Title
    voucher_kind: VoucherKind
    fiscal_year: Annotated[int, Field(strict=True, ge=2000, le=2999)]
    opens_at: Instant
    closes_at: Instant
    document_no: Title
    rules: Rules
    effective_on: Annotated[Day | None, Field(description="From when the rules hold; default: opening day")] = None

    def draft(self) -> ProgrammeDraft:
        """The programme as the domain's value."""
        return ProgrammeDraft(**{name: getattr(self, name) for name in ProgrammeDraft.__slots__})


class ProgrammeRead(Read):
    """A programme."""

    id: str
    region_code: str
    authority_id: str
    title: str
    voucher_kind: VoucherKind
    fiscal_year: int
    opens_at: ShownInstant
    closes_at: ShownInstant
    document_no: str
    status: ProgrammeStatus
    version: int
    created_at: ShownInstant
    created_by: str


class PriceBody(Wire):
    """At most so much a unit. Of one category and unit the row of a card goes before the one for any card."""

    category: Slug
    unit: Annotated[UnitName, Field(examples=["card_hour"])]
    unit_price: Annotated[
        str, AfterValidator(_unit_price), Field(description="元, more than 0, a decimal string", examples=["18.50"])
    ]
    accelerator: Annotated[
        Slug | None, Field(description="With card_hour: for this card, a code of GET /v1/accelerators")
    ] = None


class AdmissionBody(Wire):
    """The service categories for which the provider is to be admitted, and its prices where a list was agreed."""

    categories: Annotated[list[Slug], Field(min_length=1, max_length=100)]
    prices: Annotated[
        list[PriceBody],
        Field(max_length=MAX_PRICES, description="The whole list; it takes the place of the one before"),
    ] = Field(default_factory=list)


class PriceRead(Read):
    """A row of the admitted price list."""

    category: str
    unit: str
    unit_price: str
    accelerator: str | None


class AdmissionRead(Read):
    """A provider's place in a programme."""

    programme_id: str
    provider_id: str
    provider_name: str
    categories: tuple[str, ...]
    prices: tuple[PriceRead, ...]
    status: AdmissionStatus
    version: int
    updated_at: ShownInstant


class AdmissionProposed(Read):
    """The admission as it stands, and the approval that waits."""

    admission: AdmissionRead
    approval: ApprovalRead


class ProgrammeSubmitted(Read):
    """The programme, and the approval that waits."""

    programme: ProgrammeRead
    approval: ApprovalRead


class AppropriationBody(Wire):
    """A grant of the finance bureau; a negative amount takes back what is still free."""

    document_no: Title
    amount_fen: SignedFen
    fund_source: Annotated[Slug | None, Field(description="May be left out where the rules know only one")] = None
    reason: Reason | None = None


class CloseBody(Wire):
    """Why it is to be done."""

    reason: Reason


@router.post("", status_code=201)
def create_programme(body: ProgrammeBody, caller: CallerDep, service: ServiceDep, response: Response) -> ProgrammeRead:
    """Write down a programme with its first rules, as a draft."""
    record = service.database.transact(lambda tx: services.create_programme(tx, caller=caller, draft=body.draft()))
    response.headers["ETag"] = etag(record.version)
    return ProgrammeRead.model_validate(record)


@router.get("")
def read_programmes(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
) -> Page[ProgrammeRead]:
    """Programmes, newest first: the published ones of everybody, drafts of your own authority."""
    records = service.database.transact(
        lambda tx: services.list_programmes(
            tx, caller=caller, limit=limit + 1, before_id=cursor, region_code=region_code
        )
    )
    return page_of([ProgrammeRead.model_validate(record) for record in records], limit)


@router.get("/{programme_id}")
def read_one_programme(
    programme_id: AnyId, caller: CallerDep, service: ServiceDep, response: Response
) -> ProgrammeRead:
    """One programme; its ETag is what a change needs."""
    record = service.database.transact(lambda tx: services.read_programme(tx, caller=caller, programme_id=programme_id))
    response.headers["ETag"] = etag(record.version)
    return ProgrammeRead.model_validate(record)


@router.patch("/{programme_id}")
def change_programme(
    programme_id: AnyId,
    body: ProgrammeBody,
    caller: CallerDep,
    version: IfMatch,
    service: ServiceDep,
    response: Response,
) -> ProgrammeRead:
    """Rewrite a draft. Once submitted, it has to be rejected first."""
    record = service.database.transact(
        lambda tx: services.change_programme(
            tx, caller=caller, programme_id=programme_id, version=version, draft=body.draft()
        )
    )
    response.headers["ETag"] = etag(record.version)
    return ProgrammeRead.model_validate(record)


@router.post("/{programme_id}/submit", status_code=202)
def submit_programme(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> ProgrammeSubmitted:
    """Ask a checker to publish the draft."""

    def work(tx: Any) -> ProgrammeSubmitted:
        programme, approval_id = services.submit_programme(tx, caller=caller, programme_id=programme_id)
        approval = read_approval(tx, caller=caller, approval_id=approval_id)
        return ProgrammeSubmitted(programme=ProgrammeRead.model_validate(programme), approval=shown_approval(approval))

    return service.database.transact(work)


@router.post("/{programme_id}/pause")
def pause_programme(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> ProgrammeRead:
    """Stop redemptions and issuing at once. One person does it, for it moves nothing; going on again takes two."""
    return ProgrammeRead.model_validate(
        service.database.transact(lambda tx: services.pause_programme(tx, caller=caller, programme_id=programme_id))
    )


@router.post("/{programme_id}/resume", status_code=202)
def resume_programme(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> ApprovalRead:
    """Ask a checker that a paused programme may go on."""
    return shown_approval(
        service.database.transact(
            lambda tx: read_approval(
                tx,
                caller=caller,
                approval_id=services.request_resume(tx, caller=caller, programme_id=programme_id),
            )
        )
    )


@router.post("/{programme_id}/close", status_code=202, response_model=ApprovalRead)
def close_programme(
    programme_id: AnyId,
    body: CloseBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker to close the programme for good: nothing more is issued, what is out is used and paid as before."""
    return _asked(
        service,
        request,
        caller,
        programme_id,
        key,
        route="POST /v1/programmes/{id}/close",
        command={"programme_id": programme_id, "reason": body.reason},
        ask=lambda tx: request_close(tx, caller=caller, programme_id=programme_id, reason=body.reason),
    )


@router.post("/{programme_id}/providers/{provider_id}/{step}", status_code=202, response_model=ApprovalRead)
def change_admission(
    programme_id: AnyId,
    provider_id: AnyId,
    step: Step,
    body: CloseBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker to suspend a provider in the programme, to resume it, or to delist it.

    Not listed, it makes no new hold and redeems nothing in one step. Whether it may still bill what it holds, and is
    paid what it is owed, the programme's rules say (`suspension`).
    """
    return _asked(
        service,
        request,
        caller,
        programme_id,
        key,
        route=f"POST /v1/programmes/{{id}}/providers/{{id}}/{step}",
        command={"programme_id": programme_id, "provider_id": provider_id, "reason": body.reason},
        ask=lambda tx: request_step(
            tx, caller=caller, programme_id=programme_id, provider_id=provider_id, step=step, reason=body.reason
        ),
    )


@router.put("/{programme_id}/providers/{provider_id}", status_code=202)
def admit_provider(
    programme_id: AnyId, provider_id: AnyId, body: AdmissionBody, caller: CallerDep, service: ServiceDep
) -> AdmissionProposed:
    """Ask a checker to list a provider, or to change its categories and price list."""

    def work(tx: Any) -> AdmissionProposed:
        admission, approval_id = propose_admission(
            tx,
            caller=caller,
            programme_id=programme_id,
            provider_id=provider_id,
            categories=body.categories,
            prices=[ListedPrice(**row.model_dump()) for row in body.prices],
        )
        approval = read_approval(tx, caller=caller, approval_id=approval_id)
        return AdmissionProposed(admission=AdmissionRead.model_validate(admission), approval=shown_approval(approval))

    return service.database.transact(work)


@router.get("/{programme_id}/providers")
def read_admissions(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[AdmissionRead]:
    """The providers of a programme."""
    records = service.database.transact(lambda tx: list_admissions(tx, caller=caller, programme_id=programme_id))
    return [AdmissionRead.model_validate(record) for record in records]


@router.get("/{programme_id}/providers/{provider_id}")
def read_one_admission(
    programme_id: AnyId, provider_id: AnyId, caller: CallerDep, service: ServiceDep
) -> AdmissionRead:
    """One provider's admission."""
    return AdmissionRead.model_validate(
        service.database.transact(
            lambda tx: read_admission(tx, caller=caller, programme_id=programme_id, provider_id=provider_id)
        )
    )


@router.get("/{programme_id}/budget")
def read_budget(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> ExecutionRead:
    """The accounts of the programme's pools and the execution rate."""
    rows, at = service.database.transact(lambda tx: (budget_of(tx, caller=caller, programme_id=programme_id), now(tx)))
    return shown_execution(rows, caller, at=at)


@router.post("/{programme_id}/appropriations", status_code=202, response_model=ApprovalRead)
def create_appropriation(
    programme_id: AnyId,
    body: AppropriationBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask another person of finance to grant money to the programme, or to take it back."""
    caller.require(Role.FINANCE)
    region_code = require_region(programme_id, what="programme")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/programmes/{id}/appropriations",
        key=key,
        command={"programme_id": programme_id, **body.model_dump(mode="json")},
        work=lambda tx: read_approval(
            tx,
            caller=caller,
            approval_id=request_appropriation(
                tx,
                caller=caller,
                programme_id=programme_id,
                document_no=body.document_no,
                amount_fen=body.amount_fen,
                fund_source=body.fund_source,
                reason=body.reason,
            ),
        ),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )


def _asked(
    service: Service,
    request: Request,
    caller: Caller,
    programme_id: str,
    key: str,
    *,
    route: str,
    command: Mapping[str, Any],
    ask: Callable[[Connection], str],
) -> Response:
    """Ask once under the key for what a maker wants of a programme; the answer is the approval that waits."""
    caller.require(Role.MAKER)
    region_code = require_region(programme_id, what="programme")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route=route,
        key=key,
        command=command,
        work=lambda tx: read_approval(tx, caller=caller, approval_id=ask(tx)),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )
