"""A machine's signed claim to be itself (RFC 7523, section 3), checked strictly. Pure: the time is given.

What is asked of it is exact: the one algorithm of the key that it names, `iss` and `sub` the client, `aud` our issuer
and nothing else, an end within a minute, and a `jti`, for it is good once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.kernel.ids import is_id
from app.services.identity.public_keys import KID, read_key

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = timedelta(seconds=60)
"""Until its end, at most."""
AHEAD = timedelta(seconds=5)
"""By so much a client's clock may be ahead of ours where it says when it signed."""
MAX_LENGTH = 4096

_TYPES = ("JWT", "client-authentication+jwt")
_HEADER = frozenset({"alg", "kid", "typ"})
_Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]


class NotTaken(Exception):
    """The assertion proves nothing. The sentence is for the engineer whose key signed it; strangers learn little."""


@dataclass(frozen=True, slots=True)
class Named:
    """Whose an assertion says it is, and by which key, before anything is checked."""

    client_id: str
    kid: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """A checked one."""

    client_id: str
    jti: str
    expires_at: datetime


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True)

    iss: str
    sub: str
    aud: str
    exp: _Seconds
    jti: Annotated[str, Field(min_length=1, max_length=255)]
    iat: _Seconds | None = None
    nbf: _Seconds | None = None


def read_named(assertion: str) -> Named:
    """Whose assertion this says it is. Raises `NotTaken` for what has not its form.

    A header with anything but `alg`, `kid` and `typ` is refused: no `jwk`, `jku` or `x5u` brings a key of its own, and
    nothing in `crit` is passed over.
    """
    if len(assertion) > MAX_LENGTH:
        raise NotTaken("The assertion is too long.")
    try:
        header = jwt.get_unverified_header(assertion)
        payload = jwt.decode(assertion, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError) as error:
        raise NotTaken("The assertion is no signed JWT.") from error
    kid, client_id = header.get("kid"), payload.get("sub")
    if not header.keys() <= _HEADER or header.get("typ", _TYPES[0]) not in _TYPES:
        raise NotTaken("The header must have alg and kid, may have typ (JWT), and nothing else.")
    if not isinstance(kid, str) or KID.fullmatch(kid) is None:
        raise NotTaken("The header must have kid, the name of a key.")
    if not isinstance(client_id, str) or not is_id(client_id, "cli"):
        raise NotTaken("The claims must have sub, a client's id.")
    return Named(client_id, kid)


def check_assertion(
    assertion: str, named: Named, *, algorithm: str, jwk: Mapping[str, Any], issuer: str, at: datetime
) -> Assertion:
    """What a signed assertion says, at the instant `at`. That it is used once is the caller's to see.

    Raises `NotTaken` with what is wrong: a signature by another key or algorithm, another audience, an end that is past
    or more than a minute away, an instant of signing in the future.
    """
    try:
        claims = jwt.decode(
            assertion,
            read_key(jwk, algorithm),
            algorithms=[algorithm],
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_iss": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise NotTaken(f"The signature is not that of the key {named.kid}.") from error
    try:
        payload = _Payload.model_validate(claims)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(found["loc"][0]) for found in error.errors()}))
        raise NotTaken(f"These claims are missing or not of their form: {wrong}.") from error
    _check_claims(payload, named, issuer, at)
    return Assertion(payload.sub, payload.jti, _instant(payload.exp))


def _check_claims(payload: _Payload, named: Named, issuer: str, at: datetime) -> None:
    if payload.iss != named.client_id or payload.sub != named.client_id:
        raise NotTaken("iss and sub must both be the client's id.")
    if payload.aud != issuer:
        raise NotTaken(f"aud must be {issuer} and nothing else.")
    if _instant(payload.exp) <= at:
        raise NotTaken(f"The assertion has run out; here it is {int(at.timestamp())}.")
    if _instant(payload.exp) > at + LONGEST:
        limit = int(LONGEST.total_seconds())
        raise NotTaken(f"exp must lie within {limit} seconds; here it is {int(at.timestamp())}.")
    if any(said is not None and _instant(said) > at + AHEAD for said in (payload.iat, payload.nbf)):
        raise NotTaken(f"iat and nbf must not lie ahead; here it is {int(at.timestamp())}.")


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
