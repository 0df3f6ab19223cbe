"""What is stored of redemptions, vouchers and rules says what was sealed of them; approvals are those that were sealed.

A row beside the journal can be edited although no counter of it changes: whose voucher it is, under which number a bill
went, what two persons approved. Each is told by something sealed: an entry's own columns, its facts and details, an
audit event. Those are what their leaves say (`columns`), so here the row is held against them.
"""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, union

ENTERED = """(r.programme_id, r.voucher_id, r.rule_version_id, r.redeemed_at)
    IS DISTINCT FROM (e.programme_id, e.voucher_id, e.rule_version_id, e.at)"""
"""SQL: a redemption `r` says of itself what its entry `e` does not."""
ORDER_NO = """'"order_no":' || to_json(r.order_no)::text"""
TOTAL = """'"total_fen":' || r.bill_total_fen || '}'"""
"""SQL: what the facts of a redemption have in them, those of a bill of its own its total, too. A bill ends with it."""


def _says(column: str, member: str, value: str) -> str:
    """SQL: canonical JSON in a column has the member, with another value. Its bytes are sealed, so it is not parsed."""
    begins = f"'\"{member}\":'"
    return f"(strpos({column}, {begins}) > 0 AND strpos({column}, {begins} || {value}) = 0)"


_REDEEMED = f"""
    SELECT r.region_code, r.id AS subject,
        concat_ws(' ', e.programme_id, e.voucher_id, e.rule_version_id, e.at, 'and its facts') AS expected,
        concat_ws(' ', r.programme_id, r.voucher_id, r.rule_version_id, r.redeemed_at, r.order_no, r.bill_total_fen)
            AS actual
    FROM redemptions r JOIN entries e ON e.region_code = r.region_code AND e.id = r.entry_id
    WHERE {ENTERED}
        OR (strpos(r.facts, '"order_no":') > 0 AND strpos(r.facts, {ORDER_NO}) = 0)
        OR (r.hold_id IS NULL AND strpos(r.facts, '"total_fen":') > 0 AND strpos(r.facts, {TOTAL}) = 0)
"""

