"""The locks of pools, taken after those of vouchers and positions, in one order for everybody."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from app.sql import Statement

_LOCK = Statement(
    "SELECT p.id FROM pools p JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
    " ON p.region_code = asked.region_code AND p.id = asked.id ORDER BY p.region_code, p.id FOR NO KEY UPDATE OF p"
)


def lock_pools(tx: Connection, pools: Collection[tuple[str, str]]) -> None:
    """Lock pools, given as (region_code, pool id), before money leaves or reaches their `available`."""
    ordered = sorted(pools)
    if ordered:
        _LOCK(tx, {"regions": [key[0] for key in ordered], "ids": [key[1] for key in ordered]})
