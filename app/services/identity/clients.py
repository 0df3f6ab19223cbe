"""Machine clients: the systems of compute centres, and of cities that only read. They sign in with a secret."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, false, insert, or_, select

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Client, Organisation
from app.services import audit
from app.services.identity.opaque import SECRET_BYTES, digest, new_secret
from app.services.identity.principals import Caller, Grant
from app.services.identity.roles import checked_roles, live_roles, request_roles
from app.services.identity.users import READERS
from app.services.organisations import organisation_to_staff, registered_within
from app.sql import now

_NO_SECRET = bytes(SECRET_BYTES)
"""Compared with where there is no such client: no secret has this hash."""


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A machine client as shown; its secret is shown once, when it is made."""

    id: str
    name: str
    organisation_id: str
    roles: tuple[Grant, ...]
    disabled_at: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class NewClient:
    """What the registrar hands over."""

    client: ClientRecord
    secret: str
    approval_id: str | None


def create_client(
    tx: Connection, *, caller: Caller, name: str, organisation_id: str, roles: Sequence[Grant]
) -> NewClient:
    """Write down a machine of an organisation within the registrar's reach, and ask for the roles.

    It holds none until a security administrator approves. Raises `forbidden`, `validation_failed`.
    """
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=organisation_id)
    wanted = checked_roles(roles, caller=caller, organisation=organisation, machine=True)
    client_id, secret, at = new_id("cli"), new_secret(), now(tx)
    tx.execute(
        insert(Client).values(
            id=client_id,
            name=name,
            organisation_id=organisation.id,
            secret_sha256=digest(secret),
            created_at=at,
            created_by=caller.principal_id,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=organisation.region_code,
        action="client.created",
        object_id=client_id,
        at=at,
        details={"organisation": organisation.id},
    )
    approval_id = None
    if wanted:
        approval_id = request_roles(
            tx, caller=caller, organisation=organisation, subject_id=client_id, name=name, roles=wanted
        )
    return NewClient(read_client(tx, caller=caller, client_id=client_id), secret, approval_id)


def ask_client_roles(tx: Connection, *, caller: Caller, client_id: str, roles: Sequence[Grant]) -> str:
    """Ask for further roles of a machine and return the approval's id.

    Raises `forbidden`, `not_found`, `validation_failed`, `approval_pending`.
    """
    caller.require(Role.REGISTRAR)
    client = tx.execute(_query().where(_is(client_id), registered_within(caller, Role.REGISTRAR))).one_or_none()
    if client is None:
        raise AppError(Code.NOT_FOUND, what="client")
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=client.organisation_id)
    wanted = checked_roles(roles, caller=caller, organisation=organisation, machine=True)
    return request_roles(
        tx, caller=caller, organisation=organisation, subject_id=client.id, name=client.name, roles=wanted
    )


def authenticate_client(tx: Connection, *, client_id: str, secret: str) -> str | None:
    """The organisation of the client with this id and secret, or None. Unknown and disabled ones take as long."""
    row = tx.execute(
        select(Client.organisation_id, Client.secret_sha256).where(_is(client_id), Client.disabled_at.is_(None))
    ).one_or_none()
    stored = _NO_SECRET if row is None else bytes(row.secret_sha256)
    is_right = hmac.compare_digest(stored, digest(secret))
    return row.organisation_id if row is not None and is_right else None


def read_client(tx: Connection, *, caller: Caller, client_id: str) -> ClientRecord:
    """One machine within the caller's reach, or the caller. Raises `not_found`."""
    row = tx.execute(_query().where(_is(client_id), _visible_to(caller))).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="client")
    return _record(row, live_roles(tx, [row.id])[row.id])


def list_clients(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, organisation_id: str | None = None
) -> list[ClientRecord]:
    """Machines within the caller's reach, newest first, at most `limit`."""
    query = _query().where(_visible_to(caller)).order_by(Client.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Client.id < before_id)
    if organisation_id is not None:
        query = query.where(Client.organisation_id == organisation_id)
    rows = tx.execute(query).all()
    held = live_roles(tx, [row.id for row in rows])
    return [_record(row, held[row.id]) for row in rows]


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(Client.id == caller.principal_id, registered_within(caller, *READERS))


def _is(client_id: str) -> ColumnElement[bool]:
    return Client.id == client_id if is_id(client_id, "cli") else false()


def _query() -> Select[Any]:
    return select(Client).join(Organisation, Organisation.id == Client.organisation_id)


def _record(row: Row[Any], roles: tuple[Grant, ...]) -> ClientRecord:
    return ClientRecord(
        id=row.id,
        name=row.name,
        organisation_id=row.organisation_id,
        roles=roles,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )
