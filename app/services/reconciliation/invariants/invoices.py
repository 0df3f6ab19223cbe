"""What is counted of invoice lines against the uses, and these against what redemptions and refunds say they claimed.

The counters are national: what is wrong with one is told to every region that has claimed of the line.
"""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

NAMES_INVOICES = """strpos(facts, '"invoice_uses":[{') > 0"""
"""Of redemptions and refunds: they have an index for it, so that those that name none are not read."""

_COUNTED = """
    WITH used AS (
        SELECT fingerprint, line_no, layer, sum(base_fen) AS base_fen, sum(granted_fen) AS granted_fen
        FROM invoice_uses GROUP BY fingerprint, line_no, layer
    ), red AS (
        SELECT blue_fingerprint AS fingerprint, line_no, sum(amount_fen) AS amount_fen
        FROM red_letters GROUP BY blue_fingerprint, line_no
    ), wrong AS (
        SELECT coalesce(b.fingerprint, u.fingerprint) AS fingerprint, coalesce(b.line_no, u.line_no) AS line_no,
            coalesce(b.layer, u.layer) AS layer,
            concat_ws(' ', coalesce(u.base_fen, 0), coalesce(u.granted_fen, 0),
                b.stated_fen - coalesce(red.amount_fen, 0)) AS expected,
            concat_ws(' ', coalesce(b.used_fen, 0), coalesce(b.granted_fen, 0), b.limit_fen) AS actual
        FROM invoice_bases b
        FULL JOIN used u ON u.fingerprint = b.fingerprint AND u.line_no = b.line_no AND u.layer = b.layer
        LEFT JOIN red ON red.fingerprint = b.fingerprint AND red.line_no = b.line_no
    )
    SELECT coalesce(claimed.region_code, '000000') AS region_code,
        concat_ws(' ', 'invoice line', w.fingerprint, w.line_no, nullif(w.layer, '')) AS subject, w.expected, w.actual
    FROM wrong w LEFT JOIN (SELECT DISTINCT region_code, fingerprint, line_no FROM invoice_uses) AS claimed
        ON claimed.fingerprint = w.fingerprint AND claimed.line_no = w.line_no
    WHERE w.expected <> w.actual
"""

_ROW = "line integer, invoice text, line_no integer, layer text, base_fen bigint, granted_fen bigint"
_CLAIMED = f"""
    SELECT coalesce(u.region_code, told.region_code) AS region_code,
        concat_ws(' ', 'invoice use', coalesce(u.redemption_id, told.redemption_id),
            coalesce(u.cause_id, told.cause_id), coalesce(u.bill_line, told.line)) AS subject,
        coalesce(told.base_fen, 0)::text || ' ' || coalesce(told.granted_fen, 0)::text AS expected,
        coalesce(u.base_fen, 0)::text || ' ' || coalesce(u.granted_fen, 0)::text AS actual
    FROM invoice_uses u FULL JOIN (
        SELECT r.region_code, r.id AS redemption_id, r.id AS cause_id, row.*
        FROM (SELECT region_code, id, facts FROM redemptions WHERE {NAMES_INVOICES}) AS r
        CROSS JOIN LATERAL jsonb_to_recordset(r.facts::jsonb -> 'invoice_uses') AS row({_ROW})
        UNION ALL
        SELECT f.region_code, row.redemption, f.id, row.line, row.invoice, row.line_no, row.layer, row.base_fen,
            row.granted_fen
        FROM (SELECT region_code, id, facts FROM refunds WHERE {NAMES_INVOICES}) AS f
        CROSS JOIN LATERAL jsonb_to_recordset(f.facts::jsonb -> 'invoice_uses') AS row(redemption text, {_ROW})
    ) AS told ON told.region_code = u.region_code AND told.redemption_id = u.redemption_id
        AND told.cause_id = u.cause_id AND told.line = u.bill_line AND told.invoice = u.fingerprint
        AND told.line_no = u.line_no AND told.layer = u.layer
    WHERE told.base_fen IS DISTINCT FROM u.base_fen OR told.granted_fen IS DISTINCT FROM u.granted_fen
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        4,
        "invoice_bases",
        "What is counted of invoice lines and contracts equals what was claimed of them, in all regions together",
        "发票行与合同的占用计数＝全部地区核销与退款所占用之和",
        _COUNTED,
    ),
    Invariant(
        4,
        "invoice_uses",
        "What is claimed of invoice lines is what redemptions and refunds say",
        "发票行占用记录＝核销与退款所载",
        _CLAIMED,
    ),
)
