"""Verified tokens, remembered for a moment: checking a signature and reading the grants costs as much as the work."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from cachetools import TLRUCache

from app.kernel.clock import utc_now
from app.services.identity.principals import Principal

SIZE = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    left_s: float


class PrincipalCache:
    """Which principal a token stands for, for at most `trusted_s` seconds: so long a revoked role may still act.

    Keeps the SHA-256 of a token, never the token. Threads may share it.
    """

    def __init__(self, trusted_s: int, *, size: int = SIZE, timer: Callable[[], float] = time.monotonic) -> None:
        def time_to_use(_token: bytes, known: _Known, now: float) -> float:
            return now + min(trusted_s, known.left_s)

        self._known: TLRUCache[bytes, _Known] = TLRUCache(size, time_to_use, timer)
        self._lock = Lock()

    def get(self, token: str) -> Principal | None:
        """The principal of a token that was verified a moment ago."""
        with self._lock:
            known = self._known.get(_key(token))
        return known.principal if known else None

    def put(self, token: str, principal: Principal, *, expires_at: datetime) -> None:
        """Remember a token that was just verified, never past its own end."""
        left_s = (expires_at - utc_now()).total_seconds()
        with self._lock:
            self._known[_key(token)] = _Known(principal, left_s)

    def forget(self, token: str) -> None:
        """The token was revoked: here it is good no more at once."""
        with self._lock:
            self._known.pop(_key(token), None)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
