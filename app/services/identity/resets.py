"""Resets of passwords and second factors: whoever can set them can act as that person, so two agree to it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import Approval, Invitation, Organisation, User
from app.services.approvals.requests import Decision, request_approval
from app.services.identity import second_factors
from app.services.identity.principals import Caller, Grant
from app.services.identity.roles import common_region, live_roles, refuse_oneself, shown_roles
from app.services.identity.users import user_to_change
from app.services.organisations import OrganisationRecord, organisation_to_staff

GOOD_FOR = timedelta(hours=24)
"""So long after the decision the registrar who asked may invite, once."""

BY_REGISTRAR_ALONE = frozenset({Role.FIRM, Role.PROVIDER})
"""Their people lose passwords often and decide nothing official; everybody else's role needs a second person."""


def request_password_reset(tx: Connection, *, caller: Caller, user_id: str, reason: str) -> str:
    """Ask a security administrator that a person may set a new password, and return the approval's id.

    The approval belongs to the smallest region that covers the person's roles. Raises `forbidden`, `not_found`,
    `approval_pending`; `wrong_state` where no province covers them all.
    """
    user = user_to_change(tx, caller=caller, user_id=user_id)
    roles = roles_within(tx, caller=caller, user_id=user.id)
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=user.organisation_id)
    return _ask(tx, caller, ApprovalKind.RESET_PASSWORD, user, organisation, roles, reason)


def reset_second_factor(tx: Connection, *, caller: Caller, user_id: str, reason: str) -> str | None:
    """Take a person's second factor away, who has lost it: at once for a firm's or provider's people (None).

    For everybody else a security administrator agrees first: the approval's id. Raises `forbidden`, `not_found`,
    `same_person` for oneself, `approval_pending`; `wrong_state` where there is none, or no province covers the roles.
    """
    user = user_to_change(tx, caller=caller, user_id=user_id)
    roles = roles_within(tx, caller=caller, user_id=user.id)
    if user.id == caller.principal_id:
        raise AppError(Code.SAME_PERSON)
    if not second_factors.has_factor(tx, user.id):
        raise AppError(Code.WRONG_STATE, actual="no second factor", expected="a second factor")
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=user.organisation_id)
    if roles and all(role.role in BY_REGISTRAR_ALONE for role in roles):
        second_factors.remove(tx, caller=caller, user_id=user.id, region_code=user.region_code, reason=reason)
        return None
    return _ask(tx, caller, ApprovalKind.RESET_SECOND_FACTOR, user, organisation, roles, reason)


def _ask(
    tx: Connection,
    caller: Caller,
    kind: ApprovalKind,
    user: Row[*tuple[Any, ...]],
    organisation: OrganisationRecord,
    roles: Sequence[Grant],
    reason: str,
) -> str:
    return request_approval(
        tx,
        caller=caller,
        kind=kind,
        region_code=_region_of(roles, organisation.region_code),
        authority_id=None,
        required_role=Role.SECURITY_ADMIN,
        subject_id=user.id,
        command={"user_id": user.id},
        effect={
            "login": user.login,
            "name": user.name,
            "organisation": organisation.name,
            "roles": shown_roles(roles),
        },
        reason=reason,
        barred_ids=[user.id],
        steps=(Role.SECURITY_ADMIN,),
    )


def execute_reset_second_factor(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """The second factor is gone, all sessions end, all tokens are void. Raises `same_person`, `not_found`."""
    refuse_oneself(decision, command["user_id"])
    region_code = tx.execute(
        select(Organisation.region_code)
        .join(User, User.organisation_id == Organisation.id)
        .where(User.id == command["user_id"], User.disabled_at.is_(None))
    ).scalar_one_or_none()
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what="user")
    second_factors.remove(tx, caller=decision.checker, user_id=command["user_id"], region_code=region_code)


def execute_reset_password(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Nothing changes yet: the decision itself lets the registrar who asked invite the person once.

    All there is to see to is that the person still exists and is not the one who decides.
    Raises `same_person`, `not_found`.
    """
    refuse_oneself(decision, command["user_id"])
    living = select(User.id).where(User.id == command["user_id"], User.disabled_at.is_(None))
    if tx.execute(living).one_or_none() is None:
        raise AppError(Code.NOT_FOUND, what="user")


def roles_within(tx: Connection, *, caller: Caller, user_id: str) -> tuple[Grant, ...]:
    """The person's live roles. Raises `forbidden` where one lies beyond the registrar's reach."""
    roles = live_roles(tx, [user_id])[user_id]
    for role in roles:
        if not caller.holds_in(Role.REGISTRAR, role.region_code):
            raise AppError(Code.FORBIDDEN, role=f"{Role.REGISTRAR} {role.region_code}")
    return roles


def agreed_reset(
    tx: Connection, *, caller: Caller, user_id: str, region_code: str, roles: Sequence[Grant], at: datetime
) -> str | None:
    """The approval under which this registrar may invite the person now; None where he needs none.

    The person's row is locked, so that one approval serves one invitation. Raises `approval_needed`.
    """
    if all(role.role in BY_REGISTRAR_ALONE for role in roles):
        return None
    used = exists().where(Invitation.user_id == user_id, Invitation.created_at >= Approval.decided_at)
    approval_id: str | None = tx.execute(
        select(Approval.id)
        .where(
            Approval.region_code == _region_of(roles, region_code),
            Approval.kind == ApprovalKind.RESET_PASSWORD,
            Approval.subject_id == user_id,
            Approval.status == ApprovalStatus.APPROVED,
            Approval.made_by == caller.principal_id,
            Approval.decided_at > at - GOOD_FOR,
            ~used,
        )
        .order_by(Approval.decided_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    if approval_id is None:
        raise AppError(Code.APPROVAL_NEEDED, hours=GOOD_FOR // timedelta(hours=1))
    return approval_id


def _region_of(roles: Sequence[Grant], organisation_region: str) -> str:
    region_code = common_region([role.region_code for role in roles] or [organisation_region])
    if region_code is None:
        raise AppError(Code.WRONG_STATE, actual="held in several provinces", expected="one province")
    return region_code
