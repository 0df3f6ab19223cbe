"""Invoices and contracts have one identity, however they were typed."""

from __future__ import annotations

import pytest

from app.kernel.invoices import InvoiceError, contract_fingerprint, invoice_fingerprint, parse_invoice

DIGITAL = "25332000000012345678"


@pytest.mark.parametrize(
    ("code", "number", "read"),
    [
        (None, DIGITAL, ("", DIGITAL)),
        ("", " 2533 2000 0000 1234 5678 ", ("", DIGITAL)),
        ("  ", "２５３３２０００００００１２３４５６７８", ("", DIGITAL)),
        ("033002100111", "12345678", ("033002100111", "12345678")),
        ("０３３００２１００１１１", "1234-5678", ("033002100111", "12345678")),
        ("3300211130", "00000012", ("3300211130", "00000012")),
    ],
)
def test_an_invoice_is_read_however_it_was_typed(code: str | None, number: str, read: tuple[str, str]) -> None:
    assert parse_invoice(code, number) == read


@pytest.mark.parametrize(
    ("code", "number", "wrong"),
    [
        ("033002100111", DIGITAL, ("digital_invoice_has_no_code", "code")),
        (None, "12345678", ("invoice_code_missing", "code")),
        ("03300210011", "12345678", ("wrong_number_of_digits", "code")),
        ("033002100111", "1234567", ("wrong_number_of_digits", "number")),
        (None, "", ("wrong_number_of_digits", "number")),
        (None, "2.5332E+19", ("only_digits", "number")),
        (None, "2533200000001234567O", ("only_digits", "number")),
        ("03300210011①", "12345678", ("only_digits", "code")),
    ],
)
def test_what_is_no_invoice_says_where_and_why(code: str | None, number: str, wrong: tuple[str, str]) -> None:
    with pytest.raises(InvoiceError) as caught:
        parse_invoice(code, number)
    assert (caught.value.code, caught.value.field) == wrong


def test_a_fingerprint_shows_no_number_and_tells_invoices_apart() -> None:
    one = invoice_fingerprint("", DIGITAL)
    assert len(one) == 64
    assert DIGITAL not in one
    assert one != invoice_fingerprint("", DIGITAL[:-1] + "9")
    assert invoice_fingerprint("3300211130", "12345678") != invoice_fingerprint("", "330021113012345678")


@pytest.mark.parametrize("same", ["HT-2026-001", "ht－2026－001", " HT—2026—001", "ＨＴ-2026-001"])
def test_a_contract_is_known_by_its_number_and_both_parties(same: str) -> None:
    one = contract_fingerprint("HT-2026-001", firm_id="org_a", provider_id="org_b")
    assert contract_fingerprint(same, firm_id="org_a", provider_id="org_b") == one
    assert contract_fingerprint(same, firm_id="org_b", provider_id="org_a") != one
    assert contract_fingerprint("HT-2026-002", firm_id="org_a", provider_id="org_b") != one
