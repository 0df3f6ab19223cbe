"""Single values encrypted where they lie, each under a named key, and tags by which an exact value is found. Pure.

A stored value is `f1.<name of the key>.<base64url of nonce, ciphertext and tag>`: AES-256-GCM with its own nonce.
What is authenticated besides is the place where it lies (table, column, primary key), so that a value that is copied
into another row or column is refused there. A random nonce of 96 bits is good for 2^32 values of one key (NIST SP
800-38D, section 8.3), far more than there will be.

A search tag is HMAC-SHA-256 of the normalised value and its column, under another key: equal values of one column have
equal tags, those of two columns do not, and without the key nobody can try out values against them.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.kernel.canonical import canonical

FORMAT = "f1"
KEY_BYTES = 32
NONCE_BYTES = 12

_STORED = re.compile(rf"{FORMAT}\.([0-9A-Za-z-]{{1,64}})\.([0-9A-Za-z_-]+)")
_SEPARATORS = re.compile(r"[\s\-‐-―－・·()（）]+")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where one value lies: table, column, and the values of the row's primary key in their order."""

    table: str
    column: str
    row: tuple[str, ...]

    def associated(self) -> bytes:
        """What is authenticated with the value; no two places have the same."""
        return canonical([FORMAT, self.table, self.column, *self.row])


class FieldUnreadable(ValueError):
    """The value does not stand where it was written, was altered, or is no encrypted value at all."""


def encrypt(value: str, *, key: bytes, key_name: str, nonce: bytes, place: FieldPlace) -> str:
    """The value as it is stored. `nonce` is 12 random bytes that this key has never seen."""
    assert len(key) == KEY_BYTES and len(nonce) == NONCE_BYTES, "a key of 256 bits and a nonce of 96"
    sealed = AESGCM(key).encrypt(nonce, value.encode(), place.associated())
    return f"{FORMAT}.{key_name}.{urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"


def key_name_of(stored: str) -> str:
    """Under which key it was encrypted. Raises FieldUnreadable for what is no encrypted value."""
    return _parts(stored)[0]


def decrypt(stored: str, *, key: bytes, place: FieldPlace) -> str:
    """The value again. Raises FieldUnreadable where it was altered, moved, or written under another key."""
    raw = _parts(stored)[1]
    try:
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.associated()).decode()
    except (InvalidTag, ValueError) as error:
        raise FieldUnreadable("altered, moved or of another key") from error


def search_tag(value: str, *, key: bytes, table: str, column: str) -> bytes:
    """By what an equal value of this column is found: 32 bytes."""
    return hmac.digest(key, canonical([table, column, normalised(value)]), sha256)


def normalised(value: str) -> str:
    """How a value is compared: compatibility forms made one (full width too), no case, no spaces, hyphens, brackets."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", value).casefold())


def _parts(stored: str) -> tuple[str, bytes]:
    found = _STORED.fullmatch(stored)
    if found is None:
        raise FieldUnreadable("no encrypted value")
    try:
        return found[1], urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
    except ValueError as error:
        raise FieldUnreadable("no encrypted value") from error
