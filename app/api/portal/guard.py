"""Who is at the door: the session, the checks of every form, and a route class that answers all refusals with pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

import structlog
from fastapi import Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app.api.authentication import source_of
from app.api.context import Service, ServiceDep
from app.api.portal import pages
from app.api.portal.tokens import is_strangers
from app.database import CommitUnknown
from app.kernel.problems import AppError
from app.kernel.vocabulary import Role, SessionStage
from app.reach import of_request
from app.services.identity import sessions
from app.services.identity.loading import load_principal
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.principals import Caller
from app.services.identity.second_factors import has_factor as has_second_factor
from app.services.identity.staff import must_have_second_factor
from app.services.organisations import read_organisation
from app.services.reach import reach_of

log = structlog.get_logger(__name__)

SESSION_COOKIE = "voucher_session"
SAME_ORIGIN = "same-origin"
DEVICE_COOKIE = "voucher_device"
DEVICE_AGE_S = 180 * 24 * 3600
CODE_PAGE = "/portal/sign-in/code"
FACTOR_PAGE = "/portal/account/second-factor"


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


class NotAFirm(Exception):
    """The person is signed in but holds no firm's role."""


class CodeNeeded(Exception):
    """The password was right; the code of the second factor is still to come."""


class EnrolmentNeeded(Exception):
    """The person's role needs a second factor, and there is none yet."""


class FormRefused(Exception):
    """The form does not come from our own page: its token or its origin is not right."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person in a session, however far signing in has come."""

    caller: Caller
    session: sessions.Session
    organisation_name: str
    has_factor: bool
    must_enrol: bool

    @property
    def is_in(self) -> bool:
        """Whether the person is signed in all the way."""
        return self.session.stage is SessionStage.FULL and not self.must_enrol

    @property
    def is_firm(self) -> bool:
        """Whether a firm's pages are for this person."""
        return self.is_in and self.caller.holds(Role.FIRM)


async def find_visitor(request: Request, service: ServiceDep) -> Visitor | None:
    """The person of the session's cookie, or None."""
    visitor = await run_in_threadpool(_load_visitor, request, service)
    if visitor is not None:
        of_request.set(reach_of(visitor.caller.principal))
    request.state.visitor = visitor
    return visitor


def _load_visitor(request: Request, service: Service) -> Visitor | None:
    secret = pages.cookie(request, SESSION_COOKIE)
    if not secret:
        return None

    def load(tx: Connection) -> Visitor | None:
        session = sessions.find(tx, secret=secret, idle_s=service.settings.session_idle_s)
        principal = load_principal(tx, session.user_id) if session else None
        if session is None or principal is None:
            return None
        caller = Caller(principal, request.state.request_id, source_of(request))
        request.state.caller = caller
        organisation = read_organisation(tx, caller=caller, organisation_id=principal.organisation_id)
        has_factor = has_second_factor(tx, principal.id)
        staff = service.settings.staff_second_factor
        is_without = not has_factor and not session.outside_factor
        must_enrol = is_without and must_have_second_factor(principal, staff=staff)
        return Visitor(caller, session, organisation.name, has_factor, must_enrol)

    return service.database.transact(load)


def in_session(visitor: Annotated[Visitor | None, Depends(find_visitor)]) -> Visitor:
    """Somebody whose password was right, however far he has come. Raises SignInNeeded."""
    if visitor is None:
        raise SignInNeeded
    return visitor


def person_in(visitor: Annotated[Visitor, Depends(in_session)]) -> Visitor:
    """A person who is signed in, whatever the role. Raises SignInNeeded, CodeNeeded, EnrolmentNeeded."""
    if visitor.session.stage is SessionStage.CODE:
        raise CodeNeeded
    if visitor.session.stage is SessionStage.ENROL or visitor.must_enrol:
        raise EnrolmentNeeded
    return visitor


def signed_in(visitor: Annotated[Visitor, Depends(person_in)]) -> Visitor:
    """A firm's person. Raises what `person_in` raises, and NotAFirm."""
    if not visitor.caller.holds(Role.FIRM):
        raise NotAFirm
    return visitor


