"""Every granted application is the voucher that was issued for it, and its history tells how it came there."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_GRANTS = """
    SELECT a.region_code, a.id AS subject,
        concat_ws(' ', a.firm_id, a.programme_id, a.voucher_id, a.assessed_fen) AS expected,
        concat_ws(' ', r.firm_id, r.programme_id, r.voucher_id, r.face_value_fen) AS actual
    FROM applications a
    LEFT JOIN issuance_rows r ON r.region_code = a.region_code AND r.batch_id = a.batch_id AND r.application_id = a.id
    LEFT JOIN vouchers v ON v.region_code = a.region_code AND v.id = a.voucher_id
    LEFT JOIN issuance_batches b ON b.region_code = a.region_code AND b.id = a.batch_id
    WHERE a.status = 'approved' AND (
        (r.firm_id, r.programme_id, r.voucher_id, r.face_value_fen)
            IS DISTINCT FROM (a.firm_id, a.programme_id, a.voucher_id, a.assessed_fen)
        OR (v.firm_id, v.programme_id, v.batch_id) IS DISTINCT FROM (a.firm_id, a.programme_id, a.batch_id)
        OR b.status IS DISTINCT FROM 'issued' OR r.rejected_at IS NOT NULL)
    UNION ALL
    SELECT r.region_code, 'row of ' || r.application_id, r.voucher_id, coalesce(a.voucher_id, '-')
    FROM issuance_rows r
    LEFT JOIN applications a ON a.region_code = r.region_code AND a.id = r.application_id
    WHERE r.application_id IS NOT NULL AND r.voucher_id IS NOT NULL AND a.voucher_id IS DISTINCT FROM r.voucher_id
    UNION ALL
    SELECT e.region_code, 'entry of ' || v.id, a.id, coalesce(e.details::jsonb ->> 'application', '-')
    FROM applications a
    JOIN vouchers v ON v.region_code = a.region_code AND v.id = a.voucher_id
    JOIN entries e ON e.region_code = v.region_code AND e.voucher_id = v.id AND e.kind = 'issue'
    WHERE e.details::jsonb ->> 'application' IS DISTINCT FROM a.id
"""

_COURSES = """
    SELECT a.region_code, a.id AS subject, a.event_count || ' ' || a.status AS expected,
        count(e.seq) || ' ' || coalesce((array_agg(e.to_status ORDER BY e.seq DESC))[1], '-') AS actual
    FROM applications a
    LEFT JOIN application_events e ON e.region_code = a.region_code AND e.application_id = a.id
    GROUP BY a.region_code, a.id, a.event_count, a.status
    HAVING count(e.seq) <> a.event_count OR max(e.seq) IS DISTINCT FROM a.event_count
        OR (array_agg(e.to_status ORDER BY e.seq DESC))[1] IS DISTINCT FROM a.status
    UNION ALL
    SELECT e.region_code, e.application_id || ' ' || e.seq, coalesce(b.to_status, '-'), coalesce(e.from_status, '-')
    FROM application_events e
    LEFT JOIN application_events b
        ON b.region_code = e.region_code AND b.application_id = e.application_id AND b.seq = e.seq - 1
    WHERE e.from_status IS DISTINCT FROM b.to_status
    UNION ALL
    SELECT e.region_code, 'facts of ' || e.application_id || ' ' || e.seq, e.facts_sha256,
        encode(sha256(convert_to(e.facts, 'UTF8')), 'hex')
    FROM application_events e
    WHERE e.facts IS NOT NULL AND encode(sha256(convert_to(e.facts, 'UTF8')), 'hex') <> e.facts_sha256
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(6, "granted_applications", "A grant is what was assessed", "申领核定与所发券一致", _GRANTS),
    Invariant(6, "courses", "An application's history is whole", "申领办理过程完整", _COURSES),
)