_RECORDS = f"""
    SELECT h.region_code, h.id AS subject,
        concat_ws(' ', e.programme_id, e.voucher_id, e.rule_version_id, e.at, 'and its facts') AS expected,
        concat_ws(' ', h.programme_id, h.voucher_id, h.rule_version_id, h.held_at, h.hold_no) AS actual
    FROM holds h JOIN entries e ON e.region_code = h.region_code AND e.id = h.entry_id
    WHERE (h.programme_id, h.voucher_id, h.rule_version_id, h.held_at)
            IS DISTINCT FROM (e.programme_id, e.voucher_id, e.rule_version_id, e.at)
        OR {_says("h.facts", "hold_no", "to_json(h.hold_no)::text")}
    UNION ALL
    SELECT f.region_code, f.id, e.at::text, f.refunded_at::text
    FROM refunds f JOIN entries e ON e.region_code = f.region_code AND e.id = f.entry_id
    WHERE f.refunded_at <> e.at
    UNION ALL
    SELECT v.region_code, 'holder of ' || v.id,
        concat_ws(' ', said.details ->> 'firm', e.programme_id, e.subject_id, e.at),
        concat_ws(' ', v.firm_id, v.programme_id, v.batch_id, v.issued_at)
    FROM vouchers v
    JOIN entries e ON e.region_code = v.region_code AND e.voucher_id = v.id AND e.kind = 'issue'
    CROSS JOIN LATERAL (SELECT e.details::jsonb AS details OFFSET 0) AS said
    WHERE (said.details ->> 'firm', e.programme_id, e.subject_id, e.at)
        IS DISTINCT FROM (v.firm_id, v.programme_id, v.batch_id, v.issued_at)
    UNION ALL
    SELECT e.region_code, 'end of ' || v.id, e.voucher_end, coalesce(v.ended_as, '-')
    FROM entries e JOIN vouchers v ON v.region_code = e.region_code AND v.id = e.voucher_id
    WHERE e.voucher_end IS NOT NULL AND e.voucher_end IS DISTINCT FROM
        coalesce(v.ended_as, CASE WHEN e.kind <> 'expire' AND e.voucher_end = 'expired' THEN 'expired' END)
    UNION ALL
    SELECT o.region_code, 'payee of ' || o.id,
        concat_ws(' ', asked.c ->> 'payee_id', asked.c ->> 'payee_account_id', a.made_by),
        concat_ws(' ', o.payee_id, o.payee_account_id, o.proposed_by)
    FROM approvals a
    CROSS JOIN LATERAL (SELECT a.command::jsonb AS c OFFSET 0) AS asked
    JOIN payment_orders o ON o.region_code = a.region_code AND o.id = asked.c ->> 'order_id'
    WHERE a.kind = 'order_payment' AND (
        (asked.c ->> 'payee_id', a.made_by) IS DISTINCT FROM (o.payee_id, o.proposed_by)
        OR asked.c ? 'payee_account_id' AND asked.c ->> 'payee_account_id' IS DISTINCT FROM o.payee_account_id)
    UNION ALL
    SELECT r.region_code, 'bank reference of ' || r.id, e.details, r.bank_reference
    FROM payment_results r
    JOIN payment_items i ON i.region_code = r.region_code AND i.order_id = r.order_id
        AND r.id = CASE r.kind WHEN 'confirmed' THEN i.confirm_result_id ELSE i.bounce_result_id END
    JOIN entries e ON e.region_code = i.region_code
        AND e.id = CASE r.kind WHEN 'confirmed' THEN i.confirm_entry_id ELSE i.bounce_entry_id END
    WHERE {_says("e.details", "bank_reference", "to_json(r.bank_reference)::text")}
    UNION ALL
    SELECT v.region_code, 'bank reference of ' || v.id, e.details, v.bank_reference
    FROM recoveries v JOIN entries e ON e.region_code = v.region_code AND e.id = v.receipt_entry_id
    WHERE {_says("e.details", "bank_reference", "to_json(v.bank_reference)::text")}
    UNION ALL
    SELECT p.region_code, 'pool ' || p.id, concat_ws(' ', asked.c ->> 'fund_source', asked.c ->> 'fiscal_year'),
        concat_ws(' ', p.fund_source, p.fiscal_year)
    FROM entries e
    JOIN postings g ON g.region_code = e.region_code AND g.entry_id = e.id
    JOIN pools p ON p.region_code = g.region_code AND p.id = g.pool_id
    JOIN approvals a ON a.region_code = e.region_code AND a.id = e.approval_id AND a.kind = 'appropriate'
    CROSS JOIN LATERAL (SELECT a.command::jsonb AS c OFFSET 0) AS asked
    WHERE e.kind IN ('appropriate', 'adjust')
        AND concat_ws(' ', asked.c ->> 'fund_source', asked.c ->> 'fiscal_year')
            IS DISTINCT FROM concat_ws(' ', p.fund_source, p.fiscal_year)
"""
"""An `expired` of another entry than the sweep's own says that the end had come, though nobody had swept yet."""

_TOLD = """
    SELECT region_code, at, action, object_id, principal_id, said ->> 'approval' AS approval_id,
        said ->> 'command_sha256' AS command_sha256, said ->> 'maker' AS maker_id, said -> 'steps' AS steps,
        said -> 'barred' AS barred, said ->> 'expires_at' AS expires_at,
        said ->> 'on_behalf_of' AS on_behalf_of
    FROM (
        SELECT region_code, at, action, object_id, principal_id, details::jsonb AS said FROM audit_events
        WHERE result = 'done' AND action LIKE ANY (ARRAY['%.requested', '%.approved', '%.step_approved', '%.rejected',
            '%.withdrawn']) OFFSET 0
    ) AS event
    WHERE said ? 'command_sha256'
"""

