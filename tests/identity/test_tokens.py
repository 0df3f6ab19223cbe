"""Attacks of RFC 8725 on access tokens: each is built by hand, from the wire format, not by the code under test."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.kernel.clock import utc_now
from app.kernel.problems import AppError, Code
from app.services.identity.signing_keys import SigningKeys, add_key
from app.services.identity.tokens import Tokens, microseconds

ISSUER = "https://vouchers.example"
PERSON, ORGANISATION = "usr_01k90000000000000000000000", "org_01k90000000000000000000000"


class Clock:
    def __init__(self) -> None:
        self.at = utc_now()

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    return SigningKeys.load_or_create(tmp_path / "keys")


@pytest.fixture
def tokens(keys: SigningKeys) -> Tokens:
    return Tokens(keys, issuer=ISSUER)


def encoded(part: object) -> str:
    written = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(written).decode().rstrip("=")


def decoded(part: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return shown


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return decoded(header), decoded(payload)


def signed(header: dict[str, Any], payload: object, key: Ed25519PrivateKey) -> str:
    told = f"{encoded(header)}.{encoded(payload)}"
    return f"{told}.{encoded(key.sign(told.encode()))}"


def refuses(tokens: Tokens, token: str) -> None:
    with pytest.raises(AppError) as refusal:
        tokens.verify(token)
    assert refusal.value.code is Code.UNAUTHENTICATED


def test_what_is_issued_is_verified_and_says_who_for_how_long(tokens: Tokens) -> None:
    issued = tokens.issue(PERSON, ORGANISATION, ttl_s=600)
    claims = tokens.verify(issued.token)
    assert (claims.subject, claims.organisation_id, claims.jti) == (PERSON, ORGANISATION, issued.jti)
    assert claims.expires_at == issued.expires_at
    assert claims.expires_at - claims.issued_at == timedelta(seconds=600)


def test_a_token_has_exactly_the_published_header_and_claims(tokens: Tokens, keys: SigningKeys) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": keys.current_kid}
    assert payload.keys() == {"iss", "aud", "sub", "org", "iat", "exp", "jti"}
    assert (payload["iss"], payload["aud"]) == (ISSUER, f"{ISSUER}/v1")


def test_a_persons_token_names_the_password_it_was_issued_under(tokens: Tokens) -> None:
    set_at = utc_now()
    issued = tokens.issue(PERSON, ORGANISATION, ttl_s=600, password_at=set_at)
    assert tokens.verify(issued.token).password_us == parts(issued.token)[1]["pwd_us"] == microseconds(set_at)
    assert microseconds(set_at) != microseconds(set_at + timedelta(microseconds=1))
    assert tokens.verify(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token).password_us is None


def test_it_ends_at_its_very_second(keys: SigningKeys) -> None:
    clock = Clock()
    tokens = Tokens(keys, issuer=ISSUER, clock=clock)
    issued = tokens.issue(PERSON, ORGANISATION, ttl_s=60)
    clock.at = issued.expires_at - timedelta(microseconds=1)
    tokens.verify(issued.token)
    clock.at = issued.expires_at
    refuses(tokens, issued.token)


def test_alg_none_is_refused(tokens: Tokens) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    for alg in ("none", "None", ""):
        refuses(tokens, f"{encoded(header | {'alg': alg})}.{encoded(payload)}.")


def test_the_public_key_does_not_serve_as_an_hmac_secret(tokens: Tokens, keys: SigningKeys) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    public = keys.current[1].public_key()
    for secret in (
        public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        json.dumps(keys.jwks()["keys"][0]).encode(),
    ):
        told = f"{encoded(header | {'alg': 'HS256'})}.{encoded(payload)}"
        mac = hmac.new(secret, told.encode(), hashlib.sha256).digest()
        refuses(tokens, f"{told}.{encoded(mac)}")


def test_a_changed_payload_is_refused(tokens: Tokens) -> None:
    header, payload, signature = tokens.issue(PERSON, ORGANISATION, ttl_s=600).token.split(".")
    other = encoded(decoded(payload) | {"sub": "usr_01k90000000000000000000001"})
    refuses(tokens, f"{header}.{other}.{signature}")


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "JWT"},
        {"typ": "at+JWT"},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"jku": "https://attacker.example/jwks.json"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"x5u": "https://attacker.example/cert.pem"},
        {"kid": "20260101T000000000000Z-00000000"},
        {"kid": "../../etc/passwd"},
        {"kid": ""},
        {"kid": 7},
        {"kid": None},
        {"alg": "ES256"},
    ],
    ids=str,
)
def test_any_other_header_is_refused_although_the_signature_is_ours(
    tokens: Tokens, keys: SigningKeys, change: dict[str, Any]
) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    refuses(tokens, signed(header | change, payload, keys.current[1]))


@pytest.mark.parametrize("missing", ["typ", "kid", "alg"])
def test_a_header_with_something_missing_is_refused(tokens: Tokens, keys: SigningKeys, missing: str) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    del header[missing]
    refuses(tokens, signed(header, payload, keys.current[1]))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "https://vouchers.example"},
        {"aud": ["https://vouchers.example/v1"]},
        {"aud": ["https://vouchers.example/v1", "https://other.example"]},
        {"exp": 0},
        {"exp": -1},
        {"exp": "9999999999"},
        {"exp": 9999999999.5},
        {"exp": 10**18},
        {"exp": True},
        {"iat": "now"},
        {"sub": 7},
        {"sub": None},
        {"org": []},
        {"jti": 1},
        {"pwd_us": -1},
        {"pwd_us": "0"},
        {"pwd_us": 1.5},
        {"roles": ["finance"]},
    ],
    ids=str,
)
def test_any_other_claim_is_refused_although_the_signature_is_ours(
    tokens: Tokens, keys: SigningKeys, change: dict[str, Any]
) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    refuses(tokens, signed(header, payload | change, keys.current[1]))


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "org", "iat", "exp", "jti"])
def test_every_claim_is_required(tokens: Tokens, keys: SigningKeys, missing: str) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    del payload[missing]
    refuses(tokens, signed(header, payload, keys.current[1]))


def test_a_strangers_key_under_our_name_is_refused(tokens: Tokens) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    refuses(tokens, signed(header, payload, Ed25519PrivateKey.generate()))


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "é.é.é", "e30.e30.e30", "A" * 100_000])
def test_rubbish_is_refused(tokens: Tokens, token: str) -> None:
    refuses(tokens, token)


def test_an_endless_token_of_ours_is_refused(tokens: Tokens, keys: SigningKeys) -> None:
    header, payload = parts(tokens.issue(PERSON, ORGANISATION, ttl_s=600).token)
    refuses(tokens, signed(header, payload | {"jti": "x" * 3000}, keys.current[1]))


def test_keys_rotate_while_older_processes_still_run(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    older = Tokens(SigningKeys.load_or_create(folder), issuer=ISSUER)
    before = older.issue(PERSON, ORGANISATION, ttl_s=600).token
    kid = add_key(folder)
    newer = Tokens(SigningKeys.load_or_create(folder), issuer=ISSUER)
    after = newer.issue(PERSON, ORGANISATION, ttl_s=600).token
    assert parts(after)[0]["kid"] == kid
    for tokens in (older, newer):
        for token in (before, after):
            assert tokens.verify(token).subject == PERSON
        assert [key["kid"] for key in tokens.jwks()["keys"]] == [kid, parts(before)[0]["kid"]]
