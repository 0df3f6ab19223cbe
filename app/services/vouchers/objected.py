"""What an objection (异议) does to a voucher: it is frozen at once, and unfrozen or voided by the answer."""

from __future__ import annotations

from sqlalchemy import Connection, update

from app.kernel.vocabulary import VoucherEnd, VoucherStatus
from app.models import Voucher
from app.services.approvals.requests import Decision
from app.services.redemption.loading import lock_vouchers
from app.services.redemption.states import VoucherState
from app.services.vouchers.extensions import rules_of
from app.services.vouchers.lifecycle import execute_unfreeze, execute_void
from app.services.vouchers.official_acts import status_of
from app.sql import now


def freeze_under_objection(tx: Connection, *, region_code: str, subject_id: str) -> bool:
    """Freeze the voucher and say so; one that is frozen or has ended stays as it is.

    Its validity stands meanwhile where the rules in force let it.
    """
    voucher = _locked(tx, region_code, subject_id)
    status = status_of(voucher, at=(at := now(tx)))
    if status is VoucherStatus.FROZEN or status.value in set(VoucherEnd):
        return False
    stands = rules_of(tx, [voucher], at=at)[region_code, voucher.programme_id].while_frozen == "stands"
    tx.execute(
        update(Voucher)
        .where(Voucher.region_code == region_code, Voucher.id == subject_id)
        .values(frozen_at=at, stands_still=stands)
    )
    return True


def unfreeze_after_objection(tx: Connection, *, subject_id: str, decision: Decision) -> None:
    """Let the voucher be drawn on again, unless it has ended or was unfrozen meanwhile."""
    voucher = _locked(tx, decision.region_code, subject_id)
    if status_of(voucher, at=now(tx)) is VoucherStatus.FROZEN:
        execute_unfreeze(tx, command={"voucher_id": subject_id}, decision=decision)


def void_after_objection(tx: Connection, *, subject_id: str, reason: str, decision: Decision) -> None:
    """End the voucher; one that has ended stays as it ended."""
    voucher = _locked(tx, decision.region_code, subject_id)
    if status_of(voucher, at=now(tx)).value not in set(VoucherEnd):
        execute_void(tx, command={"voucher_id": subject_id, "reason": reason}, decision=decision)


def _locked(tx: Connection, region_code: str, voucher_id: str) -> VoucherState:
    key = (region_code, voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]
