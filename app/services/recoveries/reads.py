"""Reading recoveries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import RecoveryStatus, Role
from app.models import Entry, Programme, Recovery, Redemption
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.services.sealing.receipts import RecordedLeaf, leaf_columns, recorded_leaf


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """A recovery as it is shown. `treasury_fen` is what of it went to the treasury instead of back to the pool."""

    region_code: str
    id: str
    refund_id: str
    redemption_id: str
    payee_id: str
    amount_fen: int
    treasury_fen: int
    status: str
    bank_reference: str | None
    claim_entry_id: str | None
    receipt_entry_id: str | None
    refunded_as_id: str | None
    recorded_at: datetime
    ended_at: datetime | None
    claimed_at: datetime | None = None
    claim_leaf: RecordedLeaf | None = None
    """Of the entry that claims it, for the receipt."""


def read_recovery(tx: Connection, *, caller: Caller, recovery_id: str) -> RecoveryRecord:
    """One recovery within the caller's reach: its payee's, an official's. Raises `not_found`."""
    row = tx.execute(
        _query(caller).where(Recovery.region_code == region_of(recovery_id), Recovery.id == recovery_id)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="recovery")
    return _record(row)


def list_recoveries(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, status: RecoveryStatus | None = None
) -> list[RecoveryRecord]:
    """Recoveries within the caller's reach, newest first."""
    query = _query(caller).order_by(Recovery.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Recovery.id < before_id)
    if status is not None:
        query = query.where(Recovery.status == status)
    return [_record(row) for row in tx.execute(query)]


def recoveries_of(tx: Connection, region_code: str, refund_ids: Collection[str]) -> dict[str, RecoveryRecord]:
    """The recoveries that refunds brought about, by the refund's id. Whoever may see the refund may see them."""
    rows = tx.execute(
        select(Recovery, *_claim_columns()).where(
            Recovery.region_code == region_code, Recovery.refund_id.in_(list(refund_ids))
        )
    )
    return {row.refund_id: _record(row) for row in rows}


def _query(caller: Caller) -> Select[Any]:
    return (
        select(Recovery, *_claim_columns())
        .join(
            Redemption,
            and_(Redemption.region_code == Recovery.region_code, Redemption.id == Recovery.redemption_id),
        )
        .join(Programme, and_(Programme.region_code == Redemption.region_code, Programme.id == Redemption.programme_id))
        .where(
            within_reach(
                caller,
                region=Recovery.region_code,
                authority=Programme.authority_id,
                own={Role.PROVIDER: Recovery.payee_id},
            )
        )
    )


def _claim_columns() -> tuple[Any, ...]:
    at = (
        select(Entry.at)
        .where(Entry.region_code == Recovery.region_code, Entry.id == Recovery.claim_entry_id)
        .scalar_subquery()
    )
    return at.label("claimed_at"), *leaf_columns(Recovery.region_code, Recovery.claim_entry_id)


def _record(row: Row[Any]) -> RecoveryRecord:
    names = [name for name in RecoveryRecord.__slots__ if name != "claim_leaf"]
    return RecoveryRecord(**{name: getattr(row, name) for name in names}, claim_leaf=recorded_leaf(row))
