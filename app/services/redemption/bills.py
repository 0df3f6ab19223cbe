"""Bills: what a provider charges, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from app.kernel.clock import rfc3339
from app.kernel.rates import Rounding, parse_decimal, round_to
from app.services.evidence.accelerators import pflops_hours
from app.services.redemption.invoices import InvoiceLine
from app.services.rules.facts import Line, Value, plain_values, read_values

QUANTITY_DECIMALS = 6
UNIT_PRICE_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class BillLine:
    """One position of a bill. `amount_fen` counts and includes VAT; quantity and unit price explain it."""

    category: str
    quantity: str
    unit: str
    unit_price: str
    amount_fen: int
    used_from: datetime | None = None
    used_until: datetime | None = None
    provider_site: str | None = None
    usage_ref: str | None = None
    accelerator: str | None = None
    """The card, by its code in the published table; card-hours only."""
    pflops_hours: str | None = None
    """Its card-hours converted by the table of the day the bill came in; whoever writes a bill leaves it out."""
    invoice: InvoiceLine | None = None
    stated_facts: Mapping[str, Value] = field(default_factory=dict)
    """What the rules ask of the line besides, without `line.`."""

    def priced_fen(self) -> int:
        """Quantity times unit price (元), rounded half up to fen. Raises ValueError on a malformed decimal."""
        quantity = parse_decimal(self.quantity, max_decimals=QUANTITY_DECIMALS, max_digits=18)
        unit_price = parse_decimal(self.unit_price, max_decimals=UNIT_PRICE_DECIMALS, max_digits=18)
        return round_to(quantity * unit_price * 100, 1, Rounding.HALF_UP)

    def facts(self) -> dict[str, Any]:
        """The line as it was stated, as plain values. What came later is left out where it was not stated."""
        stated = {
            "category": self.category,
            "quantity": self.quantity,
            "unit": self.unit,
            "unit_price": self.unit_price,
            "amount_fen": self.amount_fen,
            "used_from": rfc3339(self.used_from) if self.used_from else None,
            "used_until": rfc3339(self.used_until) if self.used_until else None,
            "provider_site": self.provider_site,
            "usage_ref": self.usage_ref,
        }
        later = {
            "accelerator": self.accelerator,
            "invoice": self.invoice.facts() if self.invoice else None,
            "facts": plain_values(self.stated_facts) or None,
        }
        return stated | {name: value for name, value in later.items() if value is not None}

    def stored(self) -> dict[str, Any]:
        """The line as it is stored: with what its card-hours came to, so that a later table changes nothing."""
        return self.facts() if self.pflops_hours is None else self.facts() | {"pflops_hours": self.pflops_hours}


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill: the total is the sum of its lines."""

    total_fen: int
    lines: tuple[BillLine, ...]
    tax_rate: str | None = None

    @property
    def names_invoices(self) -> bool:
        """Whether any of its lines is billed on an invoice line."""
        return any(line.invoice is not None for line in self.lines)

    @property
    def names_parties(self) -> bool:
        """Whether any of its invoices tells its seller or its buyer."""
        return any(line.invoice is not None and (line.invoice.seller or line.invoice.buyer) for line in self.lines)

    def facts(self) -> dict[str, Any]:
        """The bill as it was stated, as plain values: what makes two commands the same."""
        return self._with([line.facts() for line in self.lines])

    def stored(self) -> dict[str, Any]:
        """The bill as it is stored and hashed."""
        return self._with([line.stored() for line in self.lines])

    def _with(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        return {"total_fen": self.total_fen, "tax_rate": self.tax_rate, "lines": lines}

    def converted(self) -> Bill:
        """The bill with the card-hours of each named card converted by the published table.

        Raises `accelerator_not_known`, with a pointer into a request that has the bill as `bill`.
        """
        return replace(self, lines=tuple(_converted(line, place) for place, line in enumerate(self.lines)))

    def assessed_lines(self) -> list[Line]:
        """What the rules look at."""
        return [
            Line(
                category=line.category,
                amount_fen=line.amount_fen,
                quantity=line.quantity,
                unit=line.unit,
                unit_price=line.unit_price,
                tax_rate=self.tax_rate,
                used_from=line.used_from,
                used_until=line.used_until,
                provider_site=line.provider_site,
                accelerator=line.accelerator,
                facts=line.stated_facts,
            )
            for line in self.lines
        ]


def _converted(line: BillLine, place: int) -> BillLine:
    if line.accelerator is None:
        return line
    card_hours = parse_decimal(line.quantity, max_decimals=QUANTITY_DECIMALS, max_digits=18)
    pointer = f"/bill/lines/{place}/accelerator"
    return replace(line, pflops_hours=pflops_hours(card_hours, line.accelerator, pointer=pointer))


def bill_of_facts(bill: Mapping[str, Any], refunded_fen: Mapping[int, int]) -> Bill:
    """A stored bill, less what was refunded of each line (number from 1 → fen), its quantity in proportion.

    A quantity may then be a fraction such as `40/3`; nobody prices these lines again.
    """
    lines = tuple(
        _line_of_facts(line, refunded_fen.get(number, 0)) for number, line in enumerate(bill["lines"], start=1)
    )
    return Bill(sum(line.amount_fen for line in lines), lines, bill["tax_rate"])


def _line_of_facts(line: Mapping[str, Any], refunded_fen: int) -> BillLine:
    used = {name: datetime.fromisoformat(line[name]) if line[name] else None for name in ("used_from", "used_until")}
    left_fen = line["amount_fen"] - refunded_fen
    counted = [name for name in ("quantity", "pflops_hours") if refunded_fen and line.get(name) is not None]
    share = {name: str(Fraction(line[name]) * left_fen / line["amount_fen"]) for name in counted}
    invoice = InvoiceLine.read(line["invoice"]) if "invoice" in line else None
    stated = {name: value for name, value in line.items() if name != "facts"}
    facts = read_values(line.get("facts", {}))
    return BillLine(**stated | used | share | {"amount_fen": left_fen, "invoice": invoice, "stated_facts": facts})