def in_session_form(
    request: Request,
    service: ServiceDep,
    visitor: Annotated[Visitor, Depends(in_session)],
    form_token: Annotated[str, Form()] = "",
) -> Visitor:
    """Somebody in a session, who has sent one of our own forms. Raises SignInNeeded, FormRefused."""
    _require_own_origin(request, service.settings.public_url)
    if not visitor.session.accepts(form_token):
        raise FormRefused
    return visitor


def person_form(visitor: Annotated[Visitor, Depends(in_session_form)]) -> Visitor:
    """The same for a person who is signed in, whatever the role."""
    return person_in(visitor)


def signed_in_form(visitor: Annotated[Visitor, Depends(in_session_form)]) -> Visitor:
    """The same for a firm's person."""
    return signed_in(person_in(visitor))


def stranger_form(request: Request, service: ServiceDep, form_token: Annotated[str, Form()] = "") -> None:
    """Let a form through that is sent before signing in. Raises FormRefused."""
    _require_own_origin(request, service.settings.public_url)
    if not is_strangers(form_token, pages.cookie(request, pages.STRANGER_COOKIE)):
        raise FormRefused


Typed = Annotated[str, Form(max_length=TYPED_LENGTH)]
"""What somebody typed into a field: text, and no more of it than any field takes."""

MaybeVisitor = Annotated[Visitor | None, Depends(find_visitor)]
InSession = Annotated[Visitor, Depends(in_session)]
InSessionForm = Annotated[Visitor, Depends(in_session_form)]
PersonIn = Annotated[Visitor, Depends(person_in)]
PersonForm = Annotated[Visitor, Depends(person_form)]
SignedIn = Annotated[Visitor, Depends(signed_in)]
SignedInForm = Annotated[Visitor, Depends(signed_in_form)]
StrangerForm = Depends(stranger_form)


class PortalRoute(APIRoute):
    """Answers with pages whatever happens."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler within its frame."""
        handle = super().get_route_handler()

        async def framed(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 - the last resort of a page: bugs are logged there
                response = _answer(request, error)
            return response

        return framed


def _answer(request: Request, error: Exception) -> Response:
    match error:
        case SignInNeeded():
            ended = "session_ended" if pages.cookie(request, SESSION_COOKIE) else None
            response = pages.leave(request, "/portal/sign-in", notice=ended)
            pages.drop_cookie(request, response, SESSION_COOKIE)
            return response
        case CodeNeeded():
            return pages.leave(request, CODE_PAGE)
        case EnrolmentNeeded():
            return pages.leave(request, FACTOR_PAGE)
        case NotAFirm():
            return pages.show(request, "not_a_firm.html", {}, status=403)
        case FormRefused():
            return pages.show_message(request, "form", status=403)
        case AppError():
            return pages.show_refusal(request, error)
        case CommitUnknown():
            return pages.show_message(request, "unavailable", status=503)
        case HTTPException() | RequestValidationError():
            return pages.show_message(request, "form", status=400)
    log.error("portal.failed", path=request.url.path, exc_info=error)
    return pages.show_message(request, "bug", status=500, reference=request.state.request_id)


def address(header: str) -> SplitResult:
    """The parts of an address that a browser named; of what is none they are empty, and so nobody's."""
    try:
        return urlsplit(header)
    except ValueError:
        return urlsplit("")


def _require_own_origin(request: Request, public_url: str) -> None:
    """Browsers say where a form was sent from: it must be the public address, or the one that was asked.

    A request that names no origin and no referrer is refused too: no browser of today sends a form like that. Where the
    browser says how the sender is related to us (`Sec-Fetch-Site`), only our own pages are.
    """
    if request.headers.get("sec-fetch-site", SAME_ORIGIN) != SAME_ORIGIN:
        raise FormRefused
    named = request.headers.get("origin") or request.headers.get("referer") or ""
    origin = address(named)
    own = urlsplit(public_url)
    asked = request.headers.get("host", "")
    if not origin.netloc or (origin.netloc != asked and (origin.scheme, origin.netloc) != (own.scheme, own.netloc)):
        raise FormRefused
