"""What an ID token must say before anybody is let in by it (OpenID Connect Core, section 3.1.3.7). Pure.

The signature is PyJWT's to check, with one of the provider's published keys and an algorithm of the list; the claims
are Authlib's, and where it leaves something open, stricter here.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from authlib.oidc.core import CodeIDToken
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError

from app.openid.configuration import ProviderSettings
from app.openid.faults import NotProven

MAX_LENGTH = 16_384
MAX_SUBJECT = 255
LEEWAY_S = 60
"""By so much the provider's clock may differ from ours."""
LONGEST_AGO_S = 600
"""An ID token of a code that was just given is fresh; an older one was kept for something."""
MIN_RSA_BITS = 2048

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384"),
    "OKP": ("EdDSA",),
}
_CURVES: Mapping[str, str] = {"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the provider has let in, and how."""

    issuer: str
    subject: str
    second_factor: bool
    """Whether the provider says, in the words that the operator named, that it asked for a second factor."""
    signed_in_at: datetime
    """When the person showed himself there: `auth_time`, or where it is not said, when the token was made."""


@dataclass(frozen=True, slots=True)
class Key:
    """A published key of a provider."""

    kid: str | None
    jwk: Mapping[str, Any]


def usable_keys(published: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys of a JWK set that may verify a signature: public, for signing, of a known kind."""
    listed = published.get("keys")
    found = []
    for jwk in listed if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or jwk.get("kty") not in _FAMILIES or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        found.append(Key(kid if isinstance(kid, str) else None, jwk))
    return tuple(found)


def named_key(token: str) -> str | None:
    """The `kid` that a token names, before anything is checked. Raises NotProven for what is no JWT."""
    if len(token) > MAX_LENGTH:
        raise NotProven("the ID token is too long")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise NotProven("the ID token is no signed JWT") from error
    return kid if isinstance(kid, str) else None


def chosen_key(keys: Sequence[Key], kid: str | None) -> Key | None:
    """The one key of this name; where the token names none, the only one that there is."""
    found = [key for key in keys if kid is None or key.kid == kid]
    return found[0] if len(found) == 1 else None


def check_id_token(
    token: str, key: Key, *, provider: ProviderSettings, nonce: str, access_token: str | None, at: datetime
) -> Subject:
    """Whom an ID token is about. Raises NotProven with what is wrong.

    Refused are: a signature by another key, an algorithm that is not on the provider's list or not the key's, another
    issuer, an audience without us, several audiences or an `azp` that name another party, what has run out, comes from
    the future or was made long ago, and any other nonce than the one that this browser was sent off with.
    """
    claims = _verified(token, key, provider.algorithms)
    now = int(at.timestamp())
    header = jwt.get_unverified_header(token)
    read = CodeIDToken(
        claims,
        header,
        options={
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"client_id": provider.client_id, "nonce": nonce, "access_token": access_token},
    )
    try:
        read.validate(now=now, leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError) as error:
        raise NotProven(f"the ID token's claims: {error}") from error
    _check_exactly(claims, provider, nonce, now)
    auth_time = claims.get("auth_time")
    if provider.max_age_s is not None and auth_time is None:
        raise NotProven("auth_time was asked for and is missing")
    signed_in = claims["iat"] if auth_time is None else auth_time
    if not _is_instant(signed_in) or signed_in > now + LEEWAY_S:
        raise NotProven("auth_time is no instant that has been")
    if provider.max_age_s is not None and signed_in < now - provider.max_age_s - LEEWAY_S:
        raise NotProven("the person signed in there too long ago")
    return Subject(
        provider.issuer, claims["sub"], _second_factor(claims, provider), datetime.fromtimestamp(signed_in, UTC)
    )


def _verified(token: str, key: Key, algorithms: Collection[str]) -> dict[str, Any]:
    allowed = [name for name in algorithms if name in _FAMILIES[key.jwk["kty"]] and _fits(key.jwk, name)]
    try:
        algorithm = jwt.get_unverified_header(token).get("alg")
        if algorithm not in allowed:
            raise NotProven(f"an ID token signed with {str(algorithm)[:16]!r} is not taken")
        public = jwt.PyJWK(dict(key.jwk), algorithm=algorithm).key
        if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
            raise NotProven("the provider's RSA key is too short")
        claims: dict[str, Any] = jwt.decode(
            token,
            public,
            algorithms=[algorithm],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise NotProven("the ID token is not signed by the provider") from error
    return claims


def _fits(jwk: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key is of the algorithm's curve, and not published for another algorithm."""
    return jwk.get("alg", algorithm) == algorithm and jwk.get("crv") == _CURVES.get(algorithm, jwk.get("crv"))


def _check_exactly(claims: Mapping[str, Any], provider: ProviderSettings, nonce: str, now: int) -> None:
    """What Authlib leaves open: types, several audiences, a token that is old although it has not run out."""
    subject, audience = claims.get("sub"), claims.get("aud")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise NotProven("sub is no subject")
    if claims.get("iss") != provider.issuer:
        raise NotProven("iss is another issuer")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or provider.client_id not in audiences:
        raise NotProven("aud does not name us")
    if len(audiences) > 1 and claims.get("azp") != provider.client_id:
        raise NotProven("aud names others beside us, and azp not us")
    if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise NotProven("nonce is not that of this browser")
    for name in ("exp", "iat"):
        if not _is_instant(claims.get(name)):
            raise NotProven(f"{name} is no instant")
    if claims["exp"] <= now - LEEWAY_S:
        raise NotProven("the ID token has run out")
    if not now - LONGEST_AGO_S <= claims["iat"] <= now + LEEWAY_S:
        raise NotProven("the ID token was not made just now")


def _is_instant(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 253_402_300_799


def _second_factor(claims: Mapping[str, Any], provider: ProviderSettings) -> bool:
    acr, amr = claims.get("acr"), claims.get("amr")
    methods = {one for one in amr if isinstance(one, str)} if isinstance(amr, list) else set()
    return (isinstance(acr, str) and acr in provider.second_factor_acr) or bool(methods & provider.second_factor_amr)
