"""Holds: part of a voucher reserved before work, redeemed in parts, released or expired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.bills import BillBody, VoucherCode
from app.api.context import ServiceDep
from app.api.edges.rates import count_voucher
from app.api.fields import AnyId, Instant, Read, Reference, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.payment_codes import PaymentCodeText
from app.api.problems import refusal_renderer, response
from app.api.receipts import ReceiptRead
from app.api.redemptions import given_code
from app.kernel.codes import region_of_code
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import HoldStatus, Role
from app.services.idempotency import Answer
from app.services.redemption.commands import HoldRecord, PlaceHold
from app.services.redemption.decisions import Asked
from app.services.redemption.holds.reads import list_holds, read_hold
from app.services.redemption.holds.running import extend, release
from app.services.redemption.holds.states import status_of
from app.services.rules.stated import Values
from app.services.sealing.receipts import Receipts
from app.sql import now

router = APIRouter(prefix="/v1/holds", tags=["holds"])


class HoldCreate(Wire):
    """Reserve what a bill to come will draw: the bill as it is expected."""

    voucher_code: VoucherCode
    payment_code: PaymentCodeText | None = None
    hold_no: Annotated[Reference, Field(description="Your own number of this hold; taken once, for ever.")]
    bill: BillBody
    claim: Annotated[
        Values,
        Field(description="Facts that the programme's rules ask the claimant for, such as contract_signed_on."),
    ] = Field(default_factory=dict)
    expires_at: Annotated[
        Instant | None,
        Field(description="Exclusive; by default as long as the rules (use.hold_days) and the voucher allow."),
    ] = None


class HoldExtend(Wire):
    """Let a hold run longer."""

    expires_at: Annotated[
        Instant | None, Field(description="Exclusive; by default as long from now as rules and voucher allow.")
    ] = None


class HoldRead(Read):
    """A hold. `subsidy_fen` = `held_fen` + `redeemed_fen` + `released_fen`; refunds go to the voucher."""

    id: str
    region_code: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: Annotated[str | None, Field(description="The firm's consent: this or a payment code.")]
    payment_code_id: str | None
    hold_no: str
    status: Annotated[HoldStatus, Field(description="At this instant: past `expires_at` it is expired.")]
    bill_total_fen: int
    subsidy_fen: Annotated[int, Field(description="What was reserved when it was made")]
    firm_pays_fen: int
    held_fen: int
    redeemed_fen: int
    released_fen: int
    rule_version_id: str
    entry_id: str
    held_at: ShownInstant
    expires_at: Annotated[ShownInstant, Field(description="Exclusive. While the voucher is frozen the clock stands.")]
    ended_at: ShownInstant | None
    bill: dict[str, Any]
    provider_categories: list[str]
    receipt: Annotated[ReceiptRead | None, Field(description="Of the entry that made it.")]
    trace: dict[str, Any]


def _shown(record: HoldRecord, at: datetime, receipts: Receipts) -> HoldRead:
    values = {name: getattr(record, name) for name in HoldRecord.__slots__}
    facts = orjson.loads(record.facts)
    return HoldRead(
        **values
        | {
            "status": status_of(record.status, record.expires_at, at=at, frozen_at=record.frozen_at),
            "subsidy_fen": record.amount_fen,
            "firm_pays_fen": record.bill_total_fen - record.amount_fen,
            "bill": facts["bill"],
            "provider_categories": facts["provider_categories"],
            "receipt": receipts.receipt(
                region_code=record.region_code, entry_id=record.entry_id, leaf=record.leaf, at=record.held_at
            ),
            "trace": orjson.loads(record.trace),
        }
    )


def _renderer(receipts: Receipts) -> Callable[[HoldRecord], Answer]:
    return lambda record: created(_shown(record, record.held_at, receipts), record.id)


@router.post("", status_code=201, response_model=HoldRead)
async def create_hold(
    body: HoldCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Reserve part of a voucher before work. Redeem from it with `hold_id`, in as many bills as you like."""
    caller.require(Role.PROVIDER)
    await count_voucher(request.scope, service.rates, body.voucher_code)
    command = PlaceHold(
        caller=caller,
        provider_id=caller.organisation_id,
        region_code=region_of_code(body.voucher_code),
        voucher_code=body.voucher_code,
        hold_no=body.hold_no,
        expires_at=body.expires_at,
        payment_code=given_code(body.payment_code, body.voucher_code, caller, service.payment_secrets),
        asked=Asked(body.bill.bill(), body.claim),
        key=key,
        render=_renderer(service.receipts),
        render_refusal=refusal_renderer(request),
    )
    return response(await service.desk.submit(command))


@router.get("", response_model=Page[HoldRead])
def read_holds(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    hold_no: Annotated[Reference | None, Query()] = None,
    voucher_id: Annotated[AnyId | None, Query()] = None,
    status: Annotated[HoldStatus | None, Query()] = None,
) -> Page[HoldRead]:
    """Holds within your reach, newest first. Providers find their own by `hold_no`."""

    def work(tx: Any) -> list[HoldRead]:
        at = now(tx)
        records = list_holds(
            tx,
            caller=caller,
            limit=limit + 1,
            before_id=cursor,
            hold_no=hold_no,
            voucher_id=voucher_id,
            status=status,
            at=at,
        )
        return [_shown(record, at, service.receipts) for record in records]

    return page_of(service.database.transact(work), limit)


@router.get("/{hold_id}")
def read_one_hold(hold_id: AnyId, caller: CallerDep, service: ServiceDep) -> HoldRead:
    """One hold with its bill and trace."""
    return service.database.transact(
        lambda tx: _shown(read_hold(tx, caller=caller, hold_id=hold_id), now(tx), service.receipts)
    )


@router.post("/{hold_id}/release", response_model=HoldRead)
def release_hold(
    hold_id: AnyId, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Give back what the hold still holds. What was redeemed from it stays."""
    caller.require(Role.PROVIDER)
    region_code = region_of(hold_id)
    if region_code is None:
        raise AppError(Code.HOLD_NOT_FOUND)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/holds/{id}/release",
        key=key,
        command={"hold_id": hold_id},
        work=lambda tx: (release(tx, caller=caller, hold_id=hold_id), now(tx)),
        render=lambda done: created(_shown(*done, service.receipts), done[0].id, status=200),
    )


@router.post("/{hold_id}/extend")
def extend_hold(hold_id: AnyId, body: HoldExtend, caller: CallerDep, service: ServiceDep) -> HoldRead:
    """Let the hold run longer, at most as long from now as the rules allow. It never runs shorter than before."""
    caller.require(Role.PROVIDER)
    return service.database.transact(
        lambda tx: _shown(
            extend(tx, caller=caller, hold_id=hold_id, expires_at=body.expires_at), now(tx), service.receipts
        )
    )
