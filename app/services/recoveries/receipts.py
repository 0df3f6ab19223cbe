"""Money that a payee has paid back: within its fiscal year the pool has it again, later the treasury.

It comes by a transfer, which pays recoveries of one payee back in full and counts once, by the bank's reference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from app.kernel.clock import fiscal_year
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, EntryKind, RecoveryStatus, Role
from app.models import Pool, Recovery, RecoveryTransfer, RuleVersion
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.payments.writing import vouchers_of
from app.services.recoveries.claims import OpenRecovery, open_recovery
from app.services.recoveries.decisions import received
from app.services.recoveries.reads import RecoveryRecord, read_recovery
from app.services.redemption.loading import lock_vouchers, parse_rules
from app.services.redemption.positions import Positions, lock_holders
from app.services.redemption.states import VoucherState
from app.sql import BulkInsert, now

MAX_TOGETHER = 200
"""Recoveries that one transfer pays back."""

_TRANSFERS = BulkInsert(
    RecoveryTransfer.__table__,
    ("region_code", "bank_reference", "payee_id", "amount_fen", "recorded_at", "recorded_by"),
    suffix="ON CONFLICT DO NOTHING RETURNING bank_reference",
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the bank's slip says: under which reference, which recoveries it pays back, and of how much it is.

    None: of what they come to.
    """

    bank_reference: str
    recovery_ids: Sequence[str]
    amount_fen: int | None = None


def receive(tx: Connection, *, caller: Caller, transfer: Transfer) -> list[RecoveryRecord]:
    """Record that a payee has paid back recoveries, each in full; finance does, with the bank's reference.

    Once for each recovery and each reference: the same again changes nothing. The voucher gets nothing back; the cap
    does where the rules restore it and the money came in its own fiscal year. Raises `forbidden`, `not_found`,
    `wrong_state`, `transfer_differs` where they are not one payee's or come to something else,
    `transfer_already_used`.
    """
    caller.require(Role.FINANCE)
    found = _read(tx, caller, transfer)
    region_code = found[0].region_code
    if any(one.region_code != region_code for one in found) or not caller.holds_in(Role.FINANCE, region_code):
        raise AppError(Code.NOT_FOUND, what="recovery")
    if not _claim(tx, caller, transfer, found):
        return _read(tx, caller, transfer)
    redemption_ids = {one.redemption_id for one in found}
    vouchers = lock_vouchers(tx, vouchers_of(tx, region_code, redemption_ids), wait=True)
    recoveries = [_due(tx, caller, one.id) for one in found]

    holders = {key for recovery in recoveries for key in recovery.holder_keys}
    lock_holders(tx, holders, wait=True)
    positions = Positions.read(tx, holders)
    pools = {pool_id for recovery in recoveries for pool_id, _ in recovery.parts}
    lock_pools(tx, {(region_code, pool_id) for pool_id in pools})
    at = now(tx)
    open_pools = _of_this_year(tx, region_code, pools, at=at)
    cause = Cause(caller.principal_id, caller.organisation_id, caller.request_id)
    entries = [
        _entry(tx, recovery, vouchers, open_pools, cause, bank_reference=transfer.bank_reference, at=at)
        for recovery in recoveries
    ]
    post(tx, entries)
    for recovery, entry in zip(recoveries, entries, strict=True):
        restored = bool(recovery.counted) and open_pools.issuperset(pool_id for pool_id, _ in recovery.parts)
        if restored:
            positions.add(region_code, recovery.programme_id, recovery.holders, recovery.counted)
        _end(tx, caller, recovery, entry, transfer.bank_reference, restored=restored)
    positions.write(tx)
    return _read(tx, caller, transfer)


def _read(tx: Connection, caller: Caller, transfer: Transfer) -> list[RecoveryRecord]:
    return [read_recovery(tx, caller=caller, recovery_id=one) for one in sorted(set(transfer.recovery_ids))]


