"""Recoveries (追回): what payees have to pay back, and the receipt of the money."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, PositiveFen, Read, Reference, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import require_region
from app.kernel.vocabulary import RecoveryStatus, Role
from app.services.recoveries.reads import RecoveryRecord, list_recoveries, read_recovery
from app.services.recoveries.receipts import MAX_TOGETHER, Transfer, receive

router = APIRouter(prefix="/v1/recoveries", tags=["payments"])


class RecoveryRead(Read):
    """A recovery: recorded while a payment is under way, due once it has arrived, received, or a refund after all."""

    id: str
    refund_id: str
    redemption_id: str
    payee_id: str
    status: RecoveryStatus
    amount_fen: int
    treasury_fen: Annotated[
        int, Field(description="What of it went to the treasury, as the fiscal year of its pool was over.")
    ]
    bank_reference: str | None
    claim_entry_id: str | None
    receipt_entry_id: str | None
    refunded_as_id: Annotated[
        str | None, Field(description="The refund that it became, as the bank returned the payment.")
    ]
    recorded_at: ShownInstant
    ended_at: ShownInstant | None


class ReceiveBody(Wire):
    """The payee's money has come in, all of it."""

    bank_reference: Reference


class ReceiveTogetherBody(ReceiveBody):
    """One transfer that pays back several recoveries of one payee, each in full; `amount_fen` is their sum."""

    recovery_ids: Annotated[tuple[AnyId, ...], Field(min_length=1, max_length=MAX_TOGETHER)]
    amount_fen: PositiveFen


class ReceivedTogether(Read):
    """A transfer, and the recoveries that it paid back."""

    bank_reference: str
    amount_fen: int
    recoveries: tuple[RecoveryRead, ...]


def shown_recovery(record: RecoveryRecord) -> RecoveryRead:
    """A recovery on the wire."""
    return RecoveryRead.model_validate(record)


@router.get("")
def read_recoveries(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[RecoveryStatus | None, Query()] = None,
) -> Page[RecoveryRead]:
    """Recoveries within your reach, newest first. A payee sees its own."""
    records = service.database.transact(
        lambda tx: list_recoveries(tx, caller=caller, limit=limit + 1, before_id=cursor, status=status)
    )
    return page_of([shown_recovery(record) for record in records], limit)


@router.get("/{recovery_id}")
def read_one_recovery(recovery_id: AnyId, caller: CallerDep, service: ServiceDep) -> RecoveryRead:
    """One recovery."""
    return shown_recovery(
        service.database.transact(lambda tx: read_recovery(tx, caller=caller, recovery_id=recovery_id))
    )


@router.post("/{recovery_id}/receive", response_model=RecoveryRead)
def receive_recovery(
    recovery_id: AnyId,
    body: ReceiveBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Record that the payee has paid back. Within the fiscal year the pool has it again, later the treasury."""
    caller.require(Role.FINANCE)
    region_code = require_region(recovery_id, what="recovery")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/recoveries/{id}/receive",
        key=key,
        command={"recovery_id": recovery_id, **body.model_dump(mode="json")},
        work=lambda tx: receive(tx, caller=caller, transfer=Transfer(body.bank_reference, [recovery_id])),
        render=lambda records: created(shown_recovery(records[0]), records[0].id, status=200),
    )


@router.post(":receive", response_model=ReceivedTogether)
def receive_recoveries(
    body: ReceiveTogetherBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Record one transfer of a payee that pays back several recoveries. All or none; a reference counts once."""
    caller.require(Role.FINANCE)
    region_code = require_region(body.recovery_ids[0], what="recovery")

    def shown(records: list[RecoveryRecord]) -> ReceivedTogether:
        recoveries = tuple(shown_recovery(record) for record in records)
        return ReceivedTogether(bank_reference=body.bank_reference, amount_fen=body.amount_fen, recoveries=recoveries)

    transfer = Transfer(body.bank_reference, body.recovery_ids, body.amount_fen)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/recoveries:receive",
        key=key,
        command=body.model_dump(mode="json"),
        work=lambda tx: receive(tx, caller=caller, transfer=transfer),
        render=lambda records: created(shown(records), records[0].id, status=200),
    )
