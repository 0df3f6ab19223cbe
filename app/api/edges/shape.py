"""The head of a request: how long its address is, how many headers it has, and whether it asks for us."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.edges.refusing import refuse
from app.kernel.problems import AppError, Code

MAX_ADDRESS = 8 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for by whatever address the machine has, by whoever watches it."""
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def names_of(public_url: str, more: str) -> frozenset[str]:
    """The names under which the service is asked for: of its public address, further ones, and this machine's own."""
    own = urlsplit(public_url).hostname or ""
    return LOCAL | {name.lower() for name in (_bracketed(own), *more.split())}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class RequestHead:
    """Refuses what is no request to this service before its body is read: 414, 431, or 421."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the head alone."""
        if scope["type"] == "http":
            fault = self._fault(scope)
            if fault is not None:
                await refuse(scope, receive, send, fault, close=True)
                return
        await self._app(scope, receive, send)

    def _fault(self, scope: Scope) -> AppError | None:
        raw_path, query = scope.get("raw_path") or b"", scope["query_string"]
        if len(raw_path) + len(query) > MAX_ADDRESS:
            return AppError(Code.ADDRESS_TOO_LONG, limit=MAX_ADDRESS)
        headers, size, hosts = scope["headers"], 0, []
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
        if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
            return AppError(Code.HEADERS_TOO_LARGE, count=MAX_HEADERS, limit=MAX_HEADER_BYTES)
        if scope["path"] not in PROBES and not (len(hosts) == 1 and self._is_ours(hosts[0], scope)):
            return AppError(Code.HOST_UNKNOWN)
        return None

    def _is_ours(self, host: bytes, scope: Scope) -> bool:
        """Anybody can have a name point here, so names are known ones; an address is ours if it was connected to."""
        name, _, port = host.decode("latin-1").lower().rpartition(":")
        if not name or not port.isdigit():
            name = host.decode("latin-1").lower()
        if name in self._names:
            return True
        server = scope.get("server")
        try:
            return server is not None and ipaddress.ip_address(name.strip("[]")) == ipaddress.ip_address(server[0])
        except ValueError:
            return False
