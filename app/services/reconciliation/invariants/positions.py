"""What cumulative rules count against what redemptions, holds, refunds and recoveries say they counted."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

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
    UNION ALL
    SELECT r.region_code, r.programme_id, r.facts::jsonb, v.counted::jsonb
    FROM recoveries v JOIN redemptions r ON r.region_code = v.region_code AND r.id = v.redemption_id
    WHERE v.restored
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

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        4,
        "positions",
        "What cumulative rules count equals what redemptions and refunds counted",
        "累计规则的计数＝核销与退款所计之和",
        _POSITIONS,
    ),
)
