"""Signing in at an outside provider: sending the browser off, and what becomes of the answer with which it returns.

What ties an answer to a browser is a cookie that lasts ten minutes, holds the secret of one try, and says what it is
for: a session here, a code for the command line, or linking the invited person. An invitation is taken up from its own
form only, so that no other site can link a visitor's identity to somebody else's account.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import structlog
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from app.api.authentication import source_of
from app.api.context import ServiceDep, get_service
from app.api.portal.choices import USED_COOKIE
from app.api.portal.guard import SESSION_COOKIE, PortalRoute, StrangerForm
from app.api.portal.pages import cookie, drop_cookie, see_other, set_cookie, show, show_problem, show_refusal, words_of
from app.api.portal.signing_in import after, device_of, signed_in_response, start_session
from app.kernel.problems import AppError, Code
from app.openid import Attempt, NotProven, Provider, ProviderAway, RefusedByProvider, Subject
from app.services.identity import outside
from app.services.identity.invitations import invited_login
from app.services.identity.outside import Vouched
from app.services.identity.personal_tokens import give_code
from app.services.identity.signing_in import Entered
from app.settings import Settings

T = TypeVar("T")

log = structlog.get_logger(__name__)

COOKIE = "voucher_openid"
"""The try to sign in that this browser is at."""
TRY_AGE_S = 600
AWAY_RETRY_S = 30

_TRY = re.compile(r"([a-z][a-z0-9-]{0,31})\.(session|token|invitation)\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{0,64})")

router = APIRouter(prefix="/portal/openid", route_class=PortalRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Try:
    """What the cookie says: at which provider, what for, and the secret of the try."""

    provider_id: str
    purpose: str
    attempt: Attempt
    about: str = ""
    """For a token the challenge, for an invitation its secret."""

    @classmethod
    def read(cls, cookie: str | None) -> _Try | None:
        found = _TRY.fullmatch(cookie or "")
        return None if found is None else cls(found[1], found[2], Attempt(found[3]), found[4])

    @property
    def cookie(self) -> str:
        return f"{self.provider_id}.{self.purpose}.{self.attempt.secret}.{self.about}"


def callback_uri(settings: Settings, provider_id: str) -> str:
    """The one address to which this provider sends browsers back: each provider has its own."""
    return f"{settings.public_url.rstrip('/')}/portal/openid/{provider_id}/callback"


@router.get("/{provider_id}")
async def begin(request: Request, provider_id: str) -> Response:
    """Send the browser off to sign in for the portal."""
    return await _sent_off(request, _Try(provider_id, "session", Attempt.new()))


@router.get("/{provider_id}/token/{challenge}")
async def begin_for_token(
    request: Request, provider_id: str, challenge: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{43}$")]
) -> Response:
    """Send the browser off to sign in for the command line that made the challenge."""
    return await _sent_off(request, _Try(provider_id, "token", Attempt.new(), challenge))


@router.post("/{provider_id}/invitations/{secret}", dependencies=[StrangerForm])
async def begin_for_invitation(
    request: Request,
    service: ServiceDep,
    provider_id: str,
    secret: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")],
) -> Response:
    """Show the way to the provider, for linking the invited person.

    A page with a link, not a redirect: the answer to a form may lead nowhere else (`form-action`).
    """
    provider = _provider(request, provider_id)
    login = await run_in_threadpool(service.database.transact, lambda tx: invited_login(tx, secret=secret))
    begun = _Try(provider_id, "invitation", Attempt.new(), secret)
    try:
        address = await provider.authorization_url(begun.attempt, language=words_of(request).language)
    except ProviderAway as error:
        return _away(request, provider, error)
    name = provider.settings.name(words_of(request).language)
    response = show(request, "openid_link.html", {"login": login, "provider": name, "address": address})
    set_cookie(request, response, COOKIE, begun.cookie, max_age=TRY_AGE_S)
    return response


@router.get("/{provider_id}/callback")
async def come_back(request: Request, provider_id: str) -> Response:
    """Take the provider's answer: once, from the browser that was sent off, and for what it was sent off for."""
    provider = _provider(request, provider_id)
    begun = _Try.read(cookie(request, COOKIE))
    response = await _answered(request, provider, begun)
    if begun is not None and begun.attempt.is_answered_by(request.query_params.get("state", "")):
        drop_cookie(request, response, COOKIE)  # a stranger's answer ends nobody's try
    return response


@router.get("/{provider_id}/sign-out")
async def sign_out_there(request: Request, service: ServiceDep, provider_id: str) -> Response:
    """End the browser's session at the provider too, where it offers that; the one here has ended before."""
    provider = _provider(request, provider_id)
    back_to = f"{service.settings.public_url.rstrip('/')}/portal/sign-in"
    try:
        address = await provider.sign_out_url(back_to)
    except ProviderAway as error:
        return _away(request, provider, error)
    response: Response = RedirectResponse(address or "/portal/sign-in", status_code=303)
    drop_cookie(request, response, USED_COOKIE)
    return response


