"""What becomes of open recoveries when their payment bounces: the money never left, so each is a refund after all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, RecoveryStatus
from app.models import Refund
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.recoveries.claims import OpenRecovery
from app.services.recoveries.decisions import settled
from app.services.redemption.assessing import FORMAT, counts_json
from app.services.redemption.consents import MandateKey, use_mandates
from app.services.redemption.decisions import end_of
from app.services.redemption.effects import freeing
from app.services.redemption.loading import VoucherKey
from app.services.redemption.positions import Positions, lock_holders
from app.services.redemption.states import VoucherState
from app.sql import BulkInsert, Statement, now

_REFUNDS = BulkInsert(
    Refund.__table__,
    (
        "region_code",
        "id",
        "redemption_id",
        "because_of_id",
        "bill_refund_fen",
        "subsidy_refund_fen",
        "reason",
        "facts",
        "trace",
        "entry_id",
        "refunded_at",
        "refunded_by",
    ),
)
_END = Statement(
    "UPDATE recoveries v SET status = 'refunded', refunded_as_id = ended.refund_id, ended_at = :at, ended_by = :by"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:refunds AS text[]))"
    " AS ended(region_code, id, refund_id) WHERE v.region_code = ended.region_code AND v.id = ended.id"
)
_GIVE_BACK = Statement(
    "UPDATE redemptions r SET refunded_fen = r.refunded_fen + change.fen, recovered_fen = r.recovered_fen - change.fen"
    " FROM (SELECT region_code, id, sum(fen) AS fen FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]),"
    " CAST(:fen AS bigint[])) AS one(region_code, id, fen) GROUP BY region_code, id) AS change"
    " WHERE r.region_code = change.region_code AND r.id = change.id"
)


def lock_for_refunds(
    tx: Connection, recoveries: Sequence[OpenRecovery], vouchers: Mapping[VoucherKey, VoucherState]
) -> Positions:
    """Lock what `refund_instead` changes besides the vouchers: counters, then the pools of ended vouchers."""
    keys = {key for recovery in recoveries for key in recovery.holder_keys}
    lock_holders(tx, keys, wait=True)
    at = now(tx)
    ended = {key for key, voucher in vouchers.items() if end_of(voucher, at=at)}
    lock_pools(
        tx,
        {
            (recovery.region_code, pool_id)
            for recovery in recoveries
            if (recovery.region_code, recovery.voucher_id) in ended
            for pool_id, _ in recovery.parts
        },
    )
    return Positions.read(tx, keys)


def refund_instead(
    tx: Connection,
    recoveries: Sequence[OpenRecovery],
    vouchers: Mapping[VoucherKey, VoucherState],
    positions: Positions,
    cause: Cause,
    *,
    at: datetime,
) -> None:
    """Give back what open recoveries wanted, now that it is owed again (`obligated`). The locks are held.

    Each becomes a refund of its own, because of the one that recorded it; the counters and the consent get back what a
    refund before payment would have given them at once.
    """
    if not recoveries:
        return
    entries: list[JournalEntry] = []
    rows = []
    used: Counter[MandateKey] = Counter()
    for recovery in recoveries:
        voucher = vouchers[recovery.region_code, recovery.voucher_id]
        made, row = _refund(recovery, voucher, cause, at=at)
        entries += made
        rows.append(row)
        positions.add(recovery.region_code, recovery.programme_id, recovery.holders, recovery.counted)
        used[recovery.region_code, recovery.mandate_id] -= recovery.amount_fen
    post(tx, entries)
    _REFUNDS.send(tx, rows)
    regions = [recovery.region_code for recovery in recoveries]
    _END.send(
        tx,
        {
            "regions": regions,
            "ids": [recovery.id for recovery in recoveries],
            "refunds": [row["id"] for row in rows],
            "at": at,
            "by": cause.principal_id,
        },
    )
    _GIVE_BACK.send(
        tx,
        {
            "regions": regions,
            "ids": [recovery.redemption_id for recovery in recoveries],
            "fen": [recovery.amount_fen for recovery in recoveries],
        },
    )
    positions.write(tx)
    use_mandates(tx, used)


def _refund(
    recovery: OpenRecovery, voucher: VoucherState, cause: Cause, *, at: datetime
) -> tuple[list[JournalEntry], dict[str, Any]]:
    """The refund in place of a recovery: its entry, one that takes off what was due already, and its row."""
    refund_id = new_id("rfd", recovery.region_code)
    facts = canonical(
        {
            "v": FORMAT,
            "redemption": recovery.redemption_id,
            "because_of": recovery.refund_id,
            "recovery": recovery.id,
            "cancelled": {},
            "holders": dict(recovery.holders),
            "counted": counts_json(recovery.counted),
        }
    )
    ended = end_of(voucher, at=at)
    moved = freeing(voucher, recovery.parts, Account.OBLIGATED, ended, payee_id=recovery.payee_id)
    details = {"reason": recovery.reason, "redemption": recovery.redemption_id, "recovery": recovery.id}
    entry = recovery.entry(
        EntryKind.REFUND,
        cause,
        at=at,
        subject_id=refund_id,
        voucher_end=ended,
        facts_sha256=sha256_hex(facts),
        details=details,
        movements=moved,
    )
    entries = [entry]
    if recovery.status is RecoveryStatus.DUE and (memo := settled(recovery.parts, payee_id=recovery.payee_id)):
        entries.append(recovery.entry(EntryKind.RECOVER, cause, at=at, details=details, movements=memo))
    voucher.posting_count += len(moved)
    row = {
        "region_code": recovery.region_code,
        "id": refund_id,
        "redemption_id": recovery.redemption_id,
        "because_of_id": recovery.refund_id,
        "bill_refund_fen": 0,
        "subsidy_refund_fen": recovery.amount_fen,
        "reason": recovery.reason,
        "facts": facts.decode(),
        "trace": recovery.trace,
        "entry_id": entry.id,
        "refunded_at": at,
        "refunded_by": cause.principal_id,
    }
    return entries, row
