"""Region fences: who spends holds the region's fence shared, who closes its year takes it alone."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from app.database import Statement

_CLASS = 7301
"""Namespace of the advisory locks; the second key is the region code as a number."""

_TRY = Statement(
    f"SELECT region_code, pg_try_advisory_xact_lock_shared({_CLASS}, CAST(region_code AS integer)) AS free"
    " FROM unnest(CAST(:regions AS text[])) AS asked(region_code)"
)
_WAIT = Statement(
    f"SELECT region_code, pg_advisory_xact_lock_shared({_CLASS}, CAST(region_code AS integer)) AS free"
    " FROM unnest(CAST(:regions AS text[])) AS asked(region_code)"
)


def try_fences(tx: Connection, regions: Collection[str], *, wait: bool = False) -> set[str]:
    """Take the shared fences of these regions until the transaction ends; return those that were free.

    With `wait` true all are waited for (up to the lock_timeout) and returned.
    """
    rows = (_WAIT if wait else _TRY)(tx, {"regions": sorted(regions)})
    return {row.region_code for row in rows if wait or row.free}
