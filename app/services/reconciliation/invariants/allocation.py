"""Every award is the voucher that was issued for it, and who was promoted got what he waited for."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_AWARDS = """
    WITH due AS (
        SELECT r.region_code, r.id AS round_id, c.reference_no, c.firm_id, r.batch_id, a.granted_fen AS fen
        FROM allocation_rounds r
        JOIN allocation_candidates c ON c.region_code = r.region_code AND c.round_id = r.id
        JOIN allocation_awards a ON a.region_code = c.region_code AND a.round_id = c.round_id AND a.place = c.place
        WHERE a.granted_fen > 0
        UNION ALL
        SELECT w.region_code, w.round_id, c.reference_no, w.firm_id, w.batch_id, w.waits_fen
        FROM waitlist w
        JOIN allocation_candidates c ON c.region_code = w.region_code AND c.round_id = w.round_id AND c.place = w.place
        WHERE w.ended_as = 'promoted'
    ), issued AS (
        SELECT i.region_code, i.batch_id, i.reference_no, i.firm_id, i.face_value_fen AS row_fen,
            sum(p.amount_fen) AS fen
        FROM issuance_rows i
        JOIN entries e ON e.region_code = i.region_code AND e.subject_id = i.batch_id
            AND e.voucher_id = i.voucher_id AND e.kind = 'issue'
        JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id
        WHERE i.batch_id IN (SELECT batch_id FROM due)
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT coalesce(d.region_code, i.region_code) AS region_code,
        'award ' || coalesce(d.round_id || ' ' || d.reference_no, i.batch_id || ' ' || i.reference_no) AS subject,
        concat_ws(' ', d.firm_id, d.fen, d.fen) AS expected, concat_ws(' ', i.firm_id, i.row_fen, i.fen) AS actual
    FROM due d FULL JOIN issued i
        ON i.region_code = d.region_code AND i.batch_id = d.batch_id AND i.reference_no = d.reference_no
    WHERE (d.firm_id, d.fen, d.fen) IS DISTINCT FROM (i.firm_id, i.row_fen, i.fen)
    UNION ALL
    SELECT r.region_code, 'round ' || r.id, coalesce(sum(a.granted_fen), 0)::text || ' ≤ ' || r.budget_fen,
        coalesce(r.granted_total_fen, 0)::text
    FROM allocation_rounds r
    LEFT JOIN allocation_awards a ON a.region_code = r.region_code AND a.round_id = r.id
    WHERE r.status = 'executed'
    GROUP BY r.region_code, r.id, r.budget_fen, r.granted_total_fen
    HAVING coalesce(sum(a.granted_fen), 0) <> r.granted_total_fen OR coalesce(sum(a.granted_fen), 0) > r.budget_fen
        OR count(a.place) <> max(r.candidate_count)
    UNION ALL
    SELECT a.region_code, 'waiting ' || a.round_id || ' ' || a.place, a.waits_fen::text, coalesce(w.waits_fen, 0)::text
    FROM allocation_awards a
    LEFT JOIN waitlist w ON w.region_code = a.region_code AND w.round_id = a.round_id AND w.place = a.place
    WHERE a.waits_fen <> coalesce(w.waits_fen, 0) OR w.rank <> a.rank
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "awards",
        "Every award of an allocation round is the voucher issued for it, and within the round's budget",
        "分配轮次的每项分配均等于所发放的券，且不超过本轮预算",
        _AWARDS,
    ),
)
