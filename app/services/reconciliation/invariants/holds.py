"""Holds: never below zero, drawn within what they hold, ended exactly once."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_HOLD_NEGATIVE = """
    SELECT region_code, hold_id || ' ' || pool_id AS subject, '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT region_code, hold_id, pool_id,
            sum(CASE WHEN destination = 'held' THEN amount_fen ELSE -amount_fen END)
                OVER (PARTITION BY region_code, hold_id, pool_id ORDER BY voucher_seq) AS running
        FROM postings WHERE hold_id IS NOT NULL
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, hold_id, pool_id
"""

_HOLDS_END_ONCE = """
    SELECT h.region_code, h.id AS subject, h.status || ' held ' || h.held_fen AS expected,
        coalesce(string_agg(e.kind, ' ' ORDER BY e.id), 'no end') AS actual
    FROM holds h LEFT JOIN entries e ON e.region_code = h.region_code AND e.voucher_id = h.voucher_id
        AND e.kind = 'release' AND e.subject_id = h.id
    GROUP BY h.region_code, h.id, h.status, h.held_fen
    HAVING (h.status IN ('released', 'expired')) <> (count(e.id) = 1) OR count(e.id) > 1
        OR (h.status <> 'open' AND h.held_fen <> 0)
    UNION ALL
    SELECT h.region_code, 'redeemed from ' || h.id, h.redeemed_fen::text, coalesce(sum(r.subsidy_fen), 0)::text
    FROM holds h LEFT JOIN redemptions r ON r.region_code = h.region_code AND r.hold_id = h.id
    GROUP BY h.region_code, h.id, h.redeemed_fen, h.amount_fen
    HAVING coalesce(sum(r.subsidy_fen), 0) <> h.redeemed_fen OR coalesce(sum(r.subsidy_fen), 0) > h.amount_fen
    UNION ALL
    SELECT h.region_code, 'numbers of ' || h.id, count(r.id)::text, coalesce(max(r.part_no), 0)::text
    FROM holds h LEFT JOIN redemptions r ON r.region_code = h.region_code AND r.hold_id = h.id
    GROUP BY h.region_code, h.id HAVING count(r.id) <> coalesce(max(r.part_no), 0)
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(2, "no_negative_hold", "No part of a hold was ever below zero", "预占的各部分从未为负", _HOLD_NEGATIVE),
    Invariant(
        5,
        "holds",
        "Redemptions never exceed their hold, and every ended hold has exactly one end",
        "核销不超过预占，每笔结束的预占恰有一个结局",
        _HOLDS_END_ONCE,
    ),
)
