"""Machine clients: the systems of providers, and of cities that only read; how they sign in, and how they leave."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from app.api.authentication import CallerDep, FreshCallerDep
from app.api.client_keys import Jwk
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.users import LeavingBody, RoleRead, RolesAsked, RolesBody, RolesTaken, RolesWanted
from app.services.identity import client_keys, leaving
from app.services.identity import clients as machines
from app.services.profiles import Line

router = APIRouter(prefix="/v1/clients", tags=["clients"])


class ClientCreate(Wire):
    """A machine as a registrar writes it down. With a key of its own it gets no secret."""

    name: Line
    organisation_id: AnyId
    roles: RolesWanted = ()
    jwk: Jwk | None = None


class ClientRead(Read):
    """A machine client, with the roles held now."""

    id: str
    name: str
    organisation_id: str
    roles: tuple[RoleRead, ...]
    dpop_required: bool
    disabled_at: ShownInstant | None
    created_at: ShownInstant
    created_by: str


class DpopBody(Wire):
    """Whether the machine's access tokens must be bound to a key of its own (DPoP, RFC 9449)."""

    required: Annotated[bool, Field(strict=True)]


class ClientCreated(Read):
    """The client, its secret (shown this once; null where it has a key), and the approval that waits (null where
    no role was asked for).
    """

    client: ClientRead
    secret: str | None
    approval_id: str | None


@router.post("", status_code=201)
def create_client(body: ClientCreate, caller: FreshCallerDep, service: ServiceDep, response: Response) -> ClientCreated:
    """Write down a machine and ask for the roles. It signs in with its id and the secret at `/oauth/token`."""
    created = service.database.transact(
        lambda tx: machines.create_client(
            tx,
            caller=caller,
            name=body.name,
            organisation_id=body.organisation_id,
            roles=[wanted.grant() for wanted in body.roles],
            jwk=body.jwk,
        )
    )
    response.headers.update(NO_STORE)
    return ClientCreated.model_validate(created)


@router.get("")
def read_clients(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    organisation_id: Annotated[AnyId | None, Query()] = None,
) -> Page[ClientRead]:
    """Machines within your reach, newest first; every machine sees itself."""
    records = service.database.transact(
        lambda tx: machines.list_clients(
            tx, caller=caller, limit=limit + 1, before_id=cursor, organisation_id=organisation_id
        )
    )
    return page_of([ClientRead.model_validate(record) for record in records], limit)


@router.get("/{client_id}")
def read_one_client(client_id: AnyId, caller: CallerDep, service: ServiceDep) -> ClientRead:
    """One machine client."""
    return ClientRead.model_validate(
        service.database.transact(lambda tx: machines.read_client(tx, caller=caller, client_id=client_id))
    )


@router.post("/{client_id}/roles", status_code=202)
def ask_client_roles(client_id: AnyId, body: RolesBody, caller: FreshCallerDep, service: ServiceDep) -> RolesAsked:
    """Ask for further roles of a machine, or again for those that were refused."""
    approval_id = service.database.transact(
        lambda tx: machines.ask_client_roles(
            tx, caller=caller, client_id=client_id, roles=[wanted.grant() for wanted in body.roles]
        )
    )
    return RolesAsked(approval_id=approval_id)


@router.post("/{client_id}/dpop")
def require_client_dpop(client_id: AnyId, body: DpopBody, caller: FreshCallerDep, service: ServiceDep) -> ClientRead:
    """Let a machine fetch tokens with a proof of its key alone, or again without: the latter is a registrar's act.

    Tokens that it has run out by themselves, within ten minutes.
    """

    def work(tx: Connection) -> ClientRead:
        client_keys.require_proof(tx, caller=caller, client_id=client_id, required=body.required)
        return ClientRead.model_validate(machines.read_client(tx, caller=caller, client_id=client_id))

    return service.database.transact(work)


@router.post("/{client_id}/roles/revoke")
def revoke_client_roles(client_id: AnyId, body: RolesTaken, caller: CallerDep, service: ServiceDep) -> ClientRead:
    """Take roles away from a machine, within a minute: a registrar's or a security administrator's act."""

    def work(tx: Connection) -> ClientRead:
        taken = [role.grant() for role in body.roles]
        leaving.revoke_roles(tx, caller=caller, subject_id=client_id, roles=taken, reason=body.reason)
        return ClientRead.model_validate(machines.read_client(tx, caller=caller, client_id=client_id))

    return service.database.transact(work)


@router.post("/{client_id}/disable")
def disable_client(client_id: AnyId, body: LeavingBody, caller: FreshCallerDep, service: ServiceDep) -> ClientRead:
    """Let the machine sign in no more, for good: a registrar's or a security administrator's act."""

    def work(tx: Connection) -> ClientRead:
        leaving.disable(tx, caller=caller, subject_id=client_id, reason=body.reason)
        return ClientRead.model_validate(machines.read_client(tx, caller=caller, client_id=client_id))

    return service.database.transact(work)
