"""One act on an application: the row as it stands then, an event of its history, an audit event that is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.vocabulary import ApplicationAct, ApplicationStatus
from app.models import Application, ApplicationEvent
from app.services import audit
from app.services.applications.records import ApplicationRecord, load
from app.services.applications.states import ENDS, next_status
from app.services.identity.principals import Caller


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a decision was made from and what it came to, as canonical JSON."""

    facts: str
    trace: str

    @property
    def facts_sha256(self) -> str:
        """What the sealed audit event names."""
        return sha256_hex(self.facts.encode())


@dataclass(frozen=True, slots=True)
class ApplicationEventRecord:
    """One event of the history; `details`, `facts` and `trace` are canonical JSON."""

    seq: int
    act: str
    from_status: str | None
    to_status: str
    at: datetime
    principal_id: str
    organisation_id: str
    reason: str | None
    details: str
    facts: str | None
    facts_sha256: str | None
    trace: str | None


EVENT_COLUMNS = tuple(field.name for field in fields(ApplicationEventRecord))


def act_on(
    tx: Connection,
    application: ApplicationRecord,
    act: ApplicationAct,
    *,
    caller: Caller,
    at: datetime,
    changes: Mapping[str, Any] | None = None,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    frozen: Frozen | None = None,
) -> ApplicationRecord:
    """Move a locked application as its table of transitions says, and write down who, when, why and from which facts.

    `changes` are columns of the row beside its status. Raises `wrong_state`.
    """
    status = ApplicationStatus(application.status)
    reached = next_status(act, status, accepted=application.accepted_at is not None)
    values: dict[str, Any] = dict(changes or {})
    values |= {"status": reached, "version": application.version + 1, "event_count": application.event_count + 1}
    if reached in ENDS:
        values |= {"decided_at": at, "clock_from_on": None, "clock_days": None, "clock_stopped_on": None}
        values |= {"decision_reason": reason}
    if status == ApplicationStatus.CORRECTION and reached != ApplicationStatus.CORRECTION:
        values |= {"correction_due_on": None, "clock_stopped_on": None}
    tx.execute(
        update(Application)
        .where(Application.region_code == application.region_code, Application.id == application.id)
        .values(**values)
    )
    write_event(
        tx,
        application.region_code,
        application.id,
        application.event_count + 1,
        act,
        caller=caller,
        at=at,
        from_status=status,
        to_status=reached,
        reason=reason,
        details=details,
        frozen=frozen,
    )
    changed = load(tx, application.region_code, application.id)
    assert changed is not None, "it was locked"
    return changed


def write_event(
    tx: Connection,
    region_code: str,
    application_id: str,
    seq: int,
    act: ApplicationAct,
    *,
    caller: Caller,
    at: datetime,
    from_status: ApplicationStatus | None,
    to_status: ApplicationStatus,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    frozen: Frozen | None = None,
) -> None:
    """Append to the history, and to the audit events, whose leaves name the hash of the facts."""
    written = canonical(dict(details or {})).decode()
    tx.execute(
        insert(ApplicationEvent).values(
            region_code=region_code,
            application_id=application_id,
            seq=seq,
            act=act,
            from_status=from_status,
            to_status=to_status,
            at=at,
            principal_id=caller.principal_id,
            organisation_id=caller.organisation_id,
            reason=reason,
            details=written,
            facts=frozen.facts if frozen else None,
            facts_sha256=frozen.facts_sha256 if frozen else None,
            trace=frozen.trace if frozen else None,
        )
    )
    told: dict[str, str | int | bool | list[str] | None] = {
        "seq": seq,
        "from": from_status,
        "to": to_status,
        "details_sha256": sha256_hex(written.encode()),
    }
    if reason is not None:
        told["reason"] = reason
    if frozen is not None:
        told |= {"facts_sha256": frozen.facts_sha256, "trace_sha256": sha256_hex(frozen.trace.encode())}
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action=f"application.{act}",
        object_id=application_id,
        at=at,
        details=told,
    )
