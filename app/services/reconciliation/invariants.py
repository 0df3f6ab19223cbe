"""The invariants of the books, each a query that must return no row.

The numbers are those of `docs/architecture.md`, section 4. Every query gives `region_code`, `subject` (the row that is
wrong), `expected` and `actual` (fen or counts as text), so that a difference can be followed up.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.vocabulary import DUAL_CONTROL, SOURCES, Account
from app.services.ledger.entries import COUNTERS, HOLD_COUNTERS


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise of the books and the query that finds what breaks it."""

    number: int
    name: str
    title_en: str
    title_zh: str
    query: str


def _listed(values: frozenset[str] | frozenset[Account]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


_MEMO = frozenset({Account.RECOVERY_CLAIMED, Account.RECOVERY_DUE, Account.TREASURY})
_GRANTED = _listed(frozenset({Account.APPROPRIATION, Account.AUTHORISED}))
_STAGES = _listed(frozenset(Account) - SOURCES - _MEMO)
_MAY_BE_NEGATIVE = _listed(SOURCES)
_DUAL = ", ".join(f"'{kind}'" for kind in sorted(DUAL_CONTROL))

_SIDES = """
    SELECT p.region_code, p.pool_id, p.source AS account, -p.amount_fen AS fen, e.at, p.entry_id, p.line
    FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    UNION ALL
    SELECT p.region_code, p.pool_id, p.destination, p.amount_fen, e.at, p.entry_id, p.line
    FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
"""

_POOL_EQUATION = f"""
    SELECT region_code, pool_id AS subject, (-granted)::text AS expected, staged::text AS actual
    FROM (
        SELECT region_code, pool_id,
            coalesce(sum(fen) FILTER (WHERE account IN ({_GRANTED})), 0) AS granted,
            coalesce(sum(fen) FILTER (WHERE account IN ({_STAGES})), 0) AS staged
        FROM ({_SIDES}) AS side GROUP BY region_code, pool_id
    ) AS pool
    WHERE -granted <> staged
"""

_POOL_ACCOUNT_NEGATIVE = f"""
    SELECT region_code, pool_id || ' ' || account AS subject, '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT region_code, pool_id, account,
            sum(fen) OVER (PARTITION BY region_code, pool_id, account ORDER BY at, entry_id, fen DESC, line) AS running
        FROM ({_SIDES}) AS side
        WHERE account NOT IN ({_MAY_BE_NEGATIVE})
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, pool_id, account
"""

_VOUCHER_SIDES = """
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
        FROM ({_VOUCHER_SIDES}) AS side
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, voucher_id, pool_id, part
"""

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


_HOLD_SIDES = """
    SELECT p.region_code, p.hold_id, p.pool_id,
        coalesce(sum(amount_fen) FILTER (WHERE destination = 'held'), 0)
            - coalesce(sum(amount_fen) FILTER (WHERE source = 'held' AND e.kind = 'move'), 0) AS amount_fen,
        coalesce(sum(CASE WHEN destination = 'held' THEN amount_fen ELSE -amount_fen END), 0) AS held_fen,
        coalesce(sum(amount_fen) FILTER (WHERE source = 'held' AND destination = 'obligated'), 0) AS redeemed_fen,
        coalesce(sum(amount_fen) FILTER (WHERE source = 'held' AND destination <> 'obligated' AND e.kind <> 'move'), 0)
            AS released_fen
    FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    WHERE p.hold_id IS NOT NULL GROUP BY p.region_code, p.hold_id, p.pool_id
"""


def _listed_of(template: str) -> str:
    return ", ".join(template.format(counter) for counter in ("amount_fen", *HOLD_COUNTERS))


def _stored_counters() -> str:
    """Every stored counter against its postings: pools, allotments, vouchers, mandates, holds, redemptions."""
    summed = ", ".join(f"coalesce(sum(fen) FILTER (WHERE part = '{c}'), 0) AS {c}" for c in COUNTERS)
    differs = " OR ".join(f"coalesce(s.{c}, 0) <> a.{c}" for c in COUNTERS)
    found = " || ' ' || ".join(f"coalesce(s.{c}, 0)" for c in COUNTERS)
    stored = " || ' ' || ".join(f"a.{c}" for c in COUNTERS)
    parts = f"""
        SELECT region_code, voucher_id, pool_id, {summed}
        FROM ({_VOUCHER_SIDES}) AS side GROUP BY region_code, voucher_id, pool_id
    """
    voucher_summed = ", ".join(f"sum({c}) AS {c}" for c in COUNTERS)
    return f"""
        SELECT a.region_code, 'allotment ' || a.voucher_id || ' ' || a.pool_id AS subject,
            {found} AS expected, {stored} AS actual
        FROM allotments a LEFT JOIN ({parts}) AS s
            ON s.region_code = a.region_code AND s.voucher_id = a.voucher_id AND s.pool_id = a.pool_id
        WHERE {differs}
        UNION ALL
        SELECT a.region_code, 'voucher ' || a.id, {found}, {stored}
        FROM vouchers a LEFT JOIN (
            SELECT region_code, voucher_id, {voucher_summed} FROM ({parts}) AS p GROUP BY region_code, voucher_id
        ) AS s ON s.region_code = a.region_code AND s.voucher_id = a.id
        WHERE {differs}
        UNION ALL
        SELECT v.region_code, 'posting count ' || v.id, count(p.voucher_seq)::text, v.posting_count::text
        FROM vouchers v LEFT JOIN postings p ON p.region_code = v.region_code AND p.voucher_id = v.id
        GROUP BY v.region_code, v.id, v.posting_count
        HAVING count(p.voucher_seq) <> v.posting_count OR coalesce(max(p.voucher_seq), 0) <> v.posting_count
        UNION ALL
        SELECT o.region_code, 'available ' || o.id, coalesce(sum(side.fen), 0)::text, o.available_fen::text
        FROM pools o LEFT JOIN ({_SIDES}) AS side
            ON side.region_code = o.region_code AND side.pool_id = o.id AND side.account = 'available'
        GROUP BY o.region_code, o.id, o.available_fen HAVING coalesce(sum(side.fen), 0) <> o.available_fen
        UNION ALL
        SELECT m.region_code, 'mandate ' || m.id, coalesce(u.fen, 0)::text, m.used_fen::text
        FROM mandates m LEFT JOIN (
            SELECT region_code, mandate_id, sum(fen) AS fen FROM (
                SELECT region_code, mandate_id, subsidy_fen - refunded_fen AS fen FROM redemptions
                UNION ALL
                SELECT region_code, mandate_id, held_fen FROM holds
            ) AS used GROUP BY region_code, mandate_id
        ) AS u ON u.region_code = m.region_code AND u.mandate_id = m.id
        WHERE coalesce(u.fen, 0) <> m.used_fen
        UNION ALL
        SELECT h.region_code, 'hold share ' || h.hold_id || ' ' || h.pool_id,
            concat_ws(' ', {_listed_of("coalesce(s.{}, 0)")}), concat_ws(' ', {_listed_of("h.{}")})
        FROM hold_shares h LEFT JOIN ({_HOLD_SIDES}) AS s
            ON s.region_code = h.region_code AND s.hold_id = h.hold_id AND s.pool_id = h.pool_id
        WHERE ({_listed_of("coalesce(s.{}, 0)")}) <> ({_listed_of("h.{}")})
        UNION ALL
        SELECT h.region_code, 'hold ' || h.id,
            concat_ws(' ', {_listed_of("coalesce(s.{}, 0)")}), concat_ws(' ', {_listed_of("h.{}")})
        FROM holds h LEFT JOIN (
            SELECT region_code, hold_id, {_listed_of("sum({0}) AS {0}")} FROM ({_HOLD_SIDES}) AS p GROUP BY 1, 2
        ) AS s ON s.region_code = h.region_code AND s.hold_id = h.id
        WHERE ({_listed_of("coalesce(s.{}, 0)")}) <> ({_listed_of("h.{}")})
        UNION ALL
        SELECT r.region_code, 'redemption ' || r.id, coalesce(p.fen, 0)::text, r.subsidy_fen::text
        FROM redemptions r LEFT JOIN (
            SELECT region_code, entry_id, sum(amount_fen) AS fen FROM postings WHERE destination = 'obligated'
            GROUP BY region_code, entry_id
        ) AS p ON p.region_code = r.region_code AND p.entry_id = r.entry_id
        WHERE coalesce(p.fen, 0) <> r.subsidy_fen
    """


_COUNTED = """
    SELECT r.region_code, r.programme_id, r.facts::jsonb AS facts, r.facts::jsonb -> 'counted' AS counted
    FROM redemptions r
    UNION ALL
    SELECT h.region_code, h.programme_id, h.facts::jsonb, h.facts::jsonb -> 'counted' FROM holds h
    UNION ALL
    SELECT h.region_code, h.programme_id, h.facts::jsonb, h.end_counted::jsonb
    FROM holds h WHERE h.end_counted IS NOT NULL
    UNION ALL
    SELECT r.region_code, r.programme_id, r.facts::jsonb, f.facts::jsonb -> 'counted'
    FROM refunds f JOIN redemptions r ON r.region_code = f.region_code AND r.id = f.redemption_id
"""

_POSITIONS = f"""
    SELECT coalesce(p.region_code, c.region_code) AS region_code,
        concat_ws(' ', 'position', coalesce(p.programme_id, c.programme_id), coalesce(p.holder, c.holder),
            coalesce(p.holder_id, c.holder_id), coalesce(p.period, c.period), coalesce(p.category, c.category)
        ) AS subject,
        concat_ws(' ', coalesce(c.base_fen, 0), coalesce(c.gross_fen, 0), coalesce(c.granted_fen, 0),
            coalesce(c.claims, 0)) AS expected,
        concat_ws(' ', coalesce(p.base_fen, 0), coalesce(p.gross_fen, 0), coalesce(p.granted_fen, 0),
            coalesce(p.claims, 0)) AS actual
    FROM positions p FULL JOIN (
        SELECT region_code, programme_id, row ->> 'holder' AS holder,
            facts -> 'holders' ->> (row ->> 'holder') AS holder_id, row ->> 'period' AS period,
            row ->> 'category' AS category, sum((row ->> 'base_fen')::bigint) AS base_fen,
            sum((row ->> 'gross_fen')::bigint) AS gross_fen, sum((row ->> 'granted_fen')::bigint) AS granted_fen,
            sum((row ->> 'claims')::bigint) AS claims
        FROM ({_COUNTED}) AS claim CROSS JOIN LATERAL jsonb_array_elements(claim.counted) AS row
        GROUP BY 1, 2, 3, 4, 5, 6
    ) AS c ON c.region_code = p.region_code AND c.programme_id = p.programme_id AND c.holder = p.holder
        AND c.holder_id = p.holder_id AND c.period = p.period AND c.category = p.category
    WHERE (coalesce(c.base_fen, 0), coalesce(c.gross_fen, 0), coalesce(c.granted_fen, 0), coalesce(c.claims, 0))
        <> (coalesce(p.base_fen, 0), coalesce(p.gross_fen, 0), coalesce(p.granted_fen, 0), coalesce(p.claims, 0))
"""

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

_CAUSES = """
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
    UNION ALL
    SELECT h.region_code, h.id, concat_ws(' ', h.voucher_id, h.programme_id, h.id, 'committed held'),
        concat_ws(' ', p.voucher_id, o.programme_id, p.hold_id, p.source, p.destination)
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
    SELECT r.region_code, 'voucher of ' || r.id, r.firm_id || ' ' || r.programme_id, v.firm_id || ' ' || v.programme_id
    FROM redemptions r JOIN vouchers v ON v.region_code = r.region_code AND v.id = r.voucher_id
    WHERE v.firm_id <> r.firm_id OR v.programme_id <> r.programme_id
    UNION ALL
    SELECT r.region_code, 'mandate of ' || r.id, r.voucher_id || ' ' || r.provider_id,
        m.voucher_id || ' ' || m.provider_id
    FROM redemptions r JOIN mandates m ON m.region_code = r.region_code AND m.id = r.mandate_id
    WHERE m.voucher_id <> r.voucher_id OR m.provider_id <> r.provider_id
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
    SELECT a.region_code, a.id, abs(a.amount_fen)::text, coalesce(sum(p.amount_fen), 0)::text
    FROM approvals a
    LEFT JOIN entries e ON e.region_code = a.region_code AND e.approval_id = a.id
    LEFT JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id
    WHERE a.status = 'approved' AND a.kind IN ('appropriate', 'issue_batch')
    GROUP BY a.region_code, a.id, a.amount_fen
    HAVING coalesce(sum(p.amount_fen), 0) <> abs(a.amount_fen)
"""

_REGIONS = """
    SELECT region_code, table_name || ' ' || id AS subject, region_code AS expected, substr(id, 5, 6) AS actual
    FROM (
        SELECT region_code, id, 'programme' AS table_name FROM programmes
        UNION ALL SELECT region_code, id, 'pool' FROM pools
        UNION ALL SELECT region_code, id, 'voucher' FROM vouchers
        UNION ALL SELECT region_code, id, 'redemption' FROM redemptions
        UNION ALL SELECT region_code, id, 'hold' FROM holds
        UNION ALL SELECT region_code, id, 'payment code' FROM payment_codes
        UNION ALL SELECT region_code, id, 'refund' FROM refunds
        UNION ALL SELECT region_code, id, 'mandate' FROM mandates
        UNION ALL SELECT region_code, id, 'entry' FROM entries
        UNION ALL SELECT region_code, id, 'batch' FROM issuance_batches
        UNION ALL SELECT region_code, pool_id, 'posting pool' FROM postings
        UNION ALL SELECT region_code, voucher_id, 'posting voucher' FROM postings WHERE voucher_id IS NOT NULL
        UNION ALL SELECT region_code, programme_id, 'voucher programme' FROM vouchers
        UNION ALL SELECT region_code, subject_id, 'entry subject' FROM entries
    ) AS row
    WHERE substr(id, 5, 6) <> region_code
"""

_TWO_PERSONS = f"""
    SELECT e.region_code, e.id AS subject, 'two persons' AS expected,
        coalesce(e.maker_id, '-') || ' / ' || coalesce(e.checker_id, '-') AS actual
    FROM entries e LEFT JOIN approvals a ON a.region_code = e.region_code AND a.id = e.approval_id
    WHERE e.kind IN ({_DUAL}) AND (
        e.maker_id IS NULL OR e.checker_id IS NULL OR e.maker_id = e.checker_id
        OR a.id IS NULL OR a.status <> 'approved' OR a.made_by <> e.maker_id OR a.decided_by <> e.checker_id)
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        1,
        "pool_equation",
        "Granted equals the sum of all stages, per pool",
        "每个资金池：预算指标＝各阶段之和",
        _POOL_EQUATION,
    ),
    Invariant(
        2,
        "no_negative_account",
        "No account of a pool was ever below zero",
        "资金池各账户从未为负",
        _POOL_ACCOUNT_NEGATIVE,
    ),
    Invariant(
        2,
        "no_negative_voucher",
        "No part of a voucher was ever below zero",
        "券的各部分从未为负",
        _VOUCHER_PART_NEGATIVE,
    ),
    Invariant(2, "no_negative_hold", "No part of a hold was ever below zero", "预占的各部分从未为负", _HOLD_NEGATIVE),
    Invariant(3, "voucher_identity", "Face value equals the sum of its parts", "券面值＝各部分之和", _VOUCHER_IDENTITY),
    Invariant(
        4,
        "stored_counters",
        "Every stored counter equals the sum of its postings",
        "所有存储的余额＝分录之和",
        _stored_counters(),
    ),
    Invariant(
        4,
        "positions",
        "What cumulative rules count equals what redemptions and refunds counted",
        "累计规则的计数＝核销与退款所计之和",
        _POSITIONS,
    ),
    Invariant(5, "refunds", "Refunds never exceed their redemption", "退款不超过核销", _REFUNDS),
    Invariant(
        5,
        "holds",
        "Redemptions never exceed their hold, and every ended hold has exactly one end",
        "核销不超过预占，每笔结束的预占恰有一个结局",
        _HOLDS_END_ONCE,
    ),
    Invariant(6, "once", "Every key and order number has one effect at most", "每个键和订单号至多生效一次", _ONCE),
    Invariant(
        6,
        "causes",
        "Every posting says what its redemption, refund or approval says",
        "分录与其核销、退款或审批一致",
        _CAUSES,
    ),
    Invariant(11, "regions", "No row points into another region", "没有跨地区的记录", _REGIONS),
    Invariant(12, "two_persons", "Maker and checker are two persons", "经办与审核为两人", _TWO_PERSONS),
)
"""8 stands in `spending_times`. 9 and 10 need caps of a period, the sealed log. 7: settlements."""
