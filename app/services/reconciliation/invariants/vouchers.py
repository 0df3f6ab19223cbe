"""Vouchers: the face value is where its parts are, and no part was ever below zero."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

VOUCHER_SIDES = """
    SELECT p.region_code, p.voucher_id, p.pool_id, p.voucher_seq, side.part, side.fen
    FROM postings p
    JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    CROSS JOIN LATERAL (VALUES
        (CASE p.source
            WHEN 'committed' THEN 'balance_fen' WHEN 'held' THEN 'held_fen'
            WHEN 'obligated' THEN 'redeemed_fen' WHEN 'in_payment' THEN 'redeemed_fen'
            WHEN 'disbursed' THEN 'redeemed_fen' ELSE 'face_fen' END,
         CASE WHEN p.source IN ('committed', 'held', 'obligated', 'in_payment', 'disbursed')
            THEN -p.amount_fen ELSE p.amount_fen END),
        (CASE p.destination
            WHEN 'committed' THEN 'balance_fen' WHEN 'held' THEN 'held_fen'
            WHEN 'obligated' THEN 'redeemed_fen' WHEN 'in_payment' THEN 'redeemed_fen'
            WHEN 'disbursed' THEN 'redeemed_fen'
            ELSE CASE WHEN e.kind = 'recover' THEN 'recovered_fen' WHEN e.kind = 'move' THEN 'face_fen'
                ELSE coalesce(e.voucher_end, '?') || '_fen' END END,
         CASE WHEN e.kind = 'move' AND p.destination = 'available' THEN -p.amount_fen ELSE p.amount_fen END)
    ) AS side(part, fen)
    WHERE p.voucher_id IS NOT NULL
"""

_VOUCHER_PART_NEGATIVE = f"""
    SELECT region_code, voucher_id || ' ' || pool_id || ' ' || part AS subject,
        '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT region_code, voucher_id, pool_id, part,
            sum(fen) OVER (PARTITION BY region_code, voucher_id, pool_id, part ORDER BY voucher_seq) AS running
        FROM ({VOUCHER_SIDES}) AS side
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, voucher_id, pool_id, part
"""

_VOUCHER_IDENTITY = """
    SELECT region_code, id AS subject, face_fen::text AS expected,
        (balance_fen + held_fen + redeemed_fen + recovered_fen + expired_fen + voided_fen + surrendered_fen)::text
            AS actual
    FROM vouchers
    WHERE balance_fen + held_fen + redeemed_fen + recovered_fen + expired_fen + voided_fen + surrendered_fen <> face_fen
    UNION ALL
    SELECT v.region_code, v.id || ' allotments', v.face_fen::text, coalesce(sum(a.face_fen), 0)::text
    FROM vouchers v LEFT JOIN allotments a ON a.region_code = v.region_code AND a.voucher_id = v.id
    GROUP BY v.region_code, v.id, v.face_fen HAVING coalesce(sum(a.face_fen), 0) <> v.face_fen
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        2,
        "no_negative_voucher",
        "No part of a voucher was ever below zero",
        "券的各部分从未为负",
        _VOUCHER_PART_NEGATIVE,
    ),
    Invariant(3, "voucher_identity", "Face value equals the sum of its parts", "券面值＝各部分之和", _VOUCHER_IDENTITY),
)