def _claim(tx: Connection, caller: Caller, transfer: Transfer, found: Sequence[RecoveryRecord]) -> bool:
    """Take the bank's reference for these recoveries; False where this very transfer was recorded already."""
    region_code, reference = found[0].region_code, transfer.bank_reference
    total_fen = sum(one.amount_fen for one in found)
    payees = {one.payee_id for one in found}
    if len(payees) > 1 or transfer.amount_fen not in {None, total_fen}:
        stated_fen = total_fen if transfer.amount_fen is None else transfer.amount_fen
        raise AppError(Code.TRANSFER_DIFFERS, payees=len(payees), limit_fen=total_fen, actual_fen=stated_fen)
    row = {
        "region_code": region_code,
        "bank_reference": reference,
        "payee_id": payees.pop(),
        "amount_fen": total_fen,
        "recorded_at": now(tx),
        "recorded_by": caller.principal_id,
    }
    if _TRANSFERS(tx, [row]):
        return True
    paid_back = set(
        tx.execute(
            select(Recovery.id).where(Recovery.region_code == region_code, Recovery.bank_reference == reference)
        ).scalars()
    )
    if paid_back != {one.id for one in found}:
        first = min(paid_back)
        extra: dict[str, str | int | None] = {"recovery_id": first}
        raise AppError(Code.TRANSFER_ALREADY_USED, bank_reference=reference, recovery_id=first, extra=extra)
    return False


def _due(tx: Connection, caller: Caller, recovery_id: str) -> OpenRecovery:
    """The recovery as it is under its voucher's lock. Raises `wrong_state` unless it is due."""
    found = read_recovery(tx, caller=caller, recovery_id=recovery_id)
    if found.status != RecoveryStatus.DUE:
        raise AppError(Code.WRONG_STATE, actual=found.status, expected=RecoveryStatus.DUE)
    recovery = open_recovery(tx, found.region_code, recovery_id)
    assert recovery is not None, "what is due is open"
    return recovery


def _entry(
    tx: Connection,
    recovery: OpenRecovery,
    vouchers: Mapping[tuple[str, str], VoucherState],
    open_pools: Collection[str],
    cause: Cause,
    *,
    bank_reference: str,
    at: datetime,
) -> JournalEntry:
    """The entry of its receipt. The voucher's count of postings goes on, so several of one follow each other."""
    voucher = vouchers[recovery.region_code, recovery.voucher_id]
    moved = received(
        recovery.parts,
        open_pools if _restores_budget(tx, recovery) else frozenset(),
        voucher_id=recovery.voucher_id,
        posting_count=voucher.posting_count,
        payee_id=recovery.payee_id,
    )
    voucher.posting_count += sum(one.voucher_id is not None for one in moved)
    return recovery.entry(
        EntryKind.RECOVER,
        cause,
        at=at,
        details={"step": "received", "redemption": recovery.redemption_id, "bank_reference": bank_reference},
        movements=moved,
    )


def _end(
    tx: Connection, caller: Caller, recovery: OpenRecovery, entry: JournalEntry, reference: str, *, restored: bool
) -> None:
    treasury_fen = sum(one.amount_fen for one in entry.movements if one.destination is Account.TREASURY)
    tx.execute(
        update(Recovery)
        .where(Recovery.region_code == recovery.region_code, Recovery.id == recovery.id)
        .values(
            status=RecoveryStatus.RECEIVED,
            restored=restored,
            treasury_fen=treasury_fen,
            bank_reference=reference,
            receipt_entry_id=entry.id,
            ended_at=entry.at,
            ended_by=caller.principal_id,
        )
    )


def _restores_budget(tx: Connection, recovery: OpenRecovery) -> bool:
    """Whether the rules that the bill was judged by give its pool anything back. D24."""
    document = tx.execute(
        select(RuleVersion.rules).where(
            RuleVersion.region_code == recovery.region_code, RuleVersion.id == recovery.rule_version_id
        )
    ).scalar_one()
    return parse_rules(document).adjustment.restores_budget == "same_year"


def _of_this_year(tx: Connection, region_code: str, pool_ids: Collection[str], *, at: datetime) -> set[str]:
    """Those pools whose own fiscal year it is, and is not closed."""
    return set(
        tx.execute(
            select(Pool.id).where(
                Pool.region_code == region_code,
                Pool.id.in_(pool_ids),
                Pool.fiscal_year == fiscal_year(at),
                Pool.closed_at.is_(None),
            )
        ).scalars()
    )
