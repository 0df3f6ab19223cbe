"""The second factor: an authenticator's codes, set up, checked, and taken away.

Its secret lies encrypted, is shown once, and is gone with its end. Each code counts once, also for two who send it at
the same instant: the factor's row is locked, and its `last_step` only grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from app.kernel.encrypted_fields import FieldPlace, FieldUnreadable
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.models import RecoveryCode, SecondFactor, User
from app.services import audit
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity import totp
from app.services.identity.attempts import forget_places
from app.services.identity.opaque import digest
from app.services.identity.principals import Caller
from app.services.identity.sessions import end_all
from app.sql import now

log = structlog.get_logger(__name__)

ISSUER = "惠企券"
"""What an authenticator shows above the codes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A second factor that does not count yet; the secret is shown this once."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class FactorState:
    """What its owner sees of it."""

    confirmed_at: datetime
    recovery_codes_left: int


def state_of(tx: Connection, user_id: str) -> FactorState | None:
    """The second factor that counts, or None."""
    left = (
        select(func.count())
        .where(RecoveryCode.factor_id == SecondFactor.id, RecoveryCode.used_at.is_(None))
        .scalar_subquery()
    )
    row = tx.execute(select(SecondFactor.confirmed_at, left.label("left")).where(*_counts(user_id))).one_or_none()
    return None if row is None else FactorState(row.confirmed_at, row.left)


def has_factor(tx: Connection, user_id: str) -> bool:
    """Whether the person has to give a code."""
    return tx.execute(select(SecondFactor.id).where(*_counts(user_id))).one_or_none() is not None


def begin(tx: Connection, keys: FieldKeys, *, caller: Caller) -> Begun:
    """Draw a secret for the caller; what was begun before and not confirmed is void. That he may is not asked here."""
    login = tx.execute(
        select(User.login).where(User.id == caller.principal_id).with_for_update(key_share=True)
    ).scalar_one()
    at = now(tx)
    _end(tx, caller.principal_id, at=at, by=caller.principal_id, begun_only=True)
    factor_id, secret = new_id("sfa"), totp.new_secret()
    tx.execute(
        insert(SecondFactor).values(
            id=factor_id,
            user_id=caller.principal_id,
            sealed_secret=keys.encrypt(secret, _place(factor_id)),
            created_at=at,
        )
    )
    _record(tx, caller, "second_factor.begun", at)
    return Begun(secret, totp.provisioning_uri(secret, login=login, issuer=ISSUER))


def confirm(
    tx: Connection, keys: FieldKeys, *, caller: Caller, code: str, but_session: str | None = None
) -> list[str] | None:
    """Let what was begun count from now on if the code is its own, in place of one that counted; the recovery codes.

    None for a wrong code. All sessions but one end, all tokens are void, and no place is known any more.
    """
    tx.execute(select(User.id).where(User.id == caller.principal_id).with_for_update(key_share=True))
    begun = tx.execute(
        select(SecondFactor)
        .where(
            SecondFactor.user_id == caller.principal_id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.ended_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    at = now(tx)
    step = None if begun is None else _step(keys, begun.id, begun.sealed_secret, code, at=at, after=None)
    if begun is None or step is None:
        _record(tx, caller, "second_factor.enrolled", at, result="refused")
        return None
    replaced = _end(tx, caller.principal_id, at=at, by=caller.principal_id, confirmed_only=True)
    tx.execute(update(SecondFactor).where(SecondFactor.id == begun.id).values(confirmed_at=at, last_step=step))
    codes = _new_codes(tx, begun.id)
    _leave_everywhere(tx, caller.principal_id, at=at, but_session=but_session)
    _record(tx, caller, "second_factor.enrolled", at, replaced=bool(replaced))
    return codes


def check(tx: Connection, keys: FieldKeys, *, user_id: str, code: str) -> str | None:
    """What the code is: `totp` or `recovery_code`, now used up; None where it does not count."""
    factor = tx.execute(select(SecondFactor).where(*_counts(user_id)).with_for_update()).one_or_none()
    if factor is None:
        return None
    at = now(tx)
    if totp.is_totp(totp.normalised(code)):
        step = _step(keys, factor.id, factor.sealed_secret, code, at=at, after=factor.last_step)
        if step is None:
            return None
        tx.execute(update(SecondFactor).where(SecondFactor.id == factor.id).values(last_step=step))
        return "totp"
    used = tx.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.factor_id == factor.id,
            RecoveryCode.code_sha256 == digest(totp.recovery_code(code)),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=at)
        .returning(RecoveryCode.factor_id)
    ).one_or_none()
    return None if used is None else "recovery_code"


