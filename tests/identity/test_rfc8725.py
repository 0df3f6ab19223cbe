"""The corpus of RFC 8725, once for both kinds of JWT that are taken: a machine's assertion and an access token.

Everything is built by hand from the wire format. What is special to one kind stands in `test_tokens` and
`test_machine_keys`; here is what must hold for either, above all that one is never taken for the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.kernel.clock import utc_now
from app.kernel.problems import AppError
from app.services.identity.assertions import NotTaken, check_assertion, read_named
from app.services.identity.public_keys import checked_public_key
from app.services.identity.signing_keys import SigningKeys
from app.services.identity.tokens import Tokens

ISSUER = "https://vouchers.example"
CLIENT, ORGANISATION = "cli_01k90000000000000000000000", "org_01k90000000000000000000000"
KID = "2026-01"

ED25519, OTHER = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
P256, P256_OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65_537, 2048)
ORDER_OF_ED25519 = 2**252 + 27742317777372353535851937790883648493
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

KEYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "EdDSA": (ED25519, dict(OKPAlgorithm.to_jwk(ED25519.public_key(), as_dict=True))),
    "ES256": (P256, dict(ECAlgorithm.to_jwk(P256.public_key(), as_dict=True))),
    "PS256": (RSA, dict(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True))),
}


def encoded(part: object) -> str:
    written = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(written).decode().rstrip("=")


def claims(**changes: Any) -> dict[str, Any]:
    return {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": int(time.time()) + 30, "jti": "one"} | changes


def assertion(algorithm: str, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A right one, signed by the key of that algorithm, but for what is said."""
    return jwt.encode(claims(**changes), KEYS[algorithm][0], algorithm, {"kid": KID, **(header or {})})


def taken(token: str, algorithm: str) -> str:
    """The jti of an assertion that is taken. Raises NotTaken."""
    named = read_named(token)
    if named.kid != KID:
        raise NotTaken("no such key")
    key = checked_public_key(KEYS[algorithm][1] | {"kid": KID})
    assert key.algorithm == algorithm
    jwk = json.loads(key.jwk)
    return check_assertion(token, named, algorithm=algorithm, jwk=jwk, issuer=ISSUER, at=utc_now()).jti


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(SigningKeys.load_or_create(tmp_path / "keys"), issuer=ISSUER)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_right_assertion_is_taken(algorithm: str) -> None:
    assert taken(assertion(algorithm), algorithm) == "one"


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("named", ["none", "None", "nOnE", "", "HS256", "HS384", "HS512"])
def test_unsigned_and_hmac_by_a_public_key(algorithm: str, named: str) -> None:
    private, jwk = KEYS[algorithm]
    public = private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    told = f"{encoded({'alg': named, 'kid': KID})}.{encoded(claims())}"
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(named, hashlib.sha256)
    secrets = [pem, pem.strip(), der, json.dumps(jwk).encode(), b"", b"\0"]
    for signature in ["", *(encoded(hmac.new(secret, told.encode(), digest).digest()) for secret in secrets)]:
        with pytest.raises(NotTaken):
            taken(f"{told}.{signature}", algorithm)


@pytest.mark.parametrize("registered", KEYS)
@pytest.mark.parametrize("used", ["EdDSA", "ES256", "PS256", "RS256", "PS384", "PS512", "RS512"])
def test_a_key_signs_by_its_own_algorithm_and_no_other(registered: str, used: str) -> None:
    private = RSA if used[1] == "S" and used[0] in "PR" else KEYS[used][0]
    token = jwt.encode(claims(), private, used, {"kid": KID})
    if used == registered:
        assert taken(token, registered) == "one"
        return
    with pytest.raises(NotTaken):
        taken(token, registered)


