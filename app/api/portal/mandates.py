"""Granting and withdrawing mandates: each form is answered by a redirect, or by itself with what to correct."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from app.api.context import Service, ServiceDep
from app.api.portal.forms import Grant, GrantForm, read_grant
from app.api.portal.guard import PortalRoute, SignedIn, SignedInForm, Typed
from app.api.portal.pages import is_fragment_request, see_other, show, words_of
from app.api.portal.presentation import ShownMandate, ShownVoucher, shown_mandates
from app.api.portal.vouchers import own_voucher, show_voucher
from app.api.problems import http_status
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.services.identity.principals import Caller
from app.services.vouchers.mandates import grant_mandate, list_mandates, withdraw_mandate
from app.sql import now

router = APIRouter(prefix="/portal/vouchers/{voucher_id}/mandates", route_class=PortalRoute, include_in_schema=False)


@router.get("")
def mandates(request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str) -> Response:
    """The section of the voucher's page: alone for htmx, at its place for everybody else."""
    if is_fragment_request(request):
        return show_voucher(request, service, visitor.caller, voucher_id)
    return see_other(request, f"/portal/vouchers/{voucher_id}#mandates")


@router.post("")
def grant(
    request: Request,
    service: ServiceDep,
    visitor: SignedInForm,
    voucher_id: str,
    provider: Typed = "",
    limit: Typed = "",
    until: Typed = "",
) -> Response:
    """Grant a mandate. What has to be corrected is marked, and what was typed stays."""
    words = words_of(request)
    form = GrantForm(provider=provider, limit=limit, until=until)
    asked = read_grant(form, words)
    if isinstance(asked, GrantForm):
        return show_voucher(request, service, visitor.caller, voucher_id, form=asked, status=422)
    voucher = service.database.transact(lambda tx: own_voucher(tx, visitor.caller, voucher_id))
    valid_until = voucher.record.valid_until
    try:
        _grant(service, visitor.caller, voucher, asked)
    except AppError as error:
        refused = form.refused(error, words, valid_until=valid_until)
        if refused is None:
            raise
        status = http_status(error)
        return show_voucher(request, service, visitor.caller, voucher_id, form=refused, status=status)
    return see_other(request, f"/portal/vouchers/{voucher_id}/mandates", notice="mandate_granted")


@router.get("/{mandate_id}/withdraw")
def confirm_withdrawal(
    request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str, mandate_id: str
) -> Response:
    """Ask once more before a mandate ends."""

    def read(tx: Connection) -> tuple[ShownVoucher, ShownMandate]:
        voucher = own_voucher(tx, visitor.caller, voucher_id)
        at = now(tx)
        found = list_mandates(tx, caller=visitor.caller, voucher_id=voucher_id, at=at)
        for mandate in shown_mandates(found, at=at):
            if mandate.record.id == mandate_id:
                return voucher, mandate
        raise AppError(Code.NOT_FOUND, what="mandate")

    voucher, mandate = service.database.snapshot(read)
    return show(request, "withdraw.html", {"voucher": voucher, "mandate": mandate}, part="_withdraw.html")


@router.post("/{mandate_id}/withdraw")
def withdraw(
    request: Request, service: ServiceDep, visitor: SignedInForm, voucher_id: str, mandate_id: str
) -> Response:
    """End a mandate; doing it twice changes nothing."""

    def work(tx: Connection) -> None:
        own_voucher(tx, visitor.caller, voucher_id)
        if not is_id(mandate_id, "mdt"):
            raise AppError(Code.NOT_FOUND, what="mandate")
        withdraw_mandate(tx, caller=visitor.caller, voucher_id=voucher_id, mandate_id=mandate_id)

    service.database.transact(work)
    return see_other(request, f"/portal/vouchers/{voucher_id}/mandates", notice="mandate_withdrawn")


def _grant(service: Service, caller: Caller, voucher: ShownVoucher, asked: Grant) -> None:
    service.database.transact(
        lambda tx: grant_mandate(
            tx,
            caller=caller,
            voucher_id=voucher.record.id,
            provider_id=asked.provider_id,
            limit_fen=asked.limit_fen,
            valid_until=asked.valid_until(voucher.record.valid_until),
        )
    )
