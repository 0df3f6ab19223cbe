"""Invoices and contracts: their one identity, however they were typed, and what is wrong with one that has none.

An invoice of before (增值税发票) has a code of 10 or 12 digits and a number of 8; a fully digitalised one (数电票) has
a number of 20 digits and no code. So (code or nothing, number) is unique in the whole country. Fingerprints stand for
them where their numbers are nobody's business.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

from app.kernel.widths import half_width

CODE_LENGTHS = (10, 12)
"""Digits of the code of an invoice of before."""
NUMBER_LENGTH = 8
"""Digits of its number."""
DIGITAL_LENGTH = 20
"""Digits of the number of a 数电票."""

CODE_EXPECTED = "10 / 12"
NUMBER_EXPECTED = "8 / 20"

_SEPARATORS = re.compile(r"[\s\-]+")
_DASHES = re.compile(r"[‐-―−－_]")


class InvoiceError(ValueError):
    """Not an invoice: what is wrong with which field, and what it should be. `code` is published."""

    def __init__(self, code: str, field: str, *, expected: str, found: str) -> None:
        self.code, self.field, self.expected, self.found = code, field, expected, found
        super().__init__(f"{field}: {code}, expected {expected}, found {found}")


def parse_invoice(code: str | None, number: str) -> tuple[str, str]:
    """Code (or nothing) and number as digits, whatever width, spaces and hyphens they were typed with.

    Raises InvoiceError: a letter or an exponent is never guessed at, and a number of 8 digits needs its code.
    """
    read_code, read_number = _digits(code or "", "code"), _digits(number, "number")
    if len(read_number) == DIGITAL_LENGTH:
        if read_code:
            raise InvoiceError("digital_invoice_has_no_code", "code", expected="", found=read_code)
        return "", read_number
    if len(read_number) != NUMBER_LENGTH:
        found = str(len(read_number))
        raise InvoiceError("wrong_number_of_digits", "number", expected=NUMBER_EXPECTED, found=found)
    if not read_code:
        raise InvoiceError("invoice_code_missing", "code", expected=CODE_EXPECTED, found="0")
    if len(read_code) not in CODE_LENGTHS:
        raise InvoiceError("wrong_number_of_digits", "code", expected=CODE_EXPECTED, found=str(len(read_code)))
    return read_code, read_number


def invoice_fingerprint(code: str, number: str) -> str:
    """SHA-256 of an invoice's identity, 64 hexadecimal digits."""
    return _fingerprint("invoice", code, number)


def contract_fingerprint(number: str, *, firm_id: str, provider_id: str) -> str:
    """SHA-256 of a contract's identity: its number, evened out, and the two parties. Parties number as they like."""
    return _fingerprint("contract", comparable_number(number), firm_id, provider_id)


def comparable_number(number: str) -> str:
    """A contract's number for comparing: width, case, spaces and kinds of dashes make no difference."""
    even = _DASHES.sub("-", unicodedata.normalize("NFKC", number))
    return "".join(even.casefold().split())


def _digits(text: str, field: str) -> str:
    read = _SEPARATORS.sub("", half_width(text))
    if read and not (read.isascii() and read.isdigit()):
        raise InvoiceError("only_digits", field, expected="0-9", found=text[:40])
    return read


def _fingerprint(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()
