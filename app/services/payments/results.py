"""What the bank says of a payment order: confirmed, or returned (退票). Recorded once for each of its references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import EntryKind, PaymentResultKind, RecoveryStatus, Role
from app.models import PaymentItem, PaymentResult, Recovery
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.journal import post
from app.services.payments.decisions import Item, Payable, chosen, payment_entry, refuse_vague_return
from app.services.payments.reads import PaymentOrderRecord, read_payment_order
from app.services.payments.writing import (
    items_of,
    load_payables,
    lock_order,
    ordered_parts,
    vouchers_of,
    write_step,
)
from app.services.recoveries.bounces import lock_for_refunds, refund_instead
from app.services.recoveries.claims import mark_due, open_recoveries
from app.services.redemption.loading import lock_vouchers
from app.sql import BulkInsert, now

_STEPS = {
    PaymentResultKind.CONFIRMED: EntryKind.CONFIRM_PAYMENT,
    PaymentResultKind.BOUNCED: EntryKind.BOUNCE,
}
_RESULTS = BulkInsert(
    PaymentResult.__table__,
    ("region_code", "id", "order_id", "kind", "bank_reference", "total_fen", "reason", "recorded_at", "recorded_by"),
    suffix="ON CONFLICT DO NOTHING RETURNING id",
)


@dataclass(frozen=True, slots=True)
class BankResult:
    """What a bank's slip says: of which items of the order, under which reference.

    None: all that it can be about; a return is then of the whole order.
    """

    order_id: str
    kind: PaymentResultKind
    bank_reference: str
    redemption_ids: Sequence[str] | None = None
    reason: str | None = None

    @property
    def step(self) -> EntryKind:
        """The step that it takes the items."""
        return _STEPS[self.kind]


def confirm_payment(tx: Connection, *, caller: Caller, result: BankResult) -> PaymentOrderRecord:
    """Record that the bank has paid: in_payment → disbursed, redemption by redemption.

    What was refunded while the payment was under way is claimed from the payee now. The same reference again changes
    nothing. Raises `forbidden`, `not_found`, `wrong_state`, `bank_reference_already_used`.
    """
    assert result.kind is PaymentResultKind.CONFIRMED
    order = _own_order(tx, caller, result.order_id)
    items = _begin(tx, caller, order, result)
    if items is None:
        return read_payment_order(tx, caller=caller, order_id=result.order_id)
    result_id, picked = items
    taken, cause, _ = _take(tx, caller, order, result, picked)
    recoveries = open_recoveries(tx, [(order.region_code, item.redemption_id) for item in picked])
    assert all(one.status is RecoveryStatus.RECORDED for one in recoveries), "nothing was claimed before it was paid"
    at = taken[0][2].at
    claims = [(recovery, recovery.claim(cause, at=at)) for recovery in recoveries]
    post(tx, [*(entry for _, _, entry in taken), *(entry for _, entry in claims)])
    write_step(tx, result.step, (order.region_code, order.id), taken, result_id=result_id)
    mark_due(tx, claims)
    return read_payment_order(tx, caller=caller, order_id=result.order_id)


def bounce_payment(tx: Connection, *, caller: Caller, result: BankResult) -> PaymentOrderRecord:
    """Record that the bank has returned a payment, before or after it confirmed it: it is owed again.

    What was refunded meanwhile goes back now, as it would have before the payment. The same reference again changes
    nothing. Raises `forbidden`, `not_found`, `wrong_state`, `bank_reference_already_used`, `payment_paid_back`, and
    `validation_failed` where no item is named and only part of the order is confirmed.
    """
    assert result.kind is PaymentResultKind.BOUNCED
    order = _own_order(tx, caller, result.order_id)
    items = _begin(tx, caller, order, result)
    if items is None:
        return read_payment_order(tx, caller=caller, order_id=result.order_id)
    result_id, picked = items
    taken, cause, vouchers = _take(tx, caller, order, result, picked)
    keys = [(order.region_code, item.redemption_id) for item in picked]
    _refuse_paid_back(tx, order.region_code, [item.redemption_id for item in picked])
    recoveries = open_recoveries(tx, keys)
    positions = lock_for_refunds(tx, recoveries, vouchers)
    at = now(tx)
    post(tx, [entry for _, _, entry in taken])
    write_step(tx, result.step, (order.region_code, order.id), taken, result_id=result_id)
    refund_instead(tx, recoveries, vouchers, positions, cause, at=at)
    return read_payment_order(tx, caller=caller, order_id=result.order_id)


def _own_order(tx: Connection, caller: Caller, order_id: str) -> Any:
    """The order, locked, if it is one of the caller's region."""
    caller.require(Role.FINANCE)
    found = read_payment_order(tx, caller=caller, order_id=order_id)
    if not caller.holds_in(Role.FINANCE, found.region_code):
        raise AppError(Code.NOT_FOUND, what="payment_order")
    return lock_order(tx, order_id)


