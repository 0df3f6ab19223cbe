"""Users: people, the roles asked for them, and the invitations with which they set a password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, Reason, RegionCode, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import Role
from app.services.identity import invitations, leaving, persons, resets
from app.services.identity import users as people
from app.services.identity.principals import Grant
from app.services.profiles import Line

router = APIRouter(prefix="/v1/users", tags=["users"])


class RoleWanted(Wire):
    """A role in a region. Makers and checkers hold it for their own authority, which may be left out."""

    role: Role
    region_code: RegionCode
    authority_id: AnyId | None = None

    def grant(self) -> Grant:
        """The role as the domain's value."""
        return Grant(self.role, self.region_code, self.authority_id)


RolesWanted = Annotated[tuple[RoleWanted, ...], Field(max_length=100)]


class RolesBody(Wire):
    """Roles to ask for."""

    roles: Annotated[tuple[RoleWanted, ...], Field(min_length=1, max_length=100)]


class RolesTaken(RolesBody):
    """Roles to take away, and why."""

    reason: Reason


class LeavingBody(Wire):
    """Why a person or machine signs in no more."""

    reason: Reason


class RoleRead(Read):
    """A role that is held."""

    role: Role
    region_code: str
    authority_id: str | None


class RolesAsked(Read):
    """The approval that waits for a security administrator."""

    approval_id: str


class ResetBody(Wire):
    """Why a person needs a new password."""

    reason: Reason


class ResetAsked(Read):
    """The approval that waits for a security administrator."""

    approval_id: str


class SecondFactorReset(Read):
    """The approval that waits for a security administrator; null where it is done already."""

    approval_id: str | None


class SamePersonBody(Wire):
    """Another account of the same natural person."""

    user_id: AnyId


class UserCreate(Wire):
    """A person as a registrar writes it down."""

    login: Annotated[
        str, Field(max_length=people.LOGIN_LENGTH, description="Letters, digits and `._@-`; case does not count")
    ]
    name: Line
    organisation_id: AnyId
    roles: RolesWanted = ()


class UserRead(Read):
    """An account, with the roles held now. Accounts with the same `person_id` are one natural person's."""

    id: str
    login: str
    name: str
    organisation_id: str
    roles: tuple[RoleRead, ...]
    has_password: bool
    person_id: str | None
    disabled_at: ShownInstant | None
    created_at: ShownInstant
    created_by: str


class UserCreated(Read):
    """The person, who holds no role yet, and the approval that waits (null where no role was asked for)."""

    user: UserRead
    approval_id: str | None


class InvitationRead(Read):
    """A link's secret, shown this once. With it the person sets a password on the portal."""

    id: str
    user_id: str
    secret: str
    expires_at: ShownInstant


@router.post("", status_code=201)
def create_user(body: UserCreate, caller: FreshCallerDep, service: ServiceDep) -> UserCreated:
    """Write down a person and ask for the roles."""
    user, approval_id = service.database.transact(
        lambda tx: people.create_user(
            tx,
            caller=caller,
            login=body.login,
            name=body.name,
            organisation_id=body.organisation_id,
            roles=[wanted.grant() for wanted in body.roles],
        )
    )
    return UserCreated(user=UserRead.model_validate(user), approval_id=approval_id)


@router.get("")
def read_users(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    organisation_id: Annotated[AnyId | None, Query()] = None,
) -> Page[UserRead]:
    """People within your reach, newest first; everybody sees himself."""
    records = service.database.transact(
        lambda tx: people.list_users(
            tx, caller=caller, limit=limit + 1, before_id=cursor, organisation_id=organisation_id
        )
    )
    return page_of([UserRead.model_validate(record) for record in records], limit)


@router.get("/{user_id}")
def read_one_user(user_id: AnyId, caller: CallerDep, service: ServiceDep) -> UserRead:
    """One person."""
    return UserRead.model_validate(
        service.database.transact(lambda tx: people.read_user(tx, caller=caller, user_id=user_id))
    )


