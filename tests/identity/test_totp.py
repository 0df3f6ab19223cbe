"""Codes of an authenticator: the values of RFC 6238, drift, and that each counts once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from app.services.identity.totp import (
    code_of,
    counting_step,
    grouped,
    is_totp,
    new_recovery_codes,
    new_secret,
    normalised,
    provisioning_uri,
    recovery_code,
    step_of,
)

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, SHA-1, the last six of its eight digits."""
    assert code_of(RFC_SECRET, step_of(at(seconds))) == code
    assert counting_step(RFC_SECRET, code, at=at(seconds), after=None) == seconds // 30


@pytest.mark.parametrize(
    ("late_s", "counts"),
    [(-61, False), (-31, False), (-30, True), (0, True), (29, True), (30, True), (59, True), (60, False)],
)
def test_a_clock_may_be_one_step_off(late_s: int, *, counts: bool) -> None:
    step = 41_152_263
    code = code_of(RFC_SECRET, step)
    assert (counting_step(RFC_SECRET, code, at=at(step * 30 + late_s), after=None) == step) is counts


def test_a_code_counts_once_and_so_does_every_earlier_one() -> None:
    step = 41_152_263
    now = at(step * 30)
    assert counting_step(RFC_SECRET, code_of(RFC_SECRET, step), at=now, after=step) is None
    assert counting_step(RFC_SECRET, code_of(RFC_SECRET, step - 1), at=now, after=step) is None
    assert counting_step(RFC_SECRET, code_of(RFC_SECRET, step + 1), at=now, after=step) == step + 1


def test_codes_are_read_as_people_type_them() -> None:
    assert normalised(" １２３ 456 ") == "123456"
    assert is_totp(normalised("123-456"))
    assert not is_totp("12345") and not is_totp("1234567") and not is_totp("٣٤٥٦٧٨")
    [code, *_] = new_recovery_codes()
    assert recovery_code(code.upper().replace("0", "O").replace("1", "I")) == code.replace("-", "")


def test_secrets_and_recovery_codes_are_long_and_never_the_same() -> None:
    secret = new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert grouped("ABCDEFGH") == "ABCD EFGH"
    codes = {code for _ in range(20) for code in new_recovery_codes()}
    assert len(codes) == 200
    assert {len(recovery_code(code)) for code in codes} == {16}


def test_the_uri_names_issuer_and_login() -> None:
    uri = provisioning_uri(RFC_SECRET, login="maker.hangzhou", issuer="惠企券")
    assert uri.startswith("otpauth://totp/%E6%83%A0%E4%BC%81%E5%88%B8:maker.hangzhou?")
    assert f"secret={RFC_SECRET}" in uri
