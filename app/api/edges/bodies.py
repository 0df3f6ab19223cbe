"""Bodies: how large they may be, how slowly they may come, and that JSON is in shape before it is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.edges.json_shape import SMALL, fault_of
from app.api.edges.refusing import refuse
from app.api.middleware import MIB
from app.api.problems import is_json
from app.kernel.problems import AppError, Code
from app.kernel.wording import UNPACKED

BYTES_A_SECOND = 4 * 1024
"""The slowest that a body may come once its grace is over: a file of 20 MiB gets 85 minutes, a dripping one none."""

_PLAIN_ENCODINGS = frozenset({b"identity", b""})
_UPLOADS = (
    "/v1/issuance-batches",
    "/v1/statements",
    "/v1/bank-lists",
    "/v1/organisation-lists",
    "/v1/debarment-lists",
    "/v1/uploads",
    "/portal/applications",
)
_UPLOADS_OF_ONE = ("/allocation-lists", "/allocation-lists/annotated-sheet")
_LARGE_JSON = ("/v1/issuance-batches",)
_LARGE_JSON_OF_ONE = (":batch", "/allocation-rounds")


def limit_of(path: str, *, json: bool) -> int:
    """The contract's limits: 1 MiB, batches 8 MiB, uploads and simulations 20 MiB (and what a form adds to them)."""
    if path.endswith("/simulations"):
        return 20 * MIB + 64 * 1024
    if not json and (path.startswith(_UPLOADS) or path.endswith(_UPLOADS_OF_ONE)):
        return 20 * MIB + 64 * 1024
    if path.endswith(_LARGE_JSON_OF_ONE) or path.startswith(_LARGE_JSON):
        return 8 * MIB
    return MIB


class BodyGuard:
    """Refuses what is not read: over the limit of its path 413, whether or not its length was announced; too slow 408;
    compressed 415, for nothing here unpacks it; JSON out of shape 400.

    Hands on a body in one piece (it is small by then), so that a refusal comes before any work.
    """

    def __init__(self, app: ASGIApp, *, grace_s: float, limit_of: Callable[..., int] = limit_of) -> None:
        self._app = app
        self._grace_s = grace_s
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body first."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        try:
            body: bytes | None = await self._read(scope, receive)
        except AppError as error:
            await refuse(scope, receive, send, error, close=error.code is not Code.MALFORMED_REQUEST)
            return
        except ClientDisconnect:
            return

        async def replay() -> Message:
            nonlocal body
            if body is not None:
                whole, body = body, None
                return {"type": "http.request", "body": whole, "more_body": False}
            return await receive()

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").lower() not in _PLAIN_ENCODINGS:
            raise AppError(Code.UNSUPPORTED_MEDIA_TYPE, pointer="/header/Content-Encoding", expected=UNPACKED)
        json = headers.get(b"content-type") == b"application/json" or is_json(Request(scope))
        limit = self._limit_of(scope["path"], json=json)
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
            raise AppError(Code.BODY_TOO_LARGE, limit=limit)
        body = await self._in_time(receive, limit)
        if json:
            fault = fault_of(body) if len(body) <= SMALL else await run_in_threadpool(fault_of, body)
            if fault is not None:
                raise fault
        return body

    async def _in_time(self, receive: Receive, limit: int) -> bytes:
        message = await self._next(receive, self._grace_s)
        first: bytes = message.get("body", b"")
        if len(first) > limit:
            raise AppError(Code.BODY_TOO_LARGE, limit=limit)
        if not message.get("more_body", False):  # nearly all
            return first
        begun_s = time.monotonic()
        body = bytearray(first)
        while message.get("more_body", False):
            left_s = begun_s + self._grace_s + len(body) / BYTES_A_SECOND - time.monotonic()
            message = await self._next(receive, left_s)
            body += message.get("body", b"")
            if len(body) > limit:
                raise AppError(Code.BODY_TOO_LARGE, limit=limit)
        return bytes(body)

    @staticmethod
    async def _next(receive: Receive, within_s: float) -> Message:
        try:
            async with asyncio.timeout(max(within_s, 0)):
                message = await receive()
        except TimeoutError as error:
            raise AppError(Code.REQUEST_TOO_SLOW) from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message
