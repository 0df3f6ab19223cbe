"""The end of vouchers whose time is over: their balance goes back to the pools. Set-based, and late without harm."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, VoucherEnd
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.redemption.effects import freeing
from app.services.redemption.holds.ending import BY_THE_CLOCK
from app.services.redemption.loading import FIRST, ProgrammeKey, VoucherKey, load_terms, lock_vouchers
from app.services.redemption.states import VoucherState
from app.sql import Statement, now

_EXPIRED = text(
    "SELECT region_code, id FROM vouchers"
    " WHERE ended_as IS NULL AND redeemable_until <= statement_timestamp()"
    " AND NOT (stands_still AND frozen_at < redeemable_until) AND (region_code, id) > (:region, :after)"
    " ORDER BY region_code, id LIMIT :most"
)
_END = Statement(
    "UPDATE vouchers v SET ended_as = 'expired', ended_at = v.redeemable_until"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS ended(region_code, id)"
    " WHERE v.region_code = ended.region_code AND v.id = ended.id"
)


def find_expired(tx: Connection, *, most: int, after: VoucherKey = FIRST) -> list[VoucherKey]:
    """Up to `most` vouchers that have expired and are not marked so, those `after` a key in order; without a lock."""
    asked = {"most": most, "region": after[0], "after": after[1]}
    return [(row.region_code, row.id) for row in tx.execute(_EXPIRED, asked)]


def expire_vouchers(tx: Connection, found: Sequence[VoucherKey]) -> int:
    """Give the balance of expired vouchers back to their pools and mark them ended; return how many there were.

    Nothing depends on when it runs, or whether twice: an expired voucher draws nothing whether or not its money has
    moved. What is busy, or in a region that is just closing its year, is left to the next run; so is a voucher of which
    something is still held: the sweep of holds comes before.
    """
    fenced = try_fences(tx, {key[0] for key in found}) if found else set()
    keys = [key for key in found if key[0] in fenced]
    return expire(tx, lock_vouchers(tx, keys, wait=False), BY_THE_CLOCK) if keys else 0


def expire(tx: Connection, vouchers: Mapping[VoucherKey, VoucherState], cause: Cause) -> int:
    """The same for vouchers that are locked. Their money goes to where `freed_to` says: in a closed year it lapses.

    So it does where the rules in force say that unused balances are the treasury's (`reclaim_to`).
    """
    live = {key: voucher for key, voucher in vouchers.items() if voucher.ended_as is None}
    if not live:
        return 0
    lock_pools(tx, {(key[0], share.pool_id) for key, voucher in live.items() for share in voucher.shares})
    at = now(tx)
    over = {key: one for key, one in live.items() if one.held_fen == 0 and one.over(at, one.redeemable_until)}
    terms = load_terms(tx, {(key[0], voucher.programme_id) for key, voucher in over.items()}) if over else {}
    lapsing = {key for key, of_programme in terms.items() if of_programme.lapses_on(civil_date(at))}
    entries = _entries(over, cause, lapsing, at=at)
    if entries:
        post(tx, entries)
    _END.send(tx, {"regions": [key[0] for key in over], "ids": [key[1] for key in over]})
    return len(over)


def _entries(
    vouchers: Mapping[VoucherKey, VoucherState], cause: Cause, lapsing: Collection[ProgrammeKey], *, at: datetime
) -> list[JournalEntry]:
    entries = []
    for voucher in vouchers.values():
        free = tuple((share.pool_id, share.balance_fen) for share in voucher.shares if share.balance_fen)
        if free:
            entries.append(
                JournalEntry(
                    region_code=voucher.region_code,
                    id=new_id("ent", voucher.region_code),
                    kind=EntryKind.EXPIRE,
                    at=at,
                    programme_id=voucher.programme_id,
                    subject_id=voucher.id,
                    cause=cause,
                    voucher_id=voucher.id,
                    voucher_end=VoucherEnd.EXPIRED,
                    movements=freeing(
                        voucher,
                        free,
                        Account.COMMITTED,
                        VoucherEnd.EXPIRED,
                        lapses=(voucher.region_code, voucher.programme_id) in lapsing,
                    ),
                )
            )
    return entries
