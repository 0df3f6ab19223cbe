"""What uvicorn does not limit by itself: how long the head of a request may take, and how large it may become.

The rest is limited in `app/api/edges`, which sees a request only when its head is complete.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.edges.answer_headers import OF_DATA
from app.api.edges.shape import MAX_HEADER_BYTES, MAX_HEADERS
from app.api.problems import MEDIA_TYPE, document
from app.kernel.problems import AppError, Code
from app.kernel.wording import NOT_HTTP

HEAD_S = 15.0
"""For a whole head, from its first byte or from connecting."""
MAX_HEAD_BYTES = 2 * MAX_HEADER_BYTES
"""At which the connection is closed without waiting for the end of the head."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 of uvicorn with a limit on the head's time and size; what comes after a chunked body is dropped."""

    head_s = HEAD_S

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is not kept either."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has become too large."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, AppError(Code.HEADERS_TOO_LARGE, count=MAX_HEADERS, limit=MAX_HEADER_BYTES))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. One that follows a body would be taken for one of the head: it is dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._head_is_there()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence is English only
        """What is no HTTP is a problem like every other."""
        self._refuse(400, AppError(Code.MALFORMED_REQUEST, why=NOT_HTTP))

    def _await_head(self) -> None:
        self._head_is_there()
        self._deadline = self.loop.call_later(self.head_s, self._too_slow)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self._in_head:
            self._refuse(408, AppError(Code.REQUEST_TOO_SLOW))
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, status: int, error: AppError) -> None:
        if self.transport.is_closing():
            return
        _, body = document(error, language="zh", request_id=secrets.token_hex(16), instance="")
        fields = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *OF_DATA,
        ]
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        self.transport.write(head + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n" + body)
        self.transport.close()
