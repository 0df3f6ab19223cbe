"""Machine clients: the systems of compute centres, and of cities that only read."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, false, func, insert, or_, select

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Client, Organisation
from app.services import audit
from app.services.identity.client_keys import write_key
from app.services.identity.loading import load_principal
from app.services.identity.opaque import SECRET_BYTES, digest, new_secret
from app.services.identity.principals import Caller, Grant, Principal
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
    dpop_required: bool
    disabled_at: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class NewClient:
    """What the registrar hands over; no secret where the machine has a key."""

    client: ClientRecord
    secret: str | None
    approval_id: str | None


def create_client(
    tx: Connection,
    *,
    caller: Caller,
    name: str,
    organisation_id: str,
    roles: Sequence[Grant],
    jwk: Mapping[str, Any] | None = None,
) -> NewClient:
    """Write down a machine of an organisation within the registrar's reach, and ask for the roles.

    With a public key it signs its assertions and has no secret. It holds no role until a security administrator
    approves. Raises `forbidden`, `validation_failed`.
    """
    organisation = organisation_to_staff(tx, caller=caller, organisation_id=organisation_id)
    wanted = checked_roles(roles, caller=caller, organisation=organisation, machine=True)
    client_id, at = new_id("cli"), now(tx)
    secret = new_secret() if jwk is None else None
    tx.execute(
        insert(Client).values(
            id=client_id,
            name=name,
            organisation_id=organisation.id,
            secret_sha256=None if secret is None else digest(secret),
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
    if jwk is not None:
        write_key(tx, caller=caller, client_id=client_id, region_code=organisation.region_code, jwk=jwk)
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
    """The organisation of the client with this id and secret, or None. Unknown and disabled ones take as long.

    A secret that was renewed is right until its time is over.
    """
    row = tx.execute(
        select(
            Client.organisation_id,
            Client.secret_sha256,
            case((Client.previous_secret_until > func.clock_timestamp(), Client.previous_secret_sha256)).label("old"),
        ).where(_is(client_id), Client.disabled_at.is_(None))
    ).one_or_none()
    given = digest(secret)
    stored = (None, None) if row is None else (row.secret_sha256, row.old)
    are_right = [hmac.compare_digest(bytes(one or _NO_SECRET), given) for one in stored]
    return row.organisation_id if row is not None and any(are_right) else None


def find_machine(tx: Connection, client_id: str) -> Principal | None:
    """The principal of a machine; None where none has this id, or it is disabled."""
    return load_principal(tx, client_id) if is_id(client_id, "cli") else None


def note_signed_in(tx: Connection, *, client_id: str, request_id: str, source: str) -> None:
    """Write down that a machine was given a token."""
    machine = find_machine(tx, client_id)
    if machine is not None:
        audit.record(
            tx,
            caller=Caller(machine, request_id, source),
            region_code=machine.organisation_region,
            action="client.signed_in",
            object_id=client_id,
            at=now(tx),
        )


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
        dpop_required=row.dpop_required,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )
