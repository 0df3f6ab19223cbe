"""Bills as they are sent: lines whose amounts their quantities and prices explain, and what goes with them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.api.fields import BilledFen, Day, Fen, Instant, Printable, Reference, Wire, wrong
from app.kernel.clock import rfc3339
from app.kernel.codes import parse_code
from app.kernel.invoices import InvoiceError, parse_invoice
from app.kernel.rates import parse_decimal, parse_rate
from app.kernel.uscc import UsccError, parse_uscc
from app.services.evidence.accelerators import CARD_HOUR
from app.services.redemption.bills import QUANTITY_DECIMALS, UNIT_PRICE_DECIMALS, Bill, BillLine
from app.services.redemption.invoices import InvoiceLine, overbilled
from app.services.rules.stated import Values

MAX_DIGITS = 18
_SHARE: dict[str, JsonValue] = {"pattern": r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"}


def _form(decimals: int) -> dict[str, JsonValue]:
    """What the contract says of a number whose digits are counted here, with a sentence for whoever wrote more."""
    return {"pattern": rf"^(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})(\.[0-9]{{1,{decimals}}})?$"}


def _quantity(text: str) -> str:
    parse_decimal(text, max_decimals=QUANTITY_DECIMALS, max_digits=MAX_DIGITS)
    return text


def _unit_price(text: str) -> str:
    parse_decimal(text, max_decimals=UNIT_PRICE_DECIMALS, max_digits=MAX_DIGITS)
    return text


def _tax_rate(text: str) -> str:
    parse_rate(text)
    return text


def _voucher_code(text: str) -> str:
    return parse_code(text)


VoucherCode = Annotated[
    str,
    StringConstraints(min_length=18, max_length=40),
    AfterValidator(_voucher_code),
    Field(examples=["330100-7K2M-9QXA-4TZ8"], description="As printed; case and separators do not matter."),
]
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Unit = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), Printable]


InvoiceDigits = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), Printable]


def _uscc(text: str) -> str:
    try:
        return parse_uscc(text)
    except UsccError as error:
        raise PydanticCustomError("not_a_uscc", "{why}", {"why": str(error)}) from error


Uscc = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), Printable, AfterValidator(_uscc)
]


class InvoiceNumbers(Wire):
    """An invoice by its numbers: width, spaces and hyphens do not matter."""

    code: Annotated[
        InvoiceDigits | None,
        Field(description="10 or 12 digits of an invoice of before; a 数电票 has none.", examples=["033002100111"]),
    ] = None
    number: Annotated[
        InvoiceDigits, Field(description="8 digits, or the 20 of a 数电票.", examples=["25332000000012345678"])
    ]

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        self.read()
        return self

    def read(self) -> tuple[str, str]:
        """Code, or nothing, and number."""
        try:
            return parse_invoice(self.code, self.number)
        except InvoiceError as error:
            raise wrong(error.code, error.field, limit=error.expected, actual=error.found) from error


class InvoiceLineBody(InvoiceNumbers):
    """The line of an invoice that a line of a bill is billed on. What of it was subsidised before counts no more."""

    line_no: Annotated[int, Field(strict=True, ge=1, le=9999, description="Its line, from 1.")]
    amount_fen: Annotated[BilledFen, Field(description="Of the whole line of the invoice, VAT included.")]
    net_fen: Annotated[Fen | None, Field(description="The same without VAT; with tax_fen.")] = None
    tax_fen: Annotated[Fen | None, Field(description="Its VAT; both together are amount_fen.")] = None
    issued_on: Day | None = None
    seller: Annotated[Uscc | None, Field(description="统一社会信用代码 of the seller: you.")] = None
    buyer: Annotated[Uscc | None, Field(description="统一社会信用代码 of the buyer: the voucher's holder.")] = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if (self.net_fen is None) != (self.tax_fen is None):
            missing = "net_fen" if self.net_fen is None else "tax_fen"
            raise wrong("goes_with_the_other", missing, limit="net_fen, tax_fen", actual="")
        if self.net_fen is not None and self.tax_fen is not None and self.net_fen + self.tax_fen != self.amount_fen:
            both_fen = self.net_fen + self.tax_fen
            raise wrong("net_and_tax_do_not_add_up", "amount_fen", limit=both_fen, actual=self.amount_fen)
        return self

    def line(self) -> InvoiceLine:
        """The line as the domain's value."""
        code, number = self.read()
        return InvoiceLine(**self.__dict__ | {"code": code, "number": number})


