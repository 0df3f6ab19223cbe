"""Vouchers: reading, the provider's check before work, freezing and voiding, and the firm's mandates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.bills import VoucherCode
from app.api.context import Service, ServiceDep
from app.api.edges.rates import count_voucher_from_thread
from app.api.fields import AnyId, Day, Instant, PositiveFen, Read, Reason, ShownInstant, Title, Wire, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.payment_codes import PaymentCodeText
from app.api.redemptions import given_code
from app.api.void_grounds import VoidGrounds
from app.kernel.codes import format_code, region_of_code
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ExtensionGround, Role, VoucherStatus
from app.services.approvals.decisions import read_approval
from app.services.identity.principals import Caller
from app.services.redemption.shown_codes import consent_shown
from app.services.vouchers import mandates as mandate_services
from app.services.vouchers.extending import Wanted
from app.services.vouchers.extensions import list_extensions
from app.services.vouchers.lifecycle import surrender
from app.services.vouchers.mandates import MandateRecord
from app.services.vouchers.official_acts import Act, OfficialAct, request_act
from app.services.vouchers.reads import CodeConsent, VoucherRecord, check, list_vouchers, movements, read_voucher
from app.sql import now

router = APIRouter(prefix="/v1/vouchers", tags=["vouchers"])


class VoucherRead(Read):
    """A voucher with its counters in fen; `status` is as of the moment of the answer."""

    id: str
    region_code: str
    code: str
    programme_id: str
    programme_title: str
    voucher_kind: str
    firm_id: str
    firm_name: str
    status: VoucherStatus
    face_value_fen: int
    balance_fen: int
    held_fen: int
    redeemed_fen: int
    recovered_fen: int
    expired_fen: int
    voided_fen: int
    surrendered_fen: int
    valid_from: ShownInstant
    valid_until: ShownInstant
    redeemable_until: ShownInstant
    issued_at: ShownInstant
    frozen_at: ShownInstant | None
    ended_at: ShownInstant | None
    application_id: Annotated[str | None, Field(description="The application that it was granted for")]


class MovementRead(Read):
    """One posting on a voucher; `change_fen` is what it did to the balance, `balance_fen` what was left."""

    voucher_seq: int
    at: ShownInstant
    kind: str
    source: str
    destination: str
    amount_fen: int
    change_fen: int
    balance_fen: int
    entry_id: str
    subject_id: str
    pool_id: str
    payee_id: str | None


class CheckBody(Wire):
    """Ask whether a code is usable here."""

    voucher_code: VoucherCode
    payment_code: PaymentCodeText | None = None


class CheckRead(Read):
    """What a provider may know before work, with the firm's consent: the payment code that it shows, or a mandate."""

    voucher_id: str
    status: VoucherStatus
    firm_name: str
    programme_id: str
    programme_title: str
    categories: tuple[str, ...]
    balance_fen: int
    drawable_fen: int
    valid_from: ShownInstant
    valid_until: ShownInstant
    mandate_until: Annotated[ShownInstant | None, Field(description="Null where a payment code is the consent.")]
    payment_code_until: Annotated[ShownInstant | None, Field(description="Null where a mandate is the consent.")]


class ActBody(Wire):
    """Why it is to be done."""

    reason: Reason


class VoidBody(ActBody, VoidGrounds):
    """Why it is to be voided, in a sentence and, so that it can be counted, as a word."""


