"""Money that a payee has paid back: within its fiscal year the pool has it again, later the treasury."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from app.database import now
from app.kernel.clock import fiscal_year
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, EntryKind, RecoveryStatus, Role
from app.models import Pool, Recovery, Redemption, RuleVersion
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.recoveries.claims import OpenRecovery, open_recovery
from app.services.recoveries.decisions import received
from app.services.recoveries.reads import RecoveryRecord, read_recovery
from app.services.redemption.loading import lock_vouchers, parse_rules
from app.services.redemption.positions import Positions, lock_holders


def receive(tx: Connection, *, caller: Caller, recovery_id: str, bank_reference: str) -> RecoveryRecord:
    """Record that the payee has paid back a recovery, in full; finance does, with the bank's reference.

    Once for each recovery: the same reference again changes nothing. The voucher gets nothing back; the cap does where
    the rules restore it and the money came in its own fiscal year. Raises `forbidden`, `not_found`, `wrong_state`.
    """
    caller.require(Role.FINANCE)
    found = read_recovery(tx, caller=caller, recovery_id=recovery_id)
    if not caller.holds_in(Role.FINANCE, found.region_code):
        raise AppError(Code.NOT_FOUND, what="recovery")
    region_code = found.region_code
    voucher_id = tx.execute(
        select(Redemption.voucher_id).where(Redemption.region_code == region_code, Redemption.id == found.redemption_id)
    ).scalar_one()
    voucher = lock_vouchers(tx, [(region_code, voucher_id)], wait=True)[region_code, voucher_id]
    found = read_recovery(tx, caller=caller, recovery_id=recovery_id)  # as it is under the lock
    if found.status == RecoveryStatus.RECEIVED and found.bank_reference == bank_reference:
        return found
    if found.status != RecoveryStatus.DUE:
        raise AppError(Code.WRONG_STATE, actual=found.status, expected=RecoveryStatus.DUE)
    recovery = open_recovery(tx, region_code, recovery_id)
    assert recovery is not None, "what is due is open"

    lock_holders(tx, recovery.holder_keys, wait=True)
    positions = Positions.read(tx, recovery.holder_keys)
    lock_pools(tx, {(region_code, pool_id) for pool_id, _ in recovery.parts})
    at = now(tx)
    pools = {pool_id for pool_id, _ in recovery.parts}
    open_pools = _of_this_year(tx, region_code, pools, at=at)
    in_its_year = open_pools == pools
    moved = received(
        recovery.parts,
        open_pools if _restores_budget(tx, recovery) else frozenset(),
        voucher_id=voucher_id,
        posting_count=voucher.posting_count,
        payee_id=recovery.payee_id,
    )
    treasury_fen = sum(one.amount_fen for one in moved if one.destination is Account.TREASURY)
    entry = recovery.entry(
        EntryKind.RECOVER,
        Cause(caller.principal_id, caller.organisation_id, caller.request_id),
        at=at,
        details={"step": "received", "redemption": recovery.redemption_id, "bank_reference": bank_reference},
        movements=moved,
    )
    post(tx, [entry])
    restored = bool(recovery.counted) and in_its_year
    if restored:
        positions.add(region_code, recovery.programme_id, recovery.holders, recovery.counted)
        positions.write(tx)
    tx.execute(
        update(Recovery)
        .where(Recovery.region_code == region_code, Recovery.id == recovery_id)
        .values(
            status=RecoveryStatus.RECEIVED,
            restored=restored,
            treasury_fen=treasury_fen,
            bank_reference=bank_reference,
            receipt_entry_id=entry.id,
            ended_at=at,
            ended_by=caller.principal_id,
        )
    )
    return read_recovery(tx, caller=caller, recovery_id=recovery_id)


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
