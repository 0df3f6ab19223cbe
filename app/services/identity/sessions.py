"""Portal sessions: a signed-in browser. The cookie holds a random secret, the table its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage
from app.models import PortalSession, User
from app.services import audit
from app.services.identity.attempts import forget_places
from app.services.identity.opaque import SECRET_BYTES, digest, new_secret
from app.services.identity.principals import Caller
from app.sql import now

TOUCHES_PER_IDLE_TIME = 10
"""A page view is written down only after a tenth of the idle time, so that reading costs no write."""


UNFINISHED_S = 600
"""How long signing in may take from the password to the code."""
SHOWN = 50
BROWSER_LENGTH = 200


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as its owner sees it in the list."""

    id: str
    created_at: datetime
    seen_at: datetime
    source: str
    browser: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is alive. `csrf_token` goes into every form; it says nothing about the cookie."""

    id: str
    user_id: str
    csrf_token: str
    expires_at: datetime
    stage: SessionStage = SessionStage.FULL
    outside_factor: bool = False
    """Whether an outside provider vouched for a second factor, so that none of here is asked for."""

    def accepts(self, csrf_token: str) -> bool:
        """Whether a form carries this session's token."""
        return hmac.compare_digest(self.csrf_token.encode(), csrf_token.encode(errors="replace"))


def start(
    tx: Connection,
    *,
    caller: Caller,
    max_s: int,
    stage: SessionStage = SessionStage.FULL,
    browser: str = "",
    outside_factor: bool = False,
) -> tuple[str, Session]:
    """Begin a session of at most `max_s` seconds for a person who has just signed in; the secret is for the cookie.

    It is a new one at every step of signing in: what a stranger knew of the step before opens nothing.
    """
    at = now(tx)
    max_s = max_s if stage is SessionStage.FULL else min(max_s, UNFINISHED_S)
    session_id, secret, csrf_secret = new_id("ses"), new_secret(), secrets.token_bytes(SECRET_BYTES)
    expires_at = at + timedelta(seconds=max_s)
    tx.execute(
        insert(PortalSession).values(
            id=session_id,
            user_id=caller.principal_id,
            secret_sha256=digest(secret),
            csrf_secret=csrf_secret,
            created_at=at,
            seen_at=at,
            expires_at=expires_at,
            stage=stage,
            source=caller.source,
            browser=_printable(browser),
            outside_factor=outside_factor,
        )
    )
    csrf_token = _csrf_token(csrf_secret, session_id)
    return secret, Session(session_id, caller.principal_id, csrf_token, expires_at, stage, outside_factor)


def find(tx: Connection, *, secret: str, idle_s: int) -> Session | None:
    """The live session of this cookie, or None: unknown, ended, idle for `idle_s` seconds or past its end."""
    at = now(tx)
    idle_time = timedelta(seconds=idle_s)
    row = tx.execute(
        select(PortalSession).where(
            PortalSession.secret_sha256 == digest(secret),
            PortalSession.ended_at.is_(None),
            PortalSession.expires_at > at,
            PortalSession.seen_at > at - idle_time,
        )
    ).one_or_none()
    if row is None:
        return None
    if at - row.seen_at >= idle_time / TOUCHES_PER_IDLE_TIME:
        tx.execute(update(PortalSession).where(PortalSession.id == row.id).values(seen_at=at))
    csrf_token = _csrf_token(row.csrf_secret, row.id)
    return Session(row.id, row.user_id, csrf_token, row.expires_at, SessionStage(row.stage), row.outside_factor)


def end(tx: Connection, *, caller: Caller, session_id: str) -> None:
    """End the caller's own session; ending it twice changes nothing. Raises `not_found` for anybody else's."""
    at = now(tx)
    own = select(PortalSession.id).where(PortalSession.id == session_id, PortalSession.user_id == caller.principal_id)
    if not is_id(session_id, "ses") or tx.execute(own).one_or_none() is None:
        raise AppError(Code.NOT_FOUND, what="session")
    ended = tx.execute(
        update(PortalSession)
        .where(
            PortalSession.id == session_id,
            PortalSession.user_id == caller.principal_id,
            PortalSession.ended_at.is_(None),
        )
        .values(ended_at=at)
        .returning(PortalSession.id)
    ).one_or_none()
    if ended is not None:
        audit.record(
            tx,
            caller=caller,
            region_code=caller.principal.organisation_region,
            action="user.signed_out",
            object_id=caller.principal_id,
            at=at,
            details={"session": session_id},
        )


def list_own(tx: Connection, *, caller: Caller, idle_s: int) -> list[SessionRecord]:
    """The caller's sessions that are alive, the newest first."""
    at = now(tx)
    rows = tx.execute(
        select(PortalSession)
        .where(
            PortalSession.user_id == caller.principal_id,
            PortalSession.ended_at.is_(None),
            PortalSession.expires_at > at,
            PortalSession.seen_at > at - timedelta(seconds=idle_s),
            PortalSession.stage == SessionStage.FULL,
        )
        .order_by(PortalSession.id.desc())
        .limit(SHOWN)
    )
    return [SessionRecord(row.id, row.created_at, row.seen_at, row.source, row.browser) for row in rows]


def sign_out_everywhere(tx: Connection, *, caller: Caller) -> int:
    """End all of the caller's sessions and void all personal tokens; the number of sessions. Places are forgotten."""
    tx.execute(select(User.id).where(User.id == caller.principal_id).with_for_update(key_share=True))
    at = now(tx)
    ended = end_all(tx, user_id=caller.principal_id, at=at)
    tx.execute(update(User).where(User.id == caller.principal_id).values(tokens_valid_from=at))
    forget_places(tx, user_id=caller.principal_id)
    audit.record(
        tx,
        caller=caller,
        region_code=caller.principal.organisation_region,
        action="user.signed_out_everywhere",
        object_id=caller.principal_id,
        at=at,
        details={"sessions_ended": ended},
    )
    return ended


def end_all(tx: Connection, *, user_id: str, at: datetime, but: str | None = None) -> int:
    """End every session of a person but one, and return how many there were; the audit event is the caller's."""
    ended = tx.execute(
        update(PortalSession)
        .where(PortalSession.user_id == user_id, PortalSession.ended_at.is_(None), PortalSession.id != (but or ""))
        .values(ended_at=at)
        .returning(PortalSession.id)
    ).all()
    return len(ended)


def _printable(browser: str) -> str:
    return "".join(one for one in browser if one.isprintable())[:BROWSER_LENGTH]


def _csrf_token(csrf_secret: bytes, session_id: str) -> str:
    return hmac.new(csrf_secret, session_id.encode(), hashlib.sha256).hexdigest()