async def _sent_off(request: Request, begun: _Try) -> Response:
    provider = _provider(request, begun.provider_id)
    try:
        address = await provider.authorization_url(begun.attempt, language=words_of(request).language)
    except ProviderAway as error:
        return _away(request, provider, error)
    response = RedirectResponse(address, status_code=303)
    set_cookie(request, response, COOKIE, begun.cookie, max_age=TRY_AGE_S)
    return response


async def _answered(request: Request, provider: Provider, begun: _Try | None) -> Response:
    try:
        subject = await _proven(request, provider, begun)
    except NotProven as error:
        _tell(request, provider, "openid.not_proven", error)
        return _told(request, provider, "not_proven", status=400)
    except RefusedByProvider as error:
        _tell(request, provider, "openid.refused", error)
        return _told(request, provider, "refused", status=403)
    except ProviderAway as error:
        return _away(request, provider, error)
    assert begun is not None, "nothing is proven to a browser that was not sent off"
    return await run_in_threadpool(_let_in, request, provider, begun, subject)


async def _proven(request: Request, provider: Provider, begun: _Try | None) -> Subject:
    """Whom the provider let in. Raises NotProven, RefusedByProvider, ProviderAway."""
    fields = dict(request.query_params)
    if begun is None or begun.provider_id != provider.settings.id:
        raise NotProven("this browser was not sent off there")
    if len(fields) < len(request.query_params.multi_items()):
        raise NotProven("a field of the answer is given more than once")
    if not begun.attempt.is_answered_by(fields.get("state", "")):
        raise NotProven("state is not that of this browser")
    if not await run_in_threadpool(_is_first, request, begun):
        raise NotProven("this try was answered before")
    return await provider.signed_in(begun.attempt, fields)


def _is_first(request: Request, begun: _Try) -> bool:
    return get_service(request).database.transact(
        lambda tx: outside.is_first_answer(tx, provider=begun.provider_id, state=begun.attempt.state)
    )


def _let_in(request: Request, provider: Provider, begun: _Try, subject: Subject) -> Response:
    vouched = Vouched(
        provider.settings.id, subject.issuer, subject.subject, subject.second_factor, subject.signed_in_at
    )
    try:
        if begun.purpose == "invitation":
            return _link(request, begun.about, vouched)
        if begun.purpose == "token":
            return _show_code(request, begun.about, vouched)
        return _begin_session(request, provider, vouched)
    except AppError as error:
        if error.code is Code.OUTSIDE_IDENTITY_UNKNOWN:
            _tell(request, provider, "openid.not_linked", error)
        return show_refusal(request, error)


def _begin_session(request: Request, provider: Provider, vouched: Vouched) -> Response:
    service, device = get_service(request), device_of(request)

    def begin_session(tx: Connection, entered: Entered) -> tuple[str, str]:
        secret = start_session(
            tx,
            request,
            service,
            entered.caller,
            stage=entered.stage,
            outside_factor=vouched.second_factor,
        )
        return secret, after(entered)

    secret, path = _entered(request, vouched, "portal", begin_session)
    response = signed_in_response(request, path, secret, device)
    set_cookie(request, response, USED_COOKIE, provider.settings.id)
    return response


def _show_code(request: Request, challenge: str, vouched: Vouched) -> Response:
    def give(tx: Connection, entered: Entered) -> tuple[str, str]:
        code = give_code(tx, caller=entered.caller, challenge=challenge, proof=vouched.proof)
        return code, outside.login_of(tx, entered.caller.principal_id)

    code, login = _entered(request, vouched, "personal_token", give)
    return show(request, "openid_code.html", {"code": code, "login": login})


def _entered(request: Request, vouched: Vouched, purpose: str, then: Callable[[Connection, Entered], T]) -> T:
    service = get_service(request)
    return service.database.transact(
        lambda tx: outside.enter(
            tx,
            vouched=vouched,
            purpose=purpose,
            request_id=request.state.request_id,
            source=source_of(request),
            staff=service.settings.staff_second_factor,
            then=then,
        )
    )


def _link(request: Request, secret: str, vouched: Vouched) -> Response:
    get_service(request).database.transact(
        lambda tx: outside.link(
            tx, secret=secret, vouched=vouched, request_id=request.state.request_id, source=source_of(request)
        )
    )
    response = see_other(request, "/portal/sign-in", notice="identity_linked")
    drop_cookie(request, response, SESSION_COOKIE)
    return response


def _provider(request: Request, provider_id: str) -> Provider:
    provider = get_service(request).openid.get(provider_id)
    if provider is None:
        raise AppError(Code.NOT_FOUND, what="provider")
    return provider


def _away(request: Request, provider: Provider, error: ProviderAway) -> Response:
    _tell(request, provider, "openid.away", error)
    response = _told(request, provider, "away", status=503)
    response.headers["Retry-After"] = str(AWAY_RETRY_S)
    return response


def _told(request: Request, provider: Provider, what: str, *, status: int) -> Response:
    words = words_of(request)
    name = provider.settings.name(words.language)
    return show_problem(
        request,
        words(f"openid.{what}.title", provider=name),
        words(f"openid.{what}.body", provider=name),
        status=status,
    )


def _tell(request: Request, provider: Provider, what: str, error: Exception) -> None:
    log.warning(
        what,
        provider=provider.settings.id,
        why=str(error),
        source=source_of(request),
        request_id=request.state.request_id,
    )
