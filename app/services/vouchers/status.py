"""What a voucher is at an instant. Pure."""

from __future__ import annotations

from datetime import datetime

from app.kernel.vocabulary import VoucherStatus


def status_at(
    at: datetime,
    *,
    ended_as: str | None,
    frozen_at: datetime | None,
    valid_from: datetime,
    redeemable_until: datetime,
    balance_fen: int,
) -> VoucherStatus:
    """The status shown: an end, frozen, pending, exhausted, active, in this order.

    Expiry follows from the instant alone: from `redeemable_until` on it is expired, whether or not the sweep has run.
    """
    if ended_as is not None:
        return VoucherStatus(ended_as)
    if at >= redeemable_until:
        return VoucherStatus.EXPIRED
    if frozen_at is not None:
        return VoucherStatus.FROZEN
    if at < valid_from:
        return VoucherStatus.PENDING
    return VoucherStatus.EXHAUSTED if balance_fen == 0 else VoucherStatus.ACTIVE
