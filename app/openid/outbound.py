"""Calls to a provider: to its own hosts alone, answered in time, small, and never redirected.

Private addresses are not refused: a city's platform often has one. What keeps a call from going elsewhere is that its
host must be among those that the operator named.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from app.openid.faults import ProviderAway

DEADLINE_S = 5.0
"""For a call from its beginning to the last byte of the answer, however slowly it comes."""
MAX_BYTES = 256 * 1024


class Answer(NamedTuple):
    """An answer in JSON."""

    status: int
    body: dict[str, Any]


class Outbound:
    """Calls to some hosts, from one event loop."""

    def __init__(self, hosts: Collection[str], *, ca_file: Path | None = None, deadline_s: float = DEADLINE_S) -> None:
        self._hosts = frozenset(hosts)
        self._deadline_s = deadline_s
        verify: ssl.SSLContext | bool = True
        if ca_file is not None:
            verify = ssl.create_default_context(cafile=str(ca_file))
        elif all(_is_loopback(urlsplit(f"//{host}").hostname or "") for host in self._hosts):
            verify = False  # no TLS on this machine, and loading its authorities takes 30 ms
        # No proxy of the environment: a call goes where the operator said, and nowhere by the way.
        self._http = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=deadline_s)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    def allows(self, url: str) -> bool:
        """Whether the address may be called, or a browser be sent there."""
        return is_safe(url) and urlsplit(url).netloc.lower() in self._hosts

    async def get(self, url: str) -> Answer:
        """GET a JSON object. Raises ProviderAway."""
        return await self._call("GET", url, {}, None)

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """POST a form and read a JSON object. Raises ProviderAway."""
        return await self._call("POST", url, headers, body)

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> Answer:
        if not self.allows(url):
            raise ProviderAway(f"{url[:200]!r} is not among the provider's hosts")
        said = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            async with asyncio.timeout(self._deadline_s):
                status, read = await self._read(method, url, said, body)
        except TimeoutError as error:
            raise ProviderAway(f"{url}: took more than {self._deadline_s} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ProviderAway(f"{url}: {type(error).__name__}") from error
        try:
            parsed = json.loads(read)
        except (ValueError, RecursionError) as error:
            raise ProviderAway(f"{url}: {status}, and no JSON") from error
        if not isinstance(parsed, dict):
            raise ProviderAway(f"{url}: {status}, and no JSON object")
        return Answer(status, parsed)

    async def _read(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> tuple[int, bytes]:
        read = bytearray()
        async with self._http.stream(method, url, headers=headers, content=body) as response:
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MAX_BYTES:
                    raise ProviderAway(f"{url}: answered more than {MAX_BYTES} bytes")
        return response.status_code, bytes(read)


def is_safe(url: str) -> bool:
    """Whether an address is https, or plain http on this machine; with a host, without a user or a fragment."""
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    plain = not (parts.username or parts.password or parts.fragment or not host or any(c <= " " for c in url))
    return plain and port_is_one and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
