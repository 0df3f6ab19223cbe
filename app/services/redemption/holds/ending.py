"""Ending holds without a redemption: released by their provider, expired, or with their voucher. Set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, EventKind, HoldStatus, VoucherEnd
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.pools import lock_pools
from app.services.redemption.decisions import end_of
from app.services.redemption.effects import freeing
from app.services.redemption.holds.decisions import decide_end, is_due
from app.services.redemption.holds.loading import DUE, due_holds, load_holds, open_holds
from app.services.redemption.holds.states import HoldState
from app.services.redemption.loading import FIRST, VoucherKey, load_terms, lock_vouchers
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.states import VoucherState
from app.services.redemption.writing import Writes
from app.sql import now, together

CLOCK = "clock"
"""Principal, organisation and request of what no request caused: the passing of time did."""

BY_THE_CLOCK = Cause(CLOCK, CLOCK, CLOCK)

_EXPIRED = VoucherEnd.EXPIRED

Vouchers = Mapping[VoucherKey, VoucherState]

_WITH_DUE_HOLDS = text(
    "SELECT DISTINCT h.region_code, h.voucher_id FROM holds h"
    " JOIN vouchers v ON v.region_code = h.region_code AND v.id = h.voucher_id"
    f" WHERE {DUE.format(clock='statement_timestamp()')} AND (h.region_code, h.voucher_id) > (:region, :after)"
    " ORDER BY h.region_code, h.voucher_id LIMIT :most"
)


def sweep(tx: Connection, *, most: int) -> int:
    """Give back the money of expired holds of up to `most` vouchers; return how many holds that were.

    Nothing depends on when it runs, or whether twice: an expired hold cannot be redeemed, and who draws on its voucher
    gives its money back first. What is busy, or in a region that is just closing its year, is left to the next run.
    """
    return sweep_vouchers(tx, find_due(tx, most=most))


def find_due(tx: Connection, *, most: int, after: VoucherKey = FIRST) -> list[VoucherKey]:
    """Up to `most` vouchers with expired holds, those `after` a key in order, without a lock."""
    asked = {"most": most, "region": after[0], "after": after[1]}
    return [(row.region_code, row.voucher_id) for row in tx.execute(_WITH_DUE_HOLDS, asked)]


def sweep_vouchers(tx: Connection, found: Sequence[VoucherKey]) -> int:
    """Give back the money of the expired holds of these vouchers; see `sweep`."""
    fenced = try_fences(tx, {key[0] for key in found}) if found else set()
    keys = [key for key in found if key[0] in fenced]
    return end_due_holds(tx, lock_vouchers(tx, keys, wait=False), wait=False) if keys else 0


def end_due_holds(tx: Connection, vouchers: Vouchers, *, wait: bool) -> int:
    """Give back the money of the expired holds of locked vouchers; return how many holds there were."""
    due = due_holds(tx, vouchers)
    holds = list(load_holds(tx, due).values()) if due else []
    return end_holds(tx, holds, vouchers, HoldStatus.EXPIRED, BY_THE_CLOCK, wait=wait)


def release_all(tx: Connection, vouchers: Vouchers, cause: Cause) -> int:
    """Release every open hold of locked vouchers, as when these are voided; return how many there were."""
    found = open_holds(tx, vouchers)
    holds = list(load_holds(tx, found).values()) if found else []
    return end_holds(tx, holds, vouchers, HoldStatus.RELEASED, cause, wait=True)


def end_holds(
    tx: Connection, holds: Sequence[HoldState], vouchers: Vouchers, status: HoldStatus, cause: Cause, *, wait: bool
) -> int:
    """End open holds of locked vouchers; the vouchers' states follow. Returns how many were ended.

    With `wait` false, a hold that counts in counters somebody else has locked is left as it is.
    """
    if not holds:
        return 0
    keys: dict[str, set[HolderKey]] = {
        hold.id: {(hold.region_code, hold.programme_id, kind, of) for kind, of in hold.holders.items()}
        for hold in holds
    }
    locked = lock_holders(tx, {key for of_hold in keys.values() for key in of_hold}, wait=wait)
    free = [hold for hold in holds if keys[hold.id] <= locked]
    positions = Positions.read(tx, locked)
    _lock_pools(tx, free, vouchers)
    at = now(tx)
    expired = {hold.id for hold in free if end_of(vouchers[hold.region_code, hold.voucher_id], at=at) is _EXPIRED}
    terms = load_terms(
        tx, {(hold.region_code, hold.programme_id) for hold in free if hold.counted or hold.id in expired}
    )
    writes = Writes()
    ended = 0
    for hold in free:
        voucher = vouchers[hold.region_code, hold.voucher_id]
        if status is HoldStatus.EXPIRED and not is_due(hold, voucher, at=at):
            continue
        of_programme = terms.get((hold.region_code, hold.programme_id)) if hold.counted else None
        end = decide_end(hold, voucher, of_programme, positions.around(hold, of_programme), at=at)
        lapses = hold.id in expired and terms[hold.region_code, hold.programme_id].lapses_on(civil_date(at))
        moved = freeing(voucher, end.parts, Account.HELD, end.voucher_end, hold_id=hold.id, lapses=lapses)
        writes.entries.append(
            JournalEntry(
                region_code=hold.region_code,
                id=new_id("ent", hold.region_code),
                kind=EntryKind.RELEASE,
                at=at,
                programme_id=hold.programme_id,
                subject_id=hold.id,
                cause=cause,
                voucher_id=voucher.id,
                rule_version_id=hold.rule_version_id,
                voucher_end=end.voucher_end,
                details={"status": status},
                movements=moved,
            )
        )
        rest_fen = sum(fen for _, fen in end.parts)
        writes.used_fen[hold.region_code, hold.mandate_id] -= rest_fen
        writes.end((hold.region_code, hold.id), status, end.counted, at=at)
        if status is HoldStatus.EXPIRED:
            writes.tell(EventKind.HOLD_EXPIRED, hold, at=at)
        positions.add(hold.region_code, hold.programme_id, hold.holders, end.counted)
        _give_back(voucher, end.parts, lives=end.voucher_end is None)
        ended += 1
    with together(tx):
        writes.write(tx)
        positions.write(tx)
    writes.end_holds(tx)
    return ended


def _give_back(voucher: VoucherState, parts: tuple[tuple[str, int], ...], *, lives: bool) -> None:
    amounts = dict(parts)
    voucher.held_fen -= sum(amounts.values())
    voucher.posting_count += len(parts)
    if lives:
        voucher.balance_fen += sum(amounts.values())
        for share in voucher.shares:
            share.balance_fen += amounts.get(share.pool_id, 0)


def _lock_pools(tx: Connection, holds: Sequence[HoldState], vouchers: Vouchers) -> None:
    """Money of an ended voucher goes back to the pools, so they are locked in order before the clock is read."""
    at = now(tx)
    pools = {
        (hold.region_code, share.pool_id)
        for hold in holds
        if end_of(vouchers[hold.region_code, hold.voucher_id], at=at)
        for share in hold.shares
    }
    lock_pools(tx, pools)