class ExtendBody(ActBody):
    """A new last day, or so many days more. Beyond what the rules allow it is an exception and needs a document."""

    last_day: Annotated[Day | None, Field(description="The new last day on which it is valid")] = None
    days: Annotated[int | None, Field(strict=True, ge=1, le=3660, description="Days more than now")] = None
    exception_document_no: Annotated[
        Title | None, Field(description="The document that grants an exception; without it the rules must allow it")
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ExtendBody:
        if (self.last_day is None) == (self.days is None):
            given = int(self.last_day is not None) + int(self.days is not None)
            raise wrong("give_one", "last_day", limit="last_day, days", actual=given)
        return self

    def wanted(self) -> Wanted:
        """The extension as the domain's value."""
        return Wanted(self.last_day, self.days, self.exception_document_no)


class ExtensionRead(Read):
    """A voucher made valid longer; `ground` says by what: the rules, an exception, or a freeze."""

    number: int
    ground: ExtensionGround
    valid_until_before: ShownInstant
    redeemable_until_before: ShownInstant
    valid_until: ShownInstant
    redeemable_until: ShownInstant
    document_no: str | None
    approval_id: str
    extended_at: ShownInstant


class MandateCreate(Wire):
    """Let a provider draw up to `limit_fen` in all; without `valid_until`, as long as the voucher is valid."""

    provider_id: AnyId
    limit_fen: PositiveFen
    valid_until: Instant | None = None
    note: Annotated[Title | None, Field(description="For your own records.")] = None


class MandateRead(Read):
    """A standing consent; `used_fen` is net of refunds."""

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    used_fen: int
    valid_until: ShownInstant
    granted_at: ShownInstant
    revoked_at: ShownInstant | None


def shown_voucher(record: VoucherRecord) -> VoucherRead:
    """A voucher on the wire, its code grouped for reading."""
    values = {name: getattr(record, name) for name in VoucherRead.model_fields}
    return VoucherRead(**values | {"code": format_code(record.code)})


def _shown_mandate(record: MandateRecord) -> MandateRead:
    return MandateRead.model_validate(record)


@router.get("")
def read_vouchers(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
    firm_id: Annotated[AnyId | None, Query()] = None,
    expiring_within_days: Annotated[
        int | None, Query(ge=1, le=366, description="Only those of which a balance would expire so soon")
    ] = None,
) -> Page[VoucherRead]:
    """Vouchers within your reach, newest first: a firm's own, an official's by region and authority."""
    records = service.database.transact(
        lambda tx: list_vouchers(
            tx,
            caller=caller,
            at=now(tx),
            limit=limit + 1,
            before_id=cursor,
            programme_id=programme_id,
            firm_id=firm_id,
            expiring_within_days=expiring_within_days,
        )
    )
    return page_of([shown_voucher(record) for record in records], limit)


@router.post("/check")
def check_voucher(body: CheckBody, caller: CallerDep, service: ServiceDep, request: Request) -> CheckRead:
    """Before work: is this code usable here, by whom, until when, up to what.

    A payment code that is shown here stays unused.
    """
    code = body.voucher_code
    count_voucher_from_thread(request, service.rates, code)
    given = given_code(body.payment_code, code, caller, service.payment_secrets)
    shown = consent_shown(service.database, caller=caller, voucher_code=code, given=given) if given else None
    consent = CodeConsent(shown.limit_fen, shown.valid_until) if shown else None
    usability = service.database.transact(
        lambda tx: check(
            tx, caller=caller, region_code=region_of_code(code), code=code, at=now(tx), payment_code=consent
        )
    )
    return CheckRead.model_validate(usability)


@router.get("/{voucher_id}")
def read_one_voucher(voucher_id: AnyId, caller: CallerDep, service: ServiceDep) -> VoucherRead:
    """One voucher with its counters."""
    return shown_voucher(
        service.database.transact(lambda tx: read_voucher(tx, caller=caller, voucher_id=voucher_id, at=now(tx)))
    )


@router.get("/{voucher_id}/movements")
def read_movements(voucher_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[MovementRead]:
    """Everything that moved on a voucher, oldest first, with the running balance."""
    shown = service.database.transact(lambda tx: movements(tx, caller=caller, voucher_id=voucher_id, at=now(tx)))
    return [MovementRead.model_validate(movement) for movement in shown]


@router.post("/{voucher_id}/freeze", status_code=202, response_model=ApprovalRead)
def freeze(
    voucher_id: AnyId, body: ActBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to freeze a voucher: nothing can be drawn then, what is redeemed is paid."""
    return _ask(service, request, caller, voucher_id, OfficialAct(Act.FREEZE, body.reason), key)


@router.post("/{voucher_id}/unfreeze", status_code=202, response_model=ApprovalRead)
def unfreeze(
    voucher_id: AnyId, body: ActBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to lift a freeze."""
    return _ask(service, request, caller, voucher_id, OfficialAct(Act.UNFREEZE, body.reason), key)


@router.post("/{voucher_id}/void", status_code=202, response_model=ApprovalRead)
def void(
    voucher_id: AnyId, body: VoidBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to void a voucher: its balance goes back to the pool, and what is held on it with it.

    Where firm and provider are related (`related_party`), name the provider and the evidence with its hash. The links
    on record and what was redeemed there are found and shown to the checker, and stand in the entry; refused where
    nothing on record relates them (`relation_not_on_record`). What was redeemed is claimed back apart.
    """
    return _ask(service, request, caller, voucher_id, OfficialAct(Act.VOID, body.reason, grounds=body.grounds()), key)


@router.post("/{voucher_id}/extend", status_code=202, response_model=ApprovalRead)
def extend(
    voucher_id: AnyId, body: ExtendBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to make a voucher valid longer: within what its rules allow, or as an exception.

    One that has expired stays so, whether or not its money has moved back. Mandates end when they did before.
    """
    return _ask(service, request, caller, voucher_id, OfficialAct(Act.EXTEND, body.reason, body.wanted()), key)


@router.get("/{voucher_id}/extensions")
def read_extensions(voucher_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[ExtensionRead]:
    """How often a voucher was made valid longer, the first time first; each of them is sealed in the log."""
    records = service.database.transact(
        lambda tx: list_extensions(tx, caller=caller, voucher_id=voucher_id, at=now(tx))
    )
    return [ExtensionRead.model_validate(record) for record in records]


@router.post("/{voucher_id}/surrender", response_model=VoucherRead)
def surrender_voucher(
    voucher_id: AnyId, body: ActBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Give your own voucher back: what is left returns to the pool, what was redeemed is paid. There is no undoing.

    Refused while a provider holds part of it (`holds_open`), and while it is frozen (`voucher_frozen`).
    """
    caller.require(Role.FIRM)
    region_code = region_of(voucher_id)
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/vouchers/{id}/surrender",
        key=key,
        command={"voucher_id": voucher_id, "reason": body.reason},
        work=lambda tx: surrender(tx, caller=caller, voucher_id=voucher_id, reason=body.reason),
        render=lambda record: created(shown_voucher(record), record.id, status=200),
    )


@router.post("/{voucher_id}/mandates", status_code=201)
def grant_mandate(voucher_id: AnyId, body: MandateCreate, caller: CallerDep, service: ServiceDep) -> MandateRead:
    """Let a provider draw on your voucher up to a limit."""
    return _shown_mandate(
        service.database.transact(
            lambda tx: mandate_services.grant_mandate(
                tx,
                caller=caller,
                voucher_id=voucher_id,
                provider_id=body.provider_id,
                limit_fen=body.limit_fen,
                valid_until=body.valid_until,
                note=body.note,
            )
        )
    )


@router.get("/{voucher_id}/mandates")
def read_mandates(voucher_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[MandateRead]:
    """The mandates of a voucher, newest first."""
    records = service.database.transact(
        lambda tx: mandate_services.list_mandates(tx, caller=caller, voucher_id=voucher_id, at=now(tx))
    )
    return [_shown_mandate(record) for record in records]


@router.delete("/{voucher_id}/mandates/{mandate_id}")
def withdraw_mandate(voucher_id: AnyId, mandate_id: AnyId, caller: CallerDep, service: ServiceDep) -> MandateRead:
    """Withdraw a mandate at once; what was drawn under it stays."""
    return _shown_mandate(
        service.database.transact(
            lambda tx: mandate_services.withdraw_mandate(
                tx, caller=caller, voucher_id=voucher_id, mandate_id=mandate_id
            )
        )
    )


def _ask(service: Service, request: Request, caller: Caller, voucher_id: str, asked: OfficialAct, key: str) -> Response:
    caller.require(Role.MAKER)
    region_code = region_of(voucher_id)
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route=f"POST /v1/vouchers/{{id}}/{asked.act}",
        key=key,
        command={"voucher_id": voucher_id, **asked.command()},
        work=lambda tx: read_approval(
            tx, caller=caller, approval_id=request_act(tx, caller=caller, voucher_id=voucher_id, asked=asked)
        ),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )
