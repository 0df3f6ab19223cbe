"""Access tokens: short-lived JWTs, signed with Ed25519 and checked as strictly as RFC 8725 asks.

A token says who somebody is, never what he may do: roles are read from the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import jwt
from pydantic import BaseModel, ConfigDict, Field

from app.kernel.clock import utc_now
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import TokenScope
from app.services.identity.principals import Proof
from app.services.identity.signing_keys import SigningKeys
from app.settings import Settings

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
"""Explicitly typed (RFC 8725 section 3.11), so that no other JWT of ours can pass for an access token."""

ALL_SCOPES = frozenset(TokenScope)

_HEADER = frozenset({"alg", "kid", "typ"})
_MAX_LENGTH = 2048


_Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""NumericDate of RFC 7519, whole, up to the year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class _Confirmation(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    jkt: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    iss: str
    aud: str
    sub: str
    org: str
    iat: _Seconds
    exp: _Seconds
    jti: str
    pwd_us: Annotated[int, Field(ge=0)] | None = None
    """When the password was set that opened the door, in microseconds since 1970; persons' tokens have it."""
    scope: Annotated[str, Field(pattern="^(read|write|read write)$")] | None = None
    """For what it may be used, where that is less than everything."""
    cnf: _Confirmation | None = None
    """The key that must prove each request, where there is one (RFC 9449, section 6.1)."""
    auth_time: _Seconds | None = None
    """When the person last proved who he is (RFC 9068, 9470); persons' tokens have it."""
    amr: Annotated[list[str], Field(max_length=10)] | None = None
    """How (RFC 8176): `mfa` says that it was with a second factor."""


class IssuedToken(NamedTuple):
    """A token and what may be remembered of it."""

    token: str
    jti: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    subject: str
    organisation_id: str
    jti: str
    issued_at: datetime
    expires_at: datetime
    password_us: int | None
    scopes: frozenset[TokenScope]
    key_thumbprint: str | None
    """Of the key that must prove each request; None where whoever bears the token may use it."""
    proof: Proof | None


class Tokens:
    """Issues and verifies the tokens of one issuer, by the wall clock: a token is checked without a database."""

    def __init__(self, keys: SigningKeys, *, issuer: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.issuer = issuer
        self.audience = f"{issuer}/v1"
        self._keys = keys
        self._clock = clock
        # The end is checked below, against `clock` and without leeway.
        self._jwt = jwt.PyJWT(
            {
                "require": [name for name, field in _Payload.model_fields.items() if field.is_required()],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            }
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Tokens:
        """The tokens of this installation, with its own keys."""
        return cls(SigningKeys.load_or_create(settings.state_dir / "keys"), issuer=settings.public_url.rstrip("/"))

    def issue(
        self,
        subject: str,
        organisation_id: str,
        *,
        ttl_s: int,
        password_at: datetime | None = None,
        scopes: Collection[TokenScope] = ALL_SCOPES,
        key_thumbprint: str | None = None,
        proof: Proof | None = None,
    ) -> IssuedToken:
        """A token for the principal, good for `ttl_s` seconds.

        `password_at` is a person's `tokens_valid_from`, read when the password was checked: the token dies with it.
        Seconds of two clocks would leave a gap, in which a token outlives its password or a new one is refused.
        `key_thumbprint` binds it to a key: without a proof by that key it is good for nothing.
        Without `proof` it opens nothing that asks for a fresh one.
        """
        issued = int(self._clock().timestamp())
        expires, jti = issued + ttl_s, secrets.token_urlsafe(16)
        claims: dict[str, str | int | list[str] | dict[str, str]] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "org": organisation_id,
            "iat": issued,
            "exp": expires,
            "jti": jti,
        }
        if password_at is not None:
            claims["pwd_us"] = microseconds(password_at)
        if frozenset(scopes) != ALL_SCOPES:
            claims["scope"] = " ".join(sorted(scopes))
        if key_thumbprint is not None:
            claims["cnf"] = {"jkt": key_thumbprint}
        if proof is not None:
            claims["auth_time"] = min(int(proof.at.timestamp()), issued)  # the database's clock may be ahead
            claims["amr"] = ["pwd", "otp", "mfa"] if proof.second_factor else ["pwd"]
        kid, key = self._keys.current
        token = self._jwt.encode(claims, key, ALGORITHM, {"typ": TYPE, "kid": kid})
        return IssuedToken(token, jti, _instant(expires))

    def verify(self, token: str) -> Claims:
        """What the token says. Raises `unauthenticated` for anything that we did not issue or that has run out."""
        try:
            payload = _Payload.model_validate(self._decoded(token))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise AppError(Code.UNAUTHENTICATED) from error
        claims = Claims(
            payload.sub,
            payload.org,
            payload.jti,
            _instant(payload.iat),
            _instant(payload.exp),
            payload.pwd_us,
            ALL_SCOPES if payload.scope is None else frozenset(map(TokenScope, payload.scope.split())),
            None if payload.cnf is None else payload.cnf.jkt,
            None if payload.auth_time is None else Proof(_instant(payload.auth_time), "mfa" in (payload.amr or ())),
        )
        if claims.expires_at <= self._clock():
            raise AppError(Code.UNAUTHENTICATED)
        return claims

    @property
    def keys(self) -> SigningKeys:
        """The keys that sign."""
        return self._keys

    def jwks(self) -> dict[str, Any]:
        """The public keys, for whoever wants to check our tokens."""
        return self._keys.jwks()

    def _decoded(self, token: str) -> dict[str, Any]:
        if len(token) > _MAX_LENGTH:
            raise ValueError("too long to be ours")
        header = jwt.get_unverified_header(token)
        # Exactly the header we write: no `crit`, and no `jwk`, `jku` or `x5u` that would bring a key of its own.
        if header.keys() != _HEADER or header["typ"] != TYPE or header["alg"] != ALGORITHM:
            raise ValueError("not a header of ours")
        key = self._keys.public(header["kid"])
        if key is None:
            raise ValueError("no key of ours")
        return self._jwt.decode(token, key, algorithms=[ALGORITHM], audience=self.audience, issuer=self.issuer)


def microseconds(at: datetime) -> int:
    """The instant in whole microseconds since 1970, as exact as the database keeps it."""
    return (at - _EPOCH) // _US


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
