"""Payment codes of a voucher: what a firm makes for one provider and one bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Connection

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, PositiveFen, Read, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.problems import refusal_renderer, response
from app.kernel.ids import region_of
from app.kernel.payment_digits import format_digits
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import PaymentCodeStatus, Role
from app.services.idempotency import Answer, replay_expired, run_once
from app.services.identity.principals import Caller
from app.services.redemption.payment_codes import normalised
from app.services.vouchers import payment_codes as payment_code_services
from app.services.vouchers.payment_codes import MAX_MINUTES, MINUTES, PaymentCodeRecord, read_payment_code, reveal
from app.services.vouchers.payment_secrets import MAX_LENGTH
from app.sql import now

router = APIRouter(prefix="/v1/vouchers/{voucher_id}/payment-codes", tags=["vouchers"])

ROUTE = "POST /v1/vouchers/{id}/payment-codes"

PaymentCodeText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LENGTH),
    AfterValidator(normalised),
    Field(
        examples=["483 920 170"],
        description="The firm's consent for this one bill: the text of its QR, or the digits that it read out.",
    ),
]
"""How a provider sends a payment code; digits with a typing error are refused before anything is asked."""


class PaymentCodeCreate(Wire):
    """Let one provider draw once, up to `limit_fen`, within `minutes` from now."""

    provider_id: AnyId
    limit_fen: PositiveFen
    minutes: Annotated[int, Field(strict=True, ge=1, le=MAX_MINUTES)] = MINUTES


class PaymentCodeRead(Read):
    """A payment code without its secrets; `status` is as of the moment of the answer.

    `used_by` is the hold or redemption. After five `wrong_digits` only the QR is taken.
    """

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    status: PaymentCodeStatus
    wrong_digits: int
    created_at: ShownInstant
    valid_until: ShownInstant
    withdrawn_at: ShownInstant | None
    used_by: str | None


class PaymentCodeCreated(PaymentCodeRead):
    """A new payment code: `token` is what its QR holds, `digits` are for the telephone. Either will do, once."""

    digits: str
    token: str


@router.post("", status_code=201, response_model=PaymentCodeCreated)
def create_payment_code(
    voucher_id: AnyId,
    body: PaymentCodeCreate,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Make a payment code for one provider. It is shown here; lists do not show it again."""
    caller.require(Role.FIRM)
    region_code = region_of(voucher_id)
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    answer = run_once(
        service.database,
        caller=caller,
        region_code=region_code,
        route=ROUTE,
        key=key,
        command={"voucher_id": voucher_id, **body.model_dump()},
        work=lambda tx: payment_code_services.create_payment_code(
            tx,
            caller=caller,
            secrets=service.payment_secrets,
            voucher_id=voucher_id,
            provider_id=body.provider_id,
            limit_fen=body.limit_fen,
            minutes=body.minutes,
        ),
        render=lambda record: created(_shown(record, record.created_at), record.id),
        render_refusal=refusal_renderer(request),
    )
    return response(_with_secrets(service, caller, voucher_id, answer))


@router.get("")
def read_payment_codes(
    voucher_id: AnyId, caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[PaymentCodeRead]:
    """The payment codes of a voucher, newest first, without their secrets."""

    def read(tx: Connection) -> list[PaymentCodeRead]:
        at = now(tx)
        records = payment_code_services.list_payment_codes(
            tx, caller=caller, voucher_id=voucher_id, at=at, limit=limit + 1, before_id=cursor
        )
        return [_shown(record, at) for record in records]

    return page_of(service.database.transact(read), limit)


@router.delete("/{code_id}")
def withdraw_payment_code(voucher_id: AnyId, code_id: AnyId, caller: CallerDep, service: ServiceDep) -> PaymentCodeRead:
    """Withdraw a payment code at once. One that was used, or has run out, stays as it is."""

    def work(tx: Connection) -> PaymentCodeRead:
        record = payment_code_services.withdraw_payment_code(tx, caller=caller, voucher_id=voucher_id, code_id=code_id)
        return _shown(record, now(tx))

    return service.database.transact(work)


def _shown(record: PaymentCodeRecord, at: datetime) -> PaymentCodeRead:
    values = {name: getattr(record, name) for name in PaymentCodeRead.model_fields if name != "status"}
    return PaymentCodeRead(**values, status=record.status(at))


def _with_secrets(service: Service, caller: Caller, voucher_id: str, answer: Answer) -> Answer:
    """The answer with digits and token, which are not stored with it: they follow from the code, the same each time."""
    if answer.status != 201:
        return answer
    code_id = answer.resource_id
    assert code_id is not None, "a code was made"
    record = service.database.transact(
        lambda tx: read_payment_code(tx, caller=caller, voucher_id=voucher_id, code_id=code_id, at=now(tx))
    )
    revealed = reveal(record, service.payment_secrets)
    if revealed is None:
        raise replay_expired(answer.status, code_id)
    secrets = {"digits": format_digits(revealed.digits), "token": revealed.token}
    return replace(answer, body=orjson.dumps(orjson.loads(answer.body) | secrets))
