"""Region fences: who spends holds the region's fence shared, who closes its year takes it alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.database import timed_out_on_lock
from app.kernel.problems import AppError, Code
from app.sql import Statement

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
_ALONE = Statement(f"SELECT pg_advisory_xact_lock({_CLASS}, CAST(:region_code AS integer))")
_PATIENCE = Statement("SELECT set_config('lock_timeout', :patience, true)")

ALONE_WITHIN_S = 3
"""How long who wants a region alone waits for those at work there. New ones wait meanwhile, so this is short."""


def take_fence_alone(tx: Connection, region_code: str) -> None:
    """Take the region's fence alone until the transaction ends: nobody spends there meanwhile, all who did are done.

    Those who come meanwhile are put off. Whoever holds the fence shared already may take it alone as well; two who do
    so at once are told apart by the database, and one of them starts again. Raises `region_busy` after three seconds.
    """
    _PATIENCE(tx, {"patience": f"{ALONE_WITHIN_S}s"})
    try:
        _ALONE(tx, {"region_code": region_code})
    except DBAPIError as error:
        if timed_out_on_lock(error):
            raise AppError(
                Code.REGION_BUSY, region_code=region_code, waited_s=ALONE_WITHIN_S, retry_after_s=ALONE_WITHIN_S
            ) from error
        raise


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
