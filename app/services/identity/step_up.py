"""Proving oneself with a code: as the second half of signing in, and again for an act of weight.

Where there is no second factor the password proves it again. All of it is counted like signing in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection, select

from app.kernel.problems import AppError, Code, FieldError
from app.models import User
from app.services.identity import attempts, second_factors
from app.services.identity.attempts import Place
from app.services.identity.principals import Caller, Proof
from app.services.identity.signing_in import Door, record
from app.sql import now

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a code is given for: the audit event that tells of it."""

    action: str
    name: str


SIGN_IN = Purpose("user.signed_in", "portal")
STEP_UP = Purpose("user.stepped_up", "step_up")
OWN_FACTOR = Purpose("user.stepped_up", "second_factor")


def step_up(door: Door, *, caller: Caller, code: str | None, password: str | None, place: Place) -> Proof:
    """A fresh proof of the caller.

    Raises `second_factor_needed` where a code is needed and none was given, `second_factor_invalid`,
    `invalid_credentials`, `too_many_attempts`, `busy`; `validation_failed` where the password is needed and missing.
    """
    if not door.database.transact(lambda tx: second_factors.has_factor(tx, caller.principal_id)):
        if password is None:
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError("/password", "missing")])
        return _with_password(door, caller=caller, password=password, place=place)
    if code is None:
        raise AppError(Code.SECOND_FACTOR_NEEDED)
    return with_code(door, caller=caller, code=code, place=place, purpose=STEP_UP, then=_proof_of)


def with_code(
    door: Door,
    *,
    caller: Caller,
    code: str,
    place: Place,
    purpose: Purpose,
    then: Callable[[Connection, Caller], T],
) -> T:
    """Use a code up and do `then` with a caller who has proved himself, in one transaction with the audit event.

    Raises `second_factor_invalid`, `too_many_attempts`.
    """
    login = door.database.transact(lambda tx: login_of(tx, caller))
    reserved = door.database.transact(lambda tx: attempts.reserve(tx, login=login, place=place))

    def judge(tx: Connection) -> T | Code:
        attempts.reserve_code(tx, reserved)
        used = second_factors.check(tx, door.field_keys, user_id=caller.principal_id, code=code)
        if used is None:
            record(tx, caller, purpose.action, result="refused", purpose=purpose.name, why="code")
            if reserved.is_lock:
                record(tx, caller, "user.sign_in_locked", purpose=purpose.name)
            return Code.SECOND_FACTOR_INVALID
        at = now(tx)
        attempts.got_in(tx, reserved, user_id=caller.principal_id, place=place, with_code=True, at=at)
        record(tx, caller, purpose.action, purpose=purpose.name, second_factor=used)
        return then(tx, with_proof(caller, Proof(at, second_factor=True)))

    judged = door.database.transact(judge)
    if isinstance(judged, Code):
        raise AppError(judged)
    return judged


def with_proof(caller: Caller, proof: Proof) -> Caller:
    """The caller with it."""
    return replace(caller, principal=replace(caller.principal, proof=proof))


def login_of(tx: Connection, caller: Caller) -> str:
    """The login of a person, under which attempts are counted."""
    return tx.execute(select(User.login).where(User.id == caller.principal_id)).scalar_one()


def _with_password(door: Door, *, caller: Caller, password: str, place: Place) -> Proof:
    user = door.database.transact(
        lambda tx: tx.execute(select(User.login, User.password_hash).where(User.id == caller.principal_id)).one()
    )
    with door.passwords.in_line(known=True) as turn:
        reserved = door.database.transact(lambda tx: attempts.reserve(tx, login=user.login, place=place))
        is_right = turn.matches(password, user.password_hash)

    def judge(tx: Connection) -> Proof | None:
        # One who has set up a second factor meanwhile proves himself with that.
        if not is_right or second_factors.has_factor(tx, caller.principal_id):
            record(tx, caller, STEP_UP.action, result="refused", purpose=STEP_UP.name, why="password")
            return None
        at = now(tx)
        attempts.got_in(tx, reserved, user_id=caller.principal_id, place=place, with_code=False, at=at)
        record(tx, caller, STEP_UP.action, purpose=STEP_UP.name, second_factor=None)
        return Proof(at, second_factor=False)

    proof = door.database.transact(judge)
    if proof is None:
        raise AppError(Code.INVALID_CREDENTIALS)
    return proof


def _proof_of(_tx: Connection, caller: Caller) -> Proof:
    assert caller.principal.proof is not None, "with_code has given one"
    return caller.principal.proof
