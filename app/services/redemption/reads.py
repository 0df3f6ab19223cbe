"""Reading redemptions and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import RecoveryStatus, Role
from app.models import OrderNumber, Programme, Redemption, Refund
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.services.recoveries.reads import RecoveryRecord, recoveries_of
from app.services.redemption.commands import RedemptionRecord
from app.services.sealing.receipts import RecordedLeaf, leaf_columns, recorded_leaf


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund as it is shown. `bill_refund_fen` left the bill, `subsidy_refund_fen` went back to the voucher.

    What had been sent to the bank by then is a recovery instead.
    """

    id: str
    redemption_id: str
    because_of_id: str | None
    """The refund of another redemption of the same hold, which took from this one too; or the refund whose
    recovery became this one, as the payment bounced."""
    bill_refund_fen: int
    subsidy_refund_fen: int
    reason: str
    trace: str
    entry_id: str | None
    refunded_at: datetime
    leaf: RecordedLeaf | None = None
    """Of its entry, for the receipt."""
    recovery: RecoveryRecord | None = None

    @property
    def recovered_fen(self) -> int:
        """What the payee has to pay back because of it, or has paid back; nothing once that became a refund."""
        recovery = self.recovery
        return 0 if recovery is None or recovery.status == RecoveryStatus.REFUNDED else recovery.amount_fen


def read_redemption(tx: Connection, *, caller: Caller, redemption_id: str) -> RedemptionRecord:
    """One redemption within the caller's reach: its provider's, its firm's, an official's. Raises `not_found`."""
    region_code = region_of(redemption_id)
    row = tx.execute(
        _query().where(Redemption.region_code == region_code, Redemption.id == redemption_id, _visible_to(caller))
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="redemption")
    return _record(row)


def list_redemptions(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    order_no: str | None = None,
    voucher_id: str | None = None,
    hold_id: str | None = None,
) -> list[RedemptionRecord]:
    """Redemptions within the caller's reach, newest first. `order_no` finds a provider's own by its number."""
    query = _query().where(_visible_to(caller)).order_by(Redemption.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Redemption.id < before_id)
    if voucher_id is not None:
        query = query.where(Redemption.voucher_id == voucher_id)
    if hold_id is not None:
        query = query.where(Redemption.region_code == region_of(hold_id), Redemption.hold_id == hold_id)
    if order_no is not None:
        numbers = select(OrderNumber.region_code, OrderNumber.redemption_id).where(OrderNumber.order_no == order_no)
        if caller.holds(Role.PROVIDER):
            numbers = numbers.where(OrderNumber.provider_id == caller.organisation_id)
        found = numbers.subquery()
        query = query.join(
            found,
            and_(found.c.region_code == Redemption.region_code, found.c.redemption_id == Redemption.id),
        )
    return [_record(row) for row in tx.execute(query)]


def list_refunds(tx: Connection, *, caller: Caller, redemption_id: str) -> list[RefundRecord]:
    """The refunds of a redemption within the caller's reach, oldest first."""
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    rows = tx.execute(
        select(Refund, *leaf_columns(Refund.region_code, Refund.entry_id))
        .where(Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id)
        .order_by(Refund.id)
    )
    found = rows.all()
    recoveries = recoveries_of(tx, redemption.region_code, [row.id for row in found])
    names = [name for name in RefundRecord.__slots__ if name not in {"leaf", "recovery"}]
    return [
        RefundRecord(
            **{name: getattr(row, name) for name in names}, leaf=recorded_leaf(row), recovery=recoveries.get(row.id)
        )
        for row in found
    ]


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return within_reach(
        caller,
        region=Redemption.region_code,
        authority=Programme.authority_id,
        own={Role.PROVIDER: Redemption.provider_id, Role.FIRM: Redemption.firm_id},
    )


def _query() -> Select[Any]:
    leaf = leaf_columns(Redemption.region_code, Redemption.entry_id)
    return select(Redemption, Programme.authority_id, *leaf).join(
        Programme, and_(Programme.region_code == Redemption.region_code, Programme.id == Redemption.programme_id)
    )


def _record(row: Row[Any]) -> RedemptionRecord:
    names = [name for name in RedemptionRecord.__slots__ if name != "leaf"]
    return RedemptionRecord(**{name: getattr(row, name) for name in names}, leaf=recorded_leaf(row))
