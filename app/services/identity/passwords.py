"""Passwords: Argon2id, a bounded number at a time, and as slow for people who do not exist as for those who do."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import Type
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.kernel.problems import AppError, Code

MIN_LENGTH = 12
MAX_LENGTH = 128
TYPED_LENGTH = 4 * MAX_LENGTH
"""What is looked at at all: some scripts spell one character with four."""

MEMORY_KIB = 64 * 1024
AT_ONCE = 2
IN_LINE = 16
"""Hashing takes 64 MiB and about 0.1 s: two at once, fourteen wait, the next is told to come again."""


class Passwords:
    """Hashes and checks in the caller's thread.

    One object a process, because it bounds the memory of the process.
    """

    def __init__(self) -> None:
        self._scheme = _scheme()
        self._line = BoundedSemaphore(IN_LINE)
        self._room = BoundedSemaphore(AT_ONCE)
        self._nobodys = _nobodys()

    def hash(self, password: str, *, login: str) -> str:
        """What is stored of a new password. Raises `password_too_weak`, `busy`."""
        password = _normal(password)
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH or password.casefold() == login.casefold():
            raise AppError(Code.PASSWORD_TOO_WEAK, limit=MIN_LENGTH)
        with self._turn():
            return self._scheme.hash(password)

    def matches(self, password: str, stored: str | None) -> bool:
        """Whether this is the password; without a stored one False, after the same time. Raises `busy`."""
        password = _normal(password)
        compared = self._nobodys if stored is None or len(password) > MAX_LENGTH else stored
        with self._turn():
            is_right = self._scheme.verify(password[:MAX_LENGTH], compared)
        return is_right and compared is stored

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._line.acquire(blocking=False):
            raise AppError(Code.BUSY, retry_after_s=1)
        try:
            with self._room:
                yield
        finally:
            self._line.release()


@cache
def _scheme() -> PasswordHash:
    # The second recommended choice of RFC 9106, section 4.
    hasher = Argon2Hasher(time_cost=3, memory_cost=MEMORY_KIB, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
    return PasswordHash((hasher,))


@cache
def _nobodys() -> str:
    """What people who do not exist are compared with: hashed once a process, by the same scheme, and nobody's."""
    return _scheme().hash(secrets.token_urlsafe())


def _normal(password: str) -> str:
    """One spelling of what looks the same; input methods differ in how they compose (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)
