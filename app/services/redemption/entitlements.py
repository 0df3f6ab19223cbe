"""What redemptions are entitled to of each pool: what was drawn, less what went back and what is to be paid back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection

from app.services.redemption.states import Share
from app.sql import Statement

RedemptionKey = tuple[str, str]
"""(region_code, redemption id)."""

_ASKED = "unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
_POSTED = Statement(
    "SELECT r.region_code, r.id, p.pool_id, CAST(sum("
    "CASE WHEN p.destination = 'obligated' THEN p.amount_fen WHEN p.source = 'obligated' THEN -p.amount_fen ELSE 0 END"
    ") AS bigint) AS fen FROM redemptions r"
    f" JOIN {_ASKED} ON r.region_code = asked.region_code AND r.id = asked.id"
    " CROSS JOIN LATERAL (SELECT r.entry_id UNION ALL SELECT f.entry_id FROM refunds f"
    " WHERE f.region_code = r.region_code AND f.redemption_id = r.id"
    " UNION ALL SELECT e.id FROM entries e"
    " WHERE e.region_code = r.region_code AND e.subject_id = r.id AND e.kind = 'move') AS own"
    " CROSS JOIN LATERAL (SELECT * FROM postings"
    " WHERE region_code = r.region_code AND entry_id = own.entry_id ORDER BY line OFFSET 0) AS p"
    " JOIN allotments a ON a.region_code = p.region_code AND a.voucher_id = p.voucher_id AND a.pool_id = p.pool_id"
    " GROUP BY r.region_code, r.id, p.pool_id, a.line ORDER BY r.region_code, r.id, a.line"
)
_CLAIMED = Statement(
    "SELECT v.region_code, v.redemption_id, v.parts FROM recoveries v"
    f" JOIN {_ASKED} ON v.region_code = asked.region_code AND v.redemption_id = asked.id"
    " WHERE v.status <> 'refunded'"
)


def entitled_by_pool(tx: Connection, keys: Collection[RedemptionKey]) -> dict[RedemptionKey, list[Share]]:
    """Per redemption its pools in the declared order, with `redeemed_fen` what it is entitled to of each.

    Wherever the money lies: owed, in payment or paid; where it was carried forward, of the later year's pools.
    The vouchers' locks cover it.
    """
    asked = {"regions": [key[0] for key in sorted(keys)], "ids": [key[1] for key in sorted(keys)]}
    found: dict[RedemptionKey, list[Share]] = defaultdict(list)
    for row in _POSTED(tx, asked):
        found[row.region_code, row.id].append(Share(row.pool_id, 0, row.fen))
    for row in _CLAIMED(tx, asked):
        claimed = dict(json.loads(row.parts))
        for share in found[row.region_code, row.redemption_id]:
            share.redeemed_fen -= claimed.get(share.pool_id, 0)
    return dict(found)
