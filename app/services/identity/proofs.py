"""A machine's proof that it holds the key of its token (DPoP, RFC 9449), checked strictly. Pure: the time is given.

A proof is a JWT signed for one request: its method, its address and its token. It carries its own public key, so it
proves nothing alone: what counts is that the token names the same key (`cnf.jkt`).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.kernel.canonical import canonical
from app.kernel.problems import AppError
from app.services.identity.public_keys import MEMBERS, PRIVATE, checked_public_key, read_key

TYPE = "dpop+jwt"
MAX_LENGTH = 4096
BEHIND = timedelta(seconds=60)
"""So long after it was signed a proof is still taken; within that it is good once."""
AHEAD = timedelta(seconds=5)
"""By so much a machine's clock may be ahead of ours."""

_HEADER = frozenset({"typ", "alg", "jwk"})
_BESIDE = frozenset({"kid", "use", "alg", "key_ops"})
"""What a public key may say of itself beside its members."""
_PORTS: Mapping[str, int] = {"https": 443, "http": 80}
_Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]


class ProofRefused(Exception):
    """The proof proves nothing. The word says which part is wrong, for the engineer whose key signed it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A checked one. That it is used once is the caller's to see."""

    thumbprint: str
    """Of its key (RFC 7638), as a token bound to it says in `cnf.jkt`."""
    jti: str
    expires_at: datetime
    nonce: str | None


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True)

    jti: Annotated[str, Field(min_length=1, max_length=255)]
    htm: Annotated[str, Field(max_length=16)]
    htu: Annotated[str, Field(max_length=2048)]
    iat: _Seconds
    ath: Annotated[str, Field(max_length=64)] | None = None
    nonce: Annotated[str, Field(max_length=255)] | None = None


def check_proof(proof: str, *, method: str, url: str, token: str | None, at: datetime) -> Proof:
    """What a proof says for a request of this method to this address, at the instant `at`.

    `token` is the access token that the request carries; None where it asks for one. Raises ProofRefused.
    """
    header = _header(proof)
    kind, algorithm, members = _key(header)
    try:
        claims = jwt.decode(
            proof,
            read_key(members, algorithm),
            algorithms=[algorithm],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
        payload = _Payload.model_validate(claims)
    except ValidationError as error:
        raise ProofRefused(str(error.errors()[0]["loc"][0])) from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise ProofRefused("signature") from error
    if payload.htm != method:
        raise ProofRefused("htm")
    if normal(payload.htu) != normal(url):
        raise ProofRefused("htu")
    signed_at = datetime.fromtimestamp(payload.iat, UTC)
    if not at - BEHIND <= signed_at <= at + AHEAD:
        raise ProofRefused("iat")
    if token is not None and not hmac.compare_digest((payload.ath or "").encode(), hash_of(token).encode()):
        raise ProofRefused("ath")
    return Proof(thumbprint(kind, members), payload.jti, signed_at + BEHIND + AHEAD, payload.nonce)


def hash_of(token: str) -> str:
    """What a proof says of its token in `ath`."""
    return _b64(hashlib.sha256(token.encode()).digest())


def thumbprint(kind: str, jwk: Mapping[str, Any]) -> str:
    """The thumbprint of a public key (RFC 7638)."""
    return _b64(hashlib.sha256(canonical({name: jwk[name] for name in MEMBERS[kind]})).digest())


def normal(url: str) -> str | None:
    """An address as it is compared: without query and fragment, scheme and host in lower case, no usual port.

    None for what is no address of the web.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    if parts.scheme.lower() not in _PORTS or not host or parts.username is not None:
        return None
    scheme = parts.scheme.lower()
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in {None, _PORTS[scheme]} else f"{shown}:{port}"
    return f"{scheme}://{place}{parts.path or '/'}"


def _header(proof: str) -> dict[str, Any]:
    if len(proof) > MAX_LENGTH:
        raise ProofRefused("length")
    try:
        header = jwt.get_unverified_header(proof)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise ProofRefused("form") from error
    if not _HEADER <= header.keys() <= _HEADER | {"kid"} or header["typ"] != TYPE:
        raise ProofRefused("header")
    return dict(header)


def _key(header: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    """Kind, algorithm and members of the key that a proof carries: public, strong, and for this algorithm alone."""
    jwk = header["jwk"]
    if not isinstance(jwk, dict) or PRIVATE & jwk.keys():
        raise ProofRefused("jwk")
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in MEMBERS or not jwk.keys() <= {*MEMBERS[kind], *_BESIDE}:
        raise ProofRefused("jwk")
    try:
        checked = checked_public_key({name: value for name, value in jwk.items() if name not in {"kid", "key_ops"}})
    except AppError as error:
        raise ProofRefused("jwk") from error
    if header["alg"] != checked.algorithm:
        raise ProofRefused("alg")
    return kind, checked.algorithm, {name: jwk[name] for name in MEMBERS[kind]}


def _b64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
