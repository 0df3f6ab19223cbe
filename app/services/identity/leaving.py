"""People and machines that leave: disabled, or roles taken away. One person may do it: it gives nobody anything.

What they signed and made stays theirs. The way back is the way in: roles are asked for and granted anew, by two
persons; who was disabled stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Role
from app.models import Client, Organisation, RoleGrant, User
from app.services import audit
from app.services.identity.principals import Caller, Grant
from app.services.identity.roles import shown_roles
from app.services.identity.sessions import end_all
from app.services.organisations import registered_within
from app.sql import now

WHO = (Role.REGISTRAR, Role.SECURITY_ADMIN)


def disable(tx: Connection, *, caller: Caller, subject_id: str, reason: str) -> None:
    """From now on nobody signs in as this person or machine; what is signed in is out within a minute.

    Raises `forbidden`, `not_found`, `same_person` for oneself, `wrong_state` where it is done already.
    """
    subject = _locked(tx, caller, subject_id)
    if subject.disabled_at is not None:
        raise AppError(Code.WRONG_STATE, actual="disabled", expected="enabled")
    at = now(tx)
    table = _table(subject_id)
    tx.execute(update(table).where(table.id == subject_id).values(disabled_at=at))
    if table is User:
        end_all(tx, user_id=subject_id, at=at)
    action = "user.disabled" if table is User else "client.disabled"
    audit.record(
        tx,
        caller=caller,
        region_code=subject.region_code,
        action=action,
        object_id=subject_id,
        at=at,
        details={"reason": reason},
    )


def revoke_roles(tx: Connection, *, caller: Caller, subject_id: str, roles: Sequence[Grant], reason: str) -> None:
    """Take these roles away; they act no more within a minute, and the person's sessions end.

    Raises `forbidden`, `not_found`, `same_person` for oneself, `validation_failed` with a pointer to each that is not
    held or lies beyond the caller's reach; then none is taken.
    """
    subject = _locked(tx, caller, subject_id)
    mine = RoleGrant.user_id if _table(subject_id) is User else RoleGrant.client_id
    held = {
        (row.role, row.region_code): row.id
        for row in tx.execute(select(RoleGrant).where(mine == subject_id, RoleGrant.revoked_at.is_(None)))
    }
    errors = []
    for index, role in enumerate(roles):
        if (role.role, role.region_code) not in held:
            errors.append(FieldError(f"/roles/{index}", "not_held", detail=_NOT_HELD, actual=role.role))
        elif not any(caller.holds_in(one, role.region_code) for one in WHO):
            errors.append(FieldError(f"/roles/{index}/region_code", "beyond_your_reach", actual=role.region_code))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    at = now(tx)
    taken = [held[role.role, role.region_code] for role in roles]
    tx.execute(update(RoleGrant).where(RoleGrant.id.in_(taken)).values(revoked_at=at))
    if _table(subject_id) is User:
        end_all(tx, user_id=subject_id, at=at)
    audit.record(
        tx,
        caller=caller,
        region_code=subject.region_code,
        action="roles.revoked",
        object_id=subject_id,
        at=at,
        details={"roles": shown_roles(roles), "reason": reason},
    )


_NOT_HELD = "this role is not held in this region / 在该区划未持有此角色"


def _table(subject_id: str) -> type[User | Client]:
    return User if is_id(subject_id, "usr") else Client


def _locked(tx: Connection, caller: Caller, subject_id: str) -> Row[*tuple[Any, ...]]:
    caller.require(*WHO)
    if subject_id == caller.principal_id:
        raise AppError(Code.SAME_PERSON)
    table = _table(subject_id)
    row = tx.execute(
        select(table.disabled_at, Organisation.region_code)
        .join(Organisation, Organisation.id == table.organisation_id)
        .where(table.id == subject_id, registered_within(caller, *WHO))
        .with_for_update(key_share=True, of=table)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="user" if table is User else "client")
    return row
