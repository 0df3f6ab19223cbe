"""Paying providers, getting money back, closing a year, and the figures of it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.client.models import (
    AccountNoRead,
    AccountSearch,
    BounceBody,
    ConfirmBody,
    DisclosureRead,
    ExecutionRead,
    PayeeAccountBody,
    PayeeAccountProposed,
    PaymentAccountRead,
    PaymentOrderCreate,
    PaymentOrderProposed,
    PaymentOrderRead,
    PaymentOrderStatus,
    ReceiveBody,
    ReceivedTogether,
    ReceiveTogetherBody,
    RecoveryRead,
    RecoveryStatus,
    YearCloseBody,
    YearCloseProposed,
    YearCloseRead,
)
from app.client.wire import Wire


class PaymentOrders:
    """`/v1/payment-orders`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self, *, status: PaymentOrderStatus | None = None, payee_id: str | None = None
    ) -> Iterator[PaymentOrderRead]:
        """Orders within reach, newest first."""
        return self._wire.each("/v1/payment-orders", PaymentOrderRead, status=status, payee_id=payee_id)

    def get(self, order_id: str) -> PaymentOrderRead:
        """One, with its items."""
        return self._wire.fetch(f"/v1/payment-orders/{order_id}", PaymentOrderRead)

    def create(self, body: PaymentOrderCreate, *, key: str | None = None) -> PaymentOrderProposed:
        """Ask another person of finance to order a payment."""
        return self._wire.act("/v1/payment-orders", PaymentOrderProposed, body, key=key)

    def confirm(self, order_id: str, body: ConfirmBody, *, key: str | None = None) -> PaymentOrderRead:
        """Write down that the bank paid."""
        return self._wire.act(f"/v1/payment-orders/{order_id}/confirm", PaymentOrderRead, body, key=key)

    def bounce(self, order_id: str, body: BounceBody, *, key: str | None = None) -> PaymentOrderRead:
        """Write down that the bank sent money back."""
        return self._wire.act(f"/v1/payment-orders/{order_id}/bounce", PaymentOrderRead, body, key=key)


class PayeeAccounts:
    """`/v1/payee-accounts`: where providers are paid."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, payee_id: str | None = None) -> Iterator[PaymentAccountRead]:
        """Accounts within reach, newest first, their numbers masked."""
        return self._wire.each("/v1/payee-accounts", PaymentAccountRead, payee_id=payee_id)

    def propose(self, body: PayeeAccountBody) -> PayeeAccountProposed:
        """Ask a second person to let a payee be paid there."""
        return self._wire.change("POST", "/v1/payee-accounts", PayeeAccountProposed, body)

    def number(self, account_id: str, *, purpose: str) -> AccountNoRead:
        """The whole number of one; that you read it, and what for, is written down."""
        return self._wire.fetch(f"/v1/payee-accounts/{account_id}/number", AccountNoRead, purpose=purpose)

    def search(self, body: AccountSearch) -> Sequence[PaymentAccountRead]:
        """Those with exactly this number; that you searched is written down."""
        return self._wire.change("POST", "/v1/payee-accounts/search", tuple[PaymentAccountRead, ...], body)


class Recoveries:
    """`/v1/recoveries`: what is to be paid back."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, status: RecoveryStatus | None = None) -> Iterator[RecoveryRead]:
        """Recoveries within reach, newest first."""
        return self._wire.each("/v1/recoveries", RecoveryRead, status=status)

    def get(self, recovery_id: str) -> RecoveryRead:
        """One."""
        return self._wire.fetch(f"/v1/recoveries/{recovery_id}", RecoveryRead)

    def receive(self, recovery_id: str, body: ReceiveBody, *, key: str | None = None) -> RecoveryRead:
        """Write down that it was paid back."""
        return self._wire.act(f"/v1/recoveries/{recovery_id}/receive", RecoveryRead, body, key=key)

    def receive_together(self, body: ReceiveTogetherBody, *, key: str | None = None) -> ReceivedTogether:
        """Write down one transfer that paid several back."""
        return self._wire.act("/v1/recoveries:receive", ReceivedTogether, body, key=key)


class YearCloses:
    """`/v1/year-closes`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, programme_id: str | None = None) -> Iterator[YearCloseRead]:
        """Closed years within reach, newest first."""
        return self._wire.each("/v1/year-closes", YearCloseRead, programme_id=programme_id)

    def get(self, year_close_id: str) -> YearCloseRead:
        """One, and what it did."""
        return self._wire.fetch(f"/v1/year-closes/{year_close_id}", YearCloseRead)

    def propose(self, body: YearCloseBody, *, key: str | None = None) -> YearCloseProposed:
        """Ask another person of finance to close a programme's year, or only say what that would do."""
        return self._wire.act("/v1/year-closes", YearCloseProposed, body, key=key)


class Reports:
    """`/v1/reports`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def execution(
        self,
        *,
        fiscal_year: int | None = None,
        programme_id: str | None = None,
        as_of: str | None = None,
        group_by: Sequence[str] | None = None,
        forecast: bool | None = None,
    ) -> ExecutionRead:
        """Where the money of every pool within reach stands. 预算执行"""
        query = {"fiscal_year": fiscal_year, "programme_id": programme_id, "as_of": as_of}
        return self._wire.fetch("/v1/reports/execution", ExecutionRead, **query, group_by=group_by, forecast=forecast)

    def disclosure(self, *, region_code: str | None = None, fiscal_year: int | None = None) -> DisclosureRead:
        """What each programme has issued and redeemed, totals without names: everybody may read it."""
        query = {"region_code": region_code, "fiscal_year": fiscal_year}
        return self._wire.fetch("/v1/reports/disclosure", DisclosureRead, **query)
