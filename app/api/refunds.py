"""Refunds: what is cancelled of a bill, and where its subsidy goes back to."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from app.api.authentication import CallerDep
from app.api.bills import InvoiceNumbers
from app.api.context import ServiceDep
from app.api.fields import AnyId, PositiveFen, Read, Reason, ShownInstant, Wire, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.api.receipts import ReceiptRead
from app.api.recoveries import RecoveryRead, shown_recovery
from app.api.redemptions import RedemptionRead, shown
from app.kernel.ids import region_of, require_region
from app.kernel.vocabulary import Role
from app.services.redemption.reads import RefundRecord, list_refunds
from app.services.redemption.red_letters import RedInvoice
from app.services.redemption.refund_lines import RefundLine
from app.services.redemption.refunds import refund
from app.services.sealing.receipts import Receipts

router = APIRouter(prefix="/v1/redemptions", tags=["redemptions"])


class RefundLineBody(Wire):
    """How much of one line of the bill is cancelled; lines count from 1."""

    line: Annotated[int, Field(strict=True, ge=1, le=200)]
    amount_fen: PositiveFen


class RefundCreate(Wire):
    """Cancel part of a bill: by line, or by amount where there is no doubt which line is meant."""

    amount_fen: PositiveFen | None = None
    lines: Annotated[tuple[RefundLineBody, ...], Field(max_length=200)] = ()
    reason: Reason
    red_letter: Annotated[
        InvoiceNumbers | None,
        Field(
            description="The red-letter invoice (红字发票) of what is cancelled: it takes as much off the invoice lines"
            " that these lines were billed on, which have to be lines of one invoice."
        ),
    ] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> RefundCreate:
        given = (self.amount_fen is not None) + bool(self.lines)
        if given != 1:
            raise wrong("give_one", "amount_fen", limit="amount_fen, lines", actual=given)
        return self


class RefundRead(Read):
    """A refund: what left the bill, and what went back to the voucher, or is to be paid back by the payee."""

    id: str
    redemption_id: str
    because_of_id: Annotated[
        str | None,
        Field(
            description="The refund of another redemption of the same hold, which took from this one too;"
            " or the one whose recovery became this one, as the bank returned the payment."
        ),
    ]
    bill_refund_fen: int
    subsidy_refund_fen: int
    recovered_fen: Annotated[
        int, Field(description="What is to be paid back, or was, because the money had been sent already.")
    ]
    recovery: RecoveryRead | None
    reason: str
    entry_id: str | None
    refunded_at: ShownInstant
    receipt: Annotated[
        ReceiptRead | None,
        Field(
            description="Of `entry_id`; where money that was paid is claimed, of the claim (`recovery.claim_entry_id`)."
            " Null where nothing was posted, and while the bank has not answered."
        ),
    ]
    trace: dict[str, Any]


class RefundCreated(Read):
    """The refund, and the redemption as it stands after it.

    The bills of a hold are one position: what goes back beyond this redemption's own subsidy is taken from the others.
    """

    refund: RefundRead
    also: Annotated[list[RefundRead], Field(description="What other redemptions of the same hold gave back.")]
    redemption: RedemptionRead


def _shown_refund(record: RefundRecord, receipts: Receipts) -> RefundRead:
    values = {name: getattr(record, name) for name in RefundRecord.__slots__}
    receipt = _refund_receipt(record, receipts)
    recovery = shown_recovery(record.recovery) if record.recovery else None
    told = {"trace": orjson.loads(record.trace), "recovered_fen": record.recovered_fen}
    return RefundRead(**values | told | {"recovery": recovery, "receipt": receipt})


def _refund_receipt(record: RefundRecord, receipts: Receipts) -> dict[str, str] | None:
    """Of the entry that gave the money back, or claimed it: a refund has one of them, or none yet."""
    region_code = region_of(record.redemption_id) or ""
    entry_id, leaf, at = record.entry_id, record.leaf, record.refunded_at
    recovery = record.recovery
    if recovery is not None and recovery.claimed_at is not None:
        entry_id, leaf, at = recovery.claim_entry_id, recovery.claim_leaf, recovery.claimed_at
    return receipts.receipt(region_code=region_code, entry_id=entry_id, leaf=leaf, at=at)


def _command(body: RefundCreate) -> dict[str, Any]:
    """What makes two requests the same; however the invoice's numbers were typed."""
    command = body.model_dump(mode="json", exclude={"red_letter"})
    return command | ({"red_letter": body.red_letter.read()} if body.red_letter else {})


@router.post("/{redemption_id}/refunds", status_code=201, response_model=RefundCreated)
def create_refund(
    redemption_id: AnyId,
    body: RefundCreate,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Cancel part of a bill; the subsidy of the whole position is computed anew.

    What is then too much goes back to the voucher. Where it has been sent to the bank already, it is recovered instead:
    once the payment has arrived you owe it, and where the bank returns the payment it goes back after all.
    """
    caller.require(Role.PROVIDER)
    lines = [RefundLine(line.line, line.amount_fen) for line in body.lines]
    region_code = require_region(redemption_id, what="redemption")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/redemptions/{id}/refunds",
        key=key,
        command={"redemption_id": redemption_id, **_command(body)},
        work=lambda tx: refund(
            tx,
            caller=caller,
            redemption_id=redemption_id,
            amount_fen=body.amount_fen,
            lines=lines,
            reason=body.reason,
            red_letter=RedInvoice(*body.red_letter.read()) if body.red_letter else None,
        ),
        render=lambda done: created(
            RefundCreated(
                refund=_shown_refund(done[0][0], service.receipts),
                also=[_shown_refund(other, service.receipts) for other in done[0][1:]],
                redemption=shown(done[1], service.receipts),
            ),
            done[0][0].id,
        ),
    )


@router.get("/{redemption_id}/refunds")
def read_refunds(redemption_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[RefundRead]:
    """The refunds of a redemption, oldest first."""
    records = service.database.transact(lambda tx: list_refunds(tx, caller=caller, redemption_id=redemption_id))
    return [_shown_refund(record, service.receipts) for record in records]
