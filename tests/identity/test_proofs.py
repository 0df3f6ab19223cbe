"""Proofs that a machine holds the key of its token (DPoP, RFC 9449): the RFC's examples, and all else wrong."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.services.identity.proofs import Proof, ProofRefused, check_proof, hash_of, normal

RFC_JWK = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
)
RFC_TOKEN_PROOF = (
    RFC_JWK + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2Vu"
    "IiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RFC_RESOURCE_PROOF = (
    RFC_JWK + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90"
    "ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65_537, 2048)
NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
URL = "https://voucher.example/v1/redemptions"
TOKEN = "a.b.c"


def jwk_of(key: Any) -> dict[str, Any]:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return dict(OKPAlgorithm.to_jwk(public, as_dict=True))
    if isinstance(public, rsa.RSAPublicKey):
        return {k: v for k, v in RSAAlgorithm.to_jwk(public, as_dict=True).items() if k != "key_ops"}
    return dict(ECAlgorithm.to_jwk(public, as_dict=True))


def signed(key: Any = P256, algorithm: str = "ES256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"jti": "j", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp()), "ath": hash_of(TOKEN)} | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, {"typ": "dpop+jwt", "jwk": jwk_of(key)} | (header or {}))


def checked(proof: str, *, method: str = "POST", url: str = URL, at: datetime = NOW) -> Proof:
    return check_proof(proof, method=method, url=url, token=TOKEN, at=at)


def test_the_examples_of_the_rfc_are_taken() -> None:
    at = datetime.fromtimestamp(1562262616, UTC)
    proof = check_proof(RFC_TOKEN_PROOF, method="POST", url="https://server.example.com/token", token=None, at=at)
    assert (proof.jti, proof.thumbprint) == ("-BwC3ESc6acc2lTc", RFC_THUMBPRINT)
    resource = "https://resource.example.org/protectedresource"
    at += timedelta(seconds=2)
    proof = check_proof(RFC_RESOURCE_PROOF, method="GET", url=resource, token=RFC_ACCESS_TOKEN, at=at)
    assert (proof.jti, proof.thumbprint) == ("e1j3V_bKic8-LAEB", RFC_THUMBPRINT)
    assert hash_of(RFC_ACCESS_TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    for other in ({"token": "another"}, {"method": "POST"}, {"url": resource + "/x"}):
        asked: dict[str, Any] = {"method": "GET", "url": resource, "token": RFC_ACCESS_TOKEN, "at": at} | other
        with pytest.raises(ProofRefused):
            check_proof(RFC_RESOURCE_PROOF, **asked)


@pytest.mark.parametrize(("key", "algorithm"), [(P256, "ES256"), (ED25519, "EdDSA"), (RSA, "PS256")])
def test_a_key_of_each_kind_is_taken_with_its_one_algorithm(key: Any, algorithm: str) -> None:
    assert checked(signed(key, algorithm)).jti == "j"


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (signed(htm="GET"), "htm"),
        (signed(htm="post"), "htm"),
        (signed(htu="https://voucher.example/v1/redemptions/x"), "htu"),
        (signed(htu="https://evil.example/v1/redemptions"), "htu"),
        (signed(htu="http://voucher.example/v1/redemptions"), "htu"),
        (signed(htu="/v1/redemptions"), "htu"),
        (signed(htu="https://user@voucher.example/v1/redemptions"), "htu"),
        (signed(iat=int(NOW.timestamp()) - 61), "iat"),
        (signed(iat=int(NOW.timestamp()) + 6), "iat"),
        (signed(iat="now"), "iat"),
        (signed(iat=None), "iat"),
        (signed(iat=1e300), "iat"),
        (signed(ath=hash_of("another")), "ath"),
        (signed(ath=None), "ath"),
        (signed(jti=None), "jti"),
        (signed(jti=""), "jti"),
        (signed(jti="x" * 256), "jti"),
        (signed(header={"typ": "JWT"}), "header"),
        (signed(header={"jku": "https://evil.example/keys"}), "header"),
        (signed(header={"x5u": "https://evil.example/cert"}), "header"),
        (signed(header={"crit": ["x"], "x": 1}), "form"),
        (signed(header={"jwk": jwk_of(ED25519)}), "alg"),
        (signed(header={"jwk": jwk_of(ec.generate_private_key(ec.SECP256R1()))}), "signature"),
        (signed(header={"jwk": jwk_of(P256) | {"d": "AAAA"}}), "jwk"),
        (signed(header={"jwk": jwk_of(P256) | {"x5u": "https://evil.example"}}), "jwk"),
        (signed(header={"jwk": {"kty": "oct", "k": "c2VjcmV0"}}), "jwk"),
        (signed(header={"jwk": "x"}), "jwk"),
        (signed(header={"jwk": {**jwk_of(P256), "crv": "P-384"}}), "jwk"),
        (signed(RSA, "RS256"), "alg"),
        (signed(padding="x" * 5000), "length"),
        ("not a proof", "form"),
        ("", "form"),
    ],
)
def test_a_proof_that_is_wrong_in_one_thing_is_refused_by_its_name(proof: str, why: str) -> None:
    with pytest.raises(ProofRefused) as refused:
        checked(proof)
    assert str(refused.value) == why


def test_nothing_symmetric_and_nothing_unsigned_proves_a_key() -> None:
    for algorithm in ("none", "HS256"):
        header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk_of(P256)}
        claims = {"jti": "j", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp()), "ath": hash_of(TOKEN)}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
        with pytest.raises(ProofRefused):
            checked(f"{'.'.join(parts)}.")


def test_addresses_are_compared_as_addresses() -> None:
    assert checked(signed(htu="HTTPS://Voucher.Example:443/v1/redemptions?a=1#b")).jti == "j"
    assert normal("http://[::1]:80") == "http://[::1]/"
    for nothing in ("", "voucher.example", "ftp://voucher.example/", "https://", "https://x:99999/", "http://["):
        assert normal(nothing) is None


def test_the_window_is_a_minute_back_and_five_seconds_ahead() -> None:
    proof = signed()
    for seconds, is_taken in ((-5, True), (-6, False), (60, True), (61, False)):
        at = NOW + timedelta(seconds=seconds)
        if is_taken:
            assert checked(proof, at=at).expires_at == NOW + timedelta(seconds=65)
        else:
            with pytest.raises(ProofRefused):
                checked(proof, at=at)
