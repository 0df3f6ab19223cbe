"""In whose session a page is asked for.

Persons come with the cookie of a session of their own and the token of its forms, machines with their bearer token,
which opens no page, and nobody with the cookie of a stranger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.api.portal.tokens import stranger_token
from app.services.identity import sessions
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller
from tests.world import Actor, World

STRANGERS_COOKIE = "s" * 43
SESSIONS_TOKEN, STRANGERS_TOKEN = "the-token-of-his-session", "the-token-of-a-stranger"
"""Stand in a page's form for the token that goes with whoever sends it."""
SIGN_IN = "/portal/sign-in"


@dataclass(frozen=True)
class Session:
    """A signed-in browser: its cookie and the token of its forms."""

    id: str
    secret: str
    form_token: str

    def headers(self) -> dict[str, str]:
        """What the browser sends along, that of a stranger's forms too."""
        return {"Cookie": f"voucher_session={self.secret}; voucher_stranger={STRANGERS_COOKIE}"}


def session_of(world: World, actor: Actor) -> Session | None:
    """A new session of a person, as after signing in; machines have none."""
    if not actor.id.startswith("usr_"):
        return None

    def begin(tx: Any) -> Session:
        principal = load_principal(tx, actor.id)
        assert principal is not None
        secret, session = sessions.start(tx, caller=Caller(principal, "matrix"), max_s=3600)
        return Session(session.id, secret, session.csrf_token)

    return world.database.transact(begin)


def with_tokens(content: bytes, session: Session | None) -> bytes:
    """A form with the tokens of whoever sends it in their places."""
    of_session = session.form_token if session else ""
    content = content.replace(SESSIONS_TOKEN.encode(), of_session.encode())
    return content.replace(STRANGERS_TOKEN.encode(), stranger_token(STRANGERS_COOKIE).encode())


def page_status(status: int, head: str) -> int:
    """The status that an API would have answered with: who is sent away to sign in is unknown (401); who gave a code
    that is not right was let in to give it (422)."""
    lines = head.lower().splitlines()
    is_sent_away = f"location: {SIGN_IN}" in lines and "voucher_notice=" not in head.replace(
        "voucher_notice=session_ended", ""
    )
    if is_sent_away:
        return 401
    return 422 if status == 401 else status
