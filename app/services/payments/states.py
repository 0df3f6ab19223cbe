"""Which steps redemptions and items of payment orders take between owed and paid, and what a refund is then. Pure.

Each step is a kind of journal entry; what is not in the tables is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import EntryKind, PaymentItemStatus, RecoveryStatus, RedemptionStatus

REDEMPTION_STEPS: Mapping[tuple[RedemptionStatus, EntryKind], RedemptionStatus] = {
    (RedemptionStatus.POSTED, EntryKind.ORDER_PAYMENT): RedemptionStatus.IN_SETTLEMENT,
    (RedemptionStatus.IN_SETTLEMENT, EntryKind.CONFIRM_PAYMENT): RedemptionStatus.PAID,
    (RedemptionStatus.IN_SETTLEMENT, EntryKind.BOUNCE): RedemptionStatus.POSTED,
    (RedemptionStatus.PAID, EntryKind.BOUNCE): RedemptionStatus.POSTED,
}

ITEM_STEPS: Mapping[tuple[PaymentItemStatus, EntryKind], PaymentItemStatus] = {
    (PaymentItemStatus.PROPOSED, EntryKind.ORDER_PAYMENT): PaymentItemStatus.IN_PAYMENT,
    (PaymentItemStatus.IN_PAYMENT, EntryKind.CONFIRM_PAYMENT): PaymentItemStatus.CONFIRMED,
    (PaymentItemStatus.IN_PAYMENT, EntryKind.BOUNCE): PaymentItemStatus.BOUNCED,
    (PaymentItemStatus.CONFIRMED, EntryKind.BOUNCE): PaymentItemStatus.BOUNCED,
}
"""A rejected order's items go from `proposed` to `rejected`, without an entry."""

REFUND_OF: Mapping[RedemptionStatus, RecoveryStatus | None] = {
    RedemptionStatus.POSTED: None,
    RedemptionStatus.IN_SETTLEMENT: RecoveryStatus.RECORDED,
    RedemptionStatus.PAID: RecoveryStatus.DUE,
}
"""What a refund makes of money in this state: a refund at once (None), or a recovery that begins like this."""


def item_after(status: str, step: EntryKind) -> PaymentItemStatus:
    """What an item is after a step. Raises `wrong_state`."""
    after = ITEM_STEPS.get((PaymentItemStatus(status), step))
    if after is None:
        expected = next(before for before, kind in ITEM_STEPS if kind is step)
        raise AppError(Code.WRONG_STATE, actual=status, expected=expected)
    return after


def redemption_after(status: str, step: EntryKind) -> RedemptionStatus:
    """What a redemption is after a step. Raises `wrong_state`."""
    after = REDEMPTION_STEPS.get((RedemptionStatus(status), step))
    if after is None:
        expected = next(before for before, kind in REDEMPTION_STEPS if kind is step)
        raise AppError(Code.WRONG_STATE, actual=status, expected=expected)
    return after
