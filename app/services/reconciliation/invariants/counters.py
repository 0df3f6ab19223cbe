"""Every stored counter against the postings that it sums."""

from __future__ import annotations

from app.kernel.vocabulary import Account
from app.services.ledger.entries import COUNTERS, HOLD_COUNTERS
from app.services.reconciliation.invariants.invariant import Invariant, listed, union
from app.services.reconciliation.invariants.pools import POOLS_MOVED, pool_sums
from app.services.reconciliation.invariants.vouchers import ALL_MOVED, STAGE_PARTS, voucher_moved

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


def stored_by_moved(moved: str, pools_moved: str) -> str:
    """SQL for stored counters of pools, allotments and vouchers against what moved."""
    parts = {part: [stage for stage in Account if STAGE_PARTS.get(stage) == part] for part in STAGE_PARTS.values()}
    came = f"coalesce(sum(fen) FILTER (WHERE source NOT IN ({listed(STAGE_PARTS)})), 0)"
    sums = {"face_fen": f"{came} - coalesce(sum(fen) FILTER (WHERE ended = 'moved'), 0)"}
    for part, stages in parts.items():
        came, left = (
            f"CASE WHEN {side} IN ({listed(stages)}) THEN fen ELSE 0 END" for side in ("destination", "source")
        )
        sums[part] = f"sum({came} - {left})"
    for ended in ("recovered", "expired", "voided", "surrendered"):
        sums[f"{ended}_fen"] = f"sum(fen) FILTER (WHERE ended = '{ended}')"
    assert sums.keys() == set(COUNTERS), "every counter is summed"
    summed = ", ".join(f"coalesce({sums[c]}, 0) AS {c}" for c in COUNTERS)
    differs = " OR ".join(f"coalesce(s.{c}, 0) <> a.{c}" for c in COUNTERS)
    found = " || ' ' || ".join(f"coalesce(s.{c}, 0)" for c in COUNTERS)
    stored = " || ' ' || ".join(f"a.{c}" for c in COUNTERS)
    voucher_summed = ", ".join(f"sum({c}) AS {c}" for c in COUNTERS)
    return f"""
        WITH parts AS MATERIALIZED (
            SELECT region_code, voucher_id, pool_id, {summed}, sum(postings) AS postings, max(last_seq) AS last_seq
            FROM ({voucher_moved(moved)}) AS moved GROUP BY region_code, voucher_id, pool_id
        ), whole AS MATERIALIZED (
            SELECT region_code, voucher_id, {voucher_summed}, sum(postings) AS postings, max(last_seq) AS last_seq
            FROM parts GROUP BY region_code, voucher_id
        )
        SELECT a.region_code, 'allotment ' || a.voucher_id || ' ' || a.pool_id AS subject,
            {found} AS expected, {stored} AS actual
        FROM allotments a LEFT JOIN parts s
            ON s.region_code = a.region_code AND s.voucher_id = a.voucher_id AND s.pool_id = a.pool_id
        WHERE {differs}
        UNION ALL
        SELECT a.region_code, 'voucher ' || a.id, {found}, {stored}
        FROM vouchers a LEFT JOIN whole s ON s.region_code = a.region_code AND s.voucher_id = a.id
        WHERE {differs}
        UNION ALL
        SELECT v.region_code, 'posting count ' || v.id, coalesce(s.postings, 0)::text, v.posting_count::text
        FROM vouchers v LEFT JOIN whole s ON s.region_code = v.region_code AND s.voucher_id = v.id
        WHERE coalesce(s.postings, 0) <> v.posting_count OR coalesce(s.last_seq, 0) <> v.posting_count
        UNION ALL
        SELECT o.region_code, 'available ' || o.id, coalesce(side.fen, 0)::text, o.available_fen::text
        FROM pools o LEFT JOIN ({pool_sums(pools_moved)}) AS side
            ON side.region_code = o.region_code AND side.pool_id = o.id AND side.account = 'available'
        WHERE coalesce(side.fen, 0) <> o.available_fen
    """


_HOLDS = f"""
    SELECT h.region_code, 'hold share ' || h.hold_id || ' ' || h.pool_id AS subject,
        concat_ws(' ', {_listed_of("coalesce(s.{}, 0)")}) AS expected,
        concat_ws(' ', {_listed_of("h.{}")}) AS actual
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
"""

MANDATE_USED = """
    SELECT m.region_code, 'mandate ' || m.id AS subject, coalesce(u.fen, 0)::text AS expected,
        m.used_fen::text AS actual
    FROM mandates m LEFT JOIN (
        SELECT region_code, mandate_id, sum(fen) AS fen FROM (
            SELECT region_code, mandate_id, {used} AS fen FROM {redemptions}
            UNION ALL
            SELECT region_code, mandate_id, held_fen FROM holds
        ) AS used GROUP BY region_code, mandate_id
    ) AS u ON u.region_code = m.region_code AND u.mandate_id = m.id
    WHERE coalesce(u.fen, 0) <> m.used_fen
"""

_OBLIGATED = """
    SELECT r.region_code, 'redemption ' || r.id, (coalesce(p.amount_fen, 0) + coalesce(more.fen, 0))::text,
        r.subsidy_fen::text
    FROM redemptions r
    LEFT JOIN postings p ON p.region_code = r.region_code AND p.entry_id = r.entry_id AND p.line = 1
        AND p.destination = 'obligated'
    LEFT JOIN (
        SELECT region_code, entry_id, sum(amount_fen) AS fen FROM postings
        WHERE destination = 'obligated' AND line <> 1 GROUP BY region_code, entry_id
    ) AS more ON more.region_code = r.region_code AND more.entry_id = r.entry_id
    WHERE coalesce(p.amount_fen, 0) + coalesce(more.fen, 0) <> r.subsidy_fen
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        4,
        "stored_counters",
        "Every stored counter equals the sum of its postings",
        "所有存储的余额＝分录之和",
        union(
            f"SELECT * FROM ({stored_by_moved(ALL_MOVED, POOLS_MOVED)}) AS stored",
            MANDATE_USED.format(used="subsidy_fen - refunded_fen", redemptions="redemptions"),
            _OBLIGATED,
            _HOLDS,
        ),
        rest=_HOLDS,
    ),
)
