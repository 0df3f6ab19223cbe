"""Region fences: who spends holds the region's fence shared, who closes its year takes it alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection

from app.database import Statement

_CLASS = 7301
"""Namespace of the advisory locks; the second key is the region code as a number."""

_TRY = Statement(
    f"SELECT region_code, pg_try_advisory_xact_lock_shared({_CLASS}, CAST(region_code AS integer)) AS free,"
    " clock_timestamp() AS at FROM unnest(CAST(:regions AS text[])) AS asked(region_code)"
)
_WAIT = Statement(
    f"SELECT region_code, pg_advisory_xact_lock_shared({_CLASS}, CAST(region_code AS integer)) AS free,"
    " clock_timestamp() AS at FROM unnest(CAST(:regions AS text[])) AS asked(region_code)"
)


def try_fences(tx: Connection, regions: Collection[str], *, wait: bool = False) -> set[str]:
    """Take the shared fences of these regions until the transaction ends; return those that were free.

    With `wait` true all are waited for (up to the lock_timeout) and returned.
    """
    return ask_fences(tx, regions, wait=wait)()[0]


def ask_fences(tx: Connection, regions: Collection[str], *, wait: bool) -> Callable[[], tuple[set[str], datetime]]:
    """The same and the database's clock about then, given when it is asked for: see `pipelined`."""
    asked = (_WAIT if wait else _TRY).ask(tx, {"regions": sorted(regions)})

    def taken() -> tuple[set[str], datetime]:
        rows = asked()
        return {row.region_code for row in rows if wait or row.free}, rows[0].at

    return taken
