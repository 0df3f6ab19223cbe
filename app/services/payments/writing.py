"""Look-ups and writes of payment, each one statement however many items there are. The locks are held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import EntryKind, RedemptionStatus
from app.models import PaymentItem, PaymentOrder
from app.services.ledger.entries import JournalEntry
from app.services.payments.decisions import Item, Payable
from app.services.payments.states import item_after, redemption_after
from app.services.redemption.effects import Parts
from app.sql import Statement

_ASKED = "unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
_REDEMPTIONS = Statement(
    "SELECT r.region_code, r.id, r.voucher_id, r.programme_id, r.rule_version_id, r.provider_id, r.status,"
    " r.subsidy_fen - r.refunded_fen - r.recovered_fen AS net_fen FROM redemptions r"
    f" JOIN {_ASKED} ON r.region_code = asked.region_code AND r.id = asked.id ORDER BY r.region_code, r.id"
)
_ORDERED_PARTS = Statement(
    "SELECT i.redemption_id, p.pool_id, p.amount_fen FROM payment_items i"
    " JOIN postings p ON p.region_code = i.region_code AND p.entry_id = i.order_entry_id"
    " WHERE i.region_code = :region AND i.order_id = :order_id ORDER BY i.redemption_id, p.line"
)
_STEPS = {
    EntryKind.ORDER_PAYMENT: "order_entry_id = step.entry_id",
    EntryKind.CONFIRM_PAYMENT: "confirm_entry_id = step.entry_id, confirm_result_id = :result_id",
    EntryKind.BOUNCE: "bounce_entry_id = step.entry_id, bounce_result_id = :result_id",
}
_ITEMS = {
    step: Statement(
        f"UPDATE payment_items i SET status = step.status, {change}"
        " FROM unnest(CAST(:ids AS text[]), CAST(:statuses AS text[]), CAST(:entries AS text[]))"
        " AS step(redemption_id, status, entry_id) WHERE i.region_code = :region AND i.order_id = :order_id"
        " AND i.redemption_id = step.redemption_id"
    )
    for step, change in _STEPS.items()
}
_STATUSES = Statement(
    "UPDATE redemptions r SET status = step.status"
    " FROM unnest(CAST(:ids AS text[]), CAST(:statuses AS text[])) AS step(id, status)"
    " WHERE r.region_code = :region AND r.id = step.id"
)


def lock_order(tx: Connection, order_id: str) -> Any:
    """The order's row, locked: nobody else takes its items a step on. Raises `not_found`."""
    row = tx.execute(
        select(PaymentOrder)
        .where(PaymentOrder.region_code == region_of(order_id), PaymentOrder.id == order_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="payment_order")
    return row


def items_of(tx: Connection, region_code: str, order_id: str) -> list[Item]:
    """The items of an order, by redemption."""
    rows = tx.execute(
        select(PaymentItem.redemption_id, PaymentItem.amount_fen, PaymentItem.status)
        .where(PaymentItem.region_code == region_code, PaymentItem.order_id == order_id)
        .order_by(PaymentItem.redemption_id)
    )
    return [Item(row.redemption_id, row.amount_fen, row.status) for row in rows]


def ordered_parts(tx: Connection, region_code: str, order_id: str) -> dict[str, Parts]:
    """What was ordered of each pool, by redemption: the bank's answer is about exactly that."""
    parts: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in _ORDERED_PARTS(tx, {"region": region_code, "order_id": order_id}):
        parts[row.redemption_id].append((row.pool_id, row.amount_fen))
    return {redemption_id: tuple(of_one) for redemption_id, of_one in parts.items()}


def vouchers_of(tx: Connection, region_code: str, redemption_ids: Collection[str]) -> set[tuple[str, str]]:
    """The vouchers of redemptions; neither changes, so no lock is needed to know them."""
    asked = {"regions": [region_code] * len(redemption_ids), "ids": sorted(redemption_ids)}
    return {(row.region_code, row.voucher_id) for row in _REDEMPTIONS(tx, asked)}


def load_payables(
    tx: Connection, region_code: str, redemption_ids: Collection[str], parts: Mapping[str, Parts]
) -> dict[str, Payable]:
    """Redemptions as they are under their vouchers' locks, with what is paid of each pool."""
    asked = {"regions": [region_code] * len(redemption_ids), "ids": sorted(redemption_ids)}
    return {
        row.id: Payable(
            region_code=row.region_code,
            redemption_id=row.id,
            voucher_id=row.voucher_id,
            programme_id=row.programme_id,
            rule_version_id=row.rule_version_id,
            payee_id=row.provider_id,
            status=row.status,
            net_fen=row.net_fen,
            parts=parts.get(row.id, ()),
        )
        for row in _REDEMPTIONS(tx, asked)
    }


def write_step(
    tx: Connection,
    step: EntryKind,
    order: tuple[str, str],
    taken: Sequence[tuple[Item, Payable, JournalEntry]],
    *,
    result_id: str | None = None,
) -> None:
    """Say of items and redemptions what they are after the step; its entries are posted."""
    region_code, order_id = order
    ids = [item.redemption_id for item, _, _ in taken]
    columns: dict[str, Any] = {
        "region": region_code,
        "order_id": order_id,
        "ids": ids,
        "statuses": [item_after(item.status, step) for item, _, _ in taken],
        "entries": [entry.id for _, _, entry in taken],
    }
    _ITEMS[step].send(tx, columns | ({} if result_id is None else {"result_id": result_id}))
    statuses: list[RedemptionStatus] = [redemption_after(payable.status, step) for _, payable, _ in taken]
    _STATUSES.send(tx, {"region": region_code, "ids": ids, "statuses": statuses})
