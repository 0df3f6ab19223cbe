"""Encrypted values: what was written is read again where it stands, and nowhere else."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.encrypted_fields import (
    FieldPlace,
    FieldUnreadable,
    decrypt,
    encrypt,
    key_name_of,
    normalised,
    search_tag,
)

KEY = bytes(range(32))
NONCE = bytes(range(12))
PLACE = FieldPlace("payee_accounts", "account_no", ("330100", "pac_330100_1"))


def stored(value: str) -> str:
    return encrypt(value, key=KEY, key_name="k1", nonce=NONCE, place=PLACE)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_encrypted_is_read_again(value: str) -> None:
    assert decrypt(stored(value), key=KEY, place=PLACE) == value


def test_a_stored_value_names_its_key_and_holds_nonce_ciphertext_and_sixteen_bytes_of_tag() -> None:
    kept = stored("6222021234567890")
    form, name, rest = kept.split(".")
    assert (form, name, key_name_of(kept)) == ("f1", "k1", "k1")
    raw = urlsafe_b64decode(rest + "=" * (-len(rest) % 4))
    assert raw[:12] == NONCE and len(raw) == 12 + 16 + 16
    assert "6222" not in kept and b"6222" not in raw


@pytest.mark.parametrize(
    "elsewhere",
    [
        FieldPlace("payee_accounts", "account_no", ("330100", "pac_330100_2")),
        FieldPlace("payee_accounts", "account_no", ("330200", "pac_330100_1")),
        FieldPlace("payee_accounts", "bank_name", ("330100", "pac_330100_1")),
        FieldPlace("other", "account_no", ("330100", "pac_330100_1")),
        FieldPlace("payee_accounts", "account_no", ("330100pac_330100_1",)),
    ],
)
def test_a_value_is_refused_where_it_was_not_written(elsewhere: FieldPlace) -> None:
    with pytest.raises(FieldUnreadable):
        decrypt(stored("6222021234567890"), key=KEY, place=elsewhere)


@pytest.mark.parametrize("place", range(6, 60, 7))
def test_a_value_with_one_character_altered_is_refused(place: int) -> None:
    kept = stored("6222021234567890")
    altered = kept[:place] + ("A" if kept[place] != "A" else "B") + kept[place + 1 :]
    with pytest.raises(FieldUnreadable):
        decrypt(altered, key=KEY, place=PLACE)


def test_another_key_does_not_read_it() -> None:
    with pytest.raises(FieldUnreadable):
        decrypt(stored("x"), key=bytes(32), place=PLACE)


@pytest.mark.parametrize(
    "text", ["6222021234567890", "", "f1.k1.", "f1.k1.A", "f2.k1.AAAA", "f1.a/../b.AAAA", "f1.k.A="]
)
def test_what_is_no_encrypted_value_is_not_read_as_one(text: str) -> None:
    with pytest.raises(FieldUnreadable):
        decrypt(text, key=KEY, place=PLACE)


def test_a_tag_is_the_hmac_of_column_and_normalised_value() -> None:
    expected = hmac.new(KEY, b'["objection_contacts","contact","13800138000"]', sha256).digest()
    assert search_tag("138 0013-8000", key=KEY, table="objection_contacts", column="contact") == expected
    assert search_tag("13800138000", key=KEY, table="objection_contacts", column="name") != expected
    assert search_tag("13800138000", key=bytes(32), table="objection_contacts", column="contact") != expected


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("１３８ 0013 8000", "13800138000"),
        ("A-b（c）", "abc"),
        ("张　三", "张三"),
        ("MAIL@Example.CN", "mail@example.cn"),
    ],
)
def test_spellings_of_one_value_are_one(written: str, same: str) -> None:
    assert normalised(written) == same
