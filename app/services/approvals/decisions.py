"""Deciding: one person takes one step; the last one executes exactly what was asked, a rejection ends it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.kernel.canonical import sha256_hex
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, StepOutcome
from app.models import Approval, ApprovalDecision
from app.services import audit
from app.services.approvals.acts import ACTS
from app.services.approvals.powers import DECIDERS
from app.services.approvals.reads import ApprovalRecord, list_approvals, read_approval, recorded
from app.services.approvals.requests import Decision
from app.services.approvals.turns import Seen, Turn, require_pending, take_turn
from app.services.identity.principals import Caller
from app.sql import now

__all__ = ["DECIDERS", "ApprovalRecord", "Seen", "approve", "list_approvals", "read_approval", "reject", "withdraw"]


def approve(
    tx: Connection,
    *,
    caller: Caller,
    approval_id: str,
    note: str | None = None,
    on_behalf_of: str | None = None,
    seen: Seen | None = None,
) -> ApprovalRecord:
    """Take the step whose turn it is, as another person than maker and earlier approvers; the last one executes.

    Raises `forbidden`, `not_found`, `same_person`, `wrong_state`, `etag_stale`, `command_differs`, `approval_expired`,
    `step_already_decided`, `roles_incompatible`, and whatever the act itself refuses (then nothing has happened and the
    approval still waits).
    """
    turn = take_turn(tx, caller, approval_id, on_behalf_of, seen or Seen(), approving=True)
    approval, done = turn.approval, turn.approval.steps_done + 1
    assert sha256_hex(approval.command.encode()) == approval.command_sha256, "the command is what was asked"
    _write_step(tx, turn, StepOutcome.APPROVED, note)
    if done < len(approval.steps):
        changed = _change(tx, approval, steps_done=done, required_role=approval.steps[done])
        _tell(tx, approval, turn.decision, "step_approved", step=done, on_behalf_of=turn.power.on_behalf_of)
        return changed
    ACTS[ApprovalKind(approval.kind)].execute(tx, command=json.loads(approval.command), decision=turn.decision)
    behalf = turn.power.on_behalf_of
    return _close(tx, approval, turn.decision, ApprovalStatus.APPROVED, note, on_behalf_of=behalf, steps_done=done)


def reject(
    tx: Connection,
    *,
    caller: Caller,
    approval_id: str,
    note: str,
    on_behalf_of: str | None = None,
    seen: Seen | None = None,
) -> ApprovalRecord:
    """Refuse what was asked, with a reason, at any step. Nothing is executed, and no later step is taken."""
    turn = take_turn(tx, caller, approval_id, on_behalf_of, seen or Seen(), approving=False)
    _write_step(tx, turn, StepOutcome.REJECTED, note)
    _undo(tx, turn.approval, turn.decision)
    behalf = turn.power.on_behalf_of
    return _close(tx, turn.approval, turn.decision, ApprovalStatus.REJECTED, note, on_behalf_of=behalf)


def withdraw(tx: Connection, *, caller: Caller, approval_id: str, note: str | None = None) -> ApprovalRecord:
    """Take back what one has asked for oneself, while it still waits. Raises `not_found`, `wrong_state`."""
    row = tx.execute(
        select(Approval)
        .where(
            Approval.region_code == region_of(approval_id),
            Approval.id == approval_id,
            Approval.made_by == caller.principal_id,
        )
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    (approval,) = recorded(tx, [row])
    require_pending(approval)
    decision = Decision(caller, approval.made_by, approval.id, approval.region_code, now(tx))
    _undo(tx, approval, decision)
    return _close(tx, approval, decision, ApprovalStatus.WITHDRAWN, note)


def _undo(tx: Connection, approval: ApprovalRecord, decision: Decision) -> None:
    ACTS[ApprovalKind(approval.kind)].reject(tx, command=json.loads(approval.command), decision=decision)


def _write_step(tx: Connection, turn: Turn, outcome: StepOutcome, note: str | None) -> None:
    approval, caller = turn.approval, turn.decision.checker
    tx.execute(
        insert(ApprovalDecision).values(
            region_code=approval.region_code,
            approval_id=approval.id,
            step=approval.steps_done + 1,
            outcome=outcome,
            role=approval.required_role,
            decided_at=turn.decision.at,
            decided_by=caller.principal_id,
            person_id=turn.person_id,
            on_behalf_of=turn.power.on_behalf_of,
            delegation_id=turn.power.delegation_id,
            made_by=approval.made_by,
            maker_person_id=turn.maker_person_id,
            note=note,
        )
    )


def _close(
    tx: Connection,
    approval: ApprovalRecord,
    decision: Decision,
    status: ApprovalStatus,
    note: str | None,
    *,
    on_behalf_of: str | None = None,
    **values: Any,
) -> ApprovalRecord:
    changed = _change(
        tx,
        approval,
        status=status,
        decided_at=decision.at,
        decided_by=decision.checker.principal_id,
        decision_note=note,
        **values,
    )
    _tell(tx, approval, decision, status, on_behalf_of=on_behalf_of)
    return changed


def _change(tx: Connection, approval: ApprovalRecord, **values: Any) -> ApprovalRecord:
    row = tx.execute(
        update(Approval)
        .where(Approval.region_code == approval.region_code, Approval.id == approval.id)
        .values(**values)
        .returning(Approval)
    ).one()
    return recorded(tx, [row])[0]


def _tell(
    tx: Connection,
    approval: ApprovalRecord,
    decision: Decision,
    what: str,
    *,
    step: int | None = None,
    on_behalf_of: str | None = None,
) -> None:
    details: dict[str, str | int | bool | list[str] | None] = {
        "approval": approval.id,
        "command_sha256": approval.command_sha256,
        "maker": approval.made_by,
    }
    if step is not None:
        details |= {"step": step, "steps": len(approval.steps)}
    if on_behalf_of is not None:
        details["on_behalf_of"] = on_behalf_of
    audit.record(
        tx,
        caller=decision.checker,
        region_code=approval.region_code,
        action=f"{approval.kind}.{what}",
        object_id=approval.subject_id,
        at=decision.at,
        details=details,
    )
