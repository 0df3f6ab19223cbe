"""Tokens that are good no more although they have not run out: used assertions, revoked access tokens."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.vocabulary import TokenKind
from app.models import SpentToken
from app.services import audit
from app.services.identity.principals import Caller
from app.sql import now


def spend(tx: Connection, *, subject_id: str, kind: TokenKind, jti: str, expires_at: datetime) -> bool:
    """Let the token be good no more; whether it still was. Of twins that race, one gets True.

    What has run out of the same principal is forgotten on the way.
    """
    return spend_digest(tx, subject_id=subject_id, kind=kind, jti_sha256=jti_digest(jti), expires_at=expires_at)


def spend_digest(tx: Connection, *, subject_id: str, kind: TokenKind, jti_sha256: bytes, expires_at: datetime) -> bool:
    """The same for a token of which only the digest of its `jti` is known."""
    tx.execute(
        delete(SpentToken).where(SpentToken.subject_id == subject_id, SpentToken.expires_at < func.clock_timestamp())
    )
    spent = tx.execute(
        insert(SpentToken)
        .values(subject_id=subject_id, kind=kind, jti_sha256=jti_sha256, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(SpentToken.subject_id)
    ).one_or_none()
    return spent is not None


def spend_once(tx: Connection, *, subject_id: str, kind: TokenKind, jti: str, expires_at: datetime) -> bool:
    """The same without forgetting anything: for what comes with every request (`forget_spent`)."""
    spent = tx.execute(
        insert(SpentToken)
        .values(subject_id=subject_id, kind=kind, jti_sha256=jti_digest(jti), expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(SpentToken.subject_id)
    ).one_or_none()
    return spent is not None


def forget_spent(tx: Connection, *, kind: TokenKind) -> None:
    """Forget everything of one kind that has run out."""
    tx.execute(delete(SpentToken).where(SpentToken.kind == kind, SpentToken.expires_at < func.clock_timestamp()))


def revoke_token(tx: Connection, *, caller: Caller, jti: str, expires_at: datetime) -> None:
    """Let an access or personal token of the caller's be good no more; twice changes nothing."""
    subject_id = caller.principal_id
    if spend(tx, subject_id=subject_id, kind=TokenKind.ACCESS, jti=jti, expires_at=expires_at):
        audit.record(
            tx,
            caller=caller,
            region_code=caller.principal.organisation_region,
            action="token.revoked",
            object_id=subject_id,
            at=now(tx),
            details={"jti_sha256": jti_digest(jti).hex()},
        )


def is_spent(tx: Connection, *, subject_id: str, kind: TokenKind, jti: str) -> bool:
    """Whether the token is good no more."""
    key = (SpentToken.subject_id == subject_id, SpentToken.kind == kind, SpentToken.jti_sha256 == jti_digest(jti))
    return tx.execute(select(SpentToken.kind).where(*key)).one_or_none() is not None


def jti_digest(jti: str) -> bytes:
    """What is kept of a token's `jti`."""
    return hashlib.sha256(jti.encode()).digest()
