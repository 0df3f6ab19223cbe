"""Plain ASGI middleware: a request id for every request, and the end of every bug. The other edges: `edges/`."""

from __future__ import annotations

import re
import secrets

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.context import Service
from app.api.problems import problem_response
from app.kernel.problems import AppError, Code
from app.services.auditing.refusals import Attempt

MIB = 1024 * 1024

log = structlog.get_logger(__name__)


REFUSALS = frozenset({401, 403, 404})
_AN_ID = re.compile(r"[a-z]{3}_(?:[0-9]{6}_)?[0-9a-z]{26}")


def note_refusal(scope: Scope, status: int) -> None:
    """Let a refusal be told: of whoever has signed in as an audit event, of anybody else (401) as a line of the log.

    That something is not found is an attempt only where the address names one.
    """
    path: str = scope["path"]
    objects = tuple(_AN_ID.findall(path))
    route = f"{scope['method']} {_AN_ID.sub('{id}', path)}"
    caller = scope["state"].get("caller")
    if caller is None:
        if status == 401:
            log.warning("access.refused", route=route[:200], status=status, request_id=scope["state"]["request_id"])
    elif status != 404 or objects:
        service: Service = scope["app"].state.service
        service.refusals.note(Attempt(caller, route[:200], status, objects))


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
                if message["status"] in REFUSALS:
                    note_refusal(scope, message["status"])
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.error("request.failed", path=scope["path"], request_id=request_id, exc_info=error)
            if not started:
                answer = problem_response(Request(scope), AppError(Code.INTERNAL_ERROR))
                await answer(scope, receive, send_with_id)
