"""Delegations: an official's power to decide, lent to a colleague for a time."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Instant, Read, Reason, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import Role
from app.services.approvals.decisions import read_approval
from app.services.approvals.delegations import list_delegations, request_delegation, revoke_delegation

router = APIRouter(prefix="/v1/delegations", tags=["approvals"])


class DelegationBody(Wire):
    """Which of your roles, to whom, until when (92 days at most)."""

    role: Literal[Role.CHECKER, Role.FINANCE]
    region_code: RegionCode
    delegate_id: AnyId
    starts_at: Instant | None = None
    ends_at: Instant
    reason: Reason


class DelegationRead(Read):
    """A delegation that a security administrator has agreed to. It ends by itself."""

    id: str
    region_code: str
    role: Role
    authority_id: str | None
    delegator_id: str
    delegate_id: str
    starts_at: ShownInstant
    ends_at: ShownInstant
    reason: str
    approval_id: str
    granted_at: ShownInstant
    revoked_at: ShownInstant | None
    revoked_by: str | None


@router.post("", status_code=202)
def ask_delegation(body: DelegationBody, caller: FreshCallerDep, service: ServiceDep) -> ApprovalRead:
    """Ask a security administrator that a colleague of your organisation may decide in your place.

    He must hold a role there that goes with it (never the maker's), cannot decide what you or he asked for, and cannot
    lend it on.
    """
    return shown_approval(
        service.database.transact(
            lambda tx: read_approval(
                tx,
                caller=caller,
                approval_id=request_delegation(
                    tx,
                    caller=caller,
                    role=body.role,
                    region_code=body.region_code,
                    delegate_id=body.delegate_id,
                    starts_at=body.starts_at,
                    ends_at=body.ends_at,
                    reason=body.reason,
                ),
            )
        )
    )


@router.get("")
def read_delegations(
    caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[DelegationRead]:
    """What you have lent and borrowed; administrators and auditors see their regions'. Newest first."""
    records = service.database.transact(
        lambda tx: list_delegations(tx, caller=caller, limit=limit + 1, before_id=cursor)
    )
    return page_of([DelegationRead.model_validate(record) for record in records], limit)


@router.post("/{delegation_id}/revoke")
def revoke_one(delegation_id: AnyId, caller: CallerDep, service: ServiceDep) -> DelegationRead:
    """End a delegation at once: the lender, the colleague or a security administrator does it alone."""
    return DelegationRead.model_validate(
        service.database.transact(lambda tx: revoke_delegation(tx, caller=caller, delegation_id=delegation_id))
    )