_APPROVALS = f"""
    WITH told AS MATERIALIZED ({_TOLD})
    SELECT a.region_code, 'request of ' || a.id AS subject,
        CASE WHEN t.action IS NULL THEN 'a sealed event'
            ELSE concat_ws(' ', t.action, t.object_id, t.principal_id, t.command_sha256, t.at, t.steps, t.barred,
                t.expires_at) END AS expected,
        concat_ws(' ', a.kind || '.requested', a.subject_id, a.made_by, a.command_sha256, a.made_at,
            to_jsonb(a.steps), to_jsonb(a.barred_ids), a.expires_at) AS actual
    FROM approvals a LEFT JOIN told t
        ON t.region_code = a.region_code AND t.approval_id = a.id AND t.action LIKE '%.requested'
    WHERE (t.action, t.object_id, t.principal_id, t.command_sha256, t.at)
            IS DISTINCT FROM (a.kind || '.requested', a.subject_id, a.made_by, a.command_sha256, a.made_at)
        OR t.steps <> to_jsonb(a.steps) OR t.barred <> to_jsonb(a.barred_ids)
        OR (t.barred IS NOT NULL AND t.expires_at::timestamptz IS DISTINCT FROM a.expires_at)
    UNION ALL
    SELECT a.region_code, 'decision of ' || a.id,
        CASE WHEN t.action IS NULL THEN 'a sealed event'
            ELSE concat_ws(' ', t.action, t.principal_id, t.maker_id, t.command_sha256, t.at) END,
        concat_ws(' ', a.kind || '.' || a.status, a.decided_by, a.made_by, a.command_sha256, a.decided_at)
    FROM approvals a LEFT JOIN told t ON t.region_code = a.region_code AND t.approval_id = a.id
        AND t.action = a.kind || '.' || a.status AND t.principal_id = a.decided_by
    WHERE a.status <> 'pending' AND (t.maker_id, t.command_sha256, t.at)
        IS DISTINCT FROM (a.made_by, a.command_sha256, a.decided_at)
    UNION ALL
    SELECT d.region_code, 'step ' || d.step || ' of ' || d.approval_id,
        coalesce(nullif(concat_ws(' ', t.at, t.on_behalf_of), ''), 'a sealed event'),
        concat_ws(' ', d.decided_at, d.on_behalf_of)
    FROM approval_decisions d JOIN approvals a ON a.region_code = d.region_code AND a.id = d.approval_id
    LEFT JOIN told t ON t.region_code = d.region_code AND t.approval_id = d.approval_id
        AND t.principal_id = d.decided_by AND t.action = a.kind || CASE WHEN d.outcome = 'rejected' THEN '.rejected'
            WHEN d.step < cardinality(a.steps) THEN '.step_approved' ELSE '.approved' END
    WHERE (t.at, t.on_behalf_of) IS DISTINCT FROM (d.decided_at, d.on_behalf_of)
    UNION ALL
    SELECT t.region_code, 'approval ' || t.approval_id, t.action, coalesce(a.status, 'none')
    FROM told t LEFT JOIN approvals a ON a.region_code = t.region_code AND a.id = t.approval_id
    WHERE a.id IS NULL OR (a.status = 'pending' AND t.action NOT LIKE ALL (ARRAY['%.requested', '%.step_approved']))
"""
"""Each request and each step is a sealed event that names the command by its hash, who made it and who decided when.

Those of the first releases do not say who was barred, and until when it could be approved.
"""

_RULES = """
    SELECT v.region_code, 'rules ' || v.id AS subject,
        coalesce(string_agg(p.rules_sha256 || coalesce(' ' || p.effective_on, ''), ', '), 'an approval') AS expected,
        v.rules_sha256 || ' ' || v.effective_on AS actual
    FROM rule_versions v
    LEFT JOIN (
        SELECT region_code, command ->> 'rule_version_id' AS version_id, command ->> 'rules_sha256' AS rules_sha256,
            command ->> 'effective_on' AS effective_on
        FROM (
            SELECT region_code, command::jsonb AS command FROM approvals
            WHERE kind IN ('publish_programme', 'publish_rule_version') AND status = 'approved' OFFSET 0
        ) AS approved
    ) AS p ON p.region_code = v.region_code AND p.version_id = v.id
    WHERE v.status = 'published'
    GROUP BY v.region_code, v.id, v.rules, v.rules_sha256, v.effective_on
    HAVING bool_and(p.rules_sha256 = v.rules_sha256
            AND coalesce(p.effective_on, v.effective_on::text) = v.effective_on::text) IS NOT TRUE
        OR encode(sha256(convert_to(v.rules, 'UTF8')), 'hex') <> v.rules_sha256
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "records",
        "What is stored of redemptions, holds, vouchers and pools says what was sealed of them",
        "存量的核销、预扣、券与资金池与其封存内容一致",
        union(_REDEEMED, _RECORDS),
        rest=_RECORDS,
    ),
    Invariant(
        12,
        "approvals",
        "Approvals are those that were requested and decided",
        "审批与其已封存的提交和决定一致",
        _APPROVALS,
    ),
    Invariant(
        12,
        "approved_rules",
        "Published rules are those that two persons approved",
        "已发布的规则正是经双人审核的规则",
        _RULES,
    ),
)
