"""Open holds: releasing one, running one longer, and starting its clock again after a freeze."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, update

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import HoldStatus, Role
from app.models import Hold
from app.reach import enter
from app.services import audit
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause
from app.services.redemption.commands import HoldRecord
from app.services.redemption.decisions import Refused
from app.services.redemption.holds.decisions import expiry_of, refuse_hold
from app.services.redemption.holds.ending import end_holds
from app.services.redemption.holds.loading import find_holds, load_holds
from app.services.redemption.holds.reads import read_hold
from app.services.redemption.holds.states import HoldState
from app.services.redemption.loading import load_terms, lock_vouchers
from app.services.redemption.states import VoucherState
from app.sql import now

HOLD_IN_PATH = "/path/hold_id"
"""Where a request that is about one hold names it."""


def release(tx: Connection, *, caller: Caller, hold_id: str) -> HoldRecord:
    """Give back what a hold still holds; what was redeemed from it stays. A frozen voucher's hold may be released too.

    Raises `hold_not_found`, `hold_expired`, `hold_already_resolved`.
    """
    hold, voucher = _own_locked(tx, caller, hold_id)
    refused = refuse_hold(hold, voucher, at=now(tx))
    if refused is not None and refused.code is not Code.VOUCHER_FROZEN:
        raise refused.problem(HOLD_IN_PATH)
    cause = Cause(caller.principal_id, caller.organisation_id, caller.request_id)
    end_holds(tx, [hold], {(voucher.region_code, voucher.id): voucher}, HoldStatus.RELEASED, cause, wait=True)
    return read_hold(tx, caller=caller, hold_id=hold_id)


def extend(tx: Connection, *, caller: Caller, hold_id: str, expires_at: datetime | None) -> HoldRecord:
    """Let a hold run longer: until an instant, or as long from now as the rules and the voucher let it.

    It never runs shorter than before. Raises `hold_not_found`, `hold_expired`, `hold_already_resolved`,
    `voucher_frozen`, `validation_failed`.
    """
    hold, voucher = _own_locked(tx, caller, hold_id)
    at = now(tx)
    if refused := refuse_hold(hold, voucher, at=at):
        raise refused.problem(HOLD_IN_PATH)
    key = (hold.region_code, hold.programme_id)
    rules = load_terms(tx, [key])[key].version(hold.rule_version_id).rules
    until = expiry_of(expires_at, voucher, rules.use.hold_days, at=at)
    if isinstance(until, Refused):
        raise until.problem()
    if until > hold.expires_at:
        tx.execute(
            update(Hold).where(Hold.region_code == hold.region_code, Hold.id == hold.id).values(expires_at=until)
        )
        audit.record(
            tx,
            caller=caller,
            region_code=hold.region_code,
            action="hold.extended",
            object_id=hold.id,
            at=at,
            details={"from": hold.expires_at.isoformat(), "until": until.isoformat()},
        )
    return read_hold(tx, caller=caller, hold_id=hold_id)


def resume_clocks(tx: Connection, voucher: VoucherState, *, stood_for: timedelta) -> None:
    """After a freeze: the voucher's open holds run on as long as they had left, but not beyond the voucher.

    One whose time had run out before the freeze stays so.
    """
    tx.execute(
        update(Hold)
        .where(
            Hold.region_code == voucher.region_code,
            Hold.voucher_id == voucher.id,
            Hold.status == HoldStatus.OPEN,
            Hold.expires_at > voucher.frozen_at,
        )
        .values(expires_at=func.least(Hold.expires_at + stood_for, voucher.redeemable_until))
    )


def _own_locked(tx: Connection, caller: Caller, hold_id: str) -> tuple[HoldState, VoucherState]:
    """The caller's hold and its voucher, under the voucher's lock."""
    caller.require(Role.PROVIDER)
    region_code = region_of(hold_id)
    enter(tx, [region_code])
    key = (region_code or "", hold_id)
    place = find_holds(tx, [key]).get(key)
    if place is None or place.provider_id != caller.organisation_id:
        raise AppError(Code.HOLD_NOT_FOUND, pointer=HOLD_IN_PATH, actual=hold_id)
    voucher_key = (key[0], place.voucher_id)
    voucher = lock_vouchers(tx, [voucher_key], wait=True)[voucher_key]
    return load_holds(tx, [key])[key], voucher
