"""Delegation (授权代理): an official lends his power to decide to a colleague; a security administrator agrees.

It ends by itself, at once where it is revoked, and as soon as the lender no longer holds the power. It is not lent on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from app.kernel.clock import rfc3339
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, Role
from app.models import Delegation, User
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.accounts import accounts_of
from app.services.identity.incompatible import first_clash
from app.services.identity.principals import Caller, Grant
from app.services.identity.roles import live_roles, roles_of_person
from app.services.reach import region_within
from app.sql import now

LENDABLE = frozenset({Role.CHECKER, Role.FINANCE})
LONGEST = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class DelegationRecord:
    """A delegation as it is read."""

    region_code: str
    id: str
    role: str
    authority_id: str | None
    delegator_id: str
    delegate_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    approval_id: str
    granted_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


def request_delegation(
    tx: Connection,
    *,
    caller: Caller,
    role: Role,
    region_code: str,
    delegate_id: str,
    ends_at: datetime,
    starts_at: datetime | None = None,
    reason: str,
) -> str:
    """Ask a security administrator that a colleague may decide in one's place; returns the approval's id.

    Lent is only what one holds oneself, and only to a person of the same organisation who holds a role there that goes
    with it. Raises `forbidden`, `not_found`, `validation_failed`, `delegation_not_possible`, `roles_incompatible`.
    """
    own = next(
        (grant for grant in caller.regions(*LENDABLE) if (grant.role, grant.region_code) == (role, region_code)), None
    )
    if own is None:
        raise AppError(Code.FORBIDDEN, role=f"{role} {region_code}")
    at = now(tx)
    starts = max(starts_at or at, at)
    if not starts < ends_at <= starts + LONGEST:
        error = FieldError("/ends_at", "out_of_range", limit=rfc3339(starts + LONGEST), actual=rfc3339(ends_at))
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    colleague = tx.execute(
        select(User.id, User.name).where(
            User.id == delegate_id, User.organisation_id == caller.organisation_id, User.disabled_at.is_(None)
        )
    ).one_or_none()
    if colleague is None:
        raise AppError(Code.NOT_FOUND, what="user")
    _check_colleague(tx, caller.principal_id, delegate_id, own)
    delegation_id = new_id("dlg", region_code)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.DELEGATE_POWER,
        region_code=region_code,
        authority_id=None,
        required_role=Role.SECURITY_ADMIN,
        subject_id=delegation_id,
        command={
            "delegation_id": delegation_id,
            "role": role,
            "authority_id": own.authority_id,
            "delegator_id": caller.principal_id,
            "delegate_id": delegate_id,
            "starts_at": rfc3339(starts),
            "ends_at": rfc3339(ends_at),
            "reason": reason,
        },
        effect={
            "role": role,
            "delegate": colleague.name,
            "delegator": tx.execute(select(User.name).where(User.id == caller.principal_id)).scalar_one(),
            "starts_at": rfc3339(starts),
            "ends_at": rfc3339(ends_at),
        },
        reason=reason,
        barred_ids=[delegate_id],
        steps=(Role.SECURITY_ADMIN,),
    )


def execute_delegation(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Lend the power from now on, or from its first day on. Raises what the request did, where it has become so."""
    own = Grant(Role(command["role"]), decision.region_code, command["authority_id"])
    delegator_id, delegate_id = str(command["delegator_id"]), str(command["delegate_id"])
    if own not in live_roles(tx, [delegator_id])[delegator_id]:
        raise _not_possible("the lender no longer holds the role", "授权人已不再持有该角色")
    _check_colleague(tx, delegator_id, delegate_id, own)
    ends_at = datetime.fromisoformat(command["ends_at"])
    if ends_at <= decision.at:
        raise _not_possible("its time has passed", "授权期限已过")
    tx.execute(
        insert(Delegation).values(
            region_code=decision.region_code,
            id=command["delegation_id"],
            role=own.role,
            authority_id=own.authority_id,
            delegator_id=delegator_id,
            delegate_id=delegate_id,
            starts_at=max(datetime.fromisoformat(command["starts_at"]), decision.at),
            ends_at=ends_at,
            reason=command["reason"],
            approval_id=decision.approval_id,
            granted_at=decision.at,
        )
    )


def revoke_delegation(tx: Connection, *, caller: Caller, delegation_id: str) -> DelegationRecord:
    """End a delegation at once: by the lender, by the colleague, or by a security administrator of the region.

    Raises `not_found`, `wrong_state` where it was revoked before.
    """
    row = tx.execute(
        select(Delegation)
        .where(Delegation.region_code == region_of(delegation_id), Delegation.id == delegation_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    concerned = row is not None and (
        caller.principal_id in {row.delegator_id, row.delegate_id}
        or caller.holds_in(Role.SECURITY_ADMIN, row.region_code)
    )
    if row is None or not concerned:
        raise AppError(Code.NOT_FOUND, what="delegation")
    if row.revoked_at is not None:
        raise AppError(Code.WRONG_STATE, actual="revoked", expected="in force")
    at = now(tx)
    changed = tx.execute(
        update(Delegation)
        .where(Delegation.region_code == row.region_code, Delegation.id == row.id)
        .values(revoked_at=at, revoked_by=caller.principal_id)
        .returning(Delegation)
    ).one()
    audit.record(tx, caller=caller, region_code=row.region_code, action="delegation.revoked", object_id=row.id, at=at)
    return _record(changed)


def list_delegations(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None
) -> list[DelegationRecord]:
    """One's own, lent and borrowed; security administrators and auditors see their regions'. Newest first."""
    query = select(Delegation).where(_visible_to(caller)).order_by(Delegation.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Delegation.id < before_id)
    return [_record(row) for row in tx.execute(query)]


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(
        Delegation.delegator_id == caller.principal_id,
        Delegation.delegate_id == caller.principal_id,
        *(
            region_within(Delegation.region_code, grant.region_code)
            for grant in caller.regions(Role.SECURITY_ADMIN, Role.AUDITOR)
        ),
    )


def _check_colleague(tx: Connection, delegator_id: str, delegate_id: str, own: Grant) -> None:
    if delegate_id in accounts_of(tx, delegator_id):
        raise AppError(Code.SAME_PERSON)
    if not live_roles(tx, [delegate_id])[delegate_id]:
        raise _not_possible("the colleague holds no role", "被授权人没有任何角色")
    if found := first_clash([own], roles_of_person(tx, delegate_id)):
        raise AppError(Code.ROLES_INCOMPATIBLE, role=found[0].role, other=found[1].role)


def _not_possible(why_en: str, why_zh: str) -> AppError:
    return AppError(Code.DELEGATION_NOT_POSSIBLE, why_en=why_en, why_zh=why_zh)


def _record(row: Row[Any]) -> DelegationRecord:
    return DelegationRecord(**{name: getattr(row, name) for name in DelegationRecord.__slots__})
