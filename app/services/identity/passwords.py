"""Passwords: Argon2id, a bounded number at a time, and as slow for people who do not exist as for those who do.

Hashing takes 64 MiB and about 0.1 s, so those who want it stand in line, and in two lines: whoever guesses from a
thousand addresses fills the strangers' line and hashes one at a time there; who comes from where he got in before, or
has already proved something, waits behind his like alone.
"""

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
STRANGERS_AT_ONCE = 1
IN_LINE = 16
"""In each line, those who are being served included; the next is told to come again."""


class Turn:
    """A place in line. Hashing waits until it is one's turn."""

    def __init__(self, scheme: PasswordHash, room: BoundedSemaphore) -> None:
        self._scheme, self._room = scheme, room

    def hash(self, password: str) -> str:
        """Hash."""
        with self._room:
            return self._scheme.hash(password)

    def matches(self, password: str, stored: str | None) -> bool:
        """Whether this is the password; without a stored one False, after the same time."""
        password = _normal(password)
        compared = _nobodys() if stored is None or len(password) > MAX_LENGTH else stored
        with self._room:
            is_right = self._scheme.verify(password[:MAX_LENGTH], compared)
        return is_right and compared is stored


class _Line:
    def __init__(self, at_once: int) -> None:
        self.places, self.room = BoundedSemaphore(IN_LINE), BoundedSemaphore(at_once)


class Passwords:
    """Hashes and checks in the caller's thread.

    One object a process, because it bounds the memory of the process.
    """

    def __init__(self) -> None:
        self._scheme = _scheme()
        self._known, self._strangers = _Line(AT_ONCE), _Line(STRANGERS_AT_ONCE)
        _nobodys()  # made now: the first stranger shall not wait for it longer than the next

    def hash(self, password: str, *, login: str) -> str:
        """What is stored of a new password. Raises `password_too_weak`, `busy`."""
        password = _normal(password)
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH or password.casefold() == login.casefold():
            raise AppError(Code.PASSWORD_TOO_WEAK, limit=MIN_LENGTH)
        with self.in_line(known=True) as turn:
            return turn.hash(password)

    @contextmanager
    def in_line(self, *, known: bool) -> Iterator[Turn]:
        """Stand in one of the lines while inside; before anything else is done for an attempt. Raises `busy`."""
        line = self._known if known else self._strangers
        if not line.places.acquire(blocking=False):
            raise AppError(Code.BUSY, retry_after_s=1)
        try:
            yield Turn(self._scheme, line.room)
        finally:
            line.places.release()


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
