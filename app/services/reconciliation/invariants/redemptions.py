"""Redemptions: refunds stay within them, and a key or order number has one effect at most."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_REFUNDS = """
    SELECT r.region_code, r.id AS subject,
        coalesce(sum(f.subsidy_refund_fen), 0)::text || ' ' || coalesce(sum(f.bill_refund_fen), 0)::text AS expected,
        r.refunded_fen::text || ' ' || r.bill_refunded_fen::text AS actual
    FROM redemptions r LEFT JOIN refunds f ON f.region_code = r.region_code AND f.redemption_id = r.id
    GROUP BY r.region_code, r.id, r.refunded_fen, r.bill_refunded_fen, r.subsidy_fen
    HAVING coalesce(sum(f.subsidy_refund_fen), 0) <> r.refunded_fen
        OR coalesce(sum(f.bill_refund_fen), 0) <> r.bill_refunded_fen
        OR r.refunded_fen > r.subsidy_fen
    UNION ALL
    SELECT f.region_code, 'cancelled ' || f.id, f.bill_refund_fen::text, cancelled.fen::text
    FROM refunds f CROSS JOIN LATERAL (
        SELECT coalesce(sum(line.value::bigint), 0) AS fen FROM jsonb_each_text(f.facts::jsonb -> 'cancelled') AS line
    ) AS cancelled
    WHERE cancelled.fen <> f.bill_refund_fen
    UNION ALL
    SELECT f.region_code, f.id, f.subsidy_refund_fen::text, coalesce(sum(p.amount_fen), 0)::text
    FROM refunds f LEFT JOIN postings p ON p.region_code = f.region_code AND p.entry_id = f.entry_id
    GROUP BY f.region_code, f.id, f.subsidy_refund_fen
    HAVING coalesce(sum(p.amount_fen), 0) <> f.subsidy_refund_fen
"""

_ONCE = """
    SELECT region_code, 'order ' || provider_id || ' ' || order_no AS subject, '1' AS expected, count(*)::text AS actual
    FROM redemptions GROUP BY region_code, provider_id, order_no HAVING count(*) > 1
    UNION ALL
    SELECT r.region_code, 'order number of ' || r.id, r.id, coalesce(o.redemption_id, '-')
    FROM redemptions r LEFT JOIN order_numbers o
        ON o.region_code = r.region_code AND o.provider_id = r.provider_id AND o.order_no = r.order_no
    WHERE o.redemption_id IS DISTINCT FROM r.id
    UNION ALL
    SELECT o.region_code, 'unused order number ' || o.order_no, o.redemption_id, '-'
    FROM order_numbers o LEFT JOIN redemptions r ON r.region_code = o.region_code AND r.id = o.redemption_id
    WHERE r.id IS NULL
    UNION ALL
    SELECT h.region_code, 'hold number of ' || h.id, h.id, coalesce(n.hold_id, '-')
    FROM holds h LEFT JOIN hold_numbers n
        ON n.region_code = h.region_code AND n.provider_id = h.provider_id AND n.hold_no = h.hold_no
    WHERE n.hold_id IS DISTINCT FROM h.id
    UNION ALL
    SELECT n.region_code, 'unused hold number ' || n.hold_no, n.hold_id, '-'
    FROM hold_numbers n LEFT JOIN holds h ON h.region_code = n.region_code AND h.id = n.hold_id
    WHERE h.id IS NULL
    UNION ALL
    SELECT e.region_code, 'hold entry ' || e.id, e.subject_id, coalesce(h.id, '-')
    FROM entries e LEFT JOIN holds h ON h.region_code = e.region_code AND h.entry_id = e.id
    WHERE e.kind = 'hold' AND h.id IS DISTINCT FROM e.subject_id
    UNION ALL
    SELECT u.region_code, 'usage ' || u.provider_id || ' ' || u.usage_ref, u.redemption_id, coalesce(r.id, '-')
    FROM usage_references u LEFT JOIN redemptions r
        ON r.region_code = u.region_code AND r.id = u.redemption_id AND r.provider_id = u.provider_id
    WHERE r.id IS NULL
    UNION ALL
    SELECT u.region_code, 'use of ' || u.payment_code_id, u.used_by, '-'
    FROM payment_code_uses u
        LEFT JOIN redemptions r ON r.region_code = u.region_code AND r.id = u.used_by
        LEFT JOIN holds h ON h.region_code = u.region_code AND h.id = u.used_by
    WHERE coalesce(r.payment_code_id, h.payment_code_id) IS DISTINCT FROM u.payment_code_id
    UNION ALL
    SELECT region_code, 'effect of ' || subject_id, '1', count(*)::text
    FROM entries WHERE kind IN ('redeem', 'refund', 'hold', 'release')
    GROUP BY region_code, subject_id, kind HAVING count(*) > 1
    UNION ALL
    SELECT e.region_code, 'redeem entry ' || e.id, e.subject_id, coalesce(r.id, '-')
    FROM entries e LEFT JOIN redemptions r ON r.region_code = e.region_code AND r.entry_id = e.id
    WHERE e.kind = 'redeem' AND r.id IS DISTINCT FROM e.subject_id
    UNION ALL
    SELECT e.region_code, 'refund entry ' || e.id, e.subject_id, coalesce(f.id, '-')
    FROM entries e LEFT JOIN refunds f ON f.region_code = e.region_code AND f.entry_id = e.id
    WHERE e.kind = 'refund' AND f.id IS DISTINCT FROM e.subject_id
    UNION ALL
    SELECT region_code, 'key without answer ' || principal_id || ' ' || route, 'status', '-'
    FROM idempotency_keys WHERE status IS NULL
    UNION ALL
    SELECT region_code, 'key for two ' || resource_id, '1', count(*)::text
    FROM idempotency_keys
    WHERE status = 201 AND (route LIKE 'POST /v1/redemptions%' OR route = 'POST /v1/holds')
    GROUP BY region_code, resource_id HAVING count(*) > 1
    UNION ALL
    SELECT region_code, 'reversed twice ' || reverses_id, '1', count(*)::text
    FROM entries WHERE reverses_id IS NOT NULL GROUP BY region_code, reverses_id HAVING count(*) > 1
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(5, "refunds", "Refunds never exceed their redemption", "退款不超过核销", _REFUNDS),
    Invariant(6, "once", "Every key and order number has one effect at most", "每个键和订单号至多生效一次", _ONCE),
)
