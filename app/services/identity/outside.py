"""People who sign in at an outside OpenID Connect provider: who is whom, linking and unlinking.

A subject of a provider is linked to a person by an invitation and by nothing else: never by an e-mail address or a
name that the provider tells. For officials an invitation takes two persons (`resets.py`), as a new password does,
because whoever links can act as them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role, SessionStage, TokenKind
from app.models import Invitation, Organisation, OutsideIdentity, User
from app.services import audit
from app.services.identity import attempts, sessions
from app.services.identity.invitations import open_invitation
from app.services.identity.loading import load_principal
from app.services.identity.personal_tokens import entered_outside
from app.services.identity.principals import Caller, Proof
from app.services.identity.signing_in import Entered
from app.services.identity.spending import spend
from app.services.identity.users import read_user
from app.services.organisations import registered_within
from app.sql import now

T = TypeVar("T")

WHO_UNLINKS = (Role.REGISTRAR, Role.SECURITY_ADMIN)
ANSWERED_WITHIN = timedelta(minutes=15)
"""For so long an answer of a provider is remembered as used; a browser forgets its try before that."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for: its own words, checked before they come here."""

    provider: str
    """Our name of the provider."""
    issuer: str
    subject: str
    second_factor: bool
    signed_in_at: datetime

    @property
    def proof(self) -> Proof:
        """What it says of the sign-in."""
        return Proof(self.signed_in_at, self.second_factor)

    @property
    def subject_sha256(self) -> bytes:
        """What is kept of the subject."""
        return hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).digest()


@dataclass(frozen=True, slots=True)
class OutsideIdentityRecord:
    """A link as shown: with which issuer, since when and until when."""

    id: str
    user_id: str
    issuer: str
    invited_by: str
    linked_at: datetime
    ended_at: datetime | None
    ended_by: str | None


def is_first_answer(tx: Connection, *, provider: str, state: str) -> bool:
    """Whether this is the first answer to a try to sign in; of twins that race, one is."""
    return spend(
        tx,
        subject_id=f"openid {provider}",
        kind=TokenKind.SIGN_IN,
        jti=state,
        expires_at=now(tx) + ANSWERED_WITHIN,
    )


def enter(
    tx: Connection,
    *,
    vouched: Vouched,
    purpose: str,
    request_id: str,
    source: str,
    staff: bool,
    then: Callable[[Connection, Entered], T],
) -> T:
    """Do `then` as the person whom the provider's subject is linked to, with the audit event.

    `then` is told how far it goes: all the way where the provider asked for a second factor or none is needed, else a
    code of the one here is missing, or a second factor altogether (`staff`: officials need one). Raises
    `outside_identity_unknown` alike where nobody is linked and where the person is disabled.
    """
    user_id = tx.execute(
        select(OutsideIdentity.user_id).where(
            OutsideIdentity.issuer == vouched.issuer,
            OutsideIdentity.subject_sha256 == vouched.subject_sha256,
            OutsideIdentity.ended_at.is_(None),
        )
    ).scalar_one_or_none()
    if user_id is None or not _still_linked(tx, user_id, vouched):
        raise AppError(Code.OUTSIDE_IDENTITY_UNKNOWN)
    principal = load_principal(tx, user_id)
    if principal is None:
        raise AppError(Code.OUTSIDE_IDENTITY_UNKNOWN)
    entered = entered_outside(tx, Caller(principal, request_id, source), vouched.proof, staff=staff)
    is_in = entered.stage is SessionStage.FULL
    audit.record(
        tx,
        caller=entered.caller,
        region_code=principal.organisation_region,
        action="user.signed_in" if is_in else "user.identity_accepted",
        object_id=user_id,
        at=now(tx),
        details={"purpose": purpose, "provider": vouched.provider, "second_factor": vouched.second_factor},
    )
    return then(tx, entered)


