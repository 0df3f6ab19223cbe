"""Invariant 8, beside `validity`: nothing was spent in a closed year, nor from a voucher that had ended."""

from __future__ import annotations

from app.kernel.vocabulary import EntryKind
from app.services.reconciliation.invariants.invariant import Invariant, union

SPENDING = (
    EntryKind.APPROPRIATE,
    EntryKind.ADJUST,
    EntryKind.AUTHORISE,
    EntryKind.ISSUE,
    EntryKind.HOLD,
    EntryKind.REDEEM,
)
"""What a closed year no longer sees. Money may still come back to it, leave it or lapse, and be paid out of it."""

_SPENDING = ", ".join(f"'{kind}'" for kind in SPENDING)

_CLOSED = f"""
    SELECT e.region_code, e.id || ' ' || o.id AS subject, e.kind || ' before ' || o.closed_at AS expected,
        e.at::text AS actual
    FROM pools o
    JOIN postings p ON p.region_code = o.region_code AND p.pool_id = o.id
    JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    WHERE o.closed_at IS NOT NULL AND e.at >= o.closed_at AND e.kind IN ({_SPENDING})
    UNION ALL
    SELECT o.region_code, 'freed in closed ' || o.id, 'lapsed', 'available by ' || e.kind || ' ' || e.id
    FROM pools o
    JOIN postings p ON p.region_code = o.region_code AND p.pool_id = o.id AND p.destination = 'available'
    JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    WHERE o.closed_at IS NOT NULL AND e.at >= o.closed_at AND e.kind <> 'move'
    UNION ALL
    SELECT o.region_code, 'not closed by a decision ' || o.id, 'a year close', o.closed_at::text
    FROM pools o
    WHERE o.closed_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM year_closes c
        WHERE c.region_code = o.region_code AND c.programme_id = o.programme_id
            AND c.fiscal_year = o.fiscal_year AND c.closed_at = o.closed_at
    )
"""

_AFTER_THE_END = """
    SELECT e.region_code, e.id || ' after the end of ' || v.id, least(v.redeemable_until, v.ended_at)::text, e.at::text
    FROM entries e
    JOIN vouchers v ON v.region_code = e.region_code AND v.id = e.voucher_id
    WHERE e.kind IN ('hold', 'redeem') AND e.at >= least(v.redeemable_until, v.ended_at)
"""

_HELD_AFTER_THE_END = """
    SELECT e.region_code, e.id || ' after the end of ' || v.id, least(v.redeemable_until, v.ended_at)::text, e.at::text
    FROM holds h
    JOIN entries e ON e.region_code = h.region_code AND e.id = h.entry_id
    JOIN vouchers v ON v.region_code = e.region_code AND v.id = e.voucher_id
    WHERE e.at >= least(v.redeemable_until, v.ended_at)
"""

INVARIANTS = (
    Invariant(
        8,
        "closed_years",
        "Nothing was spent in a closed year or from an ended voucher",
        "未在已关账年度内或券终结之后支用",
        union(_CLOSED, _AFTER_THE_END),
        rest=union(_CLOSED, _HELD_AFTER_THE_END),
    ),
)
