"""Token and digits: ours alone, for nothing else, the same each time, and as strict as RFC 8725 asks."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.kernel.ids import new_id
from app.kernel.payment_digits import parse_digits
from app.kernel.problems import AppError
from app.services.identity.signing_keys import SigningKeys, add_key
from app.services.identity.tokens import Tokens
from app.services.redemption.payment_codes import PaymentCodeGiven, read_given
from app.services.vouchers.payment_secrets import PaymentSecrets, PaymentTerms

ISSUER = "https://voucher.example"
VOUCHER = "3301007K2M9QXA4TZ8"
PROVIDER = new_id("org")
UNTIL = datetime(2026, 11, 24, 3, 18, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    return SigningKeys.load_or_create(tmp_path / "keys")


@pytest.fixture
def secrets(keys: SigningKeys) -> PaymentSecrets:
    return PaymentSecrets(keys, issuer=ISSUER)


@pytest.fixture
def terms(secrets: PaymentSecrets) -> PaymentTerms:
    return PaymentTerms(new_id("pay", "330100"), secrets.key_id, VOUCHER, 50_000, UNTIL)


def token_of(secrets: PaymentSecrets, terms: PaymentTerms) -> str:
    token = secrets.token(terms)
    assert token is not None
    return token


def part(token: str, place: int) -> dict[str, object]:
    text = token.split(".")[place]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_says_what_a_till_needs_and_names_its_code(secrets: PaymentSecrets, terms: PaymentTerms) -> None:
    token = token_of(secrets, terms)
    assert part(token, 0) == {"alg": "EdDSA", "typ": "payment-code+jwt", "kid": secrets.key_id}
    assert part(token, 1) == {
        "aud": "https://voucher.example/payment-codes",
        "jti": terms.id,
        "voucher_code": VOUCHER,
        "limit_fen": 50_000,
        "exp": 1_795_490_280,  # 2026-11-24T03:18:00Z
    }
    assert len(token) < 500
    assert secrets.verified(token) == terms.id


def test_token_and_digits_are_the_same_each_time_and_in_each_process(
    keys: SigningKeys, secrets: PaymentSecrets, terms: PaymentTerms, tmp_path: Path
) -> None:
    other = PaymentSecrets(SigningKeys(tmp_path / "keys"), issuer=ISSUER)
    assert other.token(terms) == secrets.token(terms)
    assert other.digits(key_id=terms.key_id, code_id=terms.id) == secrets.digits(key_id=terms.key_id, code_id=terms.id)


def test_the_digits_of_different_codes_have_nothing_to_do_with_each_other(secrets: PaymentSecrets) -> None:
    drawn = [secrets.digits(key_id=secrets.key_id, code_id=new_id("pay", "330100")) for _ in range(500)]
    assert len(set(drawn)) == 500
    assert {digits[0] for digits in drawn if digits} == set("0123456789")
    assert all(digits is not None and parse_digits(digits) == digits for digits in drawn)


def test_a_tampered_limit_breaks_the_signature(secrets: PaymentSecrets, terms: PaymentTerms) -> None:
    header, _, signature = token_of(secrets, terms).split(".")
    payload = part(token_of(secrets, replace(terms, limit_fen=5_000_000)), 1)
    assert secrets.verified(f"{header}.{encoded(payload)}.{signature}") is None


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"typ": "at+jwt"},
        {"typ": "JWT"},
        {"typ": None},
        {"kid": "20260101T000000000000Z-00000000"},
        {"kid": "../other"},
        {"kid": 7},
        {"crit": ["exp"]},
        {"jku": "https://evil.example/jwks.json"},
    ],
    ids=str,
)
def test_no_header_but_ours_is_taken_although_the_signature_is_right(
    keys: SigningKeys, secrets: PaymentSecrets, terms: PaymentTerms, header: dict[str, object]
) -> None:
    payload = part(token_of(secrets, terms), 1)
    written = {"alg": "EdDSA", "typ": "payment-code+jwt", "kid": secrets.key_id} | header
    signed = f"{encoded(written)}.{encoded(payload)}"
    signature = base64.urlsafe_b64encode(keys.current[1].sign(signed.encode())).decode().rstrip("=")
    assert secrets.verified(f"{signed}.{signature}") is None
    assert secrets.verified(f"{signed}.") is None


@pytest.mark.parametrize(
    "payload",
    [
        {"aud": "https://voucher.example/v1"},
        {"aud": ["https://voucher.example/payment-codes"]},
        {"jti": "vch_330100_01m85s4vwyezk8re28pmhtfdbp"},
        {"limit_fen": "50000"},
        {"exp": None},
        {"sub": "usr_1"},
    ],
    ids=str,
)
def test_no_payload_but_ours_is_taken(
    keys: SigningKeys, secrets: PaymentSecrets, terms: PaymentTerms, payload: dict[str, object]
) -> None:
    written = part(token_of(secrets, terms), 1) | payload
    header = {"typ": "payment-code+jwt", "kid": secrets.key_id}
    assert secrets.verified(jwt.encode(written, keys.current[1], "EdDSA", header)) is None


def test_a_strangers_signature_is_not_taken(secrets: PaymentSecrets, terms: PaymentTerms) -> None:
    payload = part(token_of(secrets, terms), 1)
    header = {"typ": "payment-code+jwt", "kid": secrets.key_id}
    assert secrets.verified(jwt.encode(payload, Ed25519PrivateKey.generate(), "EdDSA", header)) is None
    assert secrets.verified("eyJ" + "x" * 2_000) is None
    assert secrets.verified("eyJ\ud800.a.b") is None


def test_an_access_token_is_no_payment_code_and_a_payment_code_opens_no_door(
    keys: SigningKeys, secrets: PaymentSecrets, terms: PaymentTerms
) -> None:
    tokens = Tokens(keys, issuer=ISSUER)
    assert secrets.verified(tokens.issue("usr_1", "org_1", ttl_s=60).token) is None
    with pytest.raises(AppError, match="unauthenticated"):
        tokens.verify(token_of(secrets, terms))


def test_a_code_outlives_the_rotation_of_keys_and_ends_with_its_own(
    secrets: PaymentSecrets, terms: PaymentTerms, tmp_path: Path
) -> None:
    digits = secrets.digits(key_id=terms.key_id, code_id=terms.id)
    assert digits is not None
    scope = {"voucher_code": VOUCHER, "provider_id": PROVIDER, "digits": digits}
    mac = secrets.digits_mac(key_id=terms.key_id, **scope)
    token = token_of(secrets, terms)

    add_key(tmp_path / "keys")
    rotated = PaymentSecrets(SigningKeys(tmp_path / "keys"), issuer=ISSUER)
    assert rotated.key_id != terms.key_id
    assert rotated.verified(token) == terms.id
    assert mac in rotated.digits_macs(**scope)
    new = rotated.digits_mac(key_id=rotated.key_id, **scope)
    assert new in secrets.digits_macs(**scope), "a process that still signs with the old key finds codes of the new one"

    (tmp_path / "keys" / f"{terms.key_id}.pem").unlink()
    ended = PaymentSecrets(SigningKeys(tmp_path / "keys"), issuer=ISSUER)
    assert ended.token(terms) is None
    assert ended.digits(key_id=terms.key_id, code_id=terms.id) is None
    assert ended.verified(token) is None
    assert mac not in ended.digits_macs(**scope)


def test_digits_find_a_code_of_this_voucher_and_this_provider_only(secrets: PaymentSecrets) -> None:
    scope = {"voucher_code": VOUCHER, "provider_id": PROVIDER, "digits": "483920170"}
    found = secrets.digits_macs(**scope)
    for other in ({"voucher_code": VOUCHER[:-1] + "X"}, {"provider_id": new_id("org")}, {"digits": "000000001"}):
        assert not set(found) & set(secrets.digits_macs(**scope | other))


def test_what_a_provider_sends_is_read_whatever_its_spelling(secrets: PaymentSecrets, terms: PaymentTerms) -> None:
    def read(sent: str) -> PaymentCodeGiven:
        return read_given(sent, secrets, voucher_code=VOUCHER, provider_id=PROVIDER)

    token = token_of(secrets, terms)
    assert read(f" {token}\n") == read(token)
    assert (read(token).id, read(token).is_digits) == (terms.id, False)
    assert read("483 920 170") == read("４８３９２０１７０")
    assert (read("483 920 170").id, read("483 920 170").is_digits) == (None, True)
    forged = read(token[:-4] + "AAAA")
    assert (forged.id, forged.is_digits) == (None, False)
    assert forged.sha256 != read(token).sha256
    with pytest.raises(ValueError, match="check digit"):
        read("483 920 171")
