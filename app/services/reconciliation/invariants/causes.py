"""Every posting says what its redemption, hold, refund or approval says."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, union

_DRAWN = """
    SELECT r.region_code, r.id AS subject,
        concat_ws(' ', r.voucher_id, r.provider_id, r.programme_id, r.hold_id, 'obligated') AS expected,
        concat_ws(' ', p.voucher_id, p.payee_id, o.programme_id, p.hold_id, p.source, p.destination) AS actual
    FROM redemptions r
    JOIN postings p ON p.region_code = r.region_code AND p.entry_id = r.entry_id
    JOIN pools o ON o.region_code = p.region_code AND o.id = p.pool_id
    WHERE p.voucher_id IS DISTINCT FROM r.voucher_id OR p.hold_id IS DISTINCT FROM r.hold_id
        OR o.programme_id <> r.programme_id OR p.source <> CASE WHEN r.hold_id IS NULL THEN 'committed' ELSE 'held' END
        OR NOT (p.destination = 'obligated' AND p.payee_id IS NOT DISTINCT FROM r.provider_id
            OR p.destination = 'committed' AND r.hold_id IS NOT NULL AND p.payee_id IS NULL)
"""

OF_VOUCHER_AND_MANDATE = """
    JOIN vouchers v ON v.region_code = r.region_code AND v.id = r.voucher_id
    LEFT JOIN mandates m ON m.region_code = r.region_code AND m.id = r.mandate_id
"""
STRANGE = """(v.firm_id <> r.firm_id OR v.programme_id <> r.programme_id
    OR m.voucher_id <> r.voucher_id OR m.provider_id <> r.provider_id)"""
"""A redemption, or what several have in common, that is not of its voucher's firm and programme or its mandate's."""

_STRANGERS = f"""
    SELECT r.region_code, 'voucher and mandate of ' || r.id AS subject,
        concat_ws(' ', r.firm_id, r.programme_id, r.voucher_id, r.provider_id) AS expected,
        concat_ws(' ', v.firm_id, v.programme_id, m.voucher_id, m.provider_id) AS actual
    FROM redemptions r {OF_VOUCHER_AND_MANDATE} WHERE {STRANGE}
"""

_CAUSES = """
    SELECT h.region_code, h.id AS subject,
        concat_ws(' ', h.voucher_id, h.programme_id, h.id, 'committed held') AS expected,
        concat_ws(' ', p.voucher_id, o.programme_id, p.hold_id, p.source, p.destination) AS actual
    FROM holds h
    JOIN postings p ON p.region_code = h.region_code AND p.entry_id = h.entry_id
    JOIN pools o ON o.region_code = p.region_code AND o.id = p.pool_id
    WHERE p.voucher_id IS DISTINCT FROM h.voucher_id OR p.hold_id IS DISTINCT FROM h.id
        OR o.programme_id <> h.programme_id OR p.source <> 'committed' OR p.destination <> 'held'
    UNION ALL
    SELECT p.region_code, 'posting of hold ' || p.hold_id, h.voucher_id, coalesce(p.voucher_id, '-')
    FROM postings p JOIN holds h ON h.region_code = p.region_code AND h.id = p.hold_id
    WHERE p.voucher_id IS DISTINCT FROM h.voucher_id
    UNION ALL
    SELECT r.region_code, 'hold of ' || r.id,
        concat_ws(' ', r.voucher_id, r.provider_id, r.mandate_id, r.payment_code_id),
        concat_ws(' ', h.voucher_id, h.provider_id, h.mandate_id, h.payment_code_id)
    FROM redemptions r JOIN holds h ON h.region_code = r.region_code AND h.id = r.hold_id
    WHERE (h.voucher_id, h.provider_id, h.mandate_id, h.payment_code_id, h.rule_version_id)
        IS DISTINCT FROM (r.voucher_id, r.provider_id, r.mandate_id, r.payment_code_id, r.rule_version_id)
    UNION ALL
    SELECT r.region_code, 'payment code of ' || r.id,
        concat_ws(' ', r.voucher_id, r.provider_id, r.id, r.drawn_fen),
        concat_ws(' ', p.voucher_id, p.provider_id, coalesce(u.used_by, '-'), p.limit_fen)
    FROM (
        SELECT region_code, id, voucher_id, provider_id, payment_code_id, subsidy_fen AS drawn_fen, redeemed_at AS at
        FROM redemptions WHERE hold_id IS NULL
        UNION ALL
        SELECT region_code, id, voucher_id, provider_id, payment_code_id, amount_fen, held_at FROM holds
    ) AS r
    JOIN payment_codes p ON p.region_code = r.region_code AND p.id = r.payment_code_id
    LEFT JOIN payment_code_uses u ON u.region_code = p.region_code AND u.payment_code_id = p.id
    WHERE p.voucher_id <> r.voucher_id OR p.provider_id <> r.provider_id OR u.used_by IS DISTINCT FROM r.id
        OR p.limit_fen < r.drawn_fen OR p.valid_until <= r.at OR p.withdrawn_at <= r.at
    UNION ALL
    SELECT f.region_code, f.id, r.voucher_id || ' ' || r.provider_id || ' obligated',
        coalesce(p.voucher_id, '-') || ' ' || coalesce(p.payee_id, '-') || ' ' || p.source
    FROM refunds f
    JOIN redemptions r ON r.region_code = f.region_code AND r.id = f.redemption_id
    JOIN postings p ON p.region_code = f.region_code AND p.entry_id = f.entry_id
    WHERE p.voucher_id IS DISTINCT FROM r.voucher_id OR p.payee_id IS DISTINCT FROM r.provider_id
        OR p.source <> 'obligated' OR p.destination NOT IN ('committed', 'available', 'lapsed')
    UNION ALL
    SELECT a.region_code, a.id, a.command_sha256, encode(sha256(convert_to(a.command, 'UTF8')), 'hex')
    FROM approvals a WHERE encode(sha256(convert_to(a.command, 'UTF8')), 'hex') <> a.command_sha256
    UNION ALL
    SELECT a.region_code, a.id, (abs(a.amount_fen) - coalesce(l.left_out_fen, 0))::text,
        coalesce(sum(p.amount_fen), 0)::text
    FROM approvals a
    LEFT JOIN (
        SELECT region_code, batch_id, sum(face_value_fen) AS left_out_fen FROM issuance_rows
        WHERE rejected_at IS NOT NULL AND voucher_id IS NULL GROUP BY region_code, batch_id
    ) AS l ON a.kind IN ('issue_batch', 'grant_applications', 'allocate', 'promote_waiting')
        AND l.region_code = a.region_code AND l.batch_id = a.subject_id
    LEFT JOIN entries e ON e.region_code = a.region_code AND e.approval_id = a.id
    LEFT JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id
    WHERE a.status = 'approved' AND a.kind IN ('appropriate', 'issue_batch', 'grant_applications', 'allocate',
        'promote_waiting')
    GROUP BY a.region_code, a.id, a.amount_fen, l.left_out_fen
    HAVING coalesce(sum(p.amount_fen), 0) <> abs(a.amount_fen) - coalesce(l.left_out_fen, 0)
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "causes",
        "Every posting says what its redemption, refund or approval says",
        "分录与其核销、退款或审批一致",
        union(_DRAWN, _STRANGERS, _CAUSES),
        rest=_CAUSES,
    ),
)