@pytest.mark.parametrize("algorithm", KEYS)
def test_another_header_over_the_same_signature(algorithm: str) -> None:
    """Re-labelled: the bytes of a right signature under a header that names another algorithm."""
    head, payload, signature = assertion(algorithm).split(".")
    for other in ("none", "HS256", "RS256", "ES256", "EdDSA", "PS256"):
        if other != algorithm:
            with pytest.raises(NotTaken):
                taken(f"{encoded({'alg': other, 'kid': KID, 'typ': 'JWT'})}.{payload}.{signature}", algorithm)
    assert taken(f"{head}.{payload}.{signature}", algorithm) == "one"


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["unknown"], "unknown": True},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A256GCM"},
        {"typ": "at+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "logout+jwt"},
        {"kid": "../../../dev/null"},
        {"kid": "x' OR '1'='1"},
        {"kid": "a\r\nb"},
        {"kid": ["2026-01"]},
    ],
    ids="+".join,
)
def test_a_header_that_brings_anything_of_its_own(algorithm: str, header: dict[str, Any]) -> None:
    private, _ = KEYS[algorithm]
    try:
        token = jwt.encode(claims(), private, algorithm, {"kid": KID, **header})
    except (TypeError, jwt.InvalidTokenError):  # PyJWT will not write what it would not read either
        told = f"{encoded({'alg': algorithm, 'kid': KID, 'typ': 'JWT', **header})}.{encoded(claims())}"
        token = f"{told}.{encoded(signature_of(algorithm, told))}"
    with pytest.raises(NotTaken):
        taken(token, algorithm)


def signature_of(algorithm: str, told: str) -> bytes:
    message = told.encode()
    if algorithm == "EdDSA":
        return ED25519.sign(message)
    if algorithm == "ES256":
        r, s = utils.decode_dss_signature(P256.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
    return RSA.sign(message, salted, hashes.SHA256())


def test_signatures_that_fit_every_message_or_none() -> None:
    """Psychic signatures (CVE-2022-21449) and a malleable Ed25519 signature, whose S is a group order too large."""
    told = f"{encoded({'alg': 'ES256', 'kid': KID})}.{encoded(claims())}"
    for r, s in ((0, 0), (0, 1), (1, 0), (ORDER_OF_P256, ORDER_OF_P256)):
        with pytest.raises(NotTaken):
            taken(f"{told}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}", "ES256")
    told = f"{encoded({'alg': 'EdDSA', 'kid': KID})}.{encoded(claims())}"
    right = signature_of("EdDSA", told)
    assert taken(f"{told}.{encoded(right)}", "EdDSA") == "one"
    larger = int.from_bytes(right[32:], "little") + ORDER_OF_ED25519
    for wrong in (right[:32] + larger.to_bytes(32, "little"), bytes(64), right[:63], right + b"\0"):
        with pytest.raises(NotTaken):
            taken(f"{told}.{encoded(wrong)}", "EdDSA")


def test_a_der_signature_is_no_jws_signature() -> None:
    told = f"{encoded({'alg': 'ES256', 'kid': KID})}.{encoded(claims())}"
    with pytest.raises(NotTaken):
        taken(f"{told}.{encoded(P256.sign(told.encode(), ec.ECDSA(hashes.SHA256())))}", "ES256")


@pytest.mark.parametrize("algorithm", KEYS)
def test_re_signed_by_a_strangers_key(algorithm: str) -> None:
    stranger: Any = {"EdDSA": OTHER, "ES256": P256_OTHER}.get(algorithm) or rsa.generate_private_key(65_537, 2048)
    with pytest.raises(NotTaken):
        taken(jwt.encode(claims(), stranger, algorithm, {"kid": KID}), algorithm)


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://vouchers.example/"},
        {"aud": "https://vouchers.example/v1"},
        {"aud": "HTTPS://VOUCHERS.EXAMPLE"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": ""},
        {"iss": ISSUER},
        {"sub": ORGANISATION},
        {"exp": 0},
        {"exp": float("inf")},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": 9_999_999_999},
        {"iat": 9_999_999_999},
        {"jti": ["one"]},
    ],
    ids=str,
)
def test_claims_that_are_nearly_right(algorithm: str, changes: dict[str, Any]) -> None:
    told = f"{encoded({'alg': algorithm, 'kid': KID})}.{encoded(claims(**changes))}"
    with pytest.raises(NotTaken):
        taken(f"{told}.{encoded(signature_of(algorithm, told))}", algorithm)