def renew_recovery_codes(tx: Connection, *, caller: Caller) -> list[str]:
    """New recovery codes in place of all before. Raises `not_found` without a second factor."""
    factor = tx.execute(select(SecondFactor.id).where(*_counts(caller.principal_id)).with_for_update()).one_or_none()
    if factor is None:
        raise AppError(Code.NOT_FOUND, what="second factor")
    at = now(tx)
    tx.execute(
        update(RecoveryCode)
        .where(RecoveryCode.factor_id == factor.id, RecoveryCode.used_at.is_(None))
        .values(used_at=at)
    )
    codes = _new_codes(tx, factor.id)
    _record(tx, caller, "second_factor.recovery_codes_renewed", at)
    return codes


def remove(
    tx: Connection,
    *,
    caller: Caller,
    user_id: str,
    region_code: str,
    reason: str | None = None,
    but_session: str | None = None,
) -> bool:
    """Take a person's second factor away: whether there was one. Sessions but one end, tokens are void.

    That the caller may is not asked here.
    """
    tx.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    at = now(tx)
    ended = _end(tx, user_id, at=at, by=caller.principal_id)
    if not ended:
        return False
    _leave_everywhere(tx, user_id, at=at, but_session=but_session)
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="second_factor.removed",
        object_id=user_id,
        at=at,
        details={"reason": reason},
    )
    return True


def _leave_everywhere(tx: Connection, user_id: str, *, at: datetime, but_session: str | None) -> None:
    end_all(tx, user_id=user_id, at=at, but=but_session)
    tx.execute(update(User).where(User.id == user_id).values(tokens_valid_from=at))
    forget_places(tx, user_id=user_id)


def _end(
    tx: Connection, user_id: str, *, at: datetime, by: str, begun_only: bool = False, confirmed_only: bool = False
) -> int:
    which = [SecondFactor.user_id == user_id, SecondFactor.ended_at.is_(None)]
    if begun_only:
        which.append(SecondFactor.confirmed_at.is_(None))
    if confirmed_only:
        which.append(SecondFactor.confirmed_at.is_not(None))
    ended = tx.execute(
        update(SecondFactor)
        .where(*which)
        .values(ended_at=at, ended_by=by, sealed_secret=None)
        .returning(SecondFactor.id)
    ).all()
    return len(ended)


def _new_codes(tx: Connection, factor_id: str) -> list[str]:
    codes = totp.new_recovery_codes()
    rows = [{"factor_id": factor_id, "code_sha256": digest(totp.recovery_code(code))} for code in codes]
    tx.execute(insert(RecoveryCode), rows)
    return codes


def _step(keys: FieldKeys, factor_id: str, sealed: str, code: str, *, at: datetime, after: int | None) -> int | None:
    try:
        secret = keys.decrypt(sealed, _place(factor_id))
    except FieldUnreadable:
        log.error("second_factor.unreadable", factor=factor_id)
        return None
    return totp.counting_step(secret, totp.normalised(code), at=at, after=after)


def _counts(user_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        SecondFactor.user_id == user_id,
        SecondFactor.confirmed_at.is_not(None),
        SecondFactor.ended_at.is_(None),
    )


def _place(factor_id: str) -> FieldPlace:
    return FieldPlace("second_factors", "sealed_secret", (factor_id,))


def _record(tx: Connection, caller: Caller, action: str, at: datetime, result: str = "done", **details: bool) -> None:
    audit.record(
        tx,
        caller=caller,
        region_code=caller.principal.organisation_region,
        action=action,
        object_id=caller.principal_id,
        at=at,
        result=result,
        details=details,
    )
