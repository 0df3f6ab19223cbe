"""Giving a voucher back: a page that asks once more, with the reason, and says what becomes of the money."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from app.api.context import Service, ServiceDep
from app.api.portal.guard import PortalRoute, SignedIn, SignedInForm, Typed
from app.api.portal.pages import see_other, show, words_of
from app.api.portal.vouchers import own_voucher
from app.api.problems import http_status
from app.kernel.problems import AppError, Code
from app.kernel.widths import is_printable
from app.services.identity.principals import Caller
from app.services.vouchers.lifecycle import surrender

SHORTEST, LONGEST = 2, 500
"""Characters of a reason."""
EXPLAINED = {
    Code.HOLDS_OPEN: "surrender.holds_open",
    Code.VOUCHER_FROZEN: "surrender.frozen",
    Code.WRONG_STATE: "surrender.ended",
}

router = APIRouter(prefix="/portal/vouchers/{voucher_id}/surrender", route_class=PortalRoute, include_in_schema=False)


@router.get("")
def confirm_surrender(request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str) -> Response:
    """Ask once more, and why."""
    return _page(request, service, visitor.caller, voucher_id)


@router.post("")
def give_back(
    request: Request, service: ServiceDep, visitor: SignedInForm, voucher_id: str, reason: Typed = ""
) -> Response:
    """End the voucher. What has to be corrected is said, and what was typed stays."""
    words, given = words_of(request), reason.strip()
    if not SHORTEST <= len(given) <= LONGEST or not is_printable(given):
        told = words("surrender.reason_needed", least=SHORTEST, most=LONGEST)
        return _page(request, service, visitor.caller, voucher_id, reason=reason, problem=told, status=422)

    def work(tx: Connection) -> None:
        own_voucher(tx, visitor.caller, voucher_id)
        surrender(tx, caller=visitor.caller, voucher_id=voucher_id, reason=given)

    try:
        service.database.transact(work)
    except AppError as error:
        if error.code not in EXPLAINED:
            raise
        status = http_status(error)
        told = words(EXPLAINED[error.code])
        return _page(request, service, visitor.caller, voucher_id, reason=reason, problem=told, status=status)
    return see_other(request, f"/portal/vouchers/{voucher_id}", notice="surrendered")


def _page(
    request: Request,
    service: Service,
    caller: Caller,
    voucher_id: str,
    *,
    reason: str = "",
    problem: str | None = None,
    status: int = 200,
) -> Response:
    voucher = service.database.snapshot(lambda tx: own_voucher(tx, caller, voucher_id))
    shown = {"voucher": voucher, "reason": reason, "problem": problem, "longest": LONGEST}
    return show(request, "surrender.html", shown, status=status)
