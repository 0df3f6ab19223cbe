"""Signing in: password, then the code of the second factor, with one answer to everything wrong before it.

For the portal's form, for personal tokens, and for setting up a second factor. What is tried is counted first
(`attempts.py`), so that what must not be tried costs no hashing; and it is counted only once it has a place in the line
for hashing, so that what is turned away leaves no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from sqlalchemy import Connection, select

from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage
from app.models import User
from app.services import audit
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity import attempts, second_factors
from app.services.identity.attempts import Place, Reserved
from app.services.identity.loading import load_principal
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Caller, Proof
from app.services.identity.staff import must_have_second_factor
from app.services.identity.users import LOGIN
from app.sql import now

T = TypeVar("T")

log = structlog.get_logger(__name__)


NOBODY = "?"
"""What cannot be anybody's login: all such attempts are of one account, which nobody has."""


@dataclass(frozen=True, slots=True)
class Door:
    """What signing in works with. `staff_second_factor`: officials need one."""

    database: Database
    passwords: Passwords
    field_keys: FieldKeys
    staff_second_factor: bool


@dataclass(frozen=True, slots=True)
class Knock:
    """Who says to be whom, from where, and what for. `code` is none where none was given."""

    login: str
    password: str
    purpose: str
    request_id: str
    place: Place
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """How far somebody came whose password is right; `caller` has a proof where that is all the way."""

    caller: Caller
    stage: SessionStage


@dataclass(frozen=True, slots=True)
class _Account:
    caller: Caller
    password_hash: str | None


def sign_in(door: Door, knock: Knock, *, then: Callable[[Connection, Entered], T]) -> T:
    """Check password and code, and do `then` as that person, in one transaction with the audit event.

    `then` is told how far it goes: all the way, or that a code is missing, or a second factor altogether.

    No connection is held while the password is hashed. Raises `invalid_credentials` alike for an unknown login, a
    wrong password, a disabled person and one without a password; `second_factor_invalid` for a code that does not
    count; `too_many_attempts`, `busy`. A failure is an audit event of the person it was tried on; a login that nobody
    has belongs to no region's log and is only logged.
    """
    login = knock.login.strip().lower()
    knock = replace(knock, login=login if LOGIN.fullmatch(login) else NOBODY)
    is_known = door.database.transact(lambda tx: attempts.look(tx, login=knock.login, place=knock.place))
    with door.passwords.in_line(known=is_known) as turn:
        reserved = door.database.transact(lambda tx: attempts.reserve(tx, login=knock.login, place=knock.place))
        account = door.database.transact(lambda tx: _account(tx, knock))
        is_right = turn.matches(knock.password, account.password_hash if account else None)
    if account is None:
        log.warning("sign_in.unknown_login", purpose=knock.purpose, source=knock.place.source, request=knock.request_id)
        raise AppError(Code.INVALID_CREDENTIALS)
    if not is_right:
        door.database.transact(lambda tx: _refused(tx, account.caller, knock, reserved))
        raise AppError(Code.INVALID_CREDENTIALS)

    def enter(tx: Connection) -> T | Code:
        if not _still_so(tx, account):
            return Code.INVALID_CREDENTIALS
        return _enter(tx, door, knock, account.caller, reserved, then)

    entered = door.database.transact(enter)
    if isinstance(entered, Code):
        raise AppError(entered)
    return entered


def _enter(
    tx: Connection,
    door: Door,
    knock: Knock,
    caller: Caller,
    reserved: Reserved,
    then: Callable[[Connection, Entered], T],
) -> T | Code:
    """The password is right: judge the code where there is one to give. A refusal is a value, so that it is kept."""
    stage, used = SessionStage.FULL, None
    if second_factors.has_factor(tx, caller.principal_id):
        if knock.code is None:
            stage = SessionStage.CODE
        else:
            attempts.reserve_code(tx, reserved)
            used = second_factors.check(tx, door.field_keys, user_id=caller.principal_id, code=knock.code)
            if used is None:
                _refused(tx, caller, knock, reserved, why="code")
                return Code.SECOND_FACTOR_INVALID
    elif must_have_second_factor(caller.principal, staff=door.staff_second_factor):
        stage = SessionStage.ENROL
    at = now(tx)
    if stage is SessionStage.FULL:
        proof = Proof(at, second_factor=used is not None)
        caller = replace(caller, principal=replace(caller.principal, proof=proof))
        attempts.got_in(tx, reserved, user_id=caller.principal_id, place=knock.place, with_code=used is not None, at=at)
        record(tx, caller, "user.signed_in", purpose=knock.purpose, second_factor=used)
    else:
        attempts.give_back(tx, reserved)
        record(tx, caller, "user.password_accepted", purpose=knock.purpose, next=stage)
    return then(tx, Entered(caller, stage))


def _account(tx: Connection, knock: Knock) -> _Account | None:
    if LOGIN.fullmatch(knock.login) is None:
        return None
    user = tx.execute(select(User.id, User.password_hash).where(User.login == knock.login)).one_or_none()
    principal = load_principal(tx, user.id) if user else None
    if user is None or principal is None:
        return None
    return _Account(Caller(principal, knock.request_id, knock.place.source), user.password_hash)


def _still_so(tx: Connection, account: _Account) -> bool:
    """Whether nobody set another password or disabled the person meanwhile; waits for whoever is about to."""
    user = tx.execute(
        select(User.password_hash, User.disabled_at)
        .where(User.id == account.caller.principal_id)
        .with_for_update(read=True)
    ).one()
    return user.password_hash == account.password_hash and user.disabled_at is None


def _refused(tx: Connection, caller: Caller, knock: Knock, reserved: Reserved, *, why: str = "password") -> None:
    record(tx, caller, "user.signed_in", result="refused", purpose=knock.purpose, why=why)
    if reserved.is_lock:
        record(tx, caller, "user.sign_in_locked", purpose=knock.purpose)


def record(tx: Connection, caller: Caller, action: str, *, result: str = "done", **details: str | None) -> None:
    """An audit event of the person's own log."""
    audit.record(
        tx,
        caller=caller,
        region_code=caller.principal.organisation_region,
        action=action,
        object_id=caller.principal_id,
        at=now(tx),
        result=result,
        details=details,
    )
