"""Erases personal data whose time is over, beside the requests. Leaves hold none, and audit events are never cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event
from uuid import uuid4

import structlog
from sqlalchemy import Connection, text

from app.database import Database
from app.kernel.vocabulary import RetentionKind
from app.services import audit
from app.services.auditing.retention import days_for, load_retention
from app.services.identity.principals import Caller, Principal
from app.services.periodic import Periodic
from app.sql import now

CLOCK = "clock"
"""Who did what no request caused."""
SLICE = 500
"""Rows in one transaction."""
LOOK_EVERY_S = 3_600

log = structlog.get_logger(__name__)

_REGIONS = text("SELECT DISTINCT region_code FROM objection_contacts ORDER BY 1")
_ERASE_CONTACTS = text(
    "DELETE FROM objection_contacts c USING (SELECT k.region_code, k.objection_id FROM objection_contacts k"
    " JOIN objections o ON o.region_code = k.region_code AND o.id = k.objection_id"
    " JOIN public_notices n ON n.region_code = o.region_code AND n.id = o.notice_id"
    " WHERE k.region_code = :region AND o.decided_at < :before AND n.shown_until < :before"
    " ORDER BY k.objection_id LIMIT :most) AS due"
    " WHERE c.region_code = due.region_code AND c.objection_id = due.objection_id RETURNING c.objection_id"
)
_DROP_SESSIONS = text(
    "DELETE FROM portal_sessions WHERE id IN (SELECT id FROM portal_sessions"
    " WHERE coalesce(ended_at, expires_at) < :before ORDER BY id LIMIT :most) RETURNING id"
)
_DROP_SPENT = text(
    "DELETE FROM spent_tokens WHERE (subject_id, kind, jti_sha256) IN (SELECT subject_id, kind, jti_sha256"
    " FROM spent_tokens WHERE expires_at < :at LIMIT :most) RETURNING subject_id"
)


def erase_contacts(tx: Connection, *, region_code: str, most: int = SLICE) -> int:
    """Erase who sent objections of a region that were answered, and are shown no more, for as long as is set.

    That they were, and of which objections, is an audit event in the same transaction. How many there were.
    """
    at = now(tx)
    kind = RetentionKind.OBJECTION_CONTACTS
    keep_days = days_for(region_code, kind, load_retention(tx))
    asked = {"region": region_code, "before": at - timedelta(days=keep_days), "most": most}
    erased = sorted(tx.execute(_ERASE_CONTACTS, asked).scalars())
    if erased:
        audit.record(
            tx,
            caller=Caller(Principal(CLOCK, CLOCK, region_code, ()), uuid4().hex, source=CLOCK),
            region_code=region_code,
            action="personal_data.erased",
            object_id=kind,
            at=at,
            details={"keep_days": keep_days, "objects": erased},
        )
    return len(erased)


def drop_sessions(tx: Connection, *, keep: timedelta, most: int = SLICE) -> int:
    """Forget browser sessions that ended longer ago than `keep`."""
    return len(tx.execute(_DROP_SESSIONS, {"before": now(tx) - keep, "most": most}).all())


def drop_spent_tokens(tx: Connection, *, most: int = SLICE) -> int:
    """Forget tokens that were spent and have run out besides."""
    return len(tx.execute(_DROP_SPENT, {"at": now(tx), "most": most}).all())


def erase_due(database: Database, *, keep_sessions: timedelta) -> int:
    """Erase all whose time is over; how much that was. Where another process is at it, nothing."""
    with database.alone("retention") as mine:
        if not mine:
            return 0
        regions = database.transact(lambda tx: tx.execute(_REGIONS).scalars().all())
        works: list[Callable[[Connection], int]] = [partial(erase_contacts, region_code=one) for one in regions]
        works += [partial(drop_sessions, keep=keep_sessions), drop_spent_tokens]
        count = 0
        for work in works:
            while done := database.transact(work):
                count += done
        return count


def eraser(database: Database, *, keep_sessions: timedelta) -> Periodic:
    """The thread that erases what is due, once an hour."""

    def erase(_: Event) -> None:
        log.info("retention.erased", rows=erase_due(database, keep_sessions=keep_sessions))

    return Periodic("eraser", erase, every_s=LOOK_EVERY_S, failed="retention.failed")
