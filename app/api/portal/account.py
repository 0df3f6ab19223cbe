"""One's own account: the second factor, the sessions that are open, and signing out everywhere. For every person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from app.api.authentication import source_of
from app.api.context import ServiceDep
from app.api.portal.guard import (
    FACTOR_PAGE,
    SESSION_COOKIE,
    CodeNeeded,
    InSession,
    InSessionForm,
    PersonForm,
    PersonIn,
    PortalRoute,
    Visitor,
)
from app.api.portal.pages import drop_cookie, leave, see_other, show, words_of
from app.api.portal.qr import qr_of
from app.api.portal.signing_in import ACCOUNT, TypedCode, device_of, signed_in_response, start_session
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage
from app.kernel.wording import detail
from app.services.identity import second_factors, sessions
from app.services.identity.attempts import Place
from app.services.identity.enrolling import confirm_signed_in
from app.services.identity.principals import Caller
from app.services.identity.staff import must_have_second_factor
from app.services.identity.step_up import OWN_FACTOR, login_of, with_code
from app.services.identity.totp import grouped

T = TypeVar("T")

router = APIRouter(prefix=ACCOUNT, route_class=PortalRoute, include_in_schema=False)


@router.get("")
def account_page(request: Request, service: ServiceDep, visitor: PersonIn) -> Response:
    """The second factor, and where one is signed in."""
    return _page(request, service, visitor)


@router.get("/second-factor")
def second_factor_page(request: Request, visitor: InSession) -> Response:
    """How to set up a second factor; the only page of somebody who has to."""
    return _factor_page(request, _may_set_up(visitor))


@router.post("/second-factor")
def begin(request: Request, service: ServiceDep, visitor: InSessionForm, code: TypedCode = "") -> Response:
    """Draw a secret and show it, this once. Whoever has a second factor gives its code for another."""
    _may_set_up(visitor)

    def draw(tx: Connection, caller: Caller) -> second_factors.Begun:
        return second_factors.begin(tx, service.field_keys, caller=caller)

    try:
        begun = (
            _proven(request, service, visitor, code, then=draw)
            if visitor.has_factor
            else service.database.transact(lambda tx: draw(tx, visitor.caller))
        )
    except AppError as error:
        return _factor_page(request, visitor, problem=_told(request, error), status=401)
    context = {"qr": qr_of(begun.uri), "secret": grouped(begun.secret), "problem": None}
    return show(request, "second_factor_scan.html", context)


@router.post("/second-factor/confirm")
def confirm(request: Request, service: ServiceDep, visitor: InSessionForm, code: TypedCode = "") -> Response:
    """Let it count from now on, with a new session; the recovery codes are shown this once."""
    _may_set_up(visitor)
    device = device_of(request)
    try:
        codes, secret = confirm_signed_in(
            service.door,
            caller=visitor.caller,
            first_code=code,
            place=Place(source_of(request), device),
            then=lambda tx, caller: start_session(tx, request, service, caller),
        )
    except AppError as error:
        context = {"qr": None, "secret": None, "problem": _told(request, error)}
        return show(request, "second_factor_scan.html", context, status=401)
    request.state.visitor = None  # his session has ended, and the new one is not of this request
    response = show(request, "recovery_codes.html", {"codes": codes, "next": ACCOUNT})
    _take_cookies(response, signed_in_response(request, ACCOUNT, secret, device))
    return response


@router.post("/second-factor/recovery-codes")
def renew_recovery_codes(request: Request, service: ServiceDep, visitor: PersonForm, code: TypedCode = "") -> Response:
    """New recovery codes in place of the old ones, for a code."""
    try:
        codes = _proven(
            request,
            service,
            visitor,
            code,
            then=lambda tx, caller: second_factors.renew_recovery_codes(tx, caller=caller),
        )
    except AppError as error:
        return _page(request, service, visitor, problem=_told(request, error), status=401)
    return show(request, "recovery_codes.html", {"codes": codes, "next": ACCOUNT})


@router.post("/second-factor/remove")
def remove(request: Request, service: ServiceDep, visitor: PersonForm, code: TypedCode = "") -> Response:
    """Do without, for a code: only where no role needs it. Everywhere else one is signed out."""
    if must_have_second_factor(visitor.caller.principal, staff=service.settings.staff_second_factor):
        raise AppError(Code.FORBIDDEN, role="firm / provider")

    def do_without(tx: Connection, caller: Caller) -> None:
        region = caller.principal.organisation_region
        mine = visitor.session.id
        second_factors.remove(tx, caller=caller, user_id=caller.principal_id, region_code=region, but_session=mine)

    try:
        _proven(request, service, visitor, code, then=do_without)
    except AppError as error:
        return _page(request, service, visitor, problem=_told(request, error), status=401)
    return see_other(request, ACCOUNT, notice="second_factor_removed")


@router.post("/sessions/{session_id}/end")
def end_session(request: Request, service: ServiceDep, visitor: PersonForm, session_id: str) -> Response:
    """Sign out another browser of one's own."""
    service.database.transact(lambda tx: sessions.end(tx, caller=visitor.caller, session_id=session_id))
    return see_other(request, ACCOUNT, notice="session_closed")


@router.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request, service: ServiceDep, visitor: InSessionForm) -> Response:
    """End all sessions, this one too, and void all personal tokens."""
    service.database.transact(lambda tx: sessions.sign_out_everywhere(tx, caller=visitor.caller))
    response = leave(request, "/portal/sign-in", notice="signed_out_everywhere")
    drop_cookie(request, response, SESSION_COOKIE)
    return response


def _may_set_up(visitor: Visitor) -> Visitor:
    """Whoever waits for a code has one already, and gives it first."""
    if visitor.session.stage is SessionStage.CODE:
        raise CodeNeeded
    return visitor


def _proven(
    request: Request, service: ServiceDep, visitor: Visitor, code: str, *, then: Callable[[Connection, Caller], T]
) -> T:
    place = Place(source_of(request), device_of(request))
    return with_code(service.door, caller=visitor.caller, code=code, place=place, purpose=OWN_FACTOR, then=then)


def _told(request: Request, error: AppError) -> str:
    if error.code is not Code.SECOND_FACTOR_INVALID:
        raise error
    return detail(error.code, words_of(request).language, error.context)


def _factor_page(request: Request, visitor: Visitor, *, problem: str | None = None, status: int = 200) -> Response:
    context = {"has_factor": visitor.has_factor, "must_enrol": visitor.must_enrol, "problem": problem}
    return show(request, "second_factor.html", context, status=status)


def _page(
    request: Request, service: ServiceDep, visitor: Visitor, *, problem: str | None = None, status: int = 200
) -> Response:
    caller = visitor.caller

    def load(tx: Connection) -> dict[str, object]:
        return {
            "login": login_of(tx, caller),
            "factor": second_factors.state_of(tx, caller.principal_id),
            "sessions": sessions.list_own(tx, caller=caller, idle_s=service.settings.session_idle_s),
        }

    shown = service.database.transact(load)
    staff = service.settings.staff_second_factor
    needs = must_have_second_factor(caller.principal, staff=staff)
    shown |= {"mine": visitor.session.id, "must_keep": needs, "problem": problem, "factor_page": FACTOR_PAGE}
    return show(request, "account.html", shown, status=status)


def _take_cookies(response: Response, other: Response) -> None:
    """The cookies of another response, on this one."""
    for name, value in other.raw_headers:
        if name == b"set-cookie":
            response.raw_headers.append((name, value))
