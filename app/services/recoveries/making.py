"""Recording a recovery, and what the recoveries of redemptions have done to the counters of cumulative rules."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, insert, select, tuple_, update

from app.kernel.canonical import canonical
from app.kernel.ids import new_id
from app.kernel.vocabulary import RecoveryStatus
from app.models import Recovery
from app.services.ledger.entries import Cause
from app.services.ledger.journal import post
from app.services.recoveries.claims import RedemptionKey, open_recovery
from app.services.recoveries.decisions import Parts
from app.services.recoveries.reads import RecoveryRecord, recoveries_of
from app.services.redemption.assessing import Counts, counts_json, counts_of_json
from app.services.redemption.commands import RedemptionRecord


def record_recovery(
    tx: Connection,
    *,
    redemption: RedemptionRecord,
    refund_id: str,
    parts: Parts,
    counted: Counts,
    status: RecoveryStatus,
    cause: Cause,
    at: datetime,
) -> RecoveryRecord:
    """Record what a refund wants back of money that was sent; claim it at once where the payment has arrived (`due`).

    The refund is written, its voucher locked. `counted` is taken off the counters when the money comes back.
    """
    region_code = redemption.region_code
    recovery_id = new_id("rcv", region_code)
    tx.execute(
        insert(Recovery).values(
            region_code=region_code,
            id=recovery_id,
            refund_id=refund_id,
            redemption_id=redemption.id,
            payee_id=redemption.provider_id,
            amount_fen=sum(fen for _, fen in parts),
            parts=canonical([list(part) for part in parts]).decode(),
            counted=canonical(counts_json(counted)).decode(),
            restored=False,
            status=RecoveryStatus.RECORDED,
            treasury_fen=0,
            recorded_at=at,
        )
    )
    if status is RecoveryStatus.DUE:
        recovery = open_recovery(tx, region_code, recovery_id)
        assert recovery is not None, "recorded above"
        entry = recovery.claim(cause, at=at)
        post(tx, [entry])
        tx.execute(
            update(Recovery)
            .where(Recovery.region_code == region_code, Recovery.id == recovery_id)
            .values(status=RecoveryStatus.DUE, claim_entry_id=entry.id)
        )
    return recoveries_of(tx, region_code, [refund_id])[refund_id]


def counted_by_recoveries(
    tx: Connection, redemptions: Collection[RedemptionKey]
) -> dict[RedemptionKey, tuple[Counts, Counts]]:
    """Per redemption what its recoveries have taken off the counters, and what they will or would have: (done, open).

    What went to the treasury never comes off, and is not to be taken off by a later refund either.
    """
    rows = tx.execute(
        select(Recovery.region_code, Recovery.redemption_id, Recovery.counted, Recovery.restored).where(
            tuple_(Recovery.region_code, Recovery.redemption_id).in_(list(redemptions)),
            Recovery.status != RecoveryStatus.REFUNDED,
        )
    )
    found: dict[RedemptionKey, tuple[Counts, Counts]] = {}
    for row in rows:
        key = (row.region_code, row.redemption_id)
        done, waiting = found.get(key, ((), ()))
        counts = counts_of_json(json.loads(row.counted))
        found[key] = (done + counts, waiting) if row.restored else (done, waiting + counts)
    return found
