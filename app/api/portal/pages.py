"""Rendering: page or fragment, its language, its notice, and what a refusal looks like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.context import get_service
from app.api.portal.presentation import ends_with_day, last_day, local_second, local_time
from app.api.portal.texts import LANGUAGES, Words
from app.api.portal.tokens import stranger_cookie, stranger_token
from app.api.problems import http_status, language_of
from app.kernel.catalogue import CATALOGUE
from app.kernel.codes import format_code
from app.kernel.money import format_yuan
from app.kernel.payment_digits import format_digits
from app.kernel.problems import AppError, Kind
from app.kernel.wording import detail, title

HERE = Path(__file__).parent
STATIC = HERE / "static"

LANGUAGE_COOKIE = "voucher_language"
NOTICE_COOKIE = "voucher_notice"
STRANGER_COOKIE = "voucher_stranger"
LANGUAGE_AGE_S = 400 * 24 * 3600
NOTICE_AGE_S = 60

NOTICES = frozenset(
    {
        "signed_out",
        "session_ended",
        "password_set",
        "identity_linked",
        "second_factor_removed",
        "session_closed",
        "signed_out_everywhere",
        "mandate_granted",
        "mandate_withdrawn",
        "surrendered",
        "application_saved",
        "application_submitted",
        "application_withdrawn",
        "document_added",
        "document_removed",
    }
)
"""What a redirect may have the next page say, once."""


def words_of(request: Request) -> Words:
    """The language chosen at the switch, else the browser's, else Chinese."""
    chosen = cookie(request, LANGUAGE_COOKIE) or ""
    return Words(chosen if chosen in LANGUAGES else language_of(request))


def is_fragment_request(request: Request) -> bool:
    """Whether htmx asks, and so only a part of the page is wanted."""
    return request.headers.get("HX-Request") == "true"


def show(
    request: Request, page: str, context: Mapping[str, object], *, part: str | None = None, status: int = 200
) -> Response:
    """Render the page, or only its `part` where htmx asks for it. One place decides, so no route has to."""
    template = environment().get_template(part if part is not None and is_fragment_request(request) else page)
    visitor = getattr(request.state, "visitor", None)
    stranger = None if visitor else stranger_cookie(cookie(request, STRANGER_COOKIE))
    notice = cookie(request, NOTICE_COOKIE)
    markup = template.render(
        context,
        t=words_of(request),
        visitor=visitor,
        form_token_value=visitor.session.csrf_token if visitor else stranger_token(stranger or ""),
        notice=notice if notice in NOTICES else None,
    )
    response = HTMLResponse(markup, status_code=status)
    if notice is not None:
        drop_cookie(request, response, NOTICE_COOKIE)
    if stranger is not None:
        set_cookie(request, response, STRANGER_COOKIE, stranger)
    return response


def see_other(request: Request, path: str, *, notice: str | None = None) -> Response:
    """Send the browser on after a form (Post/Redirect/Get); the page it comes to says `notice` once."""
    response = RedirectResponse(path, status_code=303)
    if notice is not None:
        assert notice in NOTICES, f"{notice} is no notice"
        set_cookie(request, response, NOTICE_COOKIE, notice, max_age=NOTICE_AGE_S)
    return response


def leave(request: Request, path: str, *, notice: str | None = None) -> Response:
    """Send the browser to another page, also where htmx asked for a part of this one."""
    response = see_other(request, path, notice=notice)
    if is_fragment_request(request):
        response.status_code = 200
        response.headers["HX-Redirect"] = path
        del response.headers["location"]
    return response


def show_refusal(request: Request, error: AppError) -> Response:
    """A service's refusal as a page, in the words of the catalogue; what cannot be seen is simply not there."""
    words = words_of(request)
    kind = CATALOGUE[error.code].kind
    if kind is Kind.MISSING:
        response = show_message(request, "missing", status=404)
    elif kind is Kind.UNAVAILABLE:
        response = show_message(request, "unavailable", status=503)
    else:
        heading = title(error.code, words.language)
        sentence = detail(error.code, words.language, error.context)
        response = show_problem(request, heading, sentence, status=http_status(error))
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def show_message(request: Request, name: str, *, status: int, reference: str | None = None) -> Response:
    """One of the portal's own messages: `missing`, `form`, `bug`, `unavailable`."""
    words = words_of(request)
    heading, sentence = words(f"problem.{name}.title"), words(f"problem.{name}.body")
    return show_problem(request, heading, sentence, status=status, reference=reference)


def cookie(request: Request, name: str) -> str | None:
    """A cookie that `set_cookie` has set, or None."""
    return request.cookies.get(_cookie_name(request, name))


def set_cookie(request: Request, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie that no script reads and no other site sends.

    Where the service is public by https it goes over https only, and its name says so (`__Host-`): neither another
    host of the domain nor plain http can put one of its own in its place (RFC 6265bis, section 4.1.3.2).
    """
    secure = _is_secure(request)
    name = _cookie_name(request, name)
    response.set_cookie(name, value, max_age=max_age, path="/", secure=secure, httponly=True, samesite="lax")


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget a cookie that `set_cookie` has set."""
    name = _cookie_name(request, name)
    response.delete_cookie(name, path="/", secure=_is_secure(request), httponly=True, samesite="lax")


def _cookie_name(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    return get_service(request).settings.public_url.startswith("https:")


def signed_yuan(fen: int) -> str:
    """Fen as yuan with its sign, a true minus: `+1,234.50`, `−20.00`."""
    return f"{'+' if fen > 0 else '−'}{format_yuan(abs(fen))}"


def yuan(fen: int) -> str:
    """Fen as yuan; a true minus where something was cut."""
    return format_yuan(fen) if fen >= 0 else signed_yuan(fen)


def show_problem(
    request: Request, heading: str, sentence: str, *, status: int, reference: str | None = None
) -> Response:
    """A page that says what went wrong and what to do; where htmx asks, a line above the page."""
    response = show(
        request,
        "problem.html",
        {"title": heading, "body": sentence, "reference": reference},
        part="_problem.html",
        status=status,
    )
    if is_fragment_request(request):
        response.headers["HX-Retarget"] = "#announcement"
        response.headers["HX-Reswap"] = "innerHTML show:top"
    return response


@cache
def environment() -> Environment:
    """The templates with their filters."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    environment.filters |= {
        "code": format_code,
        "digits": format_digits,
        "ends_with_day": ends_with_day,
        "last_day": last_day,
        "local_second": local_second,
        "local_time": local_time,
        "signed_yuan": signed_yuan,
        "yuan": yuan,
    }
    return environment


@cache
def _asset(name: str) -> str:
    """The address of a static file with a part of its hash, so that browsers may keep it until it changes."""
    return f"/portal/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
