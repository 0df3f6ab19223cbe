"""Deciding: one list of everything that waits for a second person; approving executes exactly what was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from app.kernel.canonical import sha256_hex
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import Approval
from app.services import audit
from app.services.approvals.acts import ACTS
from app.services.approvals.requests import Decision
from app.services.identity.principals import Caller
from app.services.reach import region_within
from app.sql import now

_PLACE: Any = func.coalesce(Approval.county_code, Approval.region_code)
"""Where the officials who ask and decide hold their roles."""

DECIDERS = (Role.CHECKER, Role.FINANCE, Role.SECURITY_ADMIN)


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """An approval as it is read; `command` and `effect` are canonical JSON."""

    region_code: str
    id: str
    kind: str
    authority_id: str | None
    county_code: str | None
    required_role: str
    subject_id: str
    command: str
    command_sha256: str
    effect: str
    amount_fen: int | None
    status: str
    reason: str | None
    made_at: datetime
    made_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision_note: str | None


def approve(tx: Connection, *, caller: Caller, approval_id: str, note: str | None = None) -> ApprovalRecord:
    """Execute what was asked, as a second person.

    Raises `forbidden`, `not_found`, `same_person`, `wrong_state`, and whatever the act itself refuses
    (then nothing has happened and the approval still waits).
    """
    approval = _locked(tx, caller, approval_id)
    decision = _decision(tx, caller, approval)
    assert sha256_hex(approval.command.encode()) == approval.command_sha256, "the command is what was asked"
    ACTS[ApprovalKind(approval.kind)].execute(tx, command=json.loads(approval.command), decision=decision)
    return _decide(tx, approval, decision, ApprovalStatus.APPROVED, note)


def reject(tx: Connection, *, caller: Caller, approval_id: str, note: str) -> ApprovalRecord:
    """Refuse what was asked, with a reason. Nothing is executed."""
    approval = _locked(tx, caller, approval_id)
    decision = _decision(tx, caller, approval)
    ACTS[ApprovalKind(approval.kind)].reject(tx, command=json.loads(approval.command), decision=decision)
    return _decide(tx, approval, decision, ApprovalStatus.REJECTED, note)


def read_approval(tx: Connection, *, caller: Caller, approval_id: str) -> ApprovalRecord:
    """One approval within the caller's reach: his to decide, his own, or an auditor's to see. Raises `not_found`."""
    row = tx.execute(
        select(Approval).where(
            Approval.region_code == region_of(approval_id), Approval.id == approval_id, _visible_to(caller)
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    return _record(row)


def list_approvals(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    status: ApprovalStatus | None = None,
) -> list[ApprovalRecord]:
    """Approvals within the caller's reach, newest first."""
    query = select(Approval).where(_visible_to(caller)).order_by(Approval.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Approval.id < before_id)
    if status is not None:
        query = query.where(Approval.status == status)
    return [_record(row) for row in tx.execute(query)]


def _locked(tx: Connection, caller: Caller, approval_id: str) -> ApprovalRecord:
    caller.require(*DECIDERS)
    row = tx.execute(
        select(Approval)
        .where(Approval.region_code == region_of(approval_id), Approval.id == approval_id, _visible_to(caller))
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    return _record(row)


def _decision(tx: Connection, caller: Caller, approval: ApprovalRecord) -> Decision:
    if approval.made_by == caller.principal_id:
        raise AppError(Code.SAME_PERSON)
    role = Role(approval.required_role)
    if not caller.holds_in(role, approval.county_code or approval.region_code, approval.authority_id):
        raise AppError(Code.FORBIDDEN, role=role)
    if approval.status != ApprovalStatus.PENDING:
        raise AppError(Code.WRONG_STATE, actual=approval.status, expected=ApprovalStatus.PENDING)
    return Decision(caller, approval.made_by, approval.id, approval.region_code, now(tx))


def _decide(
    tx: Connection, approval: ApprovalRecord, decision: Decision, status: ApprovalStatus, note: str | None
) -> ApprovalRecord:
    caller = decision.checker
    row = tx.execute(
        update(Approval)
        .where(Approval.region_code == approval.region_code, Approval.id == approval.id)
        .values(status=status, decided_at=decision.at, decided_by=caller.principal_id, decision_note=note)
        .returning(Approval)
    ).one()
    audit.record(
        tx,
        caller=caller,
        region_code=approval.region_code,
        action=f"{approval.kind}.{status}",
        object_id=approval.subject_id,
        at=decision.at,
        details={"approval": approval.id, "command_sha256": approval.command_sha256, "maker": approval.made_by},
    )
    return _record(row)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Finance and the security administrator see what is theirs to decide, not all of their region."""
    return or_(
        Approval.made_by == caller.principal_id,
        *(
            and_(grant.region_code == _PLACE, Approval.authority_id == grant.authority_id)
            for grant in caller.regions(Role.MAKER, Role.CHECKER)
        ),
        *(
            and_(Approval.region_code == grant.region_code, Approval.required_role == Role.FINANCE)
            for grant in caller.regions(Role.FINANCE)
        ),
        *(
            and_(region_within(Approval.region_code, grant.region_code), Approval.required_role == Role.SECURITY_ADMIN)
            for grant in caller.regions(Role.SECURITY_ADMIN)
        ),
        *(region_within(_PLACE, grant.region_code) for grant in caller.regions(Role.AUDITOR)),
    )


def _record(row: Any) -> ApprovalRecord:
    return ApprovalRecord(**{name: getattr(row, name) for name in ApprovalRecord.__slots__})
