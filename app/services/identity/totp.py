"""Codes of an authenticator (TOTP, RFC 6238: SHA-1, six digits, 30 seconds), and codes for when it is lost. Pure.

Those parameters are what every authenticator knows; many ignore others silently. A code is good in its own 30 seconds
and in those before and after, for clocks that differ, and counts once.
"""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from datetime import datetime

import pyotp

PERIOD_S = 30
DRIFT = 1
"""Steps before and after the present one that still count."""
SECRET_CHARACTERS = 32
"""Base32: 160 bits, as RFC 4226 recommends."""

RECOVERY_CODES = 10
RECOVERY_LENGTH = 16
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: no look-alikes. 16 characters are 80 bits."""
_LOOK_ALIKES = str.maketrans("oil", "011")

TYPED_LENGTH = 40
"""No code is longer, however it is grouped."""

_SEPARATORS = re.compile(r"[\s\-‐-―－]+")


def new_secret() -> str:
    """A secret as authenticators take it."""
    return pyotp.random_base32(SECRET_CHARACTERS)


def grouped(secret: str) -> str:
    """A secret for typing, in groups of four."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def provisioning_uri(secret: str, *, login: str, issuer: str) -> str:
    """What the QR code says: `otpauth://totp/…`."""
    return pyotp.TOTP(secret, interval=PERIOD_S).provisioning_uri(name=login, issuer_name=issuer)


def step_of(at: datetime) -> int:
    """The number of the 30 seconds since 1970."""
    return int(at.timestamp()) // PERIOD_S


def code_of(secret: str, step: int) -> str:
    """What the authenticator shows in that step."""
    return pyotp.TOTP(secret, interval=PERIOD_S).generate_otp(step)


def counting_step(secret: str, code: str, *, at: datetime, after: int | None) -> int | None:
    """The step for which this code counts now, or None: another code, too early, too late, or counted before.

    `after` is the newest step that counted; no code of it or of an earlier one counts again.
    """
    now = step_of(at)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):  # all of them, whichever is right
        if hmac.compare_digest(code_of(secret, step).encode(), code.encode()) and (after is None or step > after):
            found = step
    return found


def is_totp(code: str) -> bool:
    """Whether a normalised code has the shape of an authenticator's."""
    return len(code) == 6 and code.isascii() and code.isdigit()


def normalised(typed: str) -> str:
    """A code as typed, without groups, case and full-width forms."""
    folded = unicodedata.normalize("NFKC", typed).lower()
    return _SEPARATORS.sub("", folded).encode("ascii", "replace").decode()


def new_recovery_codes() -> list[str]:
    """Codes that each count once, grouped for reading."""
    drawn = ("".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    return ["-".join(code[at : at + 4] for at in range(0, RECOVERY_LENGTH, 4)) for code in drawn]


def recovery_code(typed: str) -> str:
    """A recovery code as it is hashed."""
    return normalised(typed).translate(_LOOK_ALIKES)
