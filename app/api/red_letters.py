"""Red-letter invoices (红字发票) that come after the refund they belong to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.bills import InvoiceNumbers
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, ShownInstant
from app.api.keys import IdempotencyKey, created, do_once
from app.kernel.ids import require_region
from app.kernel.vocabulary import Role
from app.services.redemption.red_letter_recording import record_red_letter
from app.services.redemption.red_letters import RedInvoice

router = APIRouter(prefix="/v1/redemptions", tags=["redemptions"])

_ROUTE = "POST /v1/redemptions/{id}/refunds/{refund_id}/red-letter"


class RedLetterLineRead(Read):
    """A line of the invoice: what was taken off, and what it is worth now."""

    line_no: int
    amount_fen: int
    left_fen: Annotated[int, Field(description="At most so much of it can be claimed in all.")]


class RedLetterRead(Read):
    """A red-letter invoice recorded with its refund."""

    redemption_id: str
    refund_id: str
    code: str | None
    number: str
    lines: tuple[RedLetterLineRead, ...]
    recorded_at: ShownInstant


@router.post("/{redemption_id}/refunds/{refund_id}/red-letter", status_code=201, response_model=RedLetterRead)
def create_red_letter(
    redemption_id: AnyId,
    refund_id: AnyId,
    body: InvoiceNumbers,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Record the red-letter invoice of a refund that was made before it was issued.

    What the refund cancelled is taken off the invoice lines that its bill was billed on; the refund gave the subsidy
    back already. Where you have it when you refund, give it there as `red_letter`.
    """
    caller.require(Role.PROVIDER)
    region_code = require_region(redemption_id, what="redemption")
    red = RedInvoice(*body.read())
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route=_ROUTE,
        key=key,
        command={"redemption_id": redemption_id, "refund_id": refund_id, "red_letter": body.read()},
        work=lambda tx: record_red_letter(tx, caller=caller, redemption_id=redemption_id, refund_id=refund_id, red=red),
        render=lambda record: created(RedLetterRead.model_validate(record), f"{record.refund_id}/red-letter"),
    )
