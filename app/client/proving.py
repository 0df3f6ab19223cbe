"""A key of this process, to which its tokens are bound (DPoP, RFC 9449): stolen, a token is of no use without it."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from app.kernel.clock import utc_now


class ProofKey:
    """An Ed25519 key that signs a proof for each request. Made anew for each process unless one is given."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self._key = key or Ed25519PrivateKey.generate()
        self._jwk = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)

    def proof(self, method: str, url: str, *, token: str | None = None, nonce: str | None = None) -> str:
        """A proof for one request: `url` without query, `token` where the request carries one."""
        claims: dict[str, str | int] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(utc_now().timestamp()),
        }
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, self._key, "EdDSA", {"typ": "dpop+jwt", "jwk": self._jwk})
