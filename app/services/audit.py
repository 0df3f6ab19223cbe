"""Audit events: what changed without moving money, and who read sensitive data. Appended and queued like entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from app.kernel.masking import mask_numbers
from app.kernel.vocabulary import LeafKind
from app.models import AuditEvent, SealQueue
from app.reach import note
from app.services.identity.principals import Caller
from app.sql import BulkInsert

_INSERT = BulkInsert(
    AuditEvent.__table__,
    (
        "region_code",
        "id",
        "at",
        "principal_id",
        "organisation_id",
        "action",
        "object_id",
        "result",
        "source",
        "request_id",
        "details",
        "leaf",
    ),
)
_QUEUE = BulkInsert(SealQueue.__table__, ("region_code", "leaf_kind", "leaf_id"))

Details = Mapping[str, str | int | bool | list[str] | None]
"""What happened, as the leaf's hash is of it."""


def record(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    action: str,
    object_id: str,
    at: datetime,
    result: str = "done",
    details: Details | None = None,
) -> str:
    """Append one audit event, queue it for sealing, and return its id.

    `details` must hold no secret and no sensitive value, only what happened; the leaf holds its SHA-256.
    """
    row = _row(caller, region_code, action, object_id, at, result, details or {})
    _append(tx, [row])
    return str(row["id"])


def record_all(
    tx: Connection,
    *,
    caller: Caller,
    action: str,
    subjects: Sequence[tuple[str, str, Details]],
    at: datetime,
) -> list[str]:
    """The same for many: region, object and details of each, in two statements; the events' ids in that order."""
    rows = [_row(caller, region, action, one, at, "done", details) for region, one, details in subjects]
    _append(tx, rows)
    return [str(row["id"]) for row in rows]


def record_read(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    action: str,
    object_id: str,
    fields: Sequence[str],
    purpose: str,
    at: datetime,
    result: str = "done",
    details: Details | None = None,
) -> str:
    """Append that personal or bank data was read whole: which fields, in which roles and for what, never the value.

    In the same transaction as the reading, so that nothing is shown of which this could not be written. Long numbers in
    the purpose are masked: it is typed by hand.
    """
    told: Details = {"fields": list(fields), "purpose": mask_numbers(purpose), "roles": sorted(caller.principal.roles)}
    return record(
        tx,
        caller=caller,
        region_code=region_code,
        action=action,
        object_id=object_id,
        at=at,
        result=result,
        details={**(details or {}), **told},
    )


def record_export(tx: Connection, *, caller: Caller, what: str, object_id: str, rows: int, at: datetime) -> None:
    """Append that something left as a file, in the log of the caller's own region: what, and how many rows of it."""
    record(
        tx,
        caller=caller,
        region_code=caller.home_region,
        action=f"{what}.exported",
        object_id=object_id,
        at=at,
        details={"rows": rows, "roles": sorted(caller.principal.roles)},
    )


def _append(tx: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    note(tx, {str(row["region_code"]) for row in rows})
    _INSERT(tx, rows)
    _QUEUE(
        tx,
        [{"region_code": row["region_code"], "leaf_kind": LeafKind.AUDIT_EVENT, "leaf_id": row["id"]} for row in rows],
    )


def _row(
    caller: Caller, region_code: str, action: str, object_id: str, at: datetime, result: str, details: Details
) -> dict[str, object]:
    written = canonical(dict(details))
    event_id = new_id("evt", region_code)
    leaf = canonical(
        {
            "v": 1,
            "alg": "sha256",
            "type": "audit_event",
            "id": event_id,
            "region": region_code,
            "at": rfc3339(at),
            "principal": caller.principal_id,
            "organisation": caller.organisation_id,
            "action": action,
            "object": object_id,
            "result": result,
            "request": caller.request_id,
            "details": sha256_hex(written),
        }
    )
    return {
        "region_code": region_code,
        "id": event_id,
        "at": at,
        "principal_id": caller.principal_id,
        "organisation_id": caller.organisation_id,
        "action": action,
        "object_id": object_id,
        "result": result,
        "source": caller.source,
        "request_id": caller.request_id,
        "details": written.decode(),
        "leaf": leaf,
    }
