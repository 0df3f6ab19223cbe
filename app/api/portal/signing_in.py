"""Signing in and out, the invitation's page, and the language switch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import Connection

from app.api.authentication import source_of
from app.api.context import ServiceDep
from app.api.portal.guard import (
    SESSION_COOKIE,
    MaybeVisitor,
    NotAFirm,
    PortalRoute,
    SignedInForm,
    StrangerForm,
    Typed,
    address,
)
from app.api.portal.openid import USED_COOKIE, choices
from app.api.portal.pages import LANGUAGE_AGE_S, LANGUAGE_COOKIE, leave, see_other, set_cookie, show, words_of
from app.api.portal.texts import LANGUAGES
from app.kernel.catalogue import detail
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.identity import sessions, signing_in
from app.services.identity.invitations import invited_login, redeem_invitation
from app.services.identity.passwords import MIN_LENGTH
from app.services.identity.principals import Caller
from app.services.identity.users import LOGIN_LENGTH

HOME = "/portal/vouchers"

router = APIRouter(prefix="/portal", route_class=PortalRoute, include_in_schema=False)

TypedLogin = Annotated[str, Form(max_length=LOGIN_LENGTH)]


@router.get("/sign-in")
def sign_in_page(request: Request, visitor: MaybeVisitor) -> Response:
    """The form; whoever is signed in goes on."""
    return see_other(request, HOME) if visitor else _sign_in_page(request)


@router.post("/sign-in", dependencies=[StrangerForm])
def sign_in(request: Request, service: ServiceDep, login: TypedLogin = "", password: Typed = "") -> Response:
    """Begin a session for a person of a firm; officials are told where to go and get none."""
    words = words_of(request)
    if not login.strip() or not password:
        return _sign_in_page(request, login=login, problem=words("sign_in.empty"), status=422)

    def begin(tx: Connection, caller: Caller) -> str | None:
        if not caller.holds(Role.FIRM):
            return None
        secret, _ = sessions.start(tx, caller=caller, max_s=service.settings.session_max_s)
        return secret

    try:
        secret = signing_in.sign_in(
            service.database,
            service.passwords,
            login=login,
            password=password,
            purpose="portal",
            request_id=request.state.request_id,
            source=source_of(request),
            then=begin,
        )
    except AppError as error:
        if error.code is not Code.INVALID_CREDENTIALS:
            raise
        return _sign_in_page(request, login=login, problem=words("sign_in.failed"), status=401)
    if secret is None:
        raise NotAFirm
    response = see_other(request, HOME)
    set_cookie(request, response, SESSION_COOKIE, secret)
    return response


@router.post("/sign-out")
def sign_out(request: Request, service: ServiceDep, visitor: SignedInForm) -> Response:
    """End the session, here and in the database."""
    service.database.transact(lambda tx: sessions.end(tx, caller=visitor.caller, session_id=visitor.session.id))
    response = leave(request, "/portal/sign-in", notice="signed_out")
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/invitations/{secret}")
def invitation_page(request: Request, service: ServiceDep, secret: str) -> Response:
    """The form with which an invited person chooses a password."""
    login = service.database.transact(lambda tx: invited_login(tx, secret=secret))
    return _invitation_page(request, login)


@router.post("/invitations/{secret}", dependencies=[StrangerForm])
def accept_invitation(
    request: Request, service: ServiceDep, secret: str, password: Typed = "", repeat: Typed = ""
) -> Response:
    """Set the password; every session of the person ends."""
    words = words_of(request)
    if password != repeat:
        login = service.database.transact(lambda tx: invited_login(tx, secret=secret))
        return _invitation_page(request, login, errors={"repeat": words("invitation.mismatch")}, status=422)
    try:
        redeem_invitation(
            service.database,
            service.passwords,
            secret=secret,
            password=password,
            request_id=request.state.request_id,
            source=source_of(request),
        )
    except AppError as error:
        if error.code is not Code.PASSWORD_TOO_WEAK:
            raise
        login = service.database.transact(lambda tx: invited_login(tx, secret=secret))
        errors = {"password": detail(error.code, words.language, error.context)}
        return _invitation_page(request, login, errors=errors, status=422)
    response = see_other(request, "/portal/sign-in", notice="password_set")
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/language/{language}")
def switch_language(request: Request, language: str) -> Response:
    """Keep the choice in a cookie and go back to the page it was made on."""
    if language not in LANGUAGES:
        raise AppError(Code.NOT_FOUND, what="language")
    came_from = address(request.headers.get("referer", ""))
    ours = came_from.netloc == request.headers.get("host") and came_from.path.startswith("/portal/")
    back = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    response = see_other(request, back if ours else HOME)
    set_cookie(request, response, LANGUAGE_COOKIE, language, path="/portal", max_age=LANGUAGE_AGE_S)
    return response


def _sign_in_page(request: Request, *, login: str = "", problem: str | None = None, status: int = 200) -> Response:
    providers = choices(request)
    used = request.cookies.get(USED_COOKIE)
    context = {
        "login": login,
        "problem": problem,
        "providers": providers,
        "used": next((one for one in providers if one.id == used), None),
    }
    return show(request, "sign_in.html", context, status=status)


def _invitation_page(
    request: Request, login: str, *, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    context = {
        "login": login,
        "errors": errors or {},
        "minimum": MIN_LENGTH,
        "providers": choices(request),
        "secret": request.path_params["secret"],
    }
    return show(request, "invitation.html", context, status=status)
