"""With which outside identities a person signs in, and ending that. Linking is the person's own act, by invitation."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, Reason, ShownInstant, Wire
from app.services.identity import outside

router = APIRouter(prefix="/v1/users/{user_id}/outside-identities", tags=["users"])


class UnlinkBody(Wire):
    """Why a person signs in this way no more."""

    reason: Reason


class OutsideIdentityRead(Read):
    """A link to a subject of an outside provider. The subject itself is kept nowhere, only its digest."""

    id: str
    user_id: str
    issuer: str
    invited_by: str
    linked_at: ShownInstant
    ended_at: ShownInstant | None
    ended_by: str | None


class OutsideIdentities(Read):
    """Links of a person, newest first, the ended ones too."""

    data: list[OutsideIdentityRead]


@router.get("")
def read_outside_identities(user_id: AnyId, caller: CallerDep, service: ServiceDep) -> OutsideIdentities:
    """At which outside providers a person within your reach, or you yourself, may sign in."""
    records = service.database.transact(lambda tx: outside.list_identities(tx, caller=caller, user_id=user_id))
    return OutsideIdentities(data=[OutsideIdentityRead.model_validate(record) for record in records])


@router.post("/{identity_id}/unlink")
def unlink_outside_identity(
    user_id: AnyId, identity_id: AnyId, body: UnlinkBody, caller: CallerDep, service: ServiceDep
) -> OutsideIdentityRead:
    """Let the person sign in there no more, for good: a registrar's or a security administrator's act.

    Sessions and tokens of the person end. The way back is a new invitation.
    """
    return OutsideIdentityRead.model_validate(
        service.database.transact(
            lambda tx: outside.unlink(tx, caller=caller, user_id=user_id, identity_id=identity_id, reason=body.reason)
        )
    )
