"""A shortcut past the framework for the one request that comes by the thousand: `POST /v1/redemptions`.

FastAPI's way to an endpoint (a dozen routers asked, exit stacks, dependencies solved, parameters validated one by one)
takes more processor time than the endpoint and its transaction together; ADR 15 has the figures. So what is plain is
taken here by hand, with the same authentication, the same Pydantic model and the same endpoint function. Whatever is
not plain (a header that is missing, a body that is not valid) goes on to the route as if this were not here, and it is
the route that says what is wrong. Without the shortcut every answer would be the same to the byte, only later.
"""

from __future__ import annotations

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.authentication import authenticate
from app.api.context import get_service
from app.api.keys import idempotency_key
from app.api.problems import commit_unknown, problem_response
from app.api.redemptions import RedemptionCreate, create_redemption
from app.database import CommitUnknown
from app.kernel.problems import AppError

PATH = "/v1/redemptions"


class Shortcut:
    """Takes plain redemptions; stands behind the body limit, which hands on a body in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a plain redemption, pass everything else on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        answer = await _taken(Request(scope), message)
        if answer is not None:
            await answer(scope, receive, send)
            return
        given: Message | None = message

        async def replay() -> Message:
            nonlocal given
            if given is not None:
                again, given = given, None
                return again
            return await receive()

        await self._app(scope, replay, send)


async def _taken(request: Request, message: Message) -> Response | None:
    """The answer to a plain request, None for any other."""
    headers = request.headers
    if headers.get("content-type") != "application/json" or message.get("more_body"):
        return None
    try:
        body = RedemptionCreate.model_validate(orjson.loads(message["body"]))
        key = await idempotency_key(headers.get("idempotency-key"))
        caller = await authenticate(request)
    except (AppError, ValidationError, orjson.JSONDecodeError):
        return None
    except CommitUnknown:  # nothing was written: who the caller is was only read
        return commit_unknown(request)
    try:
        return await create_redemption(body, caller, key, get_service(request), request)
    except AppError as error:
        return problem_response(request, error)
    except CommitUnknown:
        return commit_unknown(request)
