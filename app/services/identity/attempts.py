"""Guessing passwords: after some failures a login rests for a while, whether anybody has it or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

from app.kernel.problems import AppError, Code
from app.services.identity.opaque import digest

FAILURES = 10
REST_S = 15 * 60
REMEMBERED = 10_000


class Attempts:
    """Failures by login, in this process alone: with n processes a guesser has n times as many, which is few still.

    Hashing bounds how many logins can be tried a second, so that what is remembered is not soon pushed out. A login
    is remembered by its SHA-256, so that a long one takes no more room than a short one.
    """

    def __init__(self, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._failures: TTLCache[bytes, int] = TTLCache(REMEMBERED, REST_S, timer)
        self._lock = Lock()

    def check(self, login: str) -> None:
        """Raise `too_many_attempts` while the login rests; what is tried meanwhile does not prolong it."""
        with self._lock:
            failures = self._failures.get(digest(login), 0)
        if failures >= FAILURES:
            raise AppError(Code.TOO_MANY_ATTEMPTS, minutes=REST_S // 60, retry_after_s=REST_S)

    def failed(self, login: str) -> None:
        """Count a failure."""
        key = digest(login)
        with self._lock:
            self._failures[key] = self._failures.get(key, 0) + 1

    def succeeded(self, login: str) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.pop(digest(login), None)
