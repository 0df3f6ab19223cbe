"""Opaque secrets: 32 random bytes, shown once; the tables keep their SHA-256.

With 256 bits of chance there is nothing to guess, so no slow hash is needed; passwords have one (`passwords.py`).
"""

from __future__ import annotations

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """A new secret in URL-safe characters."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is stored in its place."""
    return hashlib.sha256(secret.encode()).digest()
