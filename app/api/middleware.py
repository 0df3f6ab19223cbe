"""Plain ASGI middleware: a request id for every request, and the end of every bug. The other edges: `edges/`."""

from __future__ import annotations

import secrets

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_response
from app.kernel.problems import AppError, Code

MIB = 1024 * 1024

log = structlog.get_logger(__name__)


class RequestId:
    """Gives each request an id of our own, in `request.state` and in the answer's `X-Request-Id`.

    It is also where a bug ends: the answer says nothing of it, the log where it happened.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the header to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(16)  # a UUID's spelling took a twentieth of a redemption's time
        scope.setdefault("state", {})["request_id"] = request_id

        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.error("request.failed", path=scope["path"], request_id=request_id, exc_info=error)
            if not started:
                answer = problem_response(Request(scope), AppError(Code.INTERNAL_ERROR))
                await answer(scope, receive, send_with_id)
