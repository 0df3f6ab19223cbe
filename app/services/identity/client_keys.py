"""The keys and secrets with which a machine signs in: set, renewed and retired by itself or by a registrar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.canonical import sha256_hex
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Role, TokenKind
from app.models import Client, ClientKey, Organisation
from app.services import audit
from app.services.identity.assertions import NotTaken, check_assertion, read_named
from app.services.identity.opaque import digest, new_secret
from app.services.identity.principals import Caller
from app.services.identity.public_keys import checked_public_key
from app.services.identity.spending import spend
from app.services.organisations import registered_within
from app.sql import now

MOST_KEYS = 10
"""Keys of one machine that are not retired."""
LONGEST_OVERLAP = timedelta(days=30)
"""For so long a renewed secret may still be good."""


@dataclass(frozen=True, slots=True)
class ClientKeyRecord:
    """A machine's public key; `jwk` holds its members and nothing more."""

    kid: str
    algorithm: str
    jwk: Mapping[str, str]
    created_at: datetime
    created_by: str
    retired_at: datetime | None


class RenewedSecret(NamedTuple):
    """A new secret, shown this once, and until when the one before it is good (None: no more)."""

    secret: str
    previous_until: datetime | None


def add_client_key(tx: Connection, *, caller: Caller, client_id: str, jwk: Mapping[str, Any]) -> ClientKeyRecord:
    """Let the machine sign in with the private half of this key too.

    Raises `not_found`, `validation_failed` for a key that is not taken, for a name that was used before and for more
    than `MOST_KEYS`.
    """
    client = _own_or_kept(tx, caller, client_id)
    return write_key(tx, caller=caller, client_id=client.id, region_code=client.region_code, jwk=jwk)


def write_key(
    tx: Connection, *, caller: Caller, client_id: str, region_code: str, jwk: Mapping[str, Any]
) -> ClientKeyRecord:
    """Write down a key of a machine that is locked or just made; whether the caller may is not asked here."""
    key = checked_public_key(jwk)
    live = tx.execute(
        select(func.count()).where(ClientKey.client_id == client_id, ClientKey.retired_at.is_(None))
    ).scalar_one()
    if live >= MOST_KEYS:
        raise _invalid(
            "/jwk",
            "too_many_keys",
            "a machine has {limit} keys at most; retire one first",
            "至多 {limit} 把密钥，请先停用一把",
        )
    at = now(tx)
    row = tx.execute(
        insert(ClientKey)
        .values(
            client_id=client_id,
            kid=key.kid,
            algorithm=key.algorithm,
            jwk=key.jwk,
            created_at=at,
            created_by=caller.principal_id,
        )
        .on_conflict_do_nothing()
        .returning(ClientKey)
    ).one_or_none()
    if row is None:
        raise _invalid(
            "/jwk/kid",
            "key_name_used",
            "this machine had a key of this name; choose another",
            "该密钥名已被使用，请更换",
        )
    told = {"kid": key.kid, "algorithm": key.algorithm, "jwk_sha256": sha256_hex(key.jwk.encode())}
    _tell(tx, caller, region_code, client_id, "client.key_added", at, told)
    return _record(row)


def retire_client_key(tx: Connection, *, caller: Caller, client_id: str, kid: str) -> ClientKeyRecord:
    """Let the key be good no more, for good. Tokens fetched with it run out by themselves, within ten minutes.

    Raises `not_found`, `wrong_state` where it is retired.
    """
    client = _own_or_kept(tx, caller, client_id)
    key = (ClientKey.client_id == client.id, ClientKey.kid == kid)
    found = tx.execute(select(ClientKey).where(*key)).one_or_none()
    if found is None:
        raise AppError(Code.NOT_FOUND, what="client_key")
    if found.retired_at is not None:
        raise AppError(Code.WRONG_STATE, actual="retired", expected="live")
    at = now(tx)
    row = tx.execute(update(ClientKey).where(*key).values(retired_at=at).returning(ClientKey)).one()
    _tell(tx, caller, client.region_code, client.id, "client.key_retired", at, {"kid": kid})
    return _record(row)


def list_client_keys(tx: Connection, *, caller: Caller, client_id: str) -> list[ClientKeyRecord]:
    """All keys of a machine, newest first, the retired ones too. Raises `not_found`."""
    client = _own_or_kept(tx, caller, client_id)
    rows = tx.execute(
        select(ClientKey)
        .where(ClientKey.client_id == client.id)
        .order_by(ClientKey.created_at.desc(), ClientKey.kid.desc())
    )
    return [_record(row) for row in rows]


