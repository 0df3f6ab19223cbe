"""The command that a provider gives, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.kernel.problems import AppError
from app.services.idempotency import Answer, fingerprint
from app.services.identity.principals import Caller
from app.services.redemption.decisions import Asked
from app.services.rules.facts import Value

ROUTE = "POST /v1/redemptions"


@dataclass(frozen=True, slots=True)
class RedemptionRecord:
    """A redemption as it is read and shown. Amounts are fen."""

    region_code: str
    id: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str
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
    entry_id: str
    redeemed_at: datetime


@dataclass(frozen=True, slots=True)
class Redeem:
    """Draw on a voucher for a bill, in one step, once per key and once per order number."""

    caller: Caller
    provider_id: str
    region_code: str
    voucher_code: str
    order_no: str
    asked: Asked
    key: str
    render: Callable[[RedemptionRecord], Answer]
    render_refusal: Callable[[AppError], Answer | None]
    route: str = ROUTE

    @property
    def claim(self) -> Mapping[str, Value]:
        """What the provider states besides the bill."""
        return self.asked.claim

    @property
    def scope(self) -> tuple[str, str, str, str]:
        """Where the key is unique: region, principal, route, key."""
        return (self.region_code, self.caller.principal_id, self.route, self.key)

    @property
    def order(self) -> tuple[str, str, str]:
        """The order number's own scope: region, provider, number."""
        return (self.region_code, self.provider_id, self.order_no)

    def fingerprint(self) -> bytes:
        """SHA-256 of what is asked for, whatever the spelling of the request."""
        command: dict[str, Any] = {
            "voucher_code": self.voucher_code,
            "order_no": self.order_no,
            "bill": self.asked.bill.facts(),
            "expected_subsidy_fen": self.asked.expected_subsidy_fen,
        }
        if self.asked.claim:
            command["claim"] = dict(self.asked.claim)
        return fingerprint(self.route, command)
