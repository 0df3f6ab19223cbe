"""What cumulative rules count against what redemptions, holds, refunds and recoveries say they counted."""

from __future__ import annotations

from app.services.reconciliation.invariants.counted import COUNTED
from app.services.reconciliation.invariants.invariant import Invariant

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
        SELECT region_code, programme_id, row.holder, claim.holders::json ->> row.holder AS holder_id, row.period,
            row.category, sum(row.base_fen) AS base_fen, sum(row.gross_fen) AS gross_fen,
            sum(row.granted_fen) AS granted_fen, sum(row.claims) AS claims
        FROM ({COUNTED}) AS claim CROSS JOIN LATERAL json_to_recordset(claim.counted::json) AS row(
            holder text, period text, category text, base_fen bigint, gross_fen bigint, granted_fen bigint,
            claims bigint)
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