def renew_secret(tx: Connection, *, caller: Caller, client_id: str, overlap: timedelta) -> RenewedSecret:
    """A new secret; the present one stays good for `overlap`, one renewed before that no more.

    Raises `not_found`.
    """
    client = _own_or_kept(tx, caller, client_id)
    secret, at = new_secret(), now(tx)
    keeps = overlap > timedelta(0) and client.secret_sha256 is not None
    until = at + overlap if keeps else None
    tx.execute(
        update(Client)
        .where(Client.id == client.id)
        .values(
            secret_sha256=digest(secret),
            previous_secret_sha256=client.secret_sha256 if keeps else None,
            previous_secret_until=until,
        )
    )
    overlap_s = int(overlap.total_seconds()) if keeps else 0
    _tell(tx, caller, client.region_code, client.id, "client.secret_renewed", at, {"overlap_s": overlap_s})
    return RenewedSecret(secret, until)


def withdraw_secret(tx: Connection, *, caller: Caller, client_id: str) -> None:
    """From now on the machine signs in with its keys alone.

    Raises `not_found`, `wrong_state` where it has no key.
    """
    client = _own_or_kept(tx, caller, client_id)
    live = select(ClientKey.kid).where(ClientKey.client_id == client.id, ClientKey.retired_at.is_(None)).limit(1)
    if tx.execute(live).one_or_none() is None:
        raise AppError(Code.WRONG_STATE, actual="no key", expected="a live key")
    nothing = {"secret_sha256": None, "previous_secret_sha256": None, "previous_secret_until": None}
    tx.execute(update(Client).where(Client.id == client.id).values(nothing))
    _tell(tx, caller, client.region_code, client.id, "client.secret_withdrawn", now(tx), {})


def require_proof(tx: Connection, *, caller: Caller, client_id: str, required: bool) -> None:
    """Say whether the machine's tokens are always bound to a key (RFC 9449).

    The machine itself may ask for more, never for less: whoever stole its secret would. Raises `not_found`,
    `forbidden`.
    """
    client = _own_or_kept(tx, caller, client_id)
    if not required:
        caller.require(Role.REGISTRAR)
    tx.execute(update(Client).where(Client.id == client.id).values(dpop_required=required))
    _tell(tx, caller, client.region_code, client.id, "client.proof_required", now(tx), {"required": int(required)})


def needs_proof(tx: Connection, *, client_id: str) -> bool:
    """Whether this machine's tokens are always bound to a key."""
    return tx.execute(select(Client.dpop_required).where(Client.id == client_id)).scalar_one()


def authenticate_assertion(tx: Connection, *, assertion: str, issuer: str) -> tuple[str, str]:
    """The machine that signed, and its organisation. Raises `NotTaken`, also for an assertion that was used before."""
    named = read_named(assertion)
    row = tx.execute(
        select(ClientKey.algorithm, ClientKey.jwk, Client.organisation_id)
        .join(Client, Client.id == ClientKey.client_id)
        .where(
            ClientKey.client_id == named.client_id,
            ClientKey.kid == named.kid,
            ClientKey.retired_at.is_(None),
            Client.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotTaken("There is no such client with such a key.")
    checked = check_assertion(
        assertion, named, algorithm=row.algorithm, jwk=json.loads(row.jwk), issuer=issuer, at=now(tx)
    )
    is_first = spend(
        tx,
        subject_id=checked.client_id,
        kind=TokenKind.ASSERTION,
        jti=checked.jti,
        expires_at=checked.expires_at,
    )
    if not is_first:
        raise NotTaken("An assertion with this jti was used before; sign a new one each time.")
    return checked.client_id, row.organisation_id


def _own_or_kept(tx: Connection, caller: Caller, client_id: str) -> Row[*tuple[Any, ...]]:
    """The machine, locked: the caller itself, or one that a registrar keeps."""
    mine = Client.id == caller.principal_id
    row = tx.execute(
        select(Client, Organisation.region_code)
        .join(Organisation, Organisation.id == Client.organisation_id)
        .where(
            Client.id == client_id, Client.disabled_at.is_(None), or_(mine, registered_within(caller, Role.REGISTRAR))
        )
        .with_for_update(key_share=True, of=Client)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="client")
    return row


def _tell(
    tx: Connection,
    caller: Caller,
    region_code: str,
    client_id: str,
    action: str,
    at: datetime,
    details: Mapping[str, str | int],
) -> None:
    audit.record(
        tx, caller=caller, region_code=region_code, action=action, object_id=client_id, at=at, details=dict(details)
    )


def _invalid(pointer: str, code: str, english: str, chinese: str) -> AppError:
    detail = f"{english} / {chinese}".format(limit=MOST_KEYS)
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, detail=detail)])


def _record(row: Row[Any]) -> ClientKeyRecord:
    return ClientKeyRecord(row.kid, row.algorithm, json.loads(row.jwk), row.created_at, row.created_by, row.retired_at)
