"""Payment orders: proposed by a maker, approved by finance, answered by the bank."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, Reason, Reference, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import require_region
from app.kernel.vocabulary import PaymentItemStatus, PaymentOrderStatus, PaymentResultKind, Role
from app.services.payments.orders import MAX_ITEMS, request_payment_order
from app.services.payments.reads import PaymentOrderRecord, list_payment_orders, read_payment_order
from app.services.payments.results import BankResult, bounce_payment, confirm_payment

router = APIRouter(prefix="/v1/payment-orders", tags=["payments"])

Redemptions = Annotated[tuple[AnyId, ...], Field(min_length=1, max_length=MAX_ITEMS)]


class PaymentOrderCreate(Wire):
    """Redemptions of one payee, to be paid as they stand."""

    redemption_ids: Redemptions
    reason: Reason | None = None


class ConfirmBody(Wire):
    """The bank has paid (回单): all that is in payment, or the redemptions named."""

    bank_reference: Reference
    redemption_ids: Redemptions | None = None


class BounceBody(Wire):
    """The bank has returned it (退票): all of the order or, once part of it is confirmed, the redemptions named."""

    bank_reference: Reference
    reason: Reason
    redemption_ids: Redemptions | None = None


class PaymentItemRead(Read):
    """One redemption of an order, with the entries that moved its money."""

    redemption_id: str
    amount_fen: int
    status: PaymentItemStatus
    order_entry_id: str | None
    confirm_entry_id: str | None
    confirm_result_id: str | None
    bounce_entry_id: str | None
    bounce_result_id: str | None


class PaymentResultRead(Read):
    """What the bank said, of how much."""

    id: str
    kind: PaymentResultKind
    bank_reference: str
    total_fen: int
    reason: str | None
    recorded_at: ShownInstant
    recorded_by: str


class PaymentOrderRead(Read):
    """A payment order and what has become of each of its redemptions."""

    id: str
    region_code: str
    authority_id: str
    payee_id: str
    payee_name: str
    status: PaymentOrderStatus
    item_count: int
    total_fen: int
    in_payment_fen: int
    confirmed_fen: int
    bounced_fen: int
    reason: str | None
    proposed_at: ShownInstant
    proposed_by: str
    decided_at: ShownInstant | None
    decided_by: str | None
    items: tuple[PaymentItemRead, ...]
    results: tuple[PaymentResultRead, ...]


class PaymentOrderProposed(Read):
    """The order, and the approval that it waits for."""

    payment_order: PaymentOrderRead
    approval_id: str


def _shown(record: PaymentOrderRecord) -> PaymentOrderRead:
    values = {name: getattr(record, name) for name in PaymentOrderRecord.__slots__}
    return PaymentOrderRead(
        **values
        | {
            "in_payment_fen": record.fen_of(PaymentItemStatus.IN_PAYMENT),
            "confirmed_fen": record.fen_of(PaymentItemStatus.CONFIRMED),
            "bounced_fen": record.fen_of(PaymentItemStatus.BOUNCED),
            "items": tuple(PaymentItemRead.model_validate(item) for item in record.items),
            "results": tuple(PaymentResultRead.model_validate(result) for result in record.results),
        }
    )


@router.post("", status_code=201, response_model=PaymentOrderProposed)
def create_payment_order(
    body: PaymentOrderCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Propose to pay redemptions of one payee. Finance approves it; until then nothing moves."""
    caller.require(Role.MAKER)
    region_code = require_region(body.redemption_ids[0], what="redemption")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/payment-orders",
        key=key,
        command=body.model_dump(mode="json"),
        work=lambda tx: request_payment_order(
            tx, caller=caller, redemption_ids=body.redemption_ids, reason=body.reason
        ),
        render=lambda made: created(
            PaymentOrderProposed(payment_order=_shown(made[0]), approval_id=made[1]), made[0].id
        ),
    )


@router.get("")
def read_payment_orders(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[PaymentOrderStatus | None, Query()] = None,
    payee_id: Annotated[AnyId | None, Query()] = None,
) -> Page[PaymentOrderRead]:
    """Payment orders within your reach, newest first. A payee sees its own."""
    records = service.database.transact(
        lambda tx: list_payment_orders(
            tx, caller=caller, limit=limit + 1, before_id=cursor, status=status, payee_id=payee_id
        )
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/{order_id}")
def read_one_payment_order(order_id: AnyId, caller: CallerDep, service: ServiceDep) -> PaymentOrderRead:
    """One payment order."""
    return _shown(service.database.transact(lambda tx: read_payment_order(tx, caller=caller, order_id=order_id)))


@router.post("/{order_id}/confirm", response_model=PaymentOrderRead)
def confirm_payment_order(
    order_id: AnyId, body: ConfirmBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Record that the bank has paid. The bank's reference counts once, under whatever key it is sent again."""
    caller.require(Role.FINANCE)
    result = BankResult(order_id, PaymentResultKind.CONFIRMED, body.bank_reference, body.redemption_ids)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=require_region(order_id, what="payment_order"),
        route="POST /v1/payment-orders/{id}/confirm",
        key=key,
        command={"order_id": order_id, **body.model_dump(mode="json")},
        work=lambda tx: confirm_payment(tx, caller=caller, result=result),
        render=lambda record: created(_shown(record), record.id, status=200),
    )


@router.post("/{order_id}/bounce", response_model=PaymentOrderRead)
def bounce_payment_order(
    order_id: AnyId, body: BounceBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Record that the bank has returned a payment, also after it had confirmed it: the money is owed again."""
    caller.require(Role.FINANCE)
    result = BankResult(order_id, PaymentResultKind.BOUNCED, body.bank_reference, body.redemption_ids, body.reason)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=require_region(order_id, what="payment_order"),
        route="POST /v1/payment-orders/{id}/bounce",
        key=key,
        command={"order_id": order_id, **body.model_dump(mode="json")},
        work=lambda tx: bounce_payment(tx, caller=caller, result=result),
        render=lambda record: created(_shown(record), record.id, status=200),
    )
