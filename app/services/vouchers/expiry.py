"""The end of vouchers whose time has run out: their holds are over, and what is free leaves them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from app.database import now
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, VoucherEnd
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.redemption.effects import freeing
from app.services.redemption.holds.ending import BY_THE_CLOCK, end_due_holds
from app.services.redemption.loading import VoucherKey, lock_vouchers
from app.services.redemption.states import VoucherState

_DUE = text(
    "SELECT region_code, id FROM vouchers WHERE ended_as IS NULL AND redeemable_until <= statement_timestamp()"
    " ORDER BY redeemable_until LIMIT :most"
)
_END = text(
    "UPDATE vouchers SET ended_as = 'expired', ended_at = redeemable_until"
    " WHERE region_code = ANY(CAST(:regions AS text[])) AND id = ANY(CAST(:ids AS text[]))"
)


def sweep_expired(tx: Connection, *, most: int) -> int:
    """End up to `most` vouchers whose time has run out; return how many that were.

    Nothing depends on when it runs, or whether twice: nothing can be drawn on an expired voucher. What is busy, or in a
    region that is just closing its year, is left to the next run.
    """
    found = [(row.region_code, row.id) for row in tx.execute(_DUE, {"most": most})]
    fenced = try_fences(tx, {key[0] for key in found}) if found else set()
    keys = [key for key in found if key[0] in fenced]
    return expire(tx, lock_vouchers(tx, keys, wait=False), BY_THE_CLOCK) if keys else 0


def expire(tx: Connection, vouchers: Mapping[VoucherKey, VoucherState], cause: Cause) -> int:
    """End those of these locked vouchers that have expired and whose money has not moved; return how many these were.

    What was free or held on them goes to where `freed_to` says: to `available`, or it lapses in a closed year. One that
    is used up ends without an entry.
    """
    at = now(tx)
    due = {
        key: voucher for key, voucher in vouchers.items() if voucher.ended_as is None and voucher.redeemable_until <= at
    }
    if not due:
        return 0
    end_due_holds(tx, due, wait=True)
    lock_pools(tx, {(voucher.region_code, share.pool_id) for voucher in due.values() for share in voucher.shares})
    at = now(tx)
    entries = [
        JournalEntry(
            region_code=voucher.region_code,
            id=new_id("ent", voucher.region_code),
            kind=EntryKind.EXPIRE,
            at=at,
            programme_id=voucher.programme_id,
            subject_id=voucher.id,
            cause=cause,
            movements=freeing(voucher, free, Account.COMMITTED, VoucherEnd.EXPIRED),
            voucher_id=voucher.id,
            voucher_end=VoucherEnd.EXPIRED,
        )
        for voucher in due.values()
        if (free := tuple((share.pool_id, share.balance_fen) for share in voucher.shares if share.balance_fen))
    ]
    if entries:
        post(tx, entries)
    tx.execute(_END, {"regions": sorted({key[0] for key in due}), "ids": sorted(key[1] for key in due)})
    return len(due)