def link(tx: Connection, *, secret: str, vouched: Vouched, request_id: str, source: str) -> str:
    """Let the provider's subject sign in as the invited person from now on, and return the login.

    The invitation is used up. As with a new password every session and token of the person ends; a password that there
    was is good no more, and an earlier subject of the same issuer neither. Raises `invitation_invalid`,
    `outside_identity_taken` where the subject is another person's.
    """
    user_id = open_invitation(tx, secret).user_id
    # The person's row is what inviting and signing in lock too; what it guards is read behind the lock.
    tx.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    invitation = open_invitation(tx, secret)
    principal = load_principal(tx, invitation.user_id)
    if principal is None:
        raise AppError(Code.INVITATION_INVALID)
    at = now(tx)
    caller = Caller(principal, request_id, source)
    replaced = _end(tx, OutsideIdentity.user_id == user_id, OutsideIdentity.issuer == vouched.issuer, by=user_id, at=at)
    identity_id = new_id("oid")
    made = tx.execute(
        insert(OutsideIdentity)
        .values(
            id=identity_id,
            user_id=user_id,
            issuer=vouched.issuer,
            subject_sha256=vouched.subject_sha256,
            invitation_id=invitation.id,
            linked_at=at,
        )
        .on_conflict_do_nothing()
        .returning(OutsideIdentity.id)
    ).one_or_none()
    if made is None:
        raise AppError(Code.OUTSIDE_IDENTITY_TAKEN)
    tx.execute(update(User).where(User.id == user_id).values(password_hash=None, tokens_valid_from=at))
    tx.execute(update(Invitation).where(Invitation.id == invitation.id).values(used_at=at))
    attempts.forgive(tx, login=invitation.login, source=source)
    audit.record(
        tx,
        caller=caller,
        region_code=principal.organisation_region,
        action="user.identity_linked",
        object_id=user_id,
        at=at,
        details={
            "identity": identity_id,
            "issuer": vouched.issuer,
            "invitation": invitation.id,
            "replaced": replaced,
            "sessions_ended": sessions.end_all(tx, user_id=user_id, at=at),
        },
    )
    return invitation.login


def unlink(tx: Connection, *, caller: Caller, user_id: str, identity_id: str, reason: str) -> OutsideIdentityRecord:
    """Let the subject sign in as this person no more; sessions and tokens of the person end.

    One person may do it: it gives nobody anything. Raises `forbidden`, `not_found`, `wrong_state` where it has ended.
    """
    caller.require(*WHO_UNLINKS)
    person = tx.execute(
        select(Organisation.region_code)
        .join(User, User.organisation_id == Organisation.id)
        .where(User.id == _id_of(user_id, "usr"), registered_within(caller, *WHO_UNLINKS))
        .with_for_update(key_share=True, of=User)
    ).one_or_none()
    mine = (OutsideIdentity.id == _id_of(identity_id, "oid"), OutsideIdentity.user_id == user_id)
    found = None if person is None else tx.execute(_query().where(*mine)).one_or_none()
    if person is None or found is None:
        raise AppError(Code.NOT_FOUND, what="outside_identity")
    if found.ended_at is not None:
        raise AppError(Code.WRONG_STATE, actual="ended", expected="live")
    at = now(tx)
    _end(tx, *mine, by=caller.principal_id, at=at)
    tx.execute(update(User).where(User.id == user_id).values(tokens_valid_from=at))
    audit.record(
        tx,
        caller=caller,
        region_code=person.region_code,
        action="user.identity_unlinked",
        object_id=user_id,
        at=at,
        details={
            "identity": identity_id,
            "issuer": found.issuer,
            "reason": reason,
            "sessions_ended": sessions.end_all(tx, user_id=user_id, at=at),
        },
    )
    return _record(tx.execute(_query().where(*mine)).one())


def list_identities(tx: Connection, *, caller: Caller, user_id: str) -> list[OutsideIdentityRecord]:
    """All links of a person whom the caller sees, newest first, the ended ones too. Raises `not_found`."""
    person = read_user(tx, caller=caller, user_id=user_id)
    rows = tx.execute(_query().where(OutsideIdentity.user_id == person.id).order_by(OutsideIdentity.id.desc()))
    return [_record(row) for row in rows]


def login_of(tx: Connection, user_id: str) -> str:
    """The login of a person that there is."""
    return tx.execute(select(User.login).where(User.id == user_id)).scalar_one()


def _still_linked(tx: Connection, user_id: str, vouched: Vouched) -> bool:
    """Whether nobody unlinked or disabled the person meanwhile; waits for whoever is about to."""
    tx.execute(select(User.id).where(User.id == user_id).with_for_update(read=True))
    live = select(OutsideIdentity.id).where(
        OutsideIdentity.user_id == user_id,
        OutsideIdentity.issuer == vouched.issuer,
        OutsideIdentity.subject_sha256 == vouched.subject_sha256,
        OutsideIdentity.ended_at.is_(None),
    )
    return tx.execute(live).one_or_none() is not None


def _end(tx: Connection, *which: Any, by: str, at: datetime) -> list[str]:
    ended = tx.execute(
        update(OutsideIdentity)
        .where(*which, OutsideIdentity.ended_at.is_(None))
        .values(ended_at=at, ended_by=by)
        .returning(OutsideIdentity.id)
    ).scalars()
    return list(ended)


def _id_of(given: str, prefix: str) -> str:
    return given if is_id(given, prefix) else ""


def _query() -> Select[*tuple[Any, ...]]:
    return select(OutsideIdentity, Invitation.created_by.label("invited_by")).join(
        Invitation, Invitation.id == OutsideIdentity.invitation_id
    )


def _record(row: Row[*tuple[Any, ...]]) -> OutsideIdentityRecord:
    return OutsideIdentityRecord(
        row.id, row.user_id, row.issuer, row.invited_by, row.linked_at, row.ended_at, row.ended_by
    )
