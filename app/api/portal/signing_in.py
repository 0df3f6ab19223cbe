"""Signing in and out, the code of the second factor, the invitation's page, and the language switch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import Connection

from app.api.authentication import source_of
from app.api.context import Service, ServiceDep
from app.api.portal.choices import USED_COOKIE, choices
from app.api.portal.guard import (
    CODE_PAGE,
    DEVICE_AGE_S,
    DEVICE_COOKIE,
    FACTOR_PAGE,
    SESSION_COOKIE,
    InSession,
    InSessionForm,
    MaybeVisitor,
    PortalRoute,
    SignInNeeded,
    StrangerForm,
    Typed,
    Visitor,
    address,
)
from app.api.portal.pages import (
    LANGUAGE_AGE_S,
    LANGUAGE_COOKIE,
    cookie,
    drop_cookie,
    leave,
    see_other,
    set_cookie,
    show,
    words_of,
)
from app.api.portal.texts import LANGUAGES
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role, SessionStage
from app.kernel.wording import detail
from app.services.identity import sessions, signing_in
from app.services.identity.attempts import Place
from app.services.identity.invitations import invited_login, redeem_invitation
from app.services.identity.opaque import new_secret
from app.services.identity.passwords import MIN_LENGTH
from app.services.identity.principals import Caller
from app.services.identity.signing_in import Entered, Knock
from app.services.identity.step_up import SIGN_IN, with_code
from app.services.identity.totp import TYPED_LENGTH
from app.services.identity.users import LOGIN_LENGTH

HOME = "/portal/vouchers"
ACCOUNT = "/portal/account"

router = APIRouter(prefix="/portal", route_class=PortalRoute, include_in_schema=False)

TypedLogin = Annotated[str, Form(max_length=LOGIN_LENGTH)]
TypedCode = Annotated[str, Form(max_length=TYPED_LENGTH)]


@router.get("/sign-in")
def sign_in_page(request: Request, visitor: MaybeVisitor) -> Response:
    """The form; whoever is signed in goes on."""
    return see_other(request, home_of(visitor)) if visitor else _sign_in_page(request)


@router.post("/sign-in", dependencies=[StrangerForm])
def sign_in(request: Request, service: ServiceDep, login: TypedLogin = "", password: Typed = "") -> Response:
    """Begin a session; where there is a second factor it opens nothing but the page for its code."""
    words = words_of(request)
    if not login.strip() or not password:
        return _sign_in_page(request, login=login, problem=words("sign_in.empty"), status=422)
    device = device_of(request)
    knock = Knock(login, password, "portal", request.state.request_id, Place(source_of(request), device))

    def begin(tx: Connection, entered: Entered) -> tuple[str, str]:
        secret = start_session(tx, request, service, entered.caller, stage=entered.stage)
        return secret, after(entered)

    try:
        secret, path = signing_in.sign_in(service.door, knock, then=begin)
    except AppError as error:
        if error.code is not Code.INVALID_CREDENTIALS:
            raise
        return _sign_in_page(request, login=login, problem=words("sign_in.failed"), status=401)
    return signed_in_response(request, path, secret, device)


@router.get("/sign-in/code")
def code_page(request: Request, visitor: InSession) -> Response:
    """The form for the code of the second factor."""
    if visitor.session.stage is not SessionStage.CODE:
        return see_other(request, home_of(visitor))
    return show(request, "code.html", {"problem": None})


@router.post("/sign-in/code")
def enter_code(request: Request, service: ServiceDep, visitor: InSessionForm, code: TypedCode = "") -> Response:
    """Sign in all the way, with a new session in place of the one that waited for the code."""
    if visitor.session.stage is not SessionStage.CODE:
        raise SignInNeeded
    words, device = words_of(request), device_of(request)
    if not code.strip():
        return show(request, "code.html", {"problem": words("code.empty")}, status=422)

    def go_on(tx: Connection, caller: Caller) -> str:
        sessions.end(tx, caller=caller, session_id=visitor.session.id)
        return start_session(tx, request, service, caller)

    place = Place(source_of(request), device)
    try:
        secret = with_code(service.door, caller=visitor.caller, code=code, place=place, purpose=SIGN_IN, then=go_on)
    except AppError as error:
        if error.code is not Code.SECOND_FACTOR_INVALID:
            raise
        told = detail(error.code, words.language, error.context)
        return show(request, "code.html", {"problem": told}, status=401)
    return signed_in_response(request, _home(visitor.caller), secret, device)


@router.post("/sign-out")
def sign_out(request: Request, service: ServiceDep, visitor: InSessionForm) -> Response:
    """End the session, here and in the database."""
    service.database.transact(lambda tx: sessions.end(tx, caller=visitor.caller, session_id=visitor.session.id))
    response = leave(request, "/portal/sign-in", notice="signed_out")
    drop_cookie(request, response, SESSION_COOKIE)
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
    drop_cookie(request, response, SESSION_COOKIE)
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
    set_cookie(request, response, LANGUAGE_COOKIE, language, max_age=LANGUAGE_AGE_S)
    return response


def device_of(request: Request) -> str:
    """What this browser is known by, or what it will be known by from its first sign-in on."""
    given = cookie(request, DEVICE_COOKIE)
    return given if given and len(given) <= DEVICE_LENGTH else new_secret()


DEVICE_LENGTH = 64


def start_session(
    tx: Connection,
    request: Request,
    service: Service,
    caller: Caller,
    *,
    stage: SessionStage = SessionStage.FULL,
    outside_factor: bool = False,
) -> str:
    """Begin a session of this browser, and the secret for its cookie."""
    browser = request.headers.get("user-agent", "")
    secret, _ = sessions.start(
        tx,
        caller=caller,
        max_s=service.settings.session_max_s,
        stage=stage,
        browser=browser,
        outside_factor=outside_factor,
    )
    return secret


def signed_in_response(request: Request, path: str, secret: str, device: str) -> Response:
    """Send the browser on with its new session."""
    response = see_other(request, path)
    set_cookie(request, response, SESSION_COOKIE, secret)
    set_cookie(request, response, DEVICE_COOKIE, device, max_age=DEVICE_AGE_S)
    return response


def home_of(visitor: Visitor) -> str:
    """Where somebody in a session goes next."""
    if visitor.session.stage is SessionStage.CODE:
        return CODE_PAGE
    return _home(visitor.caller) if visitor.is_in else FACTOR_PAGE


def after(entered: Entered) -> str:
    """Where somebody goes whose sign-in came so far."""
    pages = {SessionStage.CODE: CODE_PAGE, SessionStage.ENROL: FACTOR_PAGE}
    return pages.get(entered.stage) or _home(entered.caller)


def _home(caller: Caller) -> str:
    return HOME if caller.holds(Role.FIRM) else ACCOUNT


def _sign_in_page(request: Request, *, login: str = "", problem: str | None = None, status: int = 200) -> Response:
    providers = choices(request)
    used = cookie(request, USED_COOKIE)
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
