"""What providers do: reserve, redeem, refund."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.client.models import (
    AssessmentRead,
    EventPage,
    HoldCreate,
    HoldExtend,
    HoldRead,
    HoldStatus,
    InvoiceNumbers,
    RedemptionBatchCreate,
    RedemptionBatchRead,
    RedemptionCreate,
    RedemptionRead,
    RedLetterRead,
    RefundCreate,
    RefundCreated,
    RefundRead,
)
from app.client.wire import PAGE, Wire


class Redemptions:
    """`/v1/redemptions`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self, *, order_no: str | None = None, voucher_id: str | None = None, hold_id: str | None = None
    ) -> Iterator[RedemptionRead]:
        """Redemptions within reach, newest first."""
        query = {"order_no": order_no, "voucher_id": voucher_id, "hold_id": hold_id}
        return self._wire.each("/v1/redemptions", RedemptionRead, **query)

    def get(self, redemption_id: str) -> RedemptionRead:
        """One, with its trace and receipt."""
        return self._wire.fetch(f"/v1/redemptions/{redemption_id}", RedemptionRead)

    def create(self, body: RedemptionCreate, *, key: str | None = None) -> RedemptionRead:
        """Redeem part of a voucher, in one step or from a hold."""
        return self._wire.act("/v1/redemptions", RedemptionRead, body, key=key)

    def create_many(self, body: RedemptionBatchCreate, *, key: str | None = None) -> RedemptionBatchRead:
        """Up to 1,000, each judged alone; the answer has a status for each."""
        return self._wire.act("/v1/redemptions:batch", RedemptionBatchRead, body, key=key)

    def assessment(self, redemption_id: str) -> AssessmentRead:
        """All from which its subsidy was computed, to compute it again."""
        return self._wire.fetch(f"/v1/redemptions/{redemption_id}/assessment", AssessmentRead)

    def refund(self, redemption_id: str, body: RefundCreate, *, key: str | None = None) -> RefundCreated:
        """Cancel part of its bill."""
        return self._wire.act(f"/v1/redemptions/{redemption_id}/refunds", RefundCreated, body, key=key)

    def refunds(self, redemption_id: str) -> Sequence[RefundRead]:
        """What was cancelled of it."""
        return self._wire.fetch(f"/v1/redemptions/{redemption_id}/refunds", list[RefundRead])

    def red_letter(
        self, redemption_id: str, refund_id: str, body: InvoiceNumbers, *, key: str | None = None
    ) -> RedLetterRead:
        """Write down the red-letter invoice of a refund that was made before it was there. 红字发票"""
        path = f"/v1/redemptions/{redemption_id}/refunds/{refund_id}/red-letter"
        return self._wire.act(path, RedLetterRead, body, key=key)


class Holds:
    """`/v1/holds`: part of a voucher, reserved before work."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self, *, hold_no: str | None = None, voucher_id: str | None = None, status: HoldStatus | None = None
    ) -> Iterator[HoldRead]:
        """Holds within reach, newest first."""
        return self._wire.each("/v1/holds", HoldRead, hold_no=hold_no, voucher_id=voucher_id, status=status)

    def get(self, hold_id: str) -> HoldRead:
        """One."""
        return self._wire.fetch(f"/v1/holds/{hold_id}", HoldRead)

    def create(self, body: HoldCreate, *, key: str | None = None) -> HoldRead:
        """Reserve what a bill to come will draw."""
        return self._wire.act("/v1/holds", HoldRead, body, key=key)

    def release(self, hold_id: str, *, key: str | None = None) -> HoldRead:
        """Let go of what is still reserved."""
        return self._wire.act(f"/v1/holds/{hold_id}/release", HoldRead, key=key)

    def extend(self, hold_id: str, body: HoldExtend) -> HoldRead:
        """Let it run longer."""
        return self._wire.change("POST", f"/v1/holds/{hold_id}/extend", HoldRead, body)


class Events:
    """`/v1/events`: what happened, to be pulled."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def after(self, cursor: str | None = None) -> EventPage:
        """What came after that, oldest first; empty where nothing did yet. Keep its `next_cursor` for the next time."""
        return self._wire.fetch("/v1/events", EventPage, limit=PAGE, cursor=cursor)
