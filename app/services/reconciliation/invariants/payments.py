"""Payment orders, recoveries and reversals: paid once and to the fen, claimed back once, mirrored exactly."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, OfRedemption, union

_ORDERS = """
    SELECT region_code, 'live orders of ' || redemption_id AS subject, '1' AS expected, count(*)::text AS actual
    FROM payment_items WHERE status IN ('proposed', 'in_payment', 'confirmed')
    GROUP BY region_code, redemption_id HAVING count(*) > 1
    UNION ALL
    SELECT o.region_code, o.id, o.total_fen || ' ' || o.item_count,
        coalesce(sum(i.amount_fen), 0) || ' ' || count(i.redemption_id)
    FROM payment_orders o LEFT JOIN payment_items i ON i.region_code = o.region_code AND i.order_id = o.id
    GROUP BY o.region_code, o.id, o.total_fen, o.item_count
    HAVING coalesce(sum(i.amount_fen), 0) <> o.total_fen OR count(i.redemption_id) <> o.item_count
    UNION ALL
    SELECT o.region_code, 'payee of ' || o.id, o.payee_id, r.provider_id
    FROM payment_orders o
    JOIN payment_items i ON i.region_code = o.region_code AND i.order_id = o.id
    JOIN redemptions r ON r.region_code = i.region_code AND r.id = i.redemption_id
    WHERE r.provider_id <> o.payee_id
    UNION ALL
    SELECT o.region_code, 'decision of ' || o.id, o.status, string_agg(DISTINCT i.status, ' ')
    FROM payment_orders o JOIN payment_items i ON i.region_code = o.region_code AND i.order_id = o.id
    GROUP BY o.region_code, o.id, o.status
    HAVING bool_or(i.status <> 'proposed') AND o.status = 'proposed'
        OR bool_or(i.status <> 'rejected') AND o.status = 'rejected'
        OR bool_or(i.status IN ('proposed', 'rejected')) AND o.status = 'ordered'
    UNION ALL
    SELECT r.region_code, r.id, r.total_fen::text, coalesce(sum(i.amount_fen), 0)::text
    FROM payment_results r LEFT JOIN payment_items i ON i.region_code = r.region_code AND i.order_id = r.order_id
        AND r.id = CASE r.kind WHEN 'confirmed' THEN i.confirm_result_id ELSE i.bounce_result_id END
    GROUP BY r.region_code, r.id, r.total_fen HAVING coalesce(sum(i.amount_fen), 0) <> r.total_fen
    UNION ALL
    SELECT a.region_code, a.id, a.amount_fen::text, coalesce(sum(p.amount_fen), 0)::text
    FROM approvals a
    LEFT JOIN entries e ON e.region_code = a.region_code AND e.approval_id = a.id
    LEFT JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id
    WHERE a.status = 'approved' AND a.kind IN ('order_payment', 'reverse_entry')
    GROUP BY a.region_code, a.id, a.amount_fen HAVING coalesce(sum(p.amount_fen), 0) <> a.amount_fen
"""

_ITEM_STATUS = "CASE r.status WHEN 'in_settlement' THEN 'in_payment' WHEN 'paid' THEN 'confirmed' END"

ITEM = OfRedemption(
    joined="""LEFT JOIN (
        SELECT region_code, redemption_id, min(status) AS least, max(status) AS most FROM payment_items
        WHERE status IN ('in_payment', 'confirmed') GROUP BY region_code, redemption_id
    ) AS item ON item.region_code = r.region_code AND item.redemption_id = r.id""",
    wrong=f"(item.least IS DISTINCT FROM {_ITEM_STATUS} OR item.most IS DISTINCT FROM {_ITEM_STATUS})",
    told="'item of ' || r.id AS subject, r.status AS expected, coalesce(item.most, '-') AS actual",
)
"""Where two of its items live, `payment_orders` says so besides."""

_ORDERED_FEN = "CASE r.status WHEN 'posted' THEN 0 ELSE r.subsidy_fen - r.refunded_fen END"
_PAID_FEN = "CASE r.status WHEN 'paid' THEN r.subsidy_fen - r.refunded_fen ELSE 0 END"

_STEPS = """
    SELECT i.region_code, i.redemption_id, i.amount_fen, step.kind, step.entry_id, step.source, step.destination
    FROM payment_items i CROSS JOIN LATERAL (VALUES
        ('order_payment', i.order_entry_id, 'obligated', 'in_payment'),
        ('confirm_payment', i.confirm_entry_id, 'in_payment', 'disbursed'),
        ('bounce', i.bounce_entry_id, CASE WHEN i.confirm_entry_id IS NULL THEN 'in_payment' ELSE 'disbursed' END,
            'obligated')
    ) AS step(kind, entry_id, source, destination)
    WHERE step.entry_id IS NOT NULL
