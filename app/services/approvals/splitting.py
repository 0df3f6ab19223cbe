"""Splitting: what one maker asks for of one programme or payee on one day, held against the bands as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from app.kernel.clock import SHANGHAI
from app.kernel.vocabulary import ApprovalStatus
from app.models import Approval
from app.services.approvals.steps import BandTable, band_of
from app.services.identity.accounts import accounts_of


def noticed_splitting(
    tx: Connection, asked: Mapping[str, Any], table: BandTable | None, *, at: datetime
) -> dict[str, Any] | None:
    """What stands beside a request whose day's total would need more steps than the request itself; else None.

    Counted are the same natural person's requests of the same kind, subject or whole (`within_id`) and Shanghai day
    that wait or were approved, with this one. It warns the approver and decides nothing.
    """
    amount_fen = asked["amount_fen"]
    if table is None or amount_fen is None:
        return None
    day = at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    same = Approval.subject_id == asked["subject_id"]
    if asked["within_id"] is not None:
        same = or_(same, Approval.within_id == asked["within_id"])
    count, others_fen = tx.execute(
        select(func.count(), func.coalesce(func.sum(func.abs(Approval.amount_fen)), 0)).where(
            Approval.region_code == asked["region_code"],
            Approval.kind == asked["kind"],
            Approval.made_by.in_(accounts_of(tx, asked["made_by"])),
            Approval.made_at >= day,
            Approval.status.in_([ApprovalStatus.PENDING, ApprovalStatus.APPROVED]),
            same,
        )
    ).one()
    total_fen = int(others_fen) + abs(amount_fen)
    needed = band_of(table.bands, total_fen).steps
    if not count or len(needed) <= len(band_of(table.bands, amount_fen).steps):
        return None
    return {"count": count + 1, "total_fen": total_fen, "steps_for_total": [str(role) for role in needed]}
