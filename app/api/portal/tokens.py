"""The token in the forms of people who have not signed in yet: a double-submit cookie.

Signed-in people's forms carry their session's own token (`services/identity/sessions.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_COOKIE = re.compile("[A-Za-z0-9_-]{43}")


def stranger_cookie(given: str | None) -> str:
    """The cookie as it came, or a new random one where there is none or somebody made it up."""
    return given if given is not None and _COOKIE.fullmatch(given) else secrets.token_urlsafe(32)


def stranger_token(cookie: str) -> str:
    """What a form carries for this cookie; the page never shows the cookie itself."""
    return hmac.new(cookie.encode(), b"voucher portal form", hashlib.sha256).hexdigest()


def is_strangers(token: str, cookie: str | None) -> bool:
    """Whether a form's token belongs to the cookie that came with it."""
    if cookie is None or not _COOKIE.fullmatch(cookie):
        return False
    return hmac.compare_digest(stranger_token(cookie).encode(), token.encode(errors="replace"))
