"""Audit events: what changed without moving money, and who read sensitive data. Appended and queued like entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from app.kernel.vocabulary import LeafKind
from app.models import AuditEvent, SealQueue
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


def record(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    action: str,
    object_id: str,
    at: datetime,
    result: str = "done",
    details: Mapping[str, str | int | bool | list[str] | None] | None = None,
) -> None:
    """Append one audit event and queue it for sealing.

    `details` must hold no secret and no sensitive value, only what happened; the leaf holds its SHA-256.
    """
    _write(tx, [_event(caller, region_code, action, object_id, at, result, details)])


def record_each(
    tx: Connection,
    *,
    caller: Caller,
    action: str,
    at: datetime,
    subjects: Sequence[tuple[str, str, Mapping[str, str | int | bool | list[str] | None]]],
) -> None:
    """The same for many: region, object and details of each, in two statements."""
    _write(tx, [_event(caller, region, action, one, at, "done", details) for region, one, details in subjects])


def _write(tx: Connection, events: Sequence[Mapping[str, Any]]) -> None:
    """Append events and queue them for sealing."""
    _INSERT(tx, events)
    _QUEUE(
        tx,
        [
            {"region_code": one["region_code"], "leaf_kind": LeafKind.AUDIT_EVENT, "leaf_id": one["id"]}
            for one in events
        ],
    )


def _event(
    caller: Caller,
    region_code: str,
    action: str,
    object_id: str,
    at: datetime,
    result: str,
    details: Mapping[str, str | int | bool | list[str] | None] | None,
) -> dict[str, Any]:
    written = canonical(dict(details or {}))
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
