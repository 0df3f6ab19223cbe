"""Nothing was drawn outside its voucher's validity."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_VALIDITY = """
    SELECT d.region_code, d.id AS subject, v.valid_from::text || ' to ' || (CASE WHEN d.hold_id IS NULL THEN
        v.valid_until ELSE v.redeemable_until END)::text AS expected, d.at::text AS actual
    FROM (
        SELECT region_code, id, voucher_id, hold_id, redeemed_at AS at FROM redemptions
        UNION ALL
        SELECT region_code, id, voucher_id, NULL, held_at FROM holds
    ) AS d JOIN vouchers v ON v.region_code = d.region_code AND v.id = d.voucher_id
    WHERE d.at < v.valid_from OR d.at >= CASE WHEN d.hold_id IS NULL THEN v.valid_until ELSE v.redeemable_until END
"""
"""A hold or a redemption in one step falls within the validity, a redemption from a hold before its grace ends."""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        8,
        "validity",
        "Nothing was drawn outside its voucher's validity",
        "没有在有效期之外抵扣或预占",
        _VALIDITY,
    ),
)
