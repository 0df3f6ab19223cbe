"""Approvals: one list of everything that waits for a second person."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, Reason, ShownInstant, Wire
from app.api.jobs import ACCEPTED, Prefer, as_job, is_asynchronous
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, JobKind, Role
from app.services.approvals.decisions import (
    DECIDERS,
    ApprovalRecord,
    approve,
    list_approvals,
    read_approval,
    reject,
)

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])


class ApprovalRead(Read):
    """What was asked: the exact command with its SHA-256, and in numbers what approving does."""

    id: str
    region_code: str
    kind: ApprovalKind
    status: ApprovalStatus
    authority_id: str | None
    county_code: Annotated[str | None, Field(description="Where a county issues in the programme of its city")]
    required_role: Role
    subject_id: str
    command: dict[str, Any]
    command_sha256: str
    effect: dict[str, Any]
    amount_fen: int | None
    reason: str | None
    made_at: ShownInstant
    made_by: str
    decided_at: ShownInstant | None
    decided_by: str | None
    decision_note: str | None


class ApproveBody(Wire):
    """An optional remark for the record."""

    note: Reason | None = None


class RejectBody(Wire):
    """Why not."""

    reason: Reason


def shown_approval(record: ApprovalRecord) -> ApprovalRead:
    """An approval on the wire."""
    values = {name: getattr(record, name) for name in ApprovalRecord.__slots__}
    return ApprovalRead(**values | {"command": orjson.loads(record.command), "effect": orjson.loads(record.effect)})


@router.get("")
def read_approvals(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[ApprovalStatus | None, Query()] = None,
) -> Page[ApprovalRead]:
    """What you may decide, and what you asked for, newest first."""
    records = service.database.transact(
        lambda tx: list_approvals(tx, caller=caller, limit=limit + 1, before_id=cursor, status=status)
    )
    return page_of([shown_approval(record) for record in records], limit)


@router.get("/{approval_id}")
def read_one_approval(approval_id: AnyId, caller: CallerDep, service: ServiceDep) -> ApprovalRead:
    """One approval."""
    return shown_approval(
        service.database.transact(lambda tx: read_approval(tx, caller=caller, approval_id=approval_id))
    )


@router.post("/{approval_id}/approve", response_model=ApprovalRead, responses=ACCEPTED)
def approve_one(
    approval_id: AnyId,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
    body: ApproveBody | None = None,
    prefer: Prefer = None,
) -> Response:
    """Execute what was asked. You must be another person than the one who asked."""
    caller.require(*DECIDERS)
    note = body.note if body else None
    region_code = _region(approval_id)

    def work() -> Response:
        return do_once(
            service,
            request,
            caller=caller,
            region_code=region_code,
            route="POST /v1/approvals/{id}/approve",
            key=key,
            command={"approval_id": approval_id, "note": note},
            work=lambda tx: approve(tx, caller=caller, approval_id=approval_id, note=note),
            render=lambda record: created(shown_approval(record), record.id, status=200),
        )

    if not is_asynchronous(prefer):
        return work()
    return as_job(
        service, request, caller, region_code=region_code, kind=JobKind.APPROVE, subject=approval_id, work=work
    )


@router.post("/{approval_id}/reject")
def reject_one(approval_id: AnyId, body: RejectBody, caller: CallerDep, service: ServiceDep) -> ApprovalRead:
    """Refuse what was asked, with a reason; nothing is executed."""
    caller.require(*DECIDERS)
    return shown_approval(
        service.database.transact(lambda tx: reject(tx, caller=caller, approval_id=approval_id, note=body.reason))
    )


def _region(approval_id: str) -> str:
    region_code = region_of(approval_id)
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    return region_code