"""

_POSTED = f"""
    SELECT s.region_code, s.entry_id AS subject,
        concat_ws(' ', s.kind, s.redemption_id, s.amount_fen) AS expected,
        concat_ws(' ', e.kind, e.subject_id, coalesce(sum(p.amount_fen) FILTER (WHERE p.source = s.source
            AND p.destination = s.destination AND p.voucher_id = r.voucher_id AND p.payee_id = r.provider_id), 0)
        ) AS actual
    FROM ({_STEPS}) AS s
    JOIN entries e ON e.region_code = s.region_code AND e.id = s.entry_id
    JOIN redemptions r ON r.region_code = s.region_code AND r.id = s.redemption_id
    LEFT JOIN postings p ON p.region_code = s.region_code AND p.entry_id = s.entry_id
    GROUP BY s.region_code, s.entry_id, s.kind, s.redemption_id, s.amount_fen, e.kind, e.subject_id
    HAVING e.kind <> s.kind OR e.subject_id <> s.redemption_id OR s.amount_fen IS DISTINCT FROM
        sum(p.amount_fen) FILTER (WHERE p.source = s.source AND p.destination = s.destination
            AND p.voucher_id = r.voucher_id AND p.payee_id = r.provider_id)
        OR s.amount_fen IS DISTINCT FROM sum(p.amount_fen)
    UNION ALL
    SELECT e.region_code, e.id, 'one item', count(s.entry_id)::text
    FROM entries e LEFT JOIN ({_STEPS}) AS s ON s.region_code = e.region_code AND s.entry_id = e.id
    WHERE e.kind IN ('order_payment', 'confirm_payment', 'bounce')
    GROUP BY e.region_code, e.id HAVING count(s.entry_id) <> 1
"""

PAID = OfRedemption(
    joined=f"""LEFT JOIN (
        SELECT region_code, redemption_id,
            sum(CASE kind WHEN 'order_payment' THEN amount_fen WHEN 'bounce' THEN -amount_fen ELSE 0 END)
                AS ordered_fen,
            sum(CASE WHEN kind = 'confirm_payment' THEN amount_fen
                WHEN kind = 'bounce' AND source = 'disbursed' THEN -amount_fen ELSE 0 END) AS paid_fen
        FROM ({_STEPS}) AS step GROUP BY region_code, redemption_id
    ) AS step ON step.region_code = r.region_code AND step.redemption_id = r.id""",
    wrong=f"""(coalesce(step.ordered_fen, 0) <> {_ORDERED_FEN} OR coalesce(step.paid_fen, 0) <> {_PAID_FEN})""",
    told=f"""r.id AS subject, {_ORDERED_FEN} || ' ' || {_PAID_FEN} AS expected,
        coalesce(step.ordered_fen, 0) || ' ' || coalesce(step.paid_fen, 0) AS actual""",
)

RECOVERED = OfRedemption(
    joined="""LEFT JOIN (
        SELECT region_code, redemption_id, sum(amount_fen) AS fen FROM recoveries WHERE status <> 'refunded'
        GROUP BY region_code, redemption_id
    ) AS claimed ON claimed.region_code = r.region_code AND claimed.redemption_id = r.id""",
    wrong="coalesce(claimed.fen, 0) <> r.recovered_fen",
    told="r.id AS subject, r.recovered_fen::text AS expected, coalesce(claimed.fen, 0)::text AS actual",
)

_RECOVERIES = """
    SELECT v.region_code, 'state of ' || v.id AS subject, v.status AS expected, r.status AS actual
    FROM recoveries v JOIN redemptions r ON r.region_code = v.region_code AND r.id = v.redemption_id
    WHERE v.status = 'recorded' AND r.status <> 'in_settlement'
        OR v.status IN ('due', 'received') AND r.status <> 'paid'
        OR v.payee_id <> r.provider_id
    UNION ALL
    SELECT v.region_code, 'refund of ' || v.id, v.redemption_id, f.redemption_id
    FROM recoveries v JOIN refunds f ON f.region_code = v.region_code AND f.id = v.refund_id
    WHERE f.redemption_id <> v.redemption_id OR f.subsidy_refund_fen <> 0
    UNION ALL
    SELECT v.region_code, 'in place of ' || v.id, v.amount_fen::text, f.subsidy_refund_fen::text
    FROM recoveries v JOIN refunds f ON f.region_code = v.region_code AND f.id = v.refunded_as_id
    WHERE f.subsidy_refund_fen <> v.amount_fen OR f.because_of_id <> v.refund_id
    UNION ALL
    SELECT v.region_code, 'parts of ' || v.id, v.amount_fen::text, sum((part ->> 1)::bigint)::text
    FROM recoveries v CROSS JOIN LATERAL jsonb_array_elements(v.parts::jsonb) AS part
    GROUP BY v.region_code, v.id, v.amount_fen HAVING sum((part ->> 1)::bigint) <> v.amount_fen
    UNION ALL
    SELECT v.region_code, 'claim of ' || v.id, v.amount_fen::text, coalesce(sum(p.amount_fen), 0)::text
    FROM recoveries v LEFT JOIN postings p ON p.region_code = v.region_code AND p.entry_id = v.claim_entry_id
        AND p.source = 'recovery_claimed' AND p.destination = 'recovery_due'
    WHERE v.claim_entry_id IS NOT NULL
    GROUP BY v.region_code, v.id, v.amount_fen HAVING coalesce(sum(p.amount_fen), 0) <> v.amount_fen
    UNION ALL
    SELECT v.region_code, 'receipt of ' || v.id, (v.amount_fen - v.treasury_fen) || ' ' || v.treasury_fen,
        coalesce(sum(p.amount_fen) FILTER (WHERE p.source = 'disbursed'), 0) || ' '
        || coalesce(sum(p.amount_fen) FILTER (WHERE p.destination = 'treasury'), 0)
    FROM recoveries v LEFT JOIN postings p ON p.region_code = v.region_code AND p.entry_id = v.receipt_entry_id
    WHERE v.status = 'received'
    GROUP BY v.region_code, v.id, v.amount_fen, v.treasury_fen
    HAVING coalesce(sum(p.amount_fen) FILTER (WHERE p.source = 'disbursed' AND p.destination = 'available'), 0)
            <> v.amount_fen - v.treasury_fen
        OR coalesce(sum(p.amount_fen) FILTER (WHERE p.destination = 'treasury'), 0) <> v.treasury_fen
    UNION ALL
    SELECT t.region_code, 'transfer ' || t.bank_reference, t.payee_id || ' ' || t.amount_fen,
        string_agg(DISTINCT v.payee_id, ' ') || ' ' || sum(v.amount_fen)
    FROM recovery_transfers t LEFT JOIN recoveries v
        ON v.region_code = t.region_code AND v.bank_reference = t.bank_reference
    GROUP BY t.region_code, t.bank_reference, t.payee_id, t.amount_fen
    HAVING string_agg(DISTINCT v.payee_id, ' ') IS DISTINCT FROM t.payee_id
        OR sum(v.amount_fen) IS DISTINCT FROM t.amount_fen
    UNION ALL
    SELECT coalesce(d.region_code, b.region_code), 'due to ' || coalesce(d.pool_id, b.pool_id),
        coalesce(d.fen, 0)::text, coalesce(b.fen, 0)::text
    FROM (
        SELECT v.region_code, part ->> 0 AS pool_id, sum((part ->> 1)::bigint) AS fen
        FROM recoveries v CROSS JOIN LATERAL jsonb_array_elements(v.parts::jsonb) AS part
        WHERE v.status = 'due' GROUP BY 1, 2
    ) AS d
    FULL JOIN (
        SELECT region_code, pool_id,
            sum(CASE WHEN destination = 'recovery_due' THEN amount_fen ELSE -amount_fen END) AS fen
        FROM postings WHERE 'recovery_due' IN (source, destination) GROUP BY 1, 2
    ) AS b ON b.region_code = d.region_code AND b.pool_id = d.pool_id
    WHERE coalesce(d.fen, 0) <> coalesce(b.fen, 0)
