"""Invitations: a single-use secret with which a person sets the first password, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.models import Invitation, User
from app.services import audit
from app.services.identity import attempts, sessions
from app.services.identity.loading import load_principal
from app.services.identity.opaque import digest, new_secret
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Caller
from app.services.identity.resets import agreed_reset, roles_within
from app.services.identity.users import user_to_change
from app.sql import now


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation with its secret, which is shown this once."""

    id: str
    user_id: str
    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that is not used and has not run out."""

    id: str
    user_id: str
    login: str


def create_invitation(tx: Connection, *, caller: Caller, user_id: str, ttl_s: int) -> Invited:
    """Invite a person within the registrar's reach to set a password; what was sent before is void.

    All roles of the person must lie within reach too, and those who hold more than a firm's or provider's are invited
    under an approved reset (`resets.py`). Raises `forbidden`, `not_found`, `approval_needed`.
    """
    user = user_to_change(tx, caller=caller, user_id=user_id)
    roles = roles_within(tx, caller=caller, user_id=user.id)
    approval_id = agreed_reset(
        tx, caller=caller, user_id=user.id, region_code=user.region_code, roles=roles, at=now(tx)
    )
    return invite(
        tx, caller=caller, user_id=user.id, region_code=user.region_code, ttl_s=ttl_s, approval_id=approval_id
    )


def invite(
    tx: Connection, *, caller: Caller, user_id: str, region_code: str, ttl_s: int, approval_id: str | None = None
) -> Invited:
    """Write down an invitation in place of any older one. Whether the caller may is not asked here."""
    at = now(tx)
    tx.execute(update(Invitation).where(Invitation.user_id == user_id, Invitation.used_at.is_(None)).values(used_at=at))
    invited = Invited(new_id("inv"), user_id, new_secret(), at + timedelta(seconds=ttl_s))
    tx.execute(
        insert(Invitation).values(
            id=invited.id,
            user_id=user_id,
            secret_sha256=digest(invited.secret),
            expires_at=invited.expires_at,
            created_at=at,
            created_by=caller.principal_id,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="user.invited",
        object_id=user_id,
        at=at,
        details={"invitation": invited.id, "approval": approval_id},
    )
    return invited


def invited_login(tx: Connection, *, secret: str) -> str:
    """The login that the holder of this secret sets a password for. Raises `invitation_invalid`."""
    return open_invitation(tx, secret).login


def redeem_invitation(
    database: Database, passwords: Passwords, *, secret: str, password: str, request_id: str, source: str
) -> str:
    """Set the person's password, end all portal sessions, void all tokens, and return the login.

    No connection is held while the password is hashed. Raises `invitation_invalid`, `password_too_weak`, `busy`.
    """
    person = database.transact(lambda tx: open_invitation(tx, secret))
    password_hash = passwords.hash(password, login=person.login)

    def redeem(tx: Connection) -> str:
        # The person's row is what inviting and signing in lock too; what it guards is read behind the lock.
        tx.execute(select(User.id).where(User.id == person.user_id).with_for_update(key_share=True))
        invitation = open_invitation(tx, secret)
        principal = load_principal(tx, invitation.user_id)
        if principal is None:
            raise AppError(Code.INVITATION_INVALID)
        at = now(tx)
        tx.execute(
            update(User).where(User.id == principal.id).values(password_hash=password_hash, tokens_valid_from=at)
        )
        tx.execute(update(Invitation).where(Invitation.id == invitation.id).values(used_at=at))
        ended = sessions.end_all(tx, user_id=principal.id, at=at)
        attempts.forgive(tx, login=person.login, source=source)
        audit.record(
            tx,
            caller=Caller(principal, request_id, source),
            region_code=principal.organisation_region,
            action="user.password_set",
            object_id=principal.id,
            at=at,
            details={"invitation": invitation.id, "sessions_ended": ended},
        )
        return person.login

    return database.transact(redeem)


def open_invitation(tx: Connection, secret: str) -> OpenInvitation:
    """The open invitation with this secret. Raises `invitation_invalid`."""
    row = tx.execute(
        select(Invitation.id, Invitation.user_id, User.login)
        .join(User, User.id == Invitation.user_id)
        .where(
            Invitation.secret_sha256 == digest(secret),
            Invitation.used_at.is_(None),
            Invitation.expires_at > func.clock_timestamp(),
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.INVITATION_INVALID)
    return OpenInvitation(row.id, row.user_id, row.login)