@router.post("/{user_id}/roles", status_code=202)
def ask_user_roles(user_id: AnyId, body: RolesBody, caller: FreshCallerDep, service: ServiceDep) -> RolesAsked:
    """Ask for further roles of a person, or again for those that were refused."""
    approval_id = service.database.transact(
        lambda tx: people.ask_user_roles(
            tx, caller=caller, user_id=user_id, roles=[wanted.grant() for wanted in body.roles]
        )
    )
    return RolesAsked(approval_id=approval_id)


@router.post("/{user_id}/roles/revoke")
def revoke_user_roles(user_id: AnyId, body: RolesTaken, caller: CallerDep, service: ServiceDep) -> UserRead:
    """Take roles away from a person, within a minute: a registrar's or a security administrator's act."""

    def work(tx: Connection) -> UserRead:
        taken = [role.grant() for role in body.roles]
        leaving.revoke_roles(tx, caller=caller, subject_id=user_id, roles=taken, reason=body.reason)
        return UserRead.model_validate(people.read_user(tx, caller=caller, user_id=user_id))

    return service.database.transact(work)


@router.post("/{user_id}/disable")
def disable_user(user_id: AnyId, body: LeavingBody, caller: FreshCallerDep, service: ServiceDep) -> UserRead:
    """Let the person sign in no more, for good: a registrar's or a security administrator's act."""

    def work(tx: Connection) -> UserRead:
        leaving.disable(tx, caller=caller, subject_id=user_id, reason=body.reason)
        return UserRead.model_validate(people.read_user(tx, caller=caller, user_id=user_id))

    return service.database.transact(work)


@router.post("/{user_id}/same-person")
def join_accounts(user_id: AnyId, body: SamePersonBody, caller: FreshCallerDep, service: ServiceDep) -> UserRead:
    """Write down that two accounts are one natural person's: they count as one wherever two persons are needed.

    It only takes powers away, and there is no undoing. Both must lie within your reach.
    """

    def work(tx: Connection) -> people.UserRecord:
        persons.join_accounts(tx, caller=caller, user_id=user_id, other_id=body.user_id)
        return people.read_user(tx, caller=caller, user_id=user_id)

    return UserRead.model_validate(service.database.transact(work))


@router.post("/{user_id}/password-resets", status_code=202)
def ask_password_reset(user_id: AnyId, body: ResetBody, caller: FreshCallerDep, service: ServiceDep) -> ResetAsked:
    """Ask that an official may set a new password. Once it is approved, you may invite the person once."""
    approval_id = service.database.transact(
        lambda tx: resets.request_password_reset(tx, caller=caller, user_id=user_id, reason=body.reason)
    )
    return ResetAsked(approval_id=approval_id)


@router.post("/{user_id}/second-factor-resets", status_code=202)
def reset_second_factor(
    user_id: AnyId, body: ResetBody, caller: FreshCallerDep, service: ServiceDep
) -> SecondFactorReset:
    """Take away the second factor of a person who has lost it; he sets up another one when he signs in next.

    At once for a firm's or provider's people (`approval_id` is null); for officials once it is approved.
    """
    approval_id = service.database.transact(
        lambda tx: resets.reset_second_factor(tx, caller=caller, user_id=user_id, reason=body.reason)
    )
    return SecondFactorReset(approval_id=approval_id)


@router.post("/{user_id}/invitations", status_code=201)
def invite_user(user_id: AnyId, caller: FreshCallerDep, service: ServiceDep, response: Response) -> InvitationRead:
    """Let a person set the first password, or a new one. An earlier invitation no longer works.

    Whoever holds more than a firm's or provider's role is invited once a password reset is approved, within 24 hours.
    """
    invited = service.database.transact(
        lambda tx: invitations.create_invitation(
            tx, caller=caller, user_id=user_id, ttl_s=service.settings.invitation_ttl_s
        )
    )
    response.headers.update(NO_STORE)
    return InvitationRead.model_validate(invited)
