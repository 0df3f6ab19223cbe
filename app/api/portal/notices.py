"""Public notices (公示) as pages for everybody: no sign-in, no scripts, the same services as the API."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from app.api.authentication import source_of
from app.api.context import ServiceDep
from app.api.portal.guard import FormRefused, StrangerForm, Typed
from app.api.portal.notice_forms import ObjectionForm, read_objection_form
from app.api.portal.pages import STRANGER_COOKIE, cookie, environment, set_cookie
from app.api.portal.texts import LANGUAGES, Words
from app.api.portal.tokens import stranger_cookie, stranger_token
from app.api.problems import http_status, language_of
from app.api.public_notices import MOST_TEXT
from app.kernel.clock import civil_date
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.wording import detail, title
from app.reach import PUBLISHED
from app.services.notices.objections import NewObjection, object_to, read_received
from app.services.notices.reads import ItemRecord, NoticeRecord, list_shown, read_items, read_shown

log = structlog.get_logger(__name__)

LISTED, LINES = 20, 500
"""Notices, and lines of one, on a page."""


class PublicRoute(APIRoute):
    """Answers with pages whatever happens."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler within its frame."""
        handle = super().get_route_handler()

        async def framed(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 - the last resort of a page: bugs are logged there
                response = as_page(request, error)
            return response

        return framed


router = APIRouter(prefix="/notices", route_class=PublicRoute, include_in_schema=False)

TypedText = Annotated[str, Form(max_length=4 * MOST_TEXT)]


@router.get("")
def notices_page(request: Request, service: ServiceDep, before: Annotated[str | None, Query()] = None) -> Response:
    """The notices that are shown now, newest first."""
    after = before if before is not None and is_id(before, "ntc") else None
    found = service.database.reaching(PUBLISHED).snapshot(lambda tx: list_shown(tx, limit=LISTED + 1, before_id=after))
    older = found[LISTED - 1].id if len(found) > LISTED else None
    return _show(request, "notices.html", {"notices": found[:LISTED], "older": older})


@router.get("/{notice_id}")
def notice_page(
    request: Request, service: ServiceDep, notice_id: str, after: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """One notice with its list, and the form for an objection."""
    return _notice(request, service, notice_id, after=after)


@router.post("/{notice_id}/objections", dependencies=[StrangerForm])
def send_objection(
    request: Request,
    service: ServiceDep,
    notice_id: str,
    item_no: Typed = "",
    text: TypedText = "",
    name: Typed = "",
    contact: Typed = "",
) -> Response:
    """Take an objection in. What has to be corrected is said, and what was typed stays."""
    words = _words(request)
    form = ObjectionForm(item_no, text, name, contact)
    read = read_objection_form(form, words)
    if isinstance(read, ObjectionForm):
        return _notice(request, service, notice_id, form=read, status=422)
    return _take(request, service, notice_id, form, read)


@router.get("/{notice_id}/objections/{objection_id}")
def objection_page(request: Request, service: ServiceDep, notice_id: str, objection_id: str) -> Response:
    """What became of an objection, for whoever has its address."""
    objection = service.database.reaching(PUBLISHED).snapshot(
        lambda tx: read_received(tx, notice_id=notice_id, objection_id=objection_id)
    )
    return _show(request, "objection.html", {"objection": objection})


def _take(request: Request, service: ServiceDep, notice_id: str, form: ObjectionForm, new: NewObjection) -> Response:
    try:
        service.objections.take(source_of(request))
        received = service.database.reaching(PUBLISHED).transact(
            lambda tx: object_to(
                tx, keys=service.field_keys, request_id=request.state.request_id, notice_id=notice_id, new=new
            )
        )
    except AppError as error:
        refused = form.refused(error, _words(request))
        if refused is None:
            raise
        return _notice(request, service, notice_id, form=refused, status=http_status(error))
    path = f"/notices/{notice_id}/objections/{received.objection_id}{_query(request)}"
    return RedirectResponse(path, status_code=303)


def _notice(
    request: Request,
    service: ServiceDep,
    notice_id: str,
    *,
    after: int = 0,
    form: ObjectionForm | None = None,
    status: int = 200,
) -> Response:
    def load(tx: Connection) -> tuple[NoticeRecord, list[ItemRecord]]:
        notice = read_shown(tx, notice_id=notice_id)
        return notice, read_items(tx, notice, limit=LINES + 1, after_no=after, public=True)

    notice, items = service.database.reaching(PUBLISHED).snapshot(load)
    assert notice.published_at is not None, "what is shown was published"
    shown = {
        "notice": notice,
        "published_on": civil_date(notice.published_at),
        "items": items[:LINES],
        "after": after,
        "following": items[LINES - 1].item_no if len(items) > LINES else None,
        "form": form or ObjectionForm(),
        "most_text": MOST_TEXT,
    }
    return _show(request, "notice.html", shown, status=status)


def _show(request: Request, page: str, context: Mapping[str, object], *, status: int = 200) -> Response:
    """Render a page; a form in it is let through again by the cookie that comes with it."""
    stranger = stranger_cookie(cookie(request, STRANGER_COOKIE))
    markup = (
        environment()
        .get_template(page)
        .render(
            context,
            t=_words(request),
            path=request.url.path.removesuffix("/objections"),
            lang=_chosen(request),
            query=_query(request),
            form_token_value=stranger_token(stranger),
        )
    )
    response = HTMLResponse(markup, status_code=status)
    set_cookie(request, response, STRANGER_COOKIE, stranger)
    return response


def _chosen(request: Request) -> str | None:
    lang = request.query_params.get("lang")
    return lang if lang in LANGUAGES else None


def _query(request: Request) -> str:
    lang = _chosen(request)
    return f"?lang={lang}" if lang else ""


def _words(request: Request) -> Words:
    """The language that the address names, else the browser's, else Chinese."""
    return Words(_chosen(request) or language_of(request))


def as_page(request: Request, error: Exception) -> Response:
    """What went wrong, to whoever reads the public pages."""
    words = _words(request)
    match error:
        case AppError(code=Code.NOT_FOUND):
            return _problem(request, words("notices.missing.title"), words("notices.missing.body"), status=404)
        case AppError():
            heading = title(error.code, words.language)
            response = _problem(
                request,
                heading,
                detail(error.code, words.language, error.context),
                status=http_status(error),
            )
            if error.retry_after_s is not None:
                response.headers["Retry-After"] = str(error.retry_after_s)
            return response
        case FormRefused():
            return _problem(request, words("problem.form.title"), words("problem.form.body"), status=403)
        case HTTPException() | RequestValidationError() | ValidationError():
            return _problem(request, words("problem.form.title"), words("problem.form.body"), status=400)
    log.error("notices.failed", path=request.url.path, exc_info=error)
    return _problem(request, words("problem.bug.title"), words("problem.bug.body"), status=500)


def _problem(request: Request, heading: str, sentence: str, *, status: int) -> Response:
    return _show(request, "public_problem.html", {"title": heading, "body": sentence}, status=status)
