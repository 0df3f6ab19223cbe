"""Redemptions: refunds stay within them, and a key or order number has one effect at most."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, OfRedemption, union

REFUNDED = OfRedemption(
    joined="""LEFT JOIN (
        SELECT region_code, redemption_id, sum(subsidy_refund_fen) AS subsidy_fen, sum(bill_refund_fen) AS bill_fen
        FROM refunds GROUP BY region_code, redemption_id
    ) AS f ON f.region_code = r.region_code AND f.redemption_id = r.id""",
    wrong="""(coalesce(f.subsidy_fen, 0) <> r.refunded_fen OR coalesce(f.bill_fen, 0) <> r.bill_refunded_fen
        OR r.refunded_fen > r.subsidy_fen)""",
    told="""r.id AS subject, coalesce(f.subsidy_fen, 0)::text || ' ' || coalesce(f.bill_fen, 0)::text AS expected,
        r.refunded_fen::text || ' ' || r.bill_refunded_fen::text AS actual""",
)

_REFUNDS = """
    SELECT f.region_code, 'cancelled ' || f.id AS subject, f.bill_refund_fen::text AS expected,
        cancelled.fen::text AS actual
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

_ORDER_NUMBERS = """
    SELECT coalesce(r.region_code, o.region_code) AS region_code,
        CASE WHEN r.id IS NULL THEN 'unused order number ' || o.order_no ELSE 'order number of ' || r.id END AS subject,
        coalesce(r.id, o.redemption_id) AS expected, coalesce(CASE WHEN r.id IS NOT NULL THEN o.redemption_id END, '-')
            AS actual
    FROM redemptions r FULL JOIN order_numbers o
        ON o.region_code = r.region_code AND o.provider_id = r.provider_id AND o.order_no = r.order_no
    WHERE o.redemption_id IS DISTINCT FROM r.id
"""
"""That an order number has a second effect shows as an effect that it does not name: each names one."""

_EFFECTS = """
    SELECT e.region_code, e.kind || ' entry ' || e.id AS subject, e.subject_id AS expected,
        coalesce(r.id, f.id, h.id, '-') AS actual
    FROM entries e
    LEFT JOIN redemptions r ON e.kind = 'redeem' AND r.region_code = e.region_code AND r.entry_id = e.id
    LEFT JOIN refunds f ON e.kind = 'refund' AND f.region_code = e.region_code AND f.entry_id = e.id
    LEFT JOIN holds h ON e.kind = 'hold' AND h.region_code = e.region_code AND h.entry_id = e.id
    WHERE e.kind IN ('redeem', 'refund', 'hold') AND coalesce(r.id, f.id, h.id) IS DISTINCT FROM e.subject_id
"""
"""That a redemption, refund or hold has a second entry shows in the same way."""

_ONCE = """
    SELECT h.region_code, 'hold number of ' || h.id AS subject, h.id AS expected, coalesce(n.hold_id, '-') AS actual
    FROM holds h LEFT JOIN hold_numbers n
        ON n.region_code = h.region_code AND n.provider_id = h.provider_id AND n.hold_no = h.hold_no
    WHERE n.hold_id IS DISTINCT FROM h.id
    UNION ALL
    SELECT n.region_code, 'unused hold number ' || n.hold_no, n.hold_id, '-'
    FROM hold_numbers n LEFT JOIN holds h ON h.region_code = n.region_code AND h.id = n.hold_id
    WHERE h.id IS NULL
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
    Invariant(
        5,
        "refunds",
        "Refunds never exceed their redemption",
        "退款不超过核销",
        union(REFUNDED.query, _REFUNDS),
        rest=_REFUNDS,
    ),
    Invariant(
        6,
        "once",
        "Every key and order number has one effect at most",
        "每个键和订单号至多生效一次",
        union(_ORDER_NUMBERS, _EFFECTS, _ONCE),
        rest=_ONCE,
    ),
)