def _begin(tx: Connection, caller: Caller, order: Any, result: BankResult) -> tuple[str, list[Item]] | None:
    """Take the bank's reference for the items that the result is about; None where it was recorded already."""
    items = items_of(tx, order.region_code, order.id)
    if _is_recorded(tx, order, result, items):
        return None
    if result.kind is PaymentResultKind.BOUNCED and result.redemption_ids is None:
        refuse_vague_return(items)
    picked = chosen(items, result.redemption_ids, result.step)
    row = {
        "region_code": order.region_code,
        "id": new_id("pyr", order.region_code),
        "order_id": order.id,
        "kind": result.kind,
        "bank_reference": result.bank_reference,
        "total_fen": sum(item.amount_fen for item in picked),
        "reason": result.reason,
        "recorded_at": now(tx),
        "recorded_by": caller.principal_id,
    }
    if not _RESULTS(tx, [row]):  # another order took it while we looked
        _is_recorded(tx, order, result, items)
        raise AssertionError("who takes a reference has committed, and it is not for this order")
    return str(row["id"]), picked


def _is_recorded(tx: Connection, order: Any, result: BankResult, items: Sequence[Item]) -> bool:
    """Whether this very result is recorded. Raises where the reference stands for another one."""
    known = tx.execute(
        select(PaymentResult.id, PaymentResult.order_id).where(
            PaymentResult.region_code == order.region_code,
            PaymentResult.kind == result.kind,
            PaymentResult.bank_reference == result.bank_reference,
        )
    ).one_or_none()
    if known is None:
        return False
    column = (
        PaymentItem.confirm_result_id if result.kind is PaymentResultKind.CONFIRMED else PaymentItem.bounce_result_id
    )
    said_of = set(
        tx.execute(
            select(PaymentItem.redemption_id).where(PaymentItem.region_code == order.region_code, column == known.id)
        ).scalars()
    )
    wanted = set(result.redemption_ids) if result.redemption_ids is not None else None
    if known.order_id != order.id or (said_of != wanted if wanted is not None else _more_to_say(items, result.step)):
        raise AppError(Code.BANK_REFERENCE_ALREADY_USED, bank_reference=result.bank_reference, order_id=known.order_id)
    return True


def _more_to_say(items: Sequence[Item], step: EntryKind) -> bool:
    """Whether the step could still be taken by some item, so that a repetition would not mean the same."""
    try:
        chosen(items, None, step)
    except AppError:
        return False
    return True


def _take(
    tx: Connection, caller: Caller, order: Any, result: BankResult, picked: Sequence[Item]
) -> tuple[list[tuple[Item, Payable, JournalEntry]], Cause, dict[tuple[str, str], Any]]:
    """Lock the vouchers and make the entries of the step; nothing is written yet."""
    region_code = order.region_code
    ids = [item.redemption_id for item in picked]
    vouchers = lock_vouchers(tx, vouchers_of(tx, region_code, ids), wait=True)
    payables = load_payables(tx, region_code, ids, ordered_parts(tx, region_code, order.id))
    cause = Cause(caller.principal_id, caller.organisation_id, caller.request_id)
    at = now(tx)
    details = {"payment_order": order.id, "bank_reference": result.bank_reference}
    details |= {"reason": result.reason} if result.reason else {}
    taken = [
        (
            item,
            payable := payables[item.redemption_id],
            payment_entry(
                result.step,
                item,
                payable,
                vouchers[region_code, payable.voucher_id],
                cause,
                details=details,
                at=at,
            ),
        )
        for item in picked
    ]
    return taken, cause, vouchers


def _refuse_paid_back(tx: Connection, region_code: str, redemption_ids: Sequence[str]) -> None:
    """A payment of which part was paid back had arrived; the bank cannot have returned all of it."""
    found = tx.execute(
        select(Recovery.id, Recovery.redemption_id)
        .where(
            Recovery.region_code == region_code,
            Recovery.redemption_id.in_(redemption_ids),
            Recovery.status == RecoveryStatus.RECEIVED,
        )
        .limit(1)
    ).one_or_none()
    if found is not None:
        raise AppError(Code.PAYMENT_PAID_BACK, redemption_id=found.redemption_id, recovery_id=found.id)
