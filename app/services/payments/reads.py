"""Reading payment orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import PaymentOrderStatus, Role
from app.models import Organisation, PaymentItem, PaymentOrder, PaymentResult
from app.services.identity.principals import Caller
from app.services.reach import within_reach


@dataclass(frozen=True, slots=True)
class PaymentItemRecord:
    """One redemption of an order, with the entries that moved its money. Amounts are fen."""

    redemption_id: str
    amount_fen: int
    status: str
    order_entry_id: str | None
    confirm_entry_id: str | None
    confirm_result_id: str | None
    bounce_entry_id: str | None
    bounce_result_id: str | None


@dataclass(frozen=True, slots=True)
class PaymentResultRecord:
    """What the bank said, of how much."""

    id: str
    kind: str
    bank_reference: str
    total_fen: int
    reason: str | None
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class PaymentOrderRecord:
    """A payment order as it is read. Amounts are fen."""

    region_code: str
    id: str
    authority_id: str
    payee_id: str
    payee_name: str
    item_count: int
    total_fen: int
    status: str
    reason: str | None
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    items: tuple[PaymentItemRecord, ...]
    results: tuple[PaymentResultRecord, ...]

    def fen_of(self, *statuses: str) -> int:
        """What its items in these states come to."""
        return sum(item.amount_fen for item in self.items if item.status in statuses)


def read_payment_order(tx: Connection, *, caller: Caller, order_id: str) -> PaymentOrderRecord:
    """One order within the caller's reach: its payee's, its authority's, an official's. Raises `not_found`."""
    rows = tx.execute(
        _query(caller).where(PaymentOrder.region_code == region_of(order_id), PaymentOrder.id == order_id)
    ).all()
    if not rows:
        raise AppError(Code.NOT_FOUND, what="payment_order")
    return _records(tx, rows)[0]


def list_payment_orders(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    status: PaymentOrderStatus | None = None,
    payee_id: str | None = None,
) -> list[PaymentOrderRecord]:
    """Orders within the caller's reach, newest first."""
    query = _query(caller).order_by(PaymentOrder.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(PaymentOrder.id < before_id)
    if status is not None:
        query = query.where(PaymentOrder.status == status)
    if payee_id is not None:
        query = query.where(PaymentOrder.payee_id == payee_id)
    return _records(tx, tx.execute(query).all())


def _query(caller: Caller) -> Select[*tuple[Any, ...]]:
    return (
        select(PaymentOrder, Organisation.name.label("payee_name"))
        .join(Organisation, Organisation.id == PaymentOrder.payee_id)
        .where(
            within_reach(
                caller,
                region=PaymentOrder.region_code,
                authority=PaymentOrder.authority_id,
                own={Role.PROVIDER: PaymentOrder.payee_id},
            )
        )
    )


def _records(tx: Connection, rows: Sequence[Any]) -> list[PaymentOrderRecord]:
    keys = [(row.region_code, row.id) for row in rows]
    items: dict[tuple[str, str], list[PaymentItemRecord]] = defaultdict(list)
    found = tx.execute(
        select(PaymentItem)
        .where(tuple_(PaymentItem.region_code, PaymentItem.order_id).in_(keys))
        .order_by(PaymentItem.redemption_id)
    )
    for row in found:
        values = {name: getattr(row, name) for name in PaymentItemRecord.__slots__}
        items[row.region_code, row.order_id].append(PaymentItemRecord(**values))
    results: dict[tuple[str, str], list[PaymentResultRecord]] = defaultdict(list)
    said = tx.execute(
        select(PaymentResult)
        .where(tuple_(PaymentResult.region_code, PaymentResult.order_id).in_(keys))
        .order_by(PaymentResult.id)
    )
    for one in said:
        values = {name: getattr(one, name) for name in PaymentResultRecord.__slots__}
        results[one.region_code, one.order_id].append(PaymentResultRecord(**values))
    names = [name for name in PaymentOrderRecord.__slots__ if name not in {"items", "results"}]
    return [
        PaymentOrderRecord(
            **{name: getattr(row, name) for name in names},
            items=tuple(items[row.region_code, row.id]),
            results=tuple(results[row.region_code, row.id]),
        )
        for row in rows
    ]
