"""Audit events handed out as a file: an event itself, written before anything leaves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from app.services import audit
from app.services.auditing.reads import AuditEventRecord, AuditFilter, list_audit_events
from app.services.identity.principals import Caller
from app.sql import now


def export_audit_events(
    tx: Connection, *, caller: Caller, wanted: AuditFilter, form: str, purpose: str, most: int
) -> tuple[list[AuditEventRecord], datetime] | None:
    """The events wanted, newest first, and as of when; None where they are more than `most`. Raises `forbidden`."""
    found = list_audit_events(tx, caller=caller, wanted=wanted, limit=most + 1)
    if len(found) > most:
        return None
    at = now(tx)
    audit.record_read(
        tx,
        caller=caller,
        region_code=caller.home_region,
        action="audit_events.exported",
        object_id=caller.organisation_id,
        fields=("source",),
        purpose=purpose,
        at=at,
        details={"format": form, "rows": len(found), **{f"by_{name}": told for name, told in wanted.told().items()}},
    )
    return found, at
