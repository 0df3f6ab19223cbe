"""How fast objections are taken from one address: what nobody signs in for is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

from app.kernel.problems import AppError, Code

MOST = 60
WITHIN_S = 10 * 60
REMEMBERED = 10_000


class Pace:
    """Objections by network address, in this process alone; n processes let n times as many through, which is few."""

    def __init__(self, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._sent: TTLCache[str, int] = TTLCache(REMEMBERED, WITHIN_S, timer)
        self._lock = Lock()

    def take(self, source: str) -> None:
        """Count one. Raises `too_many_objections` beyond MOST; the count is forgotten WITHIN_S after the last one."""
        with self._lock:
            sent = self._sent.get(source, 0)
            if sent >= MOST:
                raise AppError(Code.TOO_MANY_OBJECTIONS, minutes=WITHIN_S // 60, retry_after_s=WITHIN_S)
            self._sent[source] = sent + 1
