"""Reading audit events: who did what to which object, when, from where, why, and where it stands in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select, tuple_

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import AuditEvent, LogLeaf
from app.services.identity.principals import Caller
from app.services.reach import region_within

READERS = (Role.AUDITOR, Role.AUDIT_ADMIN)
"""Both read them for their regions and those below; the audit administrator sees no amount in them."""

ANY_OF = ".*"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are wanted; what is None does not count. An action may end with `.*` for all that begin so."""

    actor_id: str | None = None
    organisation_id: str | None = None
    action: str | None = None
    object_id: str | None = None
    result: str | None = None
    source: str | None = None
    request_id: str | None = None
    region_code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """At or before."""

    def told(self) -> dict[str, str]:
        """The filter as an audit event keeps it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in values.items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class AuditEventRecord:
    """An event as it is read, with the very bytes that are hashed for the log; `leaf_index` once it is sealed."""

    region_code: str
    id: str
    at: datetime
    principal_id: str
    organisation_id: str
    action: str
    object_id: str
    result: str
    source: str
    request_id: str
    details: Mapping[str, Any]
    withheld: tuple[str, ...]
    leaf: bytes
    leaf_index: int | None


def list_audit_events(
    tx: Connection, *, caller: Caller, wanted: AuditFilter, limit: int, before_id: str | None = None
) -> list[AuditEventRecord]:
    """Events within the caller's reach, newest first, beginning after `before_id`. Raises `forbidden`."""
    query = _query(caller).where(*_conditions(wanted)).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
    if before_id is not None:
        last = (
            select(AuditEvent.at)
            .where(AuditEvent.region_code == region_of(before_id), AuditEvent.id == before_id)
            .scalar_subquery()
        )
        query = query.where(tuple_(AuditEvent.at, AuditEvent.id) < tuple_(last, before_id))
    return [_record(caller, row) for row in tx.execute(query)]


def read_audit_event(tx: Connection, *, caller: Caller, event_id: str) -> AuditEventRecord:
    """One event within the caller's reach. Raises `forbidden`, `not_found`."""
    query = _query(caller).where(AuditEvent.region_code == region_of(event_id), AuditEvent.id == event_id)
    row = tx.execute(query).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="audit event")
    return _record(caller, row)


def without_money(details: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Details without their amounts, and the names of those that were left out. Pure."""
    withheld = tuple(sorted(name for name in details if name.endswith("_fen")))
    return {name: value for name, value in details.items() if name not in withheld}, withheld


def _query(caller: Caller) -> Select[*tuple[Any, ...]]:
    caller.require(*READERS)
    reach = or_(*(region_within(AuditEvent.region_code, grant.region_code) for grant in caller.regions(*READERS)))
    return (
        select(AuditEvent, LogLeaf.leaf_index)
        .outerjoin(LogLeaf, and_(LogLeaf.region_code == AuditEvent.region_code, LogLeaf.leaf_id == AuditEvent.id))
        .where(reach)
    )


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    equal = {
        AuditEvent.principal_id: wanted.actor_id,
        AuditEvent.organisation_id: wanted.organisation_id,
        AuditEvent.object_id: wanted.object_id,
        AuditEvent.result: wanted.result,
        AuditEvent.source: wanted.source,
        AuditEvent.request_id: wanted.request_id,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if wanted.action is not None and wanted.action.endswith(ANY_OF):
        conditions.append(AuditEvent.action.startswith(wanted.action.removesuffix("*"), autoescape=True))
    elif wanted.action is not None:
        conditions.append(AuditEvent.action == wanted.action)
    if wanted.region_code is not None:
        conditions.append(region_within(AuditEvent.region_code, wanted.region_code))
    if wanted.since is not None:
        conditions.append(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEvent.at <= wanted.until)
    return conditions


def _record(caller: Caller, row: Row[*tuple[Any, ...]]) -> AuditEventRecord:
    details: dict[str, Any] = orjson.loads(row.details)
    shown, withheld = without_money(details)
    if caller.holds_in(Role.AUDITOR, row.region_code):
        shown, withheld = details, ()
    return AuditEventRecord(
        region_code=row.region_code,
        id=row.id,
        at=row.at,
        principal_id=row.principal_id,
        organisation_id=row.organisation_id,
        action=row.action,
        object_id=row.object_id,
        result=row.result,
        source=row.source,
        request_id=row.request_id,
        details=shown,
        withheld=withheld,
        leaf=row.leaf,
        leaf_index=row.leaf_index,
    )
