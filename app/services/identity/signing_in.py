"""Signing in with a password: for the portal's form and for personal tokens, with one answer to everything wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Connection, select

from app.database import Database
from app.kernel.problems import AppError, Code
from app.models import User
from app.services import audit
from app.services.identity.loading import load_principal
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Caller
from app.services.identity.users import LOGIN
from app.sql import now

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Account:
    caller: Caller
    password_hash: str | None


def sign_in(
    database: Database,
    passwords: Passwords,
    *,
    login: str,
    password: str,
    purpose: str,
    request_id: str,
    source: str,
    then: Callable[[Connection, Caller], T],
) -> T:
    """Check the password and do `then` as that person, in one transaction with the audit event.

    No connection is held while the password is hashed. Raises `invalid_credentials` alike for an unknown login, a
    wrong password, a disabled person and one without a password; `too_many_attempts`, `busy`. A failure is an audit
    event of the person it was tried on; a login that nobody has belongs to no region's log and is only logged.
    """
    login = login.strip().lower()
    passwords.attempts.check(login)
    account = database.transact(lambda tx: _account(tx, login, request_id=request_id, source=source))
    is_right = passwords.matches(password, account.password_hash if account else None)
    if not is_right:
        passwords.attempts.failed(login)
    if account is None:
        log.warning("sign_in.unknown_login", purpose=purpose, source=source, request_id=request_id)
        raise AppError(Code.INVALID_CREDENTIALS)
    if not is_right:
        database.transact(lambda tx: _record(tx, account.caller, purpose, result="refused"))
        raise AppError(Code.INVALID_CREDENTIALS)

    def enter(tx: Connection) -> T:
        if not _still_so(tx, account):
            raise AppError(Code.INVALID_CREDENTIALS)
        _record(tx, account.caller, purpose, result="done")
        return then(tx, account.caller)

    entered = database.transact(enter)
    passwords.attempts.succeeded(login)
    return entered


def _account(tx: Connection, login: str, *, request_id: str, source: str) -> _Account | None:
    if LOGIN.fullmatch(login) is None:
        return None
    user = tx.execute(select(User.id, User.password_hash).where(User.login == login)).one_or_none()
    principal = load_principal(tx, user.id) if user else None
    if user is None or principal is None:
        return None
    return _Account(Caller(principal, request_id, source), user.password_hash)


def _still_so(tx: Connection, account: _Account) -> bool:
    """Whether nobody set another password or disabled the person meanwhile; waits for whoever is about to."""
    user = tx.execute(
        select(User.password_hash, User.disabled_at)
        .where(User.id == account.caller.principal_id)
        .with_for_update(read=True)
    ).one()
    return user.password_hash == account.password_hash and user.disabled_at is None


def _record(tx: Connection, caller: Caller, purpose: str, *, result: str) -> None:
    audit.record(
        tx,
        caller=caller,
        region_code=caller.principal.organisation_region,
        action="user.signed_in",
        object_id=caller.principal_id,
        at=now(tx),
        result=result,
        details={"purpose": purpose},
    )