"""

_REVERSALS = """
    SELECT e.region_code, e.id AS subject, 'mirrors ' || coalesce(e.reverses_id, '-') AS expected,
        m.line || ' differs' AS actual
    FROM entries e JOIN postings m ON m.region_code = e.region_code AND m.entry_id = e.id
    WHERE e.reverses_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM postings p WHERE p.region_code = e.region_code AND p.entry_id = e.reverses_id
            AND p.pool_id = m.pool_id AND p.source = m.destination AND p.destination = m.source
            AND p.amount_fen = m.amount_fen AND p.voucher_id IS NOT DISTINCT FROM m.voucher_id
            AND p.payee_id IS NOT DISTINCT FROM m.payee_id)
    UNION ALL
    SELECT e.region_code, 'reversed ' || p.entry_id, count(*)::text, (
        SELECT count(*) FROM postings m WHERE m.region_code = e.region_code AND m.entry_id = e.id)::text
    FROM entries e JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.reverses_id
    WHERE e.reverses_id IS NOT NULL
    GROUP BY e.region_code, e.id, p.entry_id
    HAVING count(*) <> (SELECT count(*) FROM postings m WHERE m.region_code = e.region_code AND m.entry_id = e.id)
"""

_NAMELESS = """
    SELECT region_code, id, 'reverse', kind FROM entries WHERE (kind = 'reverse') <> (reverses_id IS NOT NULL)
"""
"""What names an entry that it reverses has an index; that it is a reversal, and that all reversals do so, is this."""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        5,
        "recoveries",
        "What is claimed back was paid, and each claim ends once",
        "追回额均为已付款项，且每笔追回至多了结一次",
        union(RECOVERED.query, _RECOVERIES),
        rest=_RECOVERIES,
    ),
    Invariant(
        6,
        "reversals",
        "A reversal mirrors the entry that it reverses",
        "冲正分录与原分录方向相反、金额一致",
        union(_REVERSALS, _NAMELESS),
        rest=_REVERSALS,
    ),
    Invariant(
        7,
        "payment_orders",
        "Each redemption is in one live payment order at most, whose total is that of its items",
        "每笔核销至多列入一张有效支付单，支付单合计＝明细之和",
        union(_ORDERS, ITEM.query),
        rest=_ORDERS,
    ),
    Invariant(
        7,
        "payments",
        "Each redemption is paid once at most, to the fen",
        "每笔核销至多支付一次，分毫不差",
        union(_POSTED, PAID.query),
        rest=_POSTED,
    ),
)
