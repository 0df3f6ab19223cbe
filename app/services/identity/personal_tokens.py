"""Personal tokens: given out after signing in, listed with what they are for, and ended one by one.

A token says `read`, `write` or both; whatever it says, it acts within the roles of its person. Nothing here checks a
scope: every request does (`api/authentication.py`), and one that would change something needs `write`.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage, TokenKind, TokenScope
from app.models import PersonalToken, SignInCode, User
from app.services import audit
from app.services.identity.loading import load_principal, password_at
from app.services.identity.opaque import digest, new_secret
from app.services.identity.principals import Caller, Proof
from app.services.identity.second_factors import has_factor
from app.services.identity.signing_in import Entered
from app.services.identity.spending import jti_digest, spend_digest
from app.services.identity.staff import must_have_second_factor
from app.services.identity.tokens import IssuedToken, Tokens
from app.sql import now

CODE_GOOD_FOR = timedelta(minutes=5)
KEPT_AFTER = timedelta(days=1)
"""For so long a token that has run out is still listed."""


@dataclass(frozen=True, slots=True)
class PersonalTokenRecord:
    """A token as shown: what it is for and until when, never the token."""

    id: str
    scope: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A new token, shown this once, with its record."""

    issued: IssuedToken
    record: PersonalTokenRecord


@dataclass(frozen=True, slots=True)
class CodeClaim:
    """A code, with the secret of the program that asked for it."""

    code: str
    verifier: str
    request_id: str
    source: str


def give_token(
    tx: Connection, *, caller: Caller, tokens: Tokens, ttl_s: int, scopes: Collection[TokenScope]
) -> GivenToken:
    """A token for a person who has just signed in, written down with its scope."""
    user_id = caller.principal_id
    issued = tokens.issue(
        user_id,
        caller.organisation_id,
        ttl_s=ttl_s,
        password_at=password_at(tx, user_id),
        scopes=scopes,
        proof=caller.principal.proof,
    )
    at = now(tx)
    forgotten = (PersonalToken.user_id == user_id, PersonalToken.expires_at < at - KEPT_AFTER)
    tx.execute(delete(PersonalToken).where(*forgotten))
    record = PersonalTokenRecord(new_id("ptk"), " ".join(sorted(scopes)), at, issued.expires_at, None)
    tx.execute(
        insert(PersonalToken).values(
            id=record.id,
            user_id=user_id,
            jti_sha256=jti_digest(issued.jti),
            scope=record.scope,
            created_at=at,
            expires_at=record.expires_at,
        )
    )
    return GivenToken(issued, record)


def list_tokens(tx: Connection, *, caller: Caller) -> list[PersonalTokenRecord]:
    """The caller's own tokens, newest first; those of an earlier password are good no more and not among them."""
    set_at = password_at(tx, caller.principal_id)
    query = select(PersonalToken).where(PersonalToken.user_id == caller.principal_id)
    if set_at is not None:
        query = query.where(PersonalToken.created_at >= set_at)
    return [
        PersonalTokenRecord(row.id, row.scope, row.created_at, row.expires_at, row.revoked_at)
        for row in tx.execute(query.order_by(PersonalToken.id.desc()))
    ]


def end_token(tx: Connection, *, caller: Caller, token_id: str) -> None:
    """Let one of the caller's own tokens be good no more within a minute; twice is once. Raises `not_found`."""
    mine = (
        PersonalToken.id == (token_id if is_id(token_id, "ptk") else ""),
        PersonalToken.user_id == caller.principal_id,
    )
    row = tx.execute(select(PersonalToken).where(*mine).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="personal_token")
    at = now(tx)
    tx.execute(update(PersonalToken).where(*mine, PersonalToken.revoked_at.is_(None)).values(revoked_at=at))
    is_first = spend_digest(
        tx,
        subject_id=caller.principal_id,
        kind=TokenKind.ACCESS,
        jti_sha256=row.jti_sha256,
        expires_at=row.expires_at,
    )
    if is_first:
        audit.record(
            tx,
            caller=caller,
            region_code=caller.principal.organisation_region,
            action="token.revoked",
            object_id=caller.principal_id,
            at=at,
            details={"token": token_id, "jti_sha256": row.jti_sha256.hex()},
        )


