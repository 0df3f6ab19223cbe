"""What a rate limit is, and how it is written. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from app.kernel.vocabulary import RateScope

BLOCKS = 20
"""A process takes at most this part of a quota at once: so often it asks the database in a window."""
UNASKED = 16
"""Of a voucher's quota a process spends this part before it asks: most vouchers are used once and never ask."""


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests of one subject in each window. `unasked` of them a process spends on its own account."""

    scope: RateScope
    quota: int
    window_s: int
    unasked: int = 0

    @classmethod
    def read(cls, scope: RateScope, written: str) -> Self | None:
        """`600/60`: 600 requests in each minute; None for an empty text: no limit. Raises ValueError."""
        if not written.strip():
            return None
        quota, _, window_s = written.partition("/")
        read = cls(scope, int(quota), int(window_s), int(quota) // UNASKED if scope is RateScope.VOUCHER else 0)
        if not (0 < read.quota <= 10**9 and 0 < read.window_s <= 86_400):
            raise ValueError("a limit is requests/seconds, both above 0, at most a day")
        return read

    @property
    def block(self) -> int:
        """What a process takes at once at most."""
        return max(1, self.quota // BLOCKS)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands after it asked: what is left of its quota as far as this process knows, and for how long."""

    policy: Policy
    allowed: bool
    left: int
    reset_s: int


def network_of(address: str) -> str:
    """What one network address stands for: of IPv6 its /64, which is what one household or office has."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((read.ipv4_mapped or read, 32 if read.ipv4_mapped else 64), strict=False))
    return str(read)


def policy_header(standings: list[Standing]) -> str:
    """`RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: the quotas and their windows."""
    return ", ".join(_written(one.policy) for one in standings)


@lru_cache
def _written(policy: Policy) -> str:
    return f'"{policy.scope}";q={policy.quota};w={policy.window_s}'


def limit_header(standings: list[Standing]) -> str:
    """`RateLimit` of the same draft: what is left, and for how many seconds."""
    return ", ".join(f'"{one.policy.scope.value}";r={max(one.left, 0)};t={one.reset_s}' for one in standings)
