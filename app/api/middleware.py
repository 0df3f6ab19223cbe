"""Plain ASGI middleware: a request id for every request, and what holds for every body."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from contextlib import suppress

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.context import Service
from app.api.problems import is_json, not_json, problem_response
from app.kernel.catalogue import UNPACKED
from app.kernel.problems import AppError, Code
from app.services.auditing.refusals import Attempt

MIB = 1024 * 1024

_PLAIN_ENCODINGS = frozenset({b"identity", b""})

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


class BodyLimit:
    """Refuses a body over the limit of its path with 413, whether or not its length was announced.

    And with 400 one that says to be JSON and has NaN or an infinity: no JSON has them, but Python reads them. One that
    is compressed is refused with 415: nothing here unpacks it, and it would be called malformed.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body first (it is small by then), so that a refusal comes before any work."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").lower() not in _PLAIN_ENCODINGS:
            packed = AppError(Code.UNSUPPORTED_MEDIA_TYPE, pointer="/header/Content-Encoding", expected=UNPACKED)
            refusal = problem_response(Request(scope), packed)
            refusal.headers["Accept-Encoding"] = "identity"
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
            return
        announced = headers.get(b"content-length", b"0")
        chunks: list[bytes] = []
        size = int(announced) if announced.isdigit() else 0
        if size <= limit:
            size = 0
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    break
                chunks.append(chunk)
                more = message.get("more_body", False)
        if size > limit:
            refusal = problem_response(Request(scope), AppError(Code.BODY_TOO_LARGE, limit=limit))
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
            return
        whole = b"".join(chunks)
        if (b"NaN" in whole or b"Infinity" in whole) and is_json(Request(scope)) and _has_no_number(whole):
            refusal = problem_response(Request(scope), not_json())
            await refusal(scope, receive, send)
            return
        body: bytes | None = whole

        async def replay() -> Message:
            nonlocal body
            if body is not None:
                whole, body = body, None
                return {"type": "http.request", "body": whole, "more_body": False}
            return await receive()

        await self._app(scope, replay, send)


def _has_no_number(body: bytes) -> bool:
    """Whether NaN or an infinity stands where JSON has a value; what is wrong besides is found where it is read."""
    met: list[str] = []
    with suppress(ValueError, RecursionError):
        json.loads(body, parse_constant=met.append)
    return bool(met)


_UPLOADS = (
    "/v1/issuance-batches",
    "/v1/statements",
    "/v1/bank-lists",
    "/v1/organisation-lists",
    "/v1/debarment-lists",
    "/v1/uploads",
    "/portal/applications",
)


def limit_of(path: str) -> int:
    """The contract's limits: 1 MiB, batches 8 MiB, uploads 20 MiB (and what a form adds to them)."""
    if path.startswith(_UPLOADS) or path.endswith("/simulations"):
        return 20 * MIB + 64 * 1024
    if path.endswith(":batch"):
        return 8 * MIB
    return MIB
