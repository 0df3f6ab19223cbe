"""How the edges say no: as a page where a person looks at one, as a problem everywhere else."""

from __future__ import annotations

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from app.api.portal import notices, pages
from app.api.problems import problem_response
from app.kernel.problems import AppError

NOTICES = "/notices"
PAGES = ("/portal", NOTICES)


def is_page(path: str) -> bool:
    """Whether people see what is answered there."""
    return any(path == root or path.startswith(f"{root}/") for root in PAGES)


def refusal(scope: Scope, error: AppError) -> Response:
    """The answer, which no route has seen."""
    request = Request(scope)
    if not is_page(scope["path"]):
        return problem_response(request, error)
    return notices.as_page(request, error) if scope["path"].startswith(NOTICES) else pages.show_refusal(request, error)


async def refuse(scope: Scope, receive: Receive, send: Send, error: AppError, *, close: bool = False) -> None:
    """Answer at once; with `close` the connection ends, because the rest of the request is not read."""
    answer = refusal(scope, error)
    if close:
        answer.headers["Connection"] = "close"
    await answer(scope, receive, send)