def note_revoked(tx: Connection, *, caller: Caller, jti: str) -> None:
    """Show a token that its bearer has revoked as revoked."""
    mine = (PersonalToken.user_id == caller.principal_id, PersonalToken.jti_sha256 == jti_digest(jti))
    tx.execute(update(PersonalToken).where(*mine, PersonalToken.revoked_at.is_(None)).values(revoked_at=now(tx)))


def give_code(tx: Connection, *, caller: Caller, challenge: str, proof: Proof) -> str:
    """A code with which the program that made the challenge fetches a token for this person, once, within minutes.

    `proof` is what the outside provider says of the sign-in.
    """
    code, at = new_secret(), now(tx)
    tx.execute(delete(SignInCode).where(or_(SignInCode.user_id == caller.principal_id, SignInCode.expires_at < at)))
    tx.execute(
        insert(SignInCode).values(
            secret_sha256=digest(code),
            user_id=caller.principal_id,
            challenge_sha256=digest(challenge),
            second_factor=proof.second_factor,
            signed_in_at=proof.at,
            created_at=at,
            expires_at=at + CODE_GOOD_FOR,
        )
    )
    return code


def take_code(tx: Connection, claim: CodeClaim, *, staff: bool) -> Entered:
    """Who signed in for this code, and how far that goes; the code is used up by it.

    Raises `sign_in_code_invalid` alike for an unknown, used or old code, for the verifier of another program, and where
    the person was disabled or has another password or link since.
    """
    entered = who_signed_in(tx, claim, staff=staff)
    taken = delete(SignInCode).where(SignInCode.secret_sha256 == digest(claim.code)).returning(SignInCode.user_id)
    if tx.execute(taken).one_or_none() is None:  # a twin was faster
        raise AppError(Code.SIGN_IN_CODE_INVALID)
    return entered


def who_signed_in(tx: Connection, claim: CodeClaim, *, staff: bool) -> Entered:
    """The same without using it up. `staff`: officials need a second factor."""
    row = tx.execute(select(SignInCode).where(SignInCode.secret_sha256 == digest(claim.code))).one_or_none()
    is_right = row is not None and hmac.compare_digest(row.challenge_sha256, digest(challenge_of(claim.verifier)))
    if row is None or not is_right or row.expires_at <= now(tx):
        raise AppError(Code.SIGN_IN_CODE_INVALID)
    tx.execute(select(User.id).where(User.id == row.user_id).with_for_update(read=True))
    set_at = password_at(tx, row.user_id)
    principal = load_principal(tx, row.user_id)
    if principal is None or (set_at is not None and set_at > row.created_at):
        raise AppError(Code.SIGN_IN_CODE_INVALID)
    caller = Caller(principal, claim.request_id, claim.source)
    return entered_outside(tx, caller, Proof(row.signed_in_at, row.second_factor), staff=staff)


def entered_outside(tx: Connection, caller: Caller, proof: Proof, *, staff: bool) -> Entered:
    """How far a sign-in at an outside provider goes: all the way with its second factor, or where none is needed."""
    stage = SessionStage.FULL
    if not proof.second_factor:
        if has_factor(tx, caller.principal_id):
            stage = SessionStage.CODE
        elif must_have_second_factor(caller.principal, staff=staff):
            stage = SessionStage.ENROL
    if stage is SessionStage.FULL:
        caller = replace(caller, principal=replace(caller.principal, proof=proof))
    return Entered(caller, stage)


def challenge_of(verifier: str) -> str:
    """What a program shows of its secret when it asks, as in RFC 7636 (S256)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
