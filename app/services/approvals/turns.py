"""Whose turn it is: everything that can refuse a step, before anything is written. The approval stays locked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalStatus, Role
from app.models import Approval
from app.services.approvals.powers import Power, powers_of, require_any
from app.services.approvals.reads import ApprovalRecord, recorded, visible_to
from app.services.approvals.requests import Decision
from app.services.identity.accounts import persons_of
from app.services.identity.incompatible import first_clash
from app.services.identity.principals import Caller
from app.services.identity.roles import roles_of_person
from app.sql import now


@dataclass(frozen=True, slots=True)
class Seen:
    """What the caller has seen of an approval, where he says so: he decides that and nothing else."""

    command_sha256: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """The caller's step, which nothing refuses, and the natural persons on both sides."""

    approval: ApprovalRecord
    decision: Decision
    power: Power
    person_id: str
    maker_person_id: str


def take_turn(
    tx: Connection, caller: Caller, approval_id: str, on_behalf_of: str | None, seen: Seen, *, approving: bool
) -> Turn:
    """Lock the approval and say with which power the caller takes the step whose turn it is.

    His own power counts before one that was lent to him, unless he says in whose place he acts. Raises what
    `decisions.approve` names; a request that has expired may still be rejected.
    """
    powers = powers_of(tx, caller)
    require_any(powers)
    approval = _locked(tx, caller, powers, approval_id)
    if seen.version is not None and seen.version != approval.version:
        raise AppError(Code.ETAG_STALE)
    if seen.command_sha256 is not None and seen.command_sha256 != approval.command_sha256:
        raise AppError(Code.COMMAND_DIFFERS)
    concerned = {approval.made_by, *approval.barred_ids}
    decided = {one for step in approval.decisions for one in (step.decided_by, step.on_behalf_of) if one}
    lenders = {power.on_behalf_of for power in powers if power.on_behalf_of}
    person = persons_of(tx, {caller.principal_id} | concerned | decided | lenders)
    barred = {person[one] for one in concerned}
    spent = {person[one] for one in decided}
    if person[caller.principal_id] in barred:
        raise AppError(Code.SAME_PERSON)
    usable = _usable(powers, approval, on_behalf_of)
    require_pending(approval)
    if person[caller.principal_id] in spent:
        raise AppError(Code.STEP_ALREADY_DECIDED, step=approval.steps_done + 1, steps=len(approval.steps))
    at = now(tx)
    if approving and approval.expires_at is not None and approval.expires_at <= at:
        raise AppError(Code.APPROVAL_EXPIRED, at=approval.expires_at)
    power = next(
        (one for one in usable if one.on_behalf_of is None or person[one.on_behalf_of] not in barred | spent), None
    )
    if power is None:  # whoever lent it has made the thing, or has had his step
        raise AppError(Code.SAME_PERSON)
    if found := first_clash([power.grant], roles_of_person(tx, caller.principal_id)):
        raise AppError(Code.ROLES_INCOMPATIBLE, role=found[0].role, other=found[1].role)
    decision = Decision(_acting(caller, power), approval.made_by, approval.id, approval.region_code, at)
    return Turn(approval, decision, power, person[caller.principal_id], person[approval.made_by])


def _acting(caller: Caller, power: Power) -> Caller:
    """The caller as the act sees him: with the power that was lent to him, for this transaction."""
    if power.on_behalf_of is None:
        return caller
    return replace(caller, principal=replace(caller.principal, grants=(*caller.principal.grants, power.grant)))


def require_pending(approval: ApprovalRecord) -> None:
    """Raise `wrong_state` for what has been decided or withdrawn."""
    if approval.status != ApprovalStatus.PENDING:
        raise AppError(Code.WRONG_STATE, actual=approval.status, expected=ApprovalStatus.PENDING)


def _usable(powers: tuple[Power, ...], approval: ApprovalRecord, on_behalf_of: str | None) -> list[Power]:
    role = Role(approval.required_role)
    usable = [
        power
        for power in powers
        if power.reaches(role, approval.place_of(role), approval.authority_id)
        and on_behalf_of in (None, power.on_behalf_of)
    ]
    if not usable:
        raise AppError(Code.FORBIDDEN, role=role)
    return usable


def _locked(tx: Connection, caller: Caller, powers: tuple[Power, ...], approval_id: str) -> ApprovalRecord:
    row = tx.execute(
        select(Approval)
        .where(Approval.region_code == region_of(approval_id), Approval.id == approval_id, visible_to(caller, powers))
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    return recorded(tx, [row])[0]
