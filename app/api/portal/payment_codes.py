"""Payment codes on the portal: made by a form, shown on a page of their own until they are used, withdrawn at once."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from app.api.context import ServiceDep
from app.api.portal.forms import PaymentCodeForm, read_payment_code_form
from app.api.portal.guard import PortalRoute, SignedIn, SignedInForm, Typed, signed_in
from app.api.portal.pages import is_fragment_request, see_other, show, words_of
from app.api.portal.presentation import ShownPaymentCode, ShownVoucher, shown_payment_code
from app.api.portal.qr import qr_of
from app.api.portal.vouchers import own_voucher, show_voucher
from app.api.problems import http_status
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import PaymentCodeStatus
from app.services.vouchers.payment_codes import (
    create_payment_code,
    read_payment_code,
    reveal,
    withdraw_payment_code,
)
from app.sql import now

router = APIRouter(
    prefix="/portal/vouchers/{voucher_id}/payment-codes", route_class=PortalRoute, include_in_schema=False
)


@router.get("", dependencies=[Depends(signed_in)])
def payment_codes(request: Request, voucher_id: str) -> Response:
    """The section of the voucher's page."""
    return see_other(request, f"/portal/vouchers/{voucher_id}#payment-codes")


@router.post("")
def make(
    request: Request,
    service: ServiceDep,
    visitor: SignedInForm,
    voucher_id: str,
    provider: Typed = "",
    limit: Typed = "",
    minutes: Typed = "",
) -> Response:
    """Make a payment code and go to its page. What has to be corrected is marked, and what was typed stays."""
    words = words_of(request)
    form = PaymentCodeForm(provider=provider, limit=limit, minutes=minutes)
    asked = read_payment_code_form(form, words)
    if isinstance(asked, PaymentCodeForm):
        return show_voucher(request, service, visitor.caller, voucher_id, code_form=asked, status=422)

    def work(tx: Connection) -> str:
        own_voucher(tx, visitor.caller, voucher_id)
        return create_payment_code(
            tx,
            caller=visitor.caller,
            secrets=service.payment_secrets,
            voucher_id=voucher_id,
            provider_id=asked.provider_id,
            limit_fen=asked.limit_fen,
            minutes=asked.minutes,
        ).id

    try:
        code_id = service.database.transact(work)
    except AppError as error:
        refused = form.refused(error, words)
        if refused is None:
            raise
        status = http_status(error)
        return show_voucher(request, service, visitor.caller, voucher_id, code_form=refused, status=status)
    return see_other(request, f"/portal/vouchers/{voucher_id}/payment-codes/{code_id}")


@router.get("/{code_id}")
def payment_code_page(
    request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str, code_id: str, seen: str = ""
) -> Response:
    """One payment code, with QR and digits while it is open. A page that has `seen` its state hears of changes only."""

    def read(tx: Connection) -> tuple[ShownVoucher, ShownPaymentCode]:
        voucher = own_voucher(tx, visitor.caller, voucher_id)
        _require_code(code_id)
        at = now(tx)
        record = read_payment_code(tx, caller=visitor.caller, voucher_id=voucher_id, code_id=code_id, at=at)
        return voucher, shown_payment_code(record, at=at)

    voucher, code = service.database.snapshot(read)
    if seen == code.status and is_fragment_request(request):
        return Response(status_code=204)
    revealed = reveal(code.record, service.payment_secrets) if code.status is PaymentCodeStatus.OPEN else None
    shown = {"voucher": voucher, "code": code, "revealed": revealed, "qr": qr_of(revealed.token) if revealed else None}
    return show(request, "payment_code.html", shown, part="_payment_code.html")


@router.post("/{code_id}/withdraw")
def withdraw(request: Request, service: ServiceDep, visitor: SignedInForm, voucher_id: str, code_id: str) -> Response:
    """End a payment code; doing it twice changes nothing."""

    def work(tx: Connection) -> None:
        own_voucher(tx, visitor.caller, voucher_id)
        _require_code(code_id)
        withdraw_payment_code(tx, caller=visitor.caller, voucher_id=voucher_id, code_id=code_id)

    service.database.transact(work)
    return see_other(request, f"/portal/vouchers/{voucher_id}/payment-codes/{code_id}")


def _require_code(code_id: str) -> None:
    if not is_id(code_id, "pay"):
        raise AppError(Code.NOT_FOUND, what="payment_code")
