"""What a voucher is at an instant. Pure."""

from __future__ import annotations

from datetime import datetime

from app.kernel.vocabulary import ProgrammeStatus, VoucherStatus

LIVING = frozenset({ProgrammeStatus.PUBLISHED, ProgrammeStatus.CLOSED})
"""Programmes whose vouchers are drawn on: closing one stops what is issued, and not what is out."""

OVER = "(v.redeemable_until <= {clock} AND NOT (v.stands_still AND v.frozen_at < v.redeemable_until))"
"""SQL for a voucher `v` whose time is over at an instant, as `over`; whether the sweep has been is another question."""


def status_at(
    at: datetime,
    *,
    ended_as: str | None,
    frozen_at: datetime | None,
    valid_from: datetime,
    redeemable_until: datetime,
    balance_fen: int,
    stands_still: bool = False,
) -> VoucherStatus:
    """The status shown: an end, frozen, pending, exhausted, active, in this order.

    Expiry follows from the instant alone: from `redeemable_until` on it is expired, whether or not the sweep has run.
    While it is frozen and its validity stands (`stands_still`), it does not expire.
    """
    if ended_as is not None:
        return VoucherStatus(ended_as)
    if over(at, redeemable_until, frozen_at if stands_still else None):
        return VoucherStatus.EXPIRED
    if frozen_at is not None:
        return VoucherStatus.FROZEN
    if at < valid_from:
        return VoucherStatus.PENDING
    return VoucherStatus.EXHAUSTED if balance_fen == 0 else VoucherStatus.ACTIVE


def over(at: datetime, until: datetime, stands_since: datetime | None) -> bool:
    """Whether a time that ends at `until` is over: not as long as it stands still since an instant before."""
    return at >= until and (stands_since is None or stands_since >= until)
