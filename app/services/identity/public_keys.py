"""Public keys with which machines sign their assertions: which are taken, and the one algorithm of each. Pure.

A key has one algorithm for good (RFC 8725 section 3.1): Ed25519 signs EdDSA, P-256 ES256, RSA of 2,048 to 4,096 bits
PS256. So a public key can never be taken for a shared secret, nor a signature for one of another kind.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.kernel.canonical import canonical
from app.kernel.problems import AppError, Code, FieldError

Key = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
)
"""What a public key consists of, in the order of its thumbprint (RFC 7638); nothing else of a JWK is kept."""

ALGORITHMS: Mapping[str, str] = MappingProxyType({"OKP": "EdDSA", "EC": "ES256", "RSA": "PS256"})
CURVES: Mapping[str, str] = MappingProxyType({"OKP": "Ed25519", "EC": "P-256"})
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MIN_RSA_BITS, MAX_RSA_BITS, MIN_RSA_EXPONENT = 2048, 4096, 65_537
KID = re.compile(r"[A-Za-z0-9._~-]{1,128}")

_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "key_kind": "kty must be {limit} / kty 须为 {limit} 之一",
        "private_key": "this is a private key: keep it, and send the public one / 这是私钥，请勿外传；请提交公钥",
        "key_curve": "the curve must be {limit} / 曲线须为 {limit}",
        "key_algorithm": "a key of this kind signs {limit} / 此类密钥的签名算法为 {limit}",
        "key_use": "must be a key for signing (sig) / 须为签名用密钥（sig）",
        "missing": "this member is missing / 缺少该成员",
        "key_name": "must be 1 to 128 letters, digits and ._~- / 须为 1 至 128 个字母、数字或 ._~-",
        "key_unreadable": "these members make no public key / 无法由这些成员得到公钥",
        "key_length": "must have {limit} bits, and has {actual} / 须为 {limit} 位，现为 {actual} 位",
        "key_exponent": "must be {limit} or more / 须不小于 {limit}",
    }
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as it is kept; `jwk` is canonical JSON of its members and nothing more."""

    kid: str
    algorithm: str
    jwk: str


def checked_public_key(given: Mapping[str, Any]) -> PublicKey:
    """The key that a JWK (RFC 7517) describes; its `kid`, or where it has none its thumbprint, is its name.

    Raises `validation_failed` with a pointer below `/jwk`: for a kind, curve, length or algorithm that is not taken,
    and for a private key, which must not leave its machine.
    """
    kind = given.get("kty")
    if not isinstance(kind, str) or kind not in MEMBERS:
        raise _refused("kty", "key_kind", limit=", ".join(MEMBERS), actual=_shown(kind))
    if private := sorted(PRIVATE & given.keys()):
        raise _refused(private[0], "private_key")
    if kind in CURVES and given.get("crv") != CURVES[kind]:
        raise _refused("crv", "key_curve", limit=CURVES[kind], actual=_shown(given.get("crv")))
    algorithm = ALGORITHMS[kind]
    if given.get("alg", algorithm) != algorithm:
        raise _refused("alg", "key_algorithm", limit=algorithm, actual=_shown(given["alg"]))
    if given.get("use", "sig") != "sig":
        raise _refused("use", "key_use", limit="sig", actual=_shown(given["use"]))
    members = {name: given.get(name) for name in MEMBERS[kind]}
    for name, value in members.items():
        if not isinstance(value, str):
            raise _refused(name, "missing")
    _check_strength(members, algorithm)
    written = canonical(members)
    kid = given.get("kid", urlsafe_b64encode(hashlib.sha256(written).digest()).rstrip(b"=").decode())
    if not isinstance(kid, str) or KID.fullmatch(kid) is None:
        raise _refused("kid", "key_name", limit=KID.pattern, actual=_shown(kid))
    return PublicKey(kid, algorithm, written.decode())


def read_key(members: Mapping[str, Any], algorithm: str) -> Key:
    """The key that its stored members are. Raises ValueError where they are none."""
    try:
        key: Key = jwt.PyJWK(dict(members), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ValueError("not a public key") from error
    return key


def _check_strength(members: Mapping[str, Any], algorithm: str) -> None:
    try:
        key = read_key(members, algorithm)
    except ValueError as error:
        raise _refused("", "key_unreadable") from error
    if not isinstance(key, RSAPublicKey):
        return
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise _refused("n", "key_length", limit=f"{MIN_RSA_BITS}-{MAX_RSA_BITS}", actual=str(key.key_size))
    if key.public_numbers().e < MIN_RSA_EXPONENT:
        raise _refused("e", "key_exponent", limit=str(MIN_RSA_EXPONENT), actual=str(key.public_numbers().e))


def _shown(value: object) -> str | None:
    return None if value is None else str(value)[:64]


def _refused(member: str, code: str, *, limit: str | None = None, actual: str | None = None) -> AppError:
    place = f"/jwk/{member}" if member else "/jwk"
    detail = _SENTENCES[code].format(limit=limit, actual=actual)
    found = FieldError(place, code, detail=detail, limit=limit, actual=actual)
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[found])
