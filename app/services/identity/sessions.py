"""Portal sessions: a signed-in browser. The cookie holds a random secret, the table its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from app.kernel.ids import new_id
from app.models import PortalSession
from app.services import audit
from app.services.identity.opaque import SECRET_BYTES, digest, new_secret
from app.services.identity.principals import Caller
from app.sql import now

TOUCHES_PER_IDLE_TIME = 10
"""A page view is written down only after a tenth of the idle time, so that reading costs no write."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is alive. `csrf_token` goes into every form; it says nothing about the cookie."""

    id: str
    user_id: str
    csrf_token: str
    expires_at: datetime

    def accepts(self, csrf_token: str) -> bool:
        """Whether a form carries this session's token."""
        return hmac.compare_digest(self.csrf_token.encode(), csrf_token.encode(errors="replace"))


def start(tx: Connection, *, caller: Caller, max_s: int) -> tuple[str, Session]:
    """Begin a session of at most `max_s` seconds for a person who has just signed in; the secret is for the cookie."""
    at = now(tx)
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
        )
    )
    return secret, Session(session_id, caller.principal_id, _csrf_token(csrf_secret, session_id), expires_at)


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
    return Session(row.id, row.user_id, _csrf_token(row.csrf_secret, row.id), row.expires_at)


def end(tx: Connection, *, caller: Caller, session_id: str) -> None:
    """End the caller's own session; ending it twice changes nothing."""
    at = now(tx)
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


def end_all(tx: Connection, *, user_id: str, at: datetime) -> int:
    """End every session of a person and return how many there were; the audit event is the caller's."""
    ended = tx.execute(
        update(PortalSession)
        .where(PortalSession.user_id == user_id, PortalSession.ended_at.is_(None))
        .values(ended_at=at)
        .returning(PortalSession.id)
    ).all()
    return len(ended)


def _csrf_token(csrf_secret: bytes, session_id: str) -> str:
    return hmac.new(csrf_secret, session_id.encode(), hashlib.sha256).hexdigest()
