"""A refund as it is written: for each redemption that it takes from an entry or a recovery, a row, and its counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert, update

from app.kernel.canonical import sha256_hex
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, RecoveryStatus
from app.models import Redemption, Refund
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.journal import post
from app.services.recoveries.making import record_recovery
from app.services.recoveries.reads import RecoveryRecord
from app.services.redemption.assessing import Counts, peeled
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.decisions import Returned
from app.services.redemption.effects import freeing
from app.services.redemption.entitlements import entitled_by_pool
from app.services.redemption.reads import RefundRecord
from app.services.redemption.red_letters import RedInvoice
from app.services.redemption.states import VoucherState
from app.services.redemption.usage_references import free_references
from app.services.sealing.receipts import RecordedLeaf
from app.tlog.merkle import leaf_hash


@dataclass(frozen=True, slots=True)
class How:
    """By what sort of entry something is cancelled, who caused it, and why."""

    kind: EntryKind
    cause: Cause
    reason: str
    reverses_id: str | None = None
    red_letter: RedInvoice | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What a refund takes from one redemption: `fen` of its subsidy, as a refund or as a recovery that begins so."""

    redemption: RedemptionRecord
    fen: int
    cancelled_fen: int
    because_of_id: str | None
    recovery: RecoveryStatus | None
    counted: Counts
    facts: bytes


def write_refund(
    tx: Connection,
    piece: Piece,
    voucher: VoucherState,
    returned: Returned,
    trace: bytes,
    how: How,
    at: datetime,
) -> RefundRecord:
    """Take one redemption's part of a refund: its entry or its recovery, its row, and the redemption's counters."""
    redemption = piece.redemption
    key = (redemption.region_code, redemption.id)
    refund_id = new_id("rfd", redemption.region_code)
    refunded_fen = 0 if piece.recovery else piece.fen
    parts: tuple[tuple[str, int], ...] = ()
    if piece.fen:
        shares = entitled_by_pool(tx, [key])[key]
        parts = peeled(shares, piece.fen, [share.redeemed_fen for share in shares])
    entry_id, recorded = None, None
    if refunded_fen:
        entry = _entry(redemption, voucher, returned, parts, refund_id, at, piece.facts, trace, how)
        post(tx, [entry])
        voucher.posting_count += len(parts)
        entry_id = entry.id
        recorded = RecordedLeaf(leaf_hash(entry.written), redemption.leaf.log if redemption.leaf else None)
    record = RefundRecord(
        id=refund_id,
        redemption_id=redemption.id,
        because_of_id=piece.because_of_id,
        bill_refund_fen=piece.cancelled_fen,
        subsidy_refund_fen=refunded_fen,
        reason=how.reason,
        trace=trace.decode(),
        entry_id=entry_id,
        refunded_at=at,
        leaf=recorded,
    )
    values = {name: getattr(record, name) for name in RefundRecord.__slots__ if name not in {"leaf", "recovery"}}
    tx.execute(
        insert(Refund).values(
            **values,
            region_code=redemption.region_code,
            facts=piece.facts.decode(),
            refunded_by=how.cause.principal_id,
        )
    )
    recovery: RecoveryRecord | None = None
    if piece.recovery:
        recovery = record_recovery(
            tx,
            redemption=redemption,
            refund_id=refund_id,
            parts=parts,
            counted=piece.counted,
            status=piece.recovery,
            cause=how.cause,
            at=at,
        )
    tx.execute(
        update(Redemption)
        .where(Redemption.region_code == redemption.region_code, Redemption.id == redemption.id)
        .values(
            refunded_fen=Redemption.refunded_fen + refunded_fen,
            recovered_fen=Redemption.recovered_fen + (piece.fen - refunded_fen),
            bill_refunded_fen=Redemption.bill_refunded_fen + piece.cancelled_fen,
        )
    )
    if redemption.bill_refunded_fen + piece.cancelled_fen == redemption.bill_total_fen:
        free_references(tx, region_code=redemption.region_code, redemption_id=redemption.id)
    return replace(record, recovery=recovery)


def _entry(
    redemption: RedemptionRecord,
    voucher: VoucherState,
    returned: Returned,
    parts: tuple[tuple[str, int], ...],
    refund_id: str,
    at: datetime,
    facts: bytes,
    trace: bytes,
    how: How,
) -> JournalEntry:
    return JournalEntry(
        region_code=redemption.region_code,
        id=new_id("ent", redemption.region_code),
        kind=how.kind,
        at=at,
        programme_id=redemption.programme_id,
        subject_id=refund_id,
        cause=how.cause,
        voucher_id=voucher.id,
        rule_version_id=redemption.rule_version_id,
        reverses_id=how.reverses_id,
        voucher_end=returned.voucher_end,
        facts_sha256=sha256_hex(facts),
        trace_sha256=sha256_hex(trace),
        details={"reason": how.reason, "redemption": redemption.id},
        movements=freeing(voucher, parts, Account.OBLIGATED, returned.voucher_end, payee_id=redemption.provider_id),
    )
