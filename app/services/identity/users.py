"""People: registrars write them down, security administrators approve their roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, false, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Role
from app.models import Organisation, User
from app.services import audit
from app.services.identity.principals import Caller, Grant
from app.services.identity.roles import checked_roles, live_roles, request_roles, roles_of_person
from app.services.organisations import OrganisationRecord, organisation_to_staff, registered_within
from app.sql import now

READERS = (Role.REGISTRAR, Role.SECURITY_ADMIN, Role.AUDITOR)
"""They see the people and machines of their regions; everybody sees himself."""

REGISTRY = "registry"
"""For what people are read who are looked up in the registry of users."""

LOGIN_LENGTH = 64
LOGIN = re.compile(f"[a-z0-9][a-z0-9._@-]{{1,{LOGIN_LENGTH - 1}}}")


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A person as shown. Whether a password is set says whether the invitation was taken up."""

    id: str
    login: str
    name: str
    organisation_id: str
    roles: tuple[Grant, ...]
    has_password: bool
    person_id: str | None
    disabled_at: datetime | None
    created_at: datetime
    created_by: str


def create_user(
    tx: Connection, *, caller: Caller, login: str, name: str, organisation_id: str, roles: Sequence[Grant]
) -> tuple[UserRecord, str | None]:
    """Write down a person of an organisation within the registrar's reach, and ask for the roles.

    Returns the person, who holds no role yet, and the approval's id (None where no role is asked for).
    Raises `forbidden`, `validation_failed`, `login_taken`.
    """
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=organisation_id)
    wanted = checked_roles(roles, caller=caller, organisation=organisation, machine=False)
    user_id = add_user(tx, caller=caller, login=login, name=name, organisation=organisation)
    approval_id = None
    if wanted:
        approval_id = request_roles(
            tx, caller=caller, organisation=organisation, subject_id=user_id, name=name, roles=wanted
        )
    return read_user(tx, caller=caller, user_id=user_id), approval_id


def add_user(tx: Connection, *, caller: Caller, login: str, name: str, organisation: OrganisationRecord) -> str:
    """Insert a person without roles and return the id. Whether the caller may is not asked here.

    Raises `validation_failed`, `login_taken`.
    """
    login = login.lower()
    if LOGIN.fullmatch(login) is None:
        raise AppError(
            Code.VALIDATION_FAILED, count=1, errors=[FieldError("/login", "login_not_valid", limit=LOGIN.pattern)]
        )
    at = now(tx)
    user_id = tx.execute(
        insert(User)
        .values(
            id=new_id("usr"),
            login=login,
            name=name,
            organisation_id=organisation.id,
            created_at=at,
            created_by=caller.principal_id,
        )
        .on_conflict_do_nothing(index_elements=["login"])
        .returning(User.id)
    ).scalar_one_or_none()
    if user_id is None:
        raise AppError(Code.LOGIN_TAKEN)
    audit.record(
        tx,
        caller=caller,
        region_code=organisation.region_code,
        action="user.created",
        object_id=user_id,
        at=at,
        details={"login": login, "organisation": organisation.id},
    )
    return user_id


def ask_user_roles(tx: Connection, *, caller: Caller, user_id: str, roles: Sequence[Grant]) -> str:
    """Ask for further roles of a person and return the approval's id.

    Raises `forbidden`, `not_found`, `validation_failed`, `approval_pending`.
    """
    user = user_to_change(tx, caller=caller, user_id=user_id)
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=user.organisation_id)
    held = roles_of_person(tx, user.id)
    wanted = checked_roles(roles, caller=caller, organisation=organisation, machine=False, held=held)
    return request_roles(tx, caller=caller, organisation=organisation, subject_id=user.id, name=user.name, roles=wanted)


def user_to_change(tx: Connection, *, caller: Caller, user_id: str) -> Row[*tuple[Any, ...]]:
    """The person (with `region_code` of the organisation), locked, for a registrar within reach.

    Raises `forbidden`, `not_found`.
    """
    caller.require(Role.REGISTRAR)
    row = tx.execute(
        _query().where(_is(user_id), registered_within(caller, Role.REGISTRAR)).with_for_update(key_share=True, of=User)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="user")
    return row


def read_user(tx: Connection, *, caller: Caller, user_id: str) -> UserRecord:
    """One person within the caller's reach, or the caller. Raises `not_found`."""
    row = tx.execute(_query().where(_is(user_id), _visible_to(caller))).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="user")
    return _record(row, live_roles(tx, [row.id])[row.id])


def list_users(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, organisation_id: str | None = None
) -> list[UserRecord]:
    """People within the caller's reach, newest first, at most `limit`; that they were read is written down."""
    query = _query().where(_visible_to(caller)).order_by(User.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(User.id < before_id)
    if organisation_id is not None:
        query = query.where(User.organisation_id == organisation_id)
    rows = tx.execute(query).all()
    held = live_roles(tx, [row.id for row in rows])
    _note_reading(tx, caller, caller.organisation_id, [row.id for row in rows])
    return [_record(row, held[row.id]) for row in rows]


def look_up_user(tx: Connection, *, caller: Caller, user_id: str) -> UserRecord:
    """One person as `read_user`; that it was read is written down. Raises `not_found`."""
    user = read_user(tx, caller=caller, user_id=user_id)
    _note_reading(tx, caller, user_id, [user_id])
    return user


def _note_reading(tx: Connection, caller: Caller, object_id: str, user_ids: Sequence[str]) -> None:
    """Write down who read which people's names; nothing of who read his own."""
    others = [one for one in user_ids if one != caller.principal_id]
    if others:
        audit.record_read(
            tx,
            caller=caller,
            region_code=caller.home_region,
            action="user.read",
            object_id=object_id,
            fields=("login", "name"),
            purpose=REGISTRY,
            at=now(tx),
            details={"users": others},
        )


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(User.id == caller.principal_id, registered_within(caller, *READERS))


def _is(user_id: str) -> ColumnElement[bool]:
    return User.id == user_id if is_id(user_id, "usr") else false()


def _query() -> Select[*tuple[Any, ...]]:
    return select(User, Organisation.region_code).join(Organisation, Organisation.id == User.organisation_id)


def _record(row: Row[*tuple[Any, ...]], roles: tuple[Grant, ...]) -> UserRecord:
    return UserRecord(
        id=row.id,
        login=row.login,
        name=row.name,
        organisation_id=row.organisation_id,
        roles=roles,
        has_password=row.password_hash is not None,
        person_id=row.person_id,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )
