"""Freezing and voiding: asked for by a maker, done by a checker's approval. Surrender: done by the firm itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, ApprovalKind, EntryKind, Role, VoucherEnd, VoucherStatus
from app.models import Programme, Voucher
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.notices.blocks import require_no_objection
from app.services.redemption.effects import freeing
from app.services.redemption.holds.ending import end_due_holds, release_all
from app.services.redemption.holds.running import resume_clocks
from app.services.redemption.loading import lock_vouchers
from app.services.redemption.states import VoucherState
from app.services.vouchers.mandates import own_voucher_locked
from app.services.vouchers.reads import VoucherRecord, read_voucher
from app.services.vouchers.status import status_at
from app.sql import now

KINDS = {
    "freeze": ApprovalKind.FREEZE_VOUCHER,
    "unfreeze": ApprovalKind.UNFREEZE_VOUCHER,
    "void": ApprovalKind.VOID_VOUCHER,
}
ENDINGS = {VoucherEnd.VOIDED: EntryKind.VOID, VoucherEnd.SURRENDERED: EntryKind.SURRENDER}


def request_act(tx: Connection, *, caller: Caller, voucher_id: str, act: str, reason: str) -> str:
    """Ask a checker to `freeze`, `unfreeze` or `void` a voucher; returns the approval's id.

    Raises `forbidden`, `voucher_not_found`, `wrong_state` where the act makes no sense now.
    """
    caller.require(Role.MAKER)
    voucher = read_voucher(tx, caller=caller, voucher_id=voucher_id, at=now(tx))
    programme = tx.execute(
        select(Programme.authority_id).where(
            Programme.region_code == voucher.region_code, Programme.id == voucher.programme_id
        )
    ).one()
    if not caller.holds_in(Role.MAKER, voucher.region_code, programme.authority_id):
        raise AppError(Code.VOUCHER_NOT_FOUND)
    _check(act, voucher.status)
    return request_approval(
        tx,
        caller=caller,
        kind=KINDS[act],
        region_code=voucher.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=voucher.id,
        command={"voucher_id": voucher.id, "act": act, "reason": reason},
        effect=_effect(voucher, act),
        amount_fen=voucher.balance_fen + voucher.held_fen if act == "void" else None,
        reason=reason,
    )


def execute_freeze(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """From now on nothing can be drawn, held or not, and the holds' clocks stand; what is already redeemed is paid."""
    voucher = _locked(tx, decision.region_code, str(command["voucher_id"]))
    at = now(tx)
    _check("freeze", _status(voucher, at=at))
    _change(tx, voucher, frozen_at=at)


def execute_unfreeze(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Let the voucher be drawn on again. Its validity ran on; its holds get back the time for which they stood.

    Raises `under_objection` where an objection (异议) to it is undecided: its dismissal unfreezes it.
    """
    voucher = _locked(tx, decision.region_code, str(command["voucher_id"]))
    require_no_objection(tx, region_code=voucher.region_code, subject_ids=[voucher.id])
    _check("unfreeze", _status(voucher, at=(at := now(tx))))
    assert voucher.frozen_at is not None, "what is unfrozen was frozen"
    resume_clocks(tx, voucher, stood_for=at - voucher.frozen_at)
    _change(tx, voucher, frozen_at=None)


def execute_void(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """End the voucher: its holds are released, and its balance goes back to the pools it came from."""
    voucher = _locked(tx, decision.region_code, str(command["voucher_id"]))
    _check("void", _status(voucher, at=now(tx)))
    release_all(tx, {(voucher.region_code, voucher.id): voucher}, decision.cause)
    reason = str(command["reason"])
    _end(tx, voucher, VoucherEnd.VOIDED, decision.cause, subject_id=decision.approval_id, reason=reason)


def surrender(tx: Connection, *, caller: Caller, voucher_id: str, reason: str) -> VoucherRecord:
    """End the firm's own voucher; its balance goes back to the pools it came from, and what was redeemed is paid.

    Raises `forbidden`, `voucher_not_found` for one that is not the firm's, `wrong_state` for one that has ended,
    `holds_open` while a hold keeps part of it.
    """
    caller.require(Role.FIRM)
    region_code = region_of(voucher_id)
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    try_fences(tx, {region_code}, wait=True)
    own_voucher_locked(tx, caller, voucher_id)
    voucher = _locked(tx, region_code, voucher_id)
    if voucher.held_fen:
        end_due_holds(tx, {(region_code, voucher_id): voucher}, wait=True)
    _check("surrender", _status(voucher, at=now(tx)))
    if voucher.held_fen:
        raise AppError(Code.HOLDS_OPEN, actual_fen=voucher.held_fen)
    cause = Cause(caller.principal_id, caller.organisation_id, caller.request_id)
    left_fen = voucher.balance_fen
    at = _end(tx, voucher, VoucherEnd.SURRENDERED, cause, subject_id=voucher_id, reason=reason)
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="voucher.surrendered",
        object_id=voucher_id,
        at=at,
        details={"reason": reason, "surrendered_fen": left_fen},
    )
    return read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)


def _end(
    tx: Connection, voucher: VoucherState, end: VoucherEnd, cause: Cause, *, subject_id: str, reason: str
) -> datetime:
    """End a locked voucher of which nothing is held, and free its balance; the instant from which it has ended."""
    lock_pools(tx, {(voucher.region_code, share.pool_id) for share in voucher.shares})
    at = now(tx)
    free = tuple((share.pool_id, share.balance_fen) for share in voucher.shares if share.balance_fen)
    if free:
        post(
            tx,
            [
                JournalEntry(
                    region_code=voucher.region_code,
                    id=new_id("ent", voucher.region_code),
                    kind=ENDINGS[end],
                    at=at,
                    programme_id=voucher.programme_id,
                    subject_id=subject_id,
                    cause=cause,
                    movements=freeing(voucher, free, Account.COMMITTED, end),
                    voucher_id=voucher.id,
                    voucher_end=end,
                    details={"reason": reason},
                )
            ],
        )
    _change(tx, voucher, ended_as=end, ended_at=at)
    return at


def _check(act: str, status: VoucherStatus) -> None:
    """An ended voucher stays as it ended: one that has expired is not voided, whether or not the sweep has been."""
    ended = status.value in set(VoucherEnd)
    frozen = status is VoucherStatus.FROZEN
    if ended or (act == "freeze" and frozen):
        raise AppError(Code.WRONG_STATE, actual=status, expected=VoucherStatus.ACTIVE)
    if act == "unfreeze" and not frozen:
        raise AppError(Code.WRONG_STATE, actual=status, expected=VoucherStatus.FROZEN)


def _status(voucher: VoucherState, *, at: datetime) -> VoucherStatus:
    return status_at(
        at,
        ended_as=voucher.ended_as,
        frozen_at=voucher.frozen_at,
        valid_from=voucher.valid_from,
        redeemable_until=voucher.redeemable_until,
        balance_fen=voucher.balance_fen,
    )


def _effect(voucher: VoucherRecord, act: str) -> dict[str, Any]:
    released_fen = voucher.balance_fen + voucher.held_fen if act == "void" else 0
    return {
        "act": act,
        "firm": voucher.firm_name,
        "status": voucher.status,
        "balance_fen": voucher.balance_fen,
        "held_fen": voucher.held_fen,
        "released_fen": released_fen,
    }


def _locked(tx: Connection, region_code: str, voucher_id: str) -> VoucherState:
    assert region_of(voucher_id) == region_code, "a voucher's id names its region"
    key = (region_code, voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]


def _change(tx: Connection, voucher: VoucherState, **values: Any) -> None:
    tx.execute(
        update(Voucher).where(Voucher.region_code == voucher.region_code, Voucher.id == voucher.id).values(**values)
    )
