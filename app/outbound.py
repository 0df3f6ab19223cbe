"""Calling out: the one way in which the service makes a request to another server.

Only to hosts that the operator named, over https, to addresses of the public internet. A name is resolved once, all its
addresses are judged, and the connection goes to one that was judged, so that a name server cannot say one thing to
us and another to the connection; the certificate is still checked for the name. Nothing is redirected, no proxy of the
environment is asked, and an answer that is too long or too slow is not read. What lies in a private network (a witness
in the government's own, a test on this machine) may be called when the operator names that network, also over http.

`Outbound` is for an event loop, `BlockingOutbound` for a thread that has none; what is called is judged in one place.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit

import httpx

WHOLE_S = 15.0
"""For a call from the look-up of its name to the last byte of the answer, however slowly that comes."""
MAX_BYTES = 1024 * 1024
KEEP_S = 2.0
"""Less than any server waits, so that no request is sent into a connection that is just being closed."""
CONNECTIONS = 32
"""To one host at once: so many may be signing in there, and whoever sends nonsense must not keep them waiting."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
_USUAL = {"https": 443, "http": 80}


class OutboundRefused(Exception):
    """What is never called: a host that was not named, or an address that is not public."""


class OutboundFailed(Exception):
    """It was called and did not answer as it should: away, too slow, too long."""


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """The whole answer; whatever its status, a redirection included."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def networks(written: str) -> tuple[Network, ...]:
    """The networks of a setting, with spaces between. Raises ValueError."""
    return tuple(ipaddress.ip_network(one) for one in written.split())


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, whatever it is wrapped in. Pure."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not is_public(inner):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def judged(url: httpx.URL, addresses: Sequence[str], *, allowed: Collection[Network]) -> str:
    """The address to connect to, if every one that the name has may be called. Raises OutboundRefused. Pure."""
    if not addresses:
        raise OutboundRefused(f"{url.host} has no address")
    read = [ipaddress.ip_address(one.partition("%")[0]) for one in addresses]
    inside = [any(one.version == net.version and one in net for net in allowed) for one in read]
    if url.scheme == "https":
        fit = all(is_inside or is_public(one) for one, is_inside in zip(read, inside, strict=True))
    else:
        fit = url.scheme == "http" and all(inside)
    if not fit:
        raise OutboundRefused(f"{url.scheme}://{url.host} leads to {', '.join(map(str, read))}, which is not called")
    return str(read[0])


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class Outbound:
    """Calls the hosts it was given and no others, from one event loop; close it.

    A host is a name or an address, with its port where that is not the usual one: `login.example.gov.cn:8443`. Raises
    ValueError for what is neither.
    """

    def __init__(
        self,
        hosts: Collection[str],
        *,
        allowed: Collection[Network] = (),
        resolve: Resolve = resolve,
        max_bytes: int = MAX_BYTES,
        whole_s: float = WHOLE_S,
        ca_file: Path | None = None,
    ) -> None:
        self._hosts = frozenset(map(_read_host, hosts))
        self._allowed = tuple(allowed)
        self._resolve = resolve
        self._max_bytes = max_bytes
        self._whole_s = whole_s
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._clients: dict[tuple[str, str], httpx.AsyncClient] = {}
        """One for each name: connections are kept by address, and two names on one address have two certificates."""

    async def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            await client.aclose()

    def names(self, url: str) -> bool:
        """Whether an address is of a host that may be called, where its name leads left aside."""
        try:
            self._asked(url)
        except OutboundRefused:
            return False
        return True

    async def call(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> OutboundAnswer:
        """Send one request and read its whole answer. Raises OutboundRefused, OutboundFailed."""
        asked = self._asked(url)
        try:
            async with asyncio.timeout(self._whole_s):
                name = asked.raw_host.decode("ascii")
                found = await asyncio.to_thread(self._resolve, name, _port(asked))
                address = judged(asked, found, allowed=self._allowed)
                client = self._client(asked)
                request = client.build_request(
                    method,
                    asked.copy_with(host=address),
                    content=content,
                    headers={"Accept-Encoding": "identity", **headers, "Host": asked.netloc.decode("ascii")},
                    extensions={"sni_hostname": name},
                )
                return await self._read(client, request)
        except TimeoutError as error:
            raise OutboundFailed(f"its answer took longer than {self._whole_s} s") from error
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            raise OutboundFailed(str(error) or type(error).__name__) from error

    def _asked(self, url: str) -> httpx.URL:
        try:
            asked = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise OutboundRefused("this is no address") from error
        named = any(
            asked.host == host and _port(asked) == (port or _USUAL.get(asked.scheme)) for host, port in self._hosts
        )
        if asked.scheme not in _USUAL or asked.userinfo or not named:
            raise OutboundRefused(f"{asked.scheme}://{asked.host} is not among the hosts that may be called")
        return asked

    def _client(self, asked: httpx.URL) -> httpx.AsyncClient:
        """Made when it is first used: to load the authorities of TLS takes 30 ms, and many never call."""
        key = asked.scheme, asked.host
        if key not in self._clients:
            self._clients[key] = httpx.AsyncClient(
                timeout=self._whole_s,
                limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_S),
                follow_redirects=False,
                trust_env=False,
                verify=self._authorities() if asked.scheme == "https" else False,
            )
        return self._clients[key]

    def _authorities(self) -> ssl.SSLContext:
        if self._tls is None and self._ca_file is not None:
            self._tls = ssl.create_default_context(cafile=self._ca_file)
        elif self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        return self._tls

    async def _read(self, client: httpx.AsyncClient, request: httpx.Request) -> OutboundAnswer:
        answer = await client.send(request, stream=True)
        try:
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > self._max_bytes:
                    raise OutboundFailed(f"its answer is longer than {self._max_bytes} bytes")
            return OutboundAnswer(answer.status_code, dict(answer.headers), bytes(body))
        finally:
            await answer.aclose()


class BlockingOutbound:
    """The same for a thread without an event loop: made anywhere, then used and closed by one thread."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._runner = asyncio.Runner()
        self._is_closed = False

    def close(self) -> None:
        """Let go of the connections; done twice it changes nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._runner.run(self._outbound.close())
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, url: str, *, content: bytes | None = None) -> OutboundAnswer:
        """Send one request and read its whole answer. Raises OutboundRefused, OutboundFailed."""
        return self._runner.run(self._outbound.call(method, url, content=content))


def _port(url: httpx.URL) -> int:
    return url.port or _USUAL.get(url.scheme, 0)


def _read_host(written: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{written}")
    try:
        return httpx.URL(scheme="https", host=parts.hostname or "").host, parts.port
    except httpx.InvalidURL as error:
        raise ValueError(f"{written} is no host") from error
