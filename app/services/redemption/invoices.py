"""The line of an invoice that a line of a bill is billed on, and whether it can be. Pure: what is wrong is a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from typing import Any

from app.kernel.invoices import invoice_fingerprint


@dataclass(frozen=True)
class InvoiceLine:
    """Code and number as digits, the code empty for a 数电票. `amount_fen` is the line's with VAT."""

    number: str
    line_no: int
    amount_fen: int
    code: str = ""
    net_fen: int | None = None
    tax_fen: int | None = None
    issued_on: date | None = None
    seller: str | None = None
    """USCC."""
    buyer: str | None = None

    @cached_property
    def key(self) -> tuple[str, int]:
        """Its fingerprint, and the line."""
        return invoice_fingerprint(self.code, self.number), self.line_no

    def facts(self) -> dict[str, Any]:
        """As plain values. What was not stated is left out."""
        values = asdict(self) | {"issued_on": self.issued_on.isoformat() if self.issued_on else None}
        return {name: value for name, value in values.items() if value not in {None, ""}}

    @staticmethod
    def read(facts: Mapping[str, Any]) -> InvoiceLine:
        """What `facts()` wrote."""
        issued_on = facts.get("issued_on")
        return InvoiceLine(**dict(facts) | {"issued_on": date.fromisoformat(issued_on) if issued_on else None})


@dataclass(frozen=True, slots=True)
class Overbilled:
    """A bill's lines that do not fit on an invoice line: the place of the one (from 0) with which they do not."""

    place: int
    code: str
    member: str
    limit: int
    actual: int


def overbilled(lines: Sequence[tuple[int, InvoiceLine | None]]) -> Iterator[Overbilled]:
    """Where a bill says two amounts of one invoice line, or bills more on it than that. `lines` are with their fen."""
    amounts: dict[tuple[str, int], int] = {}
    billed: dict[tuple[str, int], int] = {}
    for place, (amount_fen, invoice) in enumerate(lines):
        if invoice is None:
            continue
        whole_fen = amounts.setdefault(invoice.key, invoice.amount_fen)
        billed[invoice.key] = billed.get(invoice.key, 0) + amount_fen
        if invoice.amount_fen != whole_fen:
            member = "invoice/amount_fen"
            yield Overbilled(place, "invoice_amount_differs", member, whole_fen, invoice.amount_fen)
        elif billed[invoice.key] > whole_fen:
            yield Overbilled(place, "beyond_the_invoice_line", "amount_fen", whole_fen, billed[invoice.key])