def test_swapped_parts_of_two_right_tokens() -> None:
    one, two = assertion("EdDSA").split("."), assertion("EdDSA", jti="two").split(".")
    for mixed in ([one[0], two[1], one[2]], [one[0], one[1], two[2]], [two[1], one[1], one[2]]):
        with pytest.raises(NotTaken):
            taken(".".join(mixed), "EdDSA")


# -- one kind is never taken for the other ---------------------------------------------------------------------------


def test_an_assertion_is_no_access_token_even_signed_by_our_own_key(tokens: Tokens) -> None:
    kid, key = tokens._keys.current
    for header in ({"kid": kid}, {"kid": kid, "typ": "JWT"}, {"kid": kid, "typ": "client-authentication+jwt"}):
        with pytest.raises(AppError):
            tokens.verify(jwt.encode(claims(), key, "EdDSA", header))
    # The right type, and an assertion's audience: what is for the token endpoint is for no other.
    full = claims(org=ORGANISATION, iat=int(time.time()))
    with pytest.raises(AppError):
        tokens.verify(jwt.encode(full, key, "EdDSA", {"kid": kid, "typ": "at+jwt"}))


def test_an_access_token_is_no_assertion() -> None:
    access = claims(org=ORGANISATION, iat=int(time.time()), aud=f"{ISSUER}/v1", iss=ISSUER)
    with pytest.raises(NotTaken):
        taken(jwt.encode(access, ED25519, "EdDSA", {"kid": KID, "typ": "at+jwt"}), "EdDSA")
    with pytest.raises(NotTaken):
        taken(jwt.encode(access, ED25519, "EdDSA", {"kid": KID}), "EdDSA")


def test_a_token_of_another_installation(tokens: Tokens, tmp_path: Path) -> None:
    elsewhere = SigningKeys.load_or_create(tmp_path / "elsewhere")
    theirs = Tokens(elsewhere, issuer=ISSUER).issue(CLIENT, ORGANISATION, ttl_s=60).token
    with pytest.raises(AppError):
        tokens.verify(theirs)
    renamed = Tokens(tokens._keys, issuer="https://test.vouchers.example").issue(CLIENT, ORGANISATION, ttl_s=60).token
    with pytest.raises(AppError):
        tokens.verify(renamed)


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "RS256", "HS256", "ES512", "none"])
def test_an_access_token_by_any_algorithm_but_ours(tokens: Tokens, algorithm: str) -> None:
    kid, _ = tokens._keys.current
    good = tokens.issue(CLIENT, ORGANISATION, ttl_s=60).token
    payload = json.loads(urlsafe_b64decode(good.split(".")[1] + "=="))
    key: Any = {"ES256": P256, "ES512": ec.generate_private_key(ec.SECP521R1()), "HS256": "k" * 32, "none": None}.get(
        algorithm, RSA
    )
    with pytest.raises(AppError):
        tokens.verify(jwt.encode(payload, key, algorithm, {"kid": kid, "typ": "at+jwt"}))


def test_encrypted_and_nested_and_doubled_forms(tokens: Tokens) -> None:
    good = tokens.issue(CLIENT, ORGANISATION, ttl_s=60).token
    head, payload, signature = good.split(".")
    padded = f"{head}=.{payload}=.{signature}="
    for form in (
        f"{good}.x",
        f"{head}.{payload}.{payload}.{payload}.{signature}",
        f"{good},{good}",
        f" {good}",
        padded,
    ):
        with pytest.raises(AppError):
            tokens.verify(form)
    twice = b'{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"' + tokens._keys.current[0].encode() + b'"}'
    with pytest.raises(AppError):
        tokens.verify(f"{encoded(twice)}.{payload}.{signature}")
    as_json = json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]})
    with pytest.raises(AppError):
        tokens.verify(as_json)
