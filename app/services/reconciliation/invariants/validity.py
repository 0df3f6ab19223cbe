"""Nothing was drawn outside its voucher's validity, and that is what was sealed with its issue and its extensions."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, union

_REDEEMED = "SELECT region_code, id, voucher_id, hold_id, redeemed_at AS at FROM redemptions"
_HELD = "SELECT region_code, id, voucher_id, NULL AS hold_id, held_at AS at FROM holds"
_DRAWS = union(_REDEEMED, _HELD)


def _outside(draws: str) -> str:
    return f"""
    SELECT d.region_code, d.id AS subject, v.valid_from::text || ' to ' || (CASE WHEN d.hold_id IS NULL THEN
        v.valid_until ELSE v.redeemable_until END)::text AS expected, d.at::text AS actual
    FROM ({draws}) AS d JOIN vouchers v ON v.region_code = d.region_code AND v.id = d.voucher_id
    WHERE d.at < v.valid_from OR d.at >= CASE WHEN d.hold_id IS NULL THEN v.valid_until ELSE v.redeemable_until END
    """


_EXTENDED_AFTER = f"""
    SELECT d.region_code, d.id || ' before extension ' || x.number, 'valid until ' || x.valid_until_before, d.at::text
    FROM extensions x JOIN ({_DRAWS}) AS d ON d.region_code = x.region_code AND d.voucher_id = x.voucher_id
    WHERE d.at < x.extended_at
        AND d.at >= CASE WHEN d.hold_id IS NULL THEN x.valid_until_before ELSE x.redeemable_until_before END
"""
"""A hold or a redemption in one step falls within the validity, a redemption from a hold before its grace ends.

What was drawn before an extension falls within the validity before it.
"""


def _instant(column: str) -> str:
    """SQL for an instant as details write it."""
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


_STORED = f"concat_ws(' ', {_instant('v.valid_from')}, {_instant('v.valid_until')}, {_instant('v.redeemable_until')})"
_EXTENDED = " || ' ' || ".join(
    _instant(f"x.{name}")
    for name in ("valid_until_before", "redeemable_until_before", "valid_until", "redeemable_until")
)

_KIND = """CASE WHEN x.ground <> 'freeze' THEN 'extend_voucher' WHEN EXISTS (
        SELECT FROM objections o JOIN notice_items i
            ON i.region_code = o.region_code AND i.notice_id = o.notice_id AND i.item_no = o.item_no
        WHERE o.region_code = x.region_code AND o.approval_id = x.approval_id AND o.status = 'dismissed'
            AND i.subject_id = x.voucher_id
    ) THEN 'decide_objection' ELSE 'unfreeze_voucher' END"""
"""What kind of approval an extension has: the time that a freeze stood is given back by whatever lifts it."""

_SEALED = f"""
    WITH newest AS (
        SELECT DISTINCT ON (x.region_code, x.voucher_id) x.region_code, x.voucher_id, a.details::jsonb AS details
        FROM extensions x LEFT JOIN audit_events a ON a.region_code = x.region_code AND a.id = x.event_id
        ORDER BY x.region_code, x.voucher_id, x.number DESC
    )
    SELECT v.region_code, 'validity of ' || v.id AS subject, said.validity AS expected, {_STORED} AS actual
    FROM vouchers v
    LEFT JOIN entries e ON e.region_code = v.region_code AND e.voucher_id = v.id AND e.kind = 'issue'
    LEFT JOIN newest n ON n.region_code = v.region_code AND n.voucher_id = v.id
    CROSS JOIN LATERAL (SELECT e.details::jsonb AS issued OFFSET 0) AS read
    CROSS JOIN LATERAL (SELECT concat_ws(' ', read.issued ->> 'valid_from',
        coalesce(n.details, read.issued) ->> 'valid_until', coalesce(n.details, read.issued) ->> 'redeemable_until'
    ) AS validity) AS said
    WHERE said.validity <> {_STORED}
    UNION ALL
    SELECT x.region_code, 'extension ' || x.number || ' of ' || x.voucher_id,
        coalesce(concat_ws(' ', a.object_id, a.details::jsonb ->> 'number', a.details::jsonb ->> 'approval',
            a.details::jsonb ->> 'maker', a.principal_id, a.details::jsonb ->> 'valid_until_before',
            a.details::jsonb ->> 'redeemable_until_before', a.details::jsonb ->> 'valid_until',
            a.details::jsonb ->> 'redeemable_until'), 'a sealed event'),
        concat_ws(' ', x.voucher_id, x.number, x.approval_id, x.made_by, x.decided_by, {_EXTENDED})
    FROM extensions x LEFT JOIN audit_events a
        ON a.region_code = x.region_code AND a.id = x.event_id AND a.action = 'voucher.extended'
    WHERE concat_ws(' ', a.object_id, a.details::jsonb ->> 'number', a.details::jsonb ->> 'approval',
            a.details::jsonb ->> 'maker', a.principal_id, a.details::jsonb ->> 'valid_until_before',
            a.details::jsonb ->> 'redeemable_until_before', a.details::jsonb ->> 'valid_until',
            a.details::jsonb ->> 'redeemable_until')
        IS DISTINCT FROM concat_ws(' ', x.voucher_id, x.number, x.approval_id, x.made_by, x.decided_by, {_EXTENDED})
    UNION ALL
    SELECT x.region_code, 'approval of extension ' || x.number || ' of ' || x.voucher_id,
        concat_ws(' ', p.status, p.kind, p.made_by, p.decided_by),
        concat_ws(' ', 'approved', {_KIND}, x.made_by, x.decided_by)
    FROM extensions x LEFT JOIN approvals p ON p.region_code = x.region_code AND p.id = x.approval_id
    WHERE concat_ws(' ', p.status, p.kind, p.made_by, p.decided_by)
        IS DISTINCT FROM concat_ws(' ', 'approved', {_KIND}, x.made_by, x.decided_by)
    UNION ALL
    SELECT a.region_code, 'event ' || a.id, 'an extension of ' || a.object_id, 'none'
    FROM audit_events a LEFT JOIN extensions x ON x.region_code = a.region_code AND x.event_id = a.id
    WHERE a.action = 'voucher.extended' AND x.voucher_id IS NULL
"""
"""Details are what their leaf names (`columns`), so a validity that was edited is none that was sealed.

`OFFSET 0`: they are read once a voucher.
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        8,
        "validity",
        "Nothing was drawn outside its voucher's validity",
        "没有在有效期之外抵扣或预占",
        union(_outside(_DRAWS), _EXTENDED_AFTER),
        rest=union(_outside(_HELD), _EXTENDED_AFTER),
    ),
    Invariant(
        8,
        "sealed_validity",
        "A voucher is valid as it was issued and extended by two persons",
        "券的有效期与发放及经双人审核的延期一致",
        _SEALED,
    ),
)