class BillLineBody(Wire):
    """One line of a bill. `amount_fen` counts and includes VAT; quantity × unit price must explain it."""

    category: Category
    quantity: Annotated[
        str, AfterValidator(_quantity), Field(examples=["12.5"], json_schema_extra=_form(QUANTITY_DECIMALS))
    ]
    unit: Annotated[Unit, Field(examples=["card_hour"])]
    unit_price: Annotated[
        str,
        AfterValidator(_unit_price),
        Field(description="元", examples=["38.50"], json_schema_extra=_form(UNIT_PRICE_DECIMALS)),
    ]
    amount_fen: BilledFen
    used_from: Instant | None = None
    used_until: Instant | None = None
    provider_site: Word | None = None
    usage_ref: Annotated[
        Reference | None,
        Field(
            description="Your job or metering number; each is billed once. One job billed in parts has one for each."
        ),
    ] = None
    accelerator: Annotated[
        Category | None,
        Field(
            description="With card_hour: the card, a code of GET /v1/accelerators. The answer has its PFLOPS·hours.",
            examples=["ascend_910b3"],
        ),
    ] = None
    invoice: InvoiceLineBody | None = None
    facts: Annotated[
        Values,
        Field(description="Facts of this line that the rules ask the claimant for, such as model_filed."),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _explained(self) -> BillLineBody:
        priced_fen = self.line().priced_fen()
        if abs(priced_fen - self.amount_fen) > 1:
            raise wrong("amount_not_explained", "amount_fen", limit=priced_fen, actual=self.amount_fen)
        if self.used_from and self.used_until and self.used_from > self.used_until:
            limit, actual = rfc3339(self.used_from), rfc3339(self.used_until)
            raise wrong("ends_before_it_begins", "used_until", limit=limit, actual=actual)
        if self.accelerator is not None and self.unit != CARD_HOUR:
            raise wrong("only_for_card_hours", "accelerator", limit=CARD_HOUR, actual=self.unit)
        return self

    def line(self) -> BillLine:
        """The line as the domain's value."""
        given = dict(self.__dict__)
        facts = given.pop("facts")
        if self.invoice is not None:
            given["invoice"] = self.invoice.line()
        return BillLine(**given, stated_facts=facts) if facts else BillLine(**given)


class BillBody(Wire):
    """A bill: `total_fen` is the sum of its lines."""

    total_fen: BilledFen
    tax_rate: Annotated[str, AfterValidator(_tax_rate), Field(examples=["0.06"], json_schema_extra=_SHARE)] | None = (
        None
    )
    lines: Annotated[list[BillLineBody], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _total_is_sum(self) -> BillBody:
        sum_fen = sum(line.amount_fen for line in self.lines)
        if sum_fen != self.total_fen:
            raise wrong("lines_do_not_add_up", "total_fen", limit=sum_fen, actual=self.total_fen)
        if any(line.invoice is not None for line in self.lines):
            on_invoices = [(line.amount_fen, line.invoice.line() if line.invoice else None) for line in self.lines]
            for one in overbilled(on_invoices):
                raise wrong(one.code, f"lines/{one.place}/{one.member}", limit=one.limit, actual=one.actual)
        return self

    def bill(self) -> Bill:
        """The bill as the domain's value, its card-hours converted. Raises `accelerator_not_known`."""
        return Bill(self.total_fen, tuple(line.line() for line in self.lines), self.tax_rate).converted()
