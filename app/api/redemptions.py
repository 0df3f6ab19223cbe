"""Redemptions: what a compute centre or an assessment provider calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from app.api.authentication import CallerDep
from app.api.bills import BillBody, VoucherCode
from app.api.context import Service, ServiceDep
from app.api.edges.rates import count_voucher
from app.api.fields import (
    AnyId,
    Fen,
    Read,
    Reference,
    ShownInstant,
    Wire,
    wrong,
)
from app.api.keys import IdempotencyKey
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.payment_codes import PaymentCodeText
from app.api.problems import RefusalRenderer, refusal_renderer, response
from app.api.receipts import ReceiptRead
from app.kernel.clock import rfc3339
from app.kernel.codes import region_of_code
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import RedemptionStatus, Role, Sign
from app.services.idempotency import Answer
from app.services.identity.principals import Caller
from app.services.redemption.commands import REDEEM_ROUTE, Redeem, RedemptionRecord
from app.services.redemption.decisions import Asked
from app.services.redemption.evidence import flags_of
from app.services.redemption.payment_codes import PaymentCodeGiven, read_given
from app.services.redemption.reads import list_redemptions, read_redemption
from app.services.redemption.replaying import read_assessment
from app.services.rules.stated import Values
from app.services.sealing.receipts import Receipts
from app.services.vouchers.payment_secrets import PaymentSecrets

router = APIRouter(prefix="/v1/redemptions", tags=["redemptions"])


class RedemptionCreate(Wire):
    """Draw on a voucher for a bill: in one step under the firm's consent, or from a hold."""

    voucher_code: Annotated[VoucherCode | None, Field(description="For a redemption in one step.")] = None
    payment_code: PaymentCodeText | None = None
    hold_id: Annotated[AnyId | None, Field(description="For a redemption from a hold; instead of voucher_code.")] = None
    final: Annotated[
        bool,
        Field(strict=True, description="The hold's last redemption: what it still holds goes back to the voucher."),
    ] = False
    order_no: Annotated[Reference, Field(description="Your own number of this bill; taken once, for ever.")]
    bill: BillBody
    claim: Annotated[
        Values,
        Field(description="Facts that the programme's rules ask the claimant for, such as contract_signed_on."),
    ] = Field(default_factory=dict)
    expected_subsidy_fen: Annotated[
        Fen | None, Field(description="Refuse with `subsidy_changed` if the subsidy is any other.")
    ] = None

    @model_validator(mode="after")
    def _from_one_or_the_other(self) -> RedemptionCreate:
        given = (self.voucher_code is not None) + (self.hold_id is not None)
        if given != 1:
            raise wrong("give_one", "voucher_code", limit="voucher_code, hold_id", actual=given)
        if self.hold_id is None and self.final:
            raise wrong("only_with_a_hold", "final", limit="hold_id", actual="voucher_code")
        if self.hold_id is not None and self.payment_code is not None:
            raise wrong("settled_by_the_hold", "payment_code", limit="voucher_code", actual="hold_id")
        if self.hold_id is not None and self.claim:
            raise wrong("settled_by_the_hold", "claim", limit="voucher_code", actual="hold_id")
        return self


class FlagRead(Read):
    """Something noted of a line for whoever reviews; it changed no amount."""

    code: Sign
    line: Annotated[int, Field(description="From 1")]
    limit: str | None
    actual: str | None


class RedemptionRead(Read):
    """A redemption. `trace` shows each step from the bill and the provider's categories to the subsidy."""

    id: str
    region_code: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: Annotated[str | None, Field(description="The firm's consent: this or a payment code.")]
    payment_code_id: str | None
    hold_id: str | None
    part_no: Annotated[int | None, Field(description="Its number among the redemptions of its hold, from 1.")]
    order_no: str
    status: RedemptionStatus
    bill_total_fen: int
    subsidy_fen: int
    firm_pays_fen: int
    refunded_fen: int
    bill_refunded_fen: int
    recovered_fen: Annotated[
        int, Field(description="Subsidy that you have to pay back, or have paid back, as it had been sent already.")
    ]
    rule_version_id: str
    entry_id: Annotated[str | None, Field(description="Null where nothing moved.")]
    redeemed_at: ShownInstant
    bill: dict[str, Any]
    provider_categories: list[str]
    flags: tuple[FlagRead, ...]
    receipt: Annotated[ReceiptRead | None, Field(description="Null where nothing was posted.")]
    trace: dict[str, Any]


class AssessmentRead(Read):
    """Facts, rules and trace as they are stored. Written canonically (RFC 8785) they have the hashes given here."""

    subject_id: str
    judged_at: ShownInstant
    amount_fen: Annotated[int, Field(description="Held, drawn, or given back by a refund")]
    facts: dict[str, Any]
    refund_facts: dict[str, Any] | None
    others: Annotated[
        dict[str, dict[str, Any]], Field(description="Facts of the other redemptions of the same hold, by id.")
    ]
    trace: dict[str, Any]
    rule_version_id: str
    rule_version_number: int
    rules: dict[str, Any]
    rules_sha256: str
    entry_id: str | None
    facts_sha256: str | None
    trace_sha256: str | None


def shown(record: RedemptionRecord, receipts: Receipts) -> RedemptionRead:
    """A redemption on the wire."""
    values = {name: getattr(record, name) for name in RedemptionRecord.__slots__}
    facts = orjson.loads(record.facts)
    trace = orjson.loads(record.trace)
    told = {name: facts[name] for name in ("bill", "provider_categories")}
    derived = {"trace": trace, "flags": shown_flags(trace), "receipt": _receipt(record, receipts)}
    return RedemptionRead(**values | told | derived)


