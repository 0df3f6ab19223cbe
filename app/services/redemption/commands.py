"""The commands that a provider gives, and what it gets back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from app.kernel.clock import rfc3339
from app.kernel.ids import Prefix
from app.kernel.problems import AppError, Code
from app.services.idempotency import Answer, fingerprint
from app.services.identity.principals import Caller
from app.services.redemption.decisions import Asked
from app.services.redemption.payment_codes import PaymentCodeGiven
from app.services.rules.facts import Value
from app.services.sealing.receipts import RecordedLeaf

REDEEM_ROUTE = "POST /v1/redemptions"
HOLD_ROUTE = "POST /v1/holds"

POINTERS: Mapping[Code, str] = {
    Code.ORDER_NO_ALREADY_USED: "/order_no",
    Code.HOLD_NO_ALREADY_USED: "/hold_no",
    Code.SUBSIDY_CHANGED: "/expected_subsidy_fen",
    Code.CONSENT_MISSING: "/payment_code",
    Code.PAYMENT_CODE_INVALID: "/payment_code",
    Code.PAYMENT_CODE_EXPIRED: "/payment_code",
    Code.PAYMENT_CODE_USED: "/payment_code",
    Code.PAYMENT_CODE_EXCEEDED: "/bill/total_fen",
    Code.MANDATE_EXCEEDED: "/bill/total_fen",
    Code.INSUFFICIENT_BALANCE: "/bill/total_fen",
    Code.BELOW_MINIMUM: "/bill/total_fen",
    Code.CAP_FIRM_PERIOD: "/bill/total_fen",
    Code.BUDGET_EXHAUSTED: "/bill/total_fen",
    Code.CATEGORY_NOT_COVERED: "/bill/lines",
    Code.NOT_ELIGIBLE: "/bill",
}
"""Where in a command's request lies what a refusal is about; all others are about the voucher or the hold."""


@dataclass(frozen=True, slots=True)
class RedemptionRecord:
    """A redemption as it is read and shown. Amounts are fen.

    One from a hold has its number there; it may draw nothing, and has no entry where nothing moved.
    """

    region_code: str
    id: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str | None
    payment_code_id: str | None
    hold_id: str | None
    part_no: int | None
    order_no: str
    rule_version_id: str
    bill_total_fen: int
    subsidy_fen: int
    firm_pays_fen: int
    refunded_fen: int
    bill_refunded_fen: int
    status: str
    facts: str
    trace: str
    entry_id: str | None
    redeemed_at: datetime
    leaf: RecordedLeaf | None = None
    """Of its entry, for the receipt."""
    recovered_fen: int = 0


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """A hold as it is read and shown. Amounts are fen; `status` as stored, `frozen_at` since when its clock stands."""

    region_code: str
    id: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str | None
    payment_code_id: str | None
    hold_no: str
    rule_version_id: str
    bill_total_fen: int
    amount_fen: int
    held_fen: int
    redeemed_fen: int
    released_fen: int
    status: str
    facts: str
    trace: str
    entry_id: str
    held_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    frozen_at: datetime | None
    leaf: RecordedLeaf | None = None
    """Of its entry, for the receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(ABC):
    """What a provider asks the desk to do for a bill, once per key and once per number of its own."""

    PREFIX: ClassVar[Prefix]
    """Of the id of what comes out."""

    caller: Caller
    provider_id: str
    region_code: str
    asked: Asked
    key: str
    route: str
    render_refusal: Callable[[AppError], Answer | None]
    payment_code: PaymentCodeGiven | None = None

    @property
    def claim(self) -> Mapping[str, Value]:
        """What the provider states besides the bill."""
        return self.asked.claim

    @property
    def scope(self) -> tuple[str, str, str, str]:
        """Where the key is unique: region, principal, route, key."""
        return (self.region_code, self.caller.principal_id, self.route, self.key)

    @property
    def number_scope(self) -> tuple[str, str, str]:
        """Where the provider's own number is unique: region, provider, number."""
        return (self.region_code, self.provider_id, self.number)

    def pointer_of(self, code: Code) -> str:
        """Where in the request lies what a refusal is about."""
        return POINTERS.get(code, "/voucher_code")

    @property
    @abstractmethod
    def about(self) -> tuple[str, str]:
        """What it draws on, as the request names it: region, and the voucher's code or the hold's id."""

    @property
    @abstractmethod
    def number(self) -> str:
        """The provider's own number, taken once for ever."""

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """What is asked for, besides the bill, as plain values."""

    def fingerprint(self) -> bytes:
        """SHA-256 of what is asked for, whatever the spelling of the request."""
        asked = {"bill": self.asked.bill.facts(), "expected_subsidy_fen": self.asked.expected_subsidy_fen}
        command = self.told() | asked
        if self.payment_code is not None:
            command["payment_code"] = self.payment_code.sha256
        if self.asked.claim:
            command["claim"] = dict(self.asked.claim)
        return fingerprint(self.route, command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem(Command):
    """Draw on a voucher for a bill: in one step by its code, or from a hold, whose rest `final` gives back."""

    PREFIX: ClassVar[Prefix] = Prefix.REDEMPTION

    voucher_code: str | None
    hold_id: str | None = None
    final: bool = False
    order_no: str
    render: Callable[[RedemptionRecord], Answer]
    route: str = REDEEM_ROUTE

    def pointer_of(self, code: Code) -> str:
        return POINTERS.get(code, "/voucher_code" if self.hold_id is None else "/hold_id")

    @property
    def about(self) -> tuple[str, str]:
        return (self.region_code, self.hold_id or self.voucher_code or "")

    @property
    def number(self) -> str:
        return self.order_no

    def told(self) -> dict[str, Any]:
        if self.hold_id is not None:
            return {"hold_id": self.hold_id, "final": self.final, "order_no": self.order_no}
        return {"voucher_code": self.voucher_code, "order_no": self.order_no}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(Command):
    """Reserve what a bill to come will draw on a voucher, until an instant."""

    PREFIX: ClassVar[Prefix] = Prefix.HOLD

    voucher_code: str
    hold_no: str
    expires_at: datetime | None = None
    render: Callable[[HoldRecord], Answer]
    route: str = HOLD_ROUTE

    @property
    def about(self) -> tuple[str, str]:
        return (self.region_code, self.voucher_code)

    @property
    def number(self) -> str:
        return self.hold_no

    def told(self) -> dict[str, Any]:
        until = rfc3339(self.expires_at) if self.expires_at else None
        return {"voucher_code": self.voucher_code, "hold_no": self.hold_no, "expires_at": until}
