"""Audit events (审计事件): who did what, when, from where and why; for auditors and audit administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, StringConstraints
from sqlalchemy import Connection

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Instant, Printable, Purpose, Read, RegionCode, ShownInstant
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.canonical import sha256_hex
from app.kernel.problems import AppError, Code, FieldError
from app.services.auditing.exporting import export_audit_events
from app.services.auditing.reads import AuditEventRecord, AuditFilter, list_audit_events, read_audit_event
from app.services.auditing.sheet import MAX_ROWS, write_csv, write_xlsx

router = APIRouter(prefix="/v1/audit-events", tags=["audit events"])

Named = Annotated[str, StringConstraints(min_length=1, max_length=200), Printable]


class AuditEventRead(Read):
    """An event. `leaf` is the exact text that is hashed for the log, `leaf_sha256` its SHA-256.

    `leaf_index` is its place in the region's log and `proof` where that is proved; both null until it is sealed.
    `withheld` names the amounts that an audit administrator does not see in `details`.
    """

    id: str
    region_code: str
    at: ShownInstant
    principal_id: str
    organisation_id: str
    action: str
    object_id: str
    result: str
    source: str
    request_id: str
    details: dict[str, Any]
    withheld: tuple[str, ...]
    leaf: str
    leaf_sha256: str
    leaf_index: int | None
    proof: Annotated[str | None, Field(description="Path of the inclusion proof")]


def _wanted(
    actor_id: Annotated[Named | None, Query(description="A person, a machine, `cli` or `public`")] = None,
    organisation_id: Annotated[Named | None, Query(description="The actor's")] = None,
    action: Annotated[Named | None, Query(description="One action, or with `.*` at its end all that begin so")] = None,
    object_id: Annotated[Named | None, Query()] = None,
    result: Annotated[Literal["done", "refused"] | None, Query()] = None,
    source: Annotated[Named | None, Query(description="Network address, or `cli`")] = None,
    request_id: Annotated[Named | None, Query(description="`X-Request-Id` of the answer")] = None,
    region_code: Annotated[RegionCode | None, Query(description="With the regions below it")] = None,
    since: Annotated[Instant | None, Query(description="At or after this instant")] = None,
    until: Annotated[Instant | None, Query(description="At or before this instant")] = None,
) -> AuditFilter:
    return AuditFilter(
        actor_id, organisation_id, action, object_id, result, source, request_id, region_code, since, until
    )


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get("")
def read_audit_events(
    wanted: Wanted, caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[AuditEventRead]:
    """Events of your regions and those below, newest first."""
    records = service.database.transact(
        lambda tx: list_audit_events(tx, caller=caller, wanted=wanted, limit=limit + 1, before_id=cursor)
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/export", response_class=Response, responses={200: {"content": {XLSX: {}, "text/csv": {}}}})
def export_events(
    wanted: Wanted,
    purpose: Purpose,
    caller: CallerDep,
    service: ServiceDep,
    form: Annotated[Literal["xlsx", "csv"], Query(alias="format", description=".xlsx, or CSV in UTF-8")] = "xlsx",
) -> Response:
    """The events as a spreadsheet, newest first; no cell is ever a formula. At most 20,000: narrow the filters.

    The export is an event itself.
    """

    def work(tx: Connection) -> Any:
        found = export_audit_events(tx, caller=caller, wanted=wanted, form=form, purpose=purpose, most=MAX_ROWS)
        if found is None:
            error = FieldError("/query", "too_many_rows", limit=MAX_ROWS)
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
        return found

    events, at = service.database.transact(work)
    if form == "xlsx":
        return xlsx_response(write_xlsx(events, at=at), "audit-events.xlsx")
    headers = {"Content-Disposition": 'attachment; filename="audit-events.csv"', "X-Content-Type-Options": "nosniff"}
    return Response(write_csv(events), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{event_id}")
def read_one_audit_event(event_id: AnyId, caller: CallerDep, service: ServiceDep) -> AuditEventRead:
    """One event."""
    return _shown(service.database.transact(lambda tx: read_audit_event(tx, caller=caller, event_id=event_id)))


def _shown(record: AuditEventRecord) -> AuditEventRead:
    sealed = record.leaf_index is not None
    return AuditEventRead(
        id=record.id,
        region_code=record.region_code,
        at=record.at,
        principal_id=record.principal_id,
        organisation_id=record.organisation_id,
        action=record.action,
        object_id=record.object_id,
        result=record.result,
        source=record.source,
        request_id=record.request_id,
        details=dict(record.details),
        withheld=record.withheld,
        leaf=record.leaf.decode(),
        leaf_sha256=sha256_hex(record.leaf),
        leaf_index=record.leaf_index,
        proof=f"/v1/ledger/proofs/inclusion?entry_id={record.id}" if sealed else None,
    )