def _receipt(record: RedemptionRecord, receipts: Receipts) -> dict[str, str] | None:
    return receipts.receipt(
        region_code=record.region_code, entry_id=record.entry_id, leaf=record.leaf, at=record.redeemed_at
    )


def shown_flags(trace: Mapping[str, Any]) -> tuple[FlagRead, ...]:
    """What a trace notes of its bill."""
    return tuple(FlagRead(**flag) for flag in flags_of(trace))


def written(record: RedemptionRecord, receipts: Receipts) -> bytes:
    """The bytes of `shown`, its stored texts copied instead of read and written again: a third of the time."""
    facts = orjson.loads(record.facts)
    values = {name: getattr(record, name) for name in _FIELDS}
    values |= {
        "redeemed_at": rfc3339(record.redeemed_at),
        "bill": facts["bill"],
        "provider_categories": facts["provider_categories"],
        "receipt": _receipt(record, receipts),
        "trace": orjson.Fragment(record.trace),
        "flags": flags_of(orjson.loads(record.trace)) if '"evidence"' in record.trace else [],
    }
    return orjson.dumps({name: values[name] for name in RedemptionRead.model_fields})


_FIELDS = tuple(name for name in RedemptionRead.model_fields if name in RedemptionRecord.__slots__)


def _renderer(receipts: Receipts) -> Callable[[RedemptionRecord], Answer]:
    return lambda record: Answer(201, written(record, receipts), record.id)


def command_of(
    body: RedemptionCreate,
    *,
    caller: Caller,
    secrets: PaymentSecrets,
    receipts: Receipts,
    key: str,
    route: str,
    render_refusal: Callable[[AppError], Answer | None],
) -> Redeem:
    """What a request asks the desk to do."""
    return Redeem(
        caller=caller,
        provider_id=caller.organisation_id,
        region_code=_region_of(body),
        voucher_code=body.voucher_code,
        hold_id=body.hold_id,
        final=body.final,
        payment_code=given_code(body.payment_code, body.voucher_code, caller, secrets),
        order_no=body.order_no,
        asked=Asked(body.bill.bill(), body.claim, body.expected_subsidy_fen),
        key=key,
        render=_renderer(receipts),
        render_refusal=render_refusal,
        route=route,
    )


def given_code(
    sent: str | None, voucher_code: str | None, caller: Caller, secrets: PaymentSecrets
) -> PaymentCodeGiven | None:
    """The payment code that came with a voucher's code, verified as far as that needs no database."""
    if sent is None or voucher_code is None:
        return None
    return read_given(sent, secrets, voucher_code=voucher_code, provider_id=caller.organisation_id)


def _region_of(body: RedemptionCreate) -> str:
    if body.voucher_code is not None:
        return region_of_code(body.voucher_code)
    region_code = region_of(body.hold_id or "")
    if region_code is None:
        raise AppError(Code.HOLD_NOT_FOUND, pointer="/hold_id", actual=body.hold_id)
    return region_code


@router.post("", status_code=201, response_model=RedemptionRead)
async def create_redemption(
    body: RedemptionCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Redeem part of a voucher or of a hold for a bill. Repeating the call with the same key is harmless.

    From a hold, each bill draws what all its bills so far are due, less what was drawn, and at most what it holds.
    """
    await count_voucher(request.scope, service.rates, body.voucher_code or body.hold_id)
    return await redeem(body, caller, key, service, refusal_renderer(request))


async def redeem(
    body: RedemptionCreate, caller: Caller, key: str, service: Service, render_refusal: RefusalRenderer
) -> Response:
    """The answer of the desk. Raises the AppError of a refusal that is not stored."""
    caller.require(Role.PROVIDER)
    command = command_of(
        body,
        caller=caller,
        secrets=service.payment_secrets,
        receipts=service.receipts,
        key=key,
        route=REDEEM_ROUTE,
        render_refusal=render_refusal,
    )
    return response(await service.desk.submit(command))


@router.get("", response_model=Page[RedemptionRead])
def read_redemptions(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    order_no: Annotated[Reference | None, Query()] = None,
    voucher_id: Annotated[AnyId | None, Query()] = None,
    hold_id: Annotated[AnyId | None, Query()] = None,
) -> Page[RedemptionRead]:
    """Redemptions within your reach, newest first. Providers find their own by `order_no`."""
    records = service.database.transact(
        lambda tx: list_redemptions(
            tx,
            caller=caller,
            limit=limit + 1,
            before_id=cursor,
            order_no=order_no,
            voucher_id=voucher_id,
            hold_id=hold_id,
        )
    )
    return page_of([shown(record, service.receipts) for record in records], limit)


@router.get("/{redemption_id}")
def read_one_redemption(redemption_id: AnyId, caller: CallerDep, service: ServiceDep) -> RedemptionRead:
    """One redemption with its bill and trace."""
    record = service.database.transact(lambda tx: read_redemption(tx, caller=caller, redemption_id=redemption_id))
    return shown(record, service.receipts)


@router.get("/{subject_id}/assessment")
def read_stored_assessment(subject_id: AnyId, caller: CallerDep, service: ServiceDep) -> AssessmentRead:
    """All that a redemption, a hold or a refund was decided from: for officials and auditors, to compute it again."""
    stored = service.database.transact(lambda tx: read_assessment(tx, caller=caller, subject_id=subject_id))
    values = {name: getattr(stored, name) for name in AssessmentRead.model_fields}
    documents = ("facts", "refund_facts", "trace", "rules")
    values |= {name: orjson.loads(values[name] or "null") for name in documents}
    values["others"] = {other_id: orjson.loads(facts) for other_id, facts in stored.others.items()}
    return AssessmentRead(**values)
