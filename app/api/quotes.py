"""Quotes: what a bill would get now, and why not more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field, model_validator

from app.api.authentication import CallerDep
from app.api.bills import BillBody, VoucherCode
from app.api.context import ServiceDep
from app.api.edges.rates import count_voucher_from_thread
from app.api.fields import AnyId, Fen, Read, Wire
from app.api.payment_codes import PaymentCodeText
from app.api.problems import language_of
from app.api.redemptions import FlagRead, given_code, shown_flags
from app.kernel.problems import AppError
from app.kernel.wording import detail, title
from app.services import quotes as services
from app.services.redemption.shown_codes import consent_shown
from app.services.rules.stated import Values

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])


class QuoteBody(Wire):
    """A bill that may be to come. A firm may name a voucher of its own.

    A provider names the voucher by its code, and shows the firm's payment code where it has no mandate.
    """

    bill: BillBody
    voucher_code: VoucherCode | None = None
    payment_code: PaymentCodeText | None = None
    voucher_id: AnyId | None = None
    provider_id: Annotated[
        AnyId | None, Field(description="A firm's provider, if it knows one: its categories and facilities count.")
    ] = None
    claim: Annotated[
        Values, Field(description="Facts that the rules ask the claimant for, such as contract_signed_on.")
    ] = Field(default_factory=dict)
    amounts_fen: Annotated[
        dict[Literal["contracted", "assessed", "invoiced", "paid", "metered"], Fen],
        Field(description="Further amounts of the covered lines together, where the rules take the least of several."),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_one_voucher(self) -> QuoteBody:
        if self.voucher_code is not None and self.voucher_id is not None:
            raise ValueError("give voucher_code or voucher_id, not both / voucher_code 与 voucher_id 不可同时填写")
        if self.payment_code is not None and self.voucher_code is None:
            raise ValueError("payment_code is shown with voucher_code / payment_code 须与 voucher_code 一同填写")
        return self


class RefusalRead(Read):
    """Why it would get nothing."""

    code: str
    title: str
    detail: str


class EvidenceRead(Read):
    """A document that the rules ask for."""

    document: str
    checkpoints: tuple[str, ...]
    mandatory: bool
    verified_by: str
    en: str | None
    zh: str | None


class QuoteRead(Read):
    """What the bill would get now. `trace` is the one that a redemption would store; nothing was reserved."""

    programme_id: str
    voucher_id: str | None
    bill_total_fen: int
    assessed_fen: Annotated[int, Field(description="By the rules alone, whatever the voucher has left")]
    subsidy_fen: int
    firm_pays_fen: int
    voucher_balance_fen: int | None
    rule_version_id: str
    rule_version_number: int
    refusal: RefusalRead | None
    evidence: tuple[EvidenceRead, ...]
    flags: Annotated[tuple[FlagRead, ...], Field(description="What is noted of the bill; it changes no amount")]
    unstated_facts: Annotated[tuple[str, ...], Field(description="What the rules look at and nobody stated")]
    trace: dict[str, Any]


@router.post("/{programme_id}/quotes")
def create_quote(
    programme_id: AnyId, body: QuoteBody, caller: CallerDep, service: ServiceDep, request: Request
) -> QuoteRead:
    """Say what a bill would get now: a firm for itself, a provider with a voucher's code and the firm's consent.

    A payment code that is shown here stays unused.
    """
    count_voucher_from_thread(request, service.rates, body.voucher_code)
    bill = body.bill.bill()
    given = given_code(body.payment_code, body.voucher_code, caller, service.payment_secrets)
    consent = (
        consent_shown(service.database, caller=caller, voucher_code=body.voucher_code, given=given)
        if given is not None and body.voucher_code is not None
        else None
    )
    quote = service.database.transact(
        lambda tx: services.quote(
            tx,
            caller=caller,
            programme_id=programme_id,
            lines=bill.assessed_lines(),
            bill=bill,
            claim=body.claim,
            voucher_id=body.voucher_id,
            voucher_code=body.voucher_code,
            payment_code=consent,
            provider_id=body.provider_id,
            amounts_fen={str(name): fen for name, fen in body.amounts_fen.items()},
        )
    )
    return QuoteRead(
        programme_id=quote.programme_id,
        voucher_id=quote.voucher_id,
        bill_total_fen=quote.bill_fen,
        assessed_fen=quote.assessment.amount_fen,
        subsidy_fen=quote.subsidy_fen,
        firm_pays_fen=quote.firm_pays_fen,
        voucher_balance_fen=quote.voucher_balance_fen,
        rule_version_id=quote.rule_version_id,
        rule_version_number=quote.rule_version_number,
        refusal=_shown(quote.refusal, language_of(request)),
        evidence=tuple(EvidenceRead.model_validate(document) for document in quote.evidence),
        flags=shown_flags(quote.trace),
        unstated_facts=quote.unstated,
        trace=quote.trace,
    )


def _shown(refusal: AppError | None, language: str) -> RefusalRead | None:
    if refusal is None:
        return None
    sentence = detail(refusal.code, language, refusal.context)
    return RefusalRead(code=refusal.code, title=title(refusal.code, language), detail=sentence)
