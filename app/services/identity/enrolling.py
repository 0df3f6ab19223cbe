"""Setting up a second factor with login and password: before the first token there is nothing else to show.

Whoever has one already gives its code to begin another; to confirm, the first code of the new one suffices, which
nobody has but who began. Wrong first codes count like wrong passwords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage
from app.services.identity import attempts, second_factors
from app.services.identity.attempts import Place
from app.services.identity.loading import password_at
from app.services.identity.principals import Caller, Proof
from app.services.identity.second_factors import Begun
from app.services.identity.signing_in import Door, Entered, Knock, sign_in
from app.services.identity.step_up import login_of, with_proof
from app.sql import now

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who has a second factor from now on, with the recovery codes, which are shown this once."""

    caller: Caller
    recovery_codes: tuple[str, ...]
    tokens_valid_from: datetime | None


def begin_enrolment(door: Door, knock: Knock) -> Begun:
    """Draw a secret. Raises what signing in raises, and `second_factor_needed` where one counts and no code came."""

    def begin(tx: Connection, entered: Entered) -> Begun | None:
        if entered.stage is SessionStage.CODE:
            return None
        return second_factors.begin(tx, door.field_keys, caller=entered.caller)

    begun = sign_in(door, knock, then=begin)
    if begun is None:
        raise AppError(Code.SECOND_FACTOR_NEEDED)
    return begun


def confirm_enrolment(door: Door, knock: Knock, *, first_code: str) -> Enrolled:
    """Let what was begun count. Raises what signing in raises, and `second_factor_invalid`."""

    def confirm(tx: Connection, entered: Entered) -> Enrolled | None:
        caller = entered.caller
        reserved = attempts.reserve(tx, login=login_of(tx, caller), place=knock.place)
        attempts.reserve_code(tx, reserved)
        codes = second_factors.confirm(tx, door.field_keys, caller=caller, code=first_code)
        if codes is None:
            return None
        at = now(tx)
        attempts.got_in(tx, reserved, user_id=caller.principal_id, place=knock.place, with_code=True, at=at)
        proven = with_proof(caller, Proof(at, second_factor=True))
        return Enrolled(proven, tuple(codes), password_at(tx, caller.principal_id))

    enrolled = sign_in(door, replace(knock, code=None), then=confirm)
    if enrolled is None:
        raise AppError(Code.SECOND_FACTOR_INVALID)
    return enrolled


def confirm_signed_in(
    door: Door, *, caller: Caller, first_code: str, place: Place, then: Callable[[Connection, Caller], T]
) -> tuple[tuple[str, ...], T]:
    """The same for a person in a session: the recovery codes, and what `then` makes of the caller with his new proof.

    All sessions have ended by then. Raises `second_factor_invalid`, `too_many_attempts`.
    """
    login = door.database.transact(lambda tx: login_of(tx, caller))
    reserved = door.database.transact(lambda tx: attempts.reserve(tx, login=login, place=place))

    def confirm(tx: Connection) -> tuple[tuple[str, ...], T] | None:
        attempts.reserve_code(tx, reserved)
        codes = second_factors.confirm(tx, door.field_keys, caller=caller, code=first_code)
        if codes is None:
            return None
        at = now(tx)
        attempts.got_in(tx, reserved, user_id=caller.principal_id, place=place, with_code=True, at=at)
        return tuple(codes), then(tx, with_proof(caller, Proof(at, second_factor=True)))

    confirmed = door.database.transact(confirm)
    if confirmed is None:
        raise AppError(Code.SECOND_FACTOR_INVALID)
    return confirmed
