"""The entries of payment: owed, in payment, paid, and back again. Pure. Amounts are fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Account, EntryKind, PaymentItemStatus
from app.services.ledger.entries import Cause, JournalEntry
from app.services.payments.states import item_after, redemption_after
from app.services.redemption.effects import Parts, movements
from app.services.redemption.states import VoucherState

DESTINATIONS: Mapping[EntryKind, Account] = {
    EntryKind.ORDER_PAYMENT: Account.IN_PAYMENT,
    EntryKind.CONFIRM_PAYMENT: Account.DISBURSED,
    EntryKind.BOUNCE: Account.OBLIGATED,
}
"""Where each step of a payment takes the money."""

LIES_ON: Mapping[PaymentItemStatus, Account] = {
    PaymentItemStatus.PROPOSED: Account.OBLIGATED,
    PaymentItemStatus.IN_PAYMENT: Account.IN_PAYMENT,
    PaymentItemStatus.CONFIRMED: Account.DISBURSED,
}
"""Where the money of an item lies."""


@dataclass(frozen=True, slots=True)
class Payable:
    """A redemption in a payment, under its voucher's lock. `parts` are what is paid of each pool."""

    region_code: str
    redemption_id: str
    voucher_id: str
    programme_id: str
    rule_version_id: str
    payee_id: str
    status: str
    net_fen: int
    """Its subsidy less what went back and what is to be paid back."""
    parts: Parts


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a payment order."""

    redemption_id: str
    amount_fen: int
    status: str


def chosen(items: Sequence[Item], wanted: Sequence[str] | None, step: EntryKind) -> list[Item]:
    """The items that a bank's answer is about: those that it names, or all that it can be about.

    Raises `not_found` for one that is not in the order, `wrong_state` where nothing, or not all that is named, can take
    the step.
    """
    if wanted is not None:
        by_id = {item.redemption_id: item for item in items}
        if any(one not in by_id for one in wanted):
            raise AppError(Code.NOT_FOUND, what="redemption")
        picked = [by_id[one] for one in sorted(set(wanted))]
    else:
        picked = [item for item in items if _can_take(item, step)] or list(items[:1])
    for item in picked:
        item_after(item.status, step)
    return picked


def refuse_vague_return(items: Sequence[Item]) -> None:
    """Raise `validation_failed` where a return that names no item could mean too much.

    Where only part of an order is confirmed, what has arrived must not become owed, and be paid, once more.
    """
    states = {item.status for item in items}
    if PaymentItemStatus.CONFIRMED in states and len(states) > 1:
        told = "part of the order is confirmed: name what came back / 支付单部分已到账，须列明退回的核销"
        error = FieldError("/redemption_ids", "missing", detail=told)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])


def check_payable(item: Item, payable: Payable) -> None:
    """Raise unless exactly what was proposed is still owed: `payment_changed`, `wrong_state`."""
    redemption_after(payable.status, EntryKind.ORDER_PAYMENT)
    if payable.net_fen != item.amount_fen:
        raise AppError(
            Code.PAYMENT_CHANGED,
            redemption_id=item.redemption_id,
            limit_fen=item.amount_fen,
            actual_fen=payable.net_fen,
        )
    assert sum(fen for _, fen in payable.parts) == item.amount_fen, "what is paid is what the postings say is owed"


def payment_entry(
    step: EntryKind,
    item: Item,
    payable: Payable,
    voucher: VoucherState,
    cause: Cause,
    *,
    details: Mapping[str, str | int],
    at: datetime,
) -> JournalEntry:
    """The entry that takes one item a step on. Its subject is the redemption: all its money's ways are found by it.

    The voucher's count of postings goes on, so several items of one voucher follow each other.
    """
    source = LIES_ON[PaymentItemStatus(item.status)]
    moved = movements(voucher, payable.parts, source, DESTINATIONS[step], payee_id=payable.payee_id)
    voucher.posting_count += len(moved)
    return JournalEntry(
        region_code=payable.region_code,
        id=new_id("ent", payable.region_code),
        kind=step,
        at=at,
        programme_id=payable.programme_id,
        subject_id=payable.redemption_id,
        cause=cause,
        voucher_id=payable.voucher_id,
        rule_version_id=payable.rule_version_id,
        details=details,
        movements=moved,
    )


def _can_take(item: Item, step: EntryKind) -> bool:
    try:
        item_after(item.status, step)
    except AppError:
        return False
    return True
