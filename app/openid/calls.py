"""Calls to a provider: to its own hosts alone, answered in JSON, in time, small, and never redirected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.openid.faults import NotReached, ProviderAway
from app.outbound import NO_HEADERS, Outbound, OutboundFailed, OutboundRefused

DEADLINE_S = 5.0
"""For a call from its beginning to the last byte of the answer, however slowly it comes."""
MAX_BYTES = 256 * 1024


class Answer(NamedTuple):
    """An answer in JSON."""

    status: int
    body: dict[str, Any]


def allows(outbound: Outbound, url: str) -> bool:
    """Whether the address may be called, or a browser be sent there."""
    return is_safe(url) and outbound.names(url)


async def ask(
    outbound: Outbound, method: str, url: str, *, headers: Mapping[str, str] = NO_HEADERS, body: str | None = None
) -> Answer:
    """Send a request and read a JSON object. Raises NotReached, ProviderAway."""
    if not allows(outbound, url):
        raise ProviderAway(f"{url[:200]!r} is not among the provider's hosts")
    said = {"Accept": "application/json", **headers}
    try:
        answer = await outbound.call(method, url, headers=said, content=None if body is None else body.encode())
    except (OutboundRefused, OutboundFailed) as error:
        raise NotReached(f"{url}: {error}") from error
    try:
        parsed = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderAway(f"{url}: {answer.status}, and no JSON") from error
    if not isinstance(parsed, dict):
        raise ProviderAway(f"{url}: {answer.status}, and no JSON object")
    return Answer(answer.status, parsed)


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
