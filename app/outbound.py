"""Calling out: the one way in which the service makes a request to another server.

Only to hosts that the operator named, over https, to addresses of the public internet. A name is resolved once, all its
addresses are judged, and the connection goes to one that was judged, so that a name server cannot say one thing to
us and another to the connection; the certificate is still checked for the name. Nothing is redirected, no proxy of the
environment is asked, and an answer that is too long or too slow is not read. What lies in a private network (a witness
in the government's own, a test on this machine) may be called when the operator names that network, also over http.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import httpx

CONNECT_S = 5.0
WHOLE_S = 15.0
MAX_BYTES = 1024 * 1024
KEEP_S = 2.0
"""Less than any server waits, so that no request is sent into a connection that is just being closed."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]


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
    """Calls the hosts it was given and no others. Threads may share it; close it."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        allowed: Collection[Network] = (),
        resolve: Resolve = resolve,
        max_bytes: int = MAX_BYTES,
        whole_s: float = WHOLE_S,
        verify: bool | str = True,
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._allowed = tuple(allowed)
        self._resolve = resolve
        self._max_bytes = max_bytes
        self._whole_s = whole_s
        self._clients = {
            host: httpx.Client(
                timeout=httpx.Timeout(whole_s, connect=min(CONNECT_S, whole_s)),
                limits=httpx.Limits(max_connections=4, keepalive_expiry=KEEP_S),
                follow_redirects=False,
                trust_env=False,
                verify=verify,
            )
            for host in self._hosts
        }
        """One each: connections are kept by address, and two names on one address have two certificates."""

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, url: str, *, headers: Mapping[str, str] = NO_HEADERS) -> OutboundAnswer:
        """Fetch. Raises OutboundRefused, OutboundFailed."""
        return self.call("GET", url, headers=headers)

    def call(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> OutboundAnswer:
        """Send one request and read its whole answer. Raises OutboundRefused, OutboundFailed."""
        asked = self._asked(url)
        until_s = time.monotonic() + self._whole_s
        try:
            port = asked.port or {"https": 443, "http": 80}.get(asked.scheme, 0)
            address = judged(asked, self._resolve(asked.host, port), allowed=self._allowed)
            client = self._clients[asked.host.lower()]
            request = client.build_request(
                method,
                asked.copy_with(host=address),
                content=content,
                headers={"Accept-Encoding": "identity", **headers, "Host": asked.netloc.decode("ascii")},
                extensions={"sni_hostname": asked.host},
            )
            return self._read(client, request, until_s)
        except (httpx.HTTPError, OSError) as error:
            raise OutboundFailed(str(error) or type(error).__name__) from error

    def _asked(self, url: str) -> httpx.URL:
        try:
            asked = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise OutboundRefused("this is no address") from error
        if asked.scheme not in {"https", "http"} or asked.userinfo or asked.host.lower() not in self._hosts:
            raise OutboundRefused(f"{asked.scheme}://{asked.host} is not among the hosts that may be called")
        return asked

    def _read(self, client: httpx.Client, request: httpx.Request, until_s: float) -> OutboundAnswer:
        answer = client.send(request, stream=True)
        try:
            body = bytearray()
            for part in answer.iter_raw():
                body += part
                if len(body) > self._max_bytes:
                    raise OutboundFailed(f"its answer is longer than {self._max_bytes} bytes")
                if time.monotonic() > until_s:
                    raise OutboundFailed(f"its answer took longer than {self._whole_s} s")
            return OutboundAnswer(answer.status_code, dict(answer.headers), bytes(body))
        finally:
            answer.close()
