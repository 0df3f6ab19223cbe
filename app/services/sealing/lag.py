"""How far sealing is behind: the age of what has waited longest, and how much waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from app.kernel.vocabulary import Role
from app.services.identity.principals import Caller
from app.sql import Statement

_LAGS = Statement(
    """
    WITH queued AS (
        SELECT region_code, count(*) AS waiting, min(queue_no) AS first_no FROM seal_queue GROUP BY region_code
    )
    SELECT coalesce(q.region_code, l.region_code) AS region_code, coalesce(l.size, 0) AS size,
        coalesce(q.waiting, 0) AS waiting, l.sealed_at,
        greatest(extract(epoch FROM clock_timestamp() - coalesce(e.at, a.at)), 0) AS lag_s
    FROM queued q
    FULL JOIN logs l ON l.region_code = q.region_code
    LEFT JOIN seal_queue f ON f.region_code = q.region_code AND f.queue_no = q.first_no
    LEFT JOIN entries e ON e.region_code = f.region_code AND e.id = f.leaf_id AND f.leaf_kind = 'entry'
    LEFT JOIN audit_events a ON a.region_code = f.region_code AND a.id = f.leaf_id AND f.leaf_kind = 'audit_event'
    ORDER BY 1
    """
)


@dataclass(frozen=True, slots=True)
class Lag:
    """One region: how large its log is, and how much waits for how long. `lag_s` is 0 where nothing waits."""

    region_code: str
    size: int
    waiting: int
    lag_s: float
    sealed_at: datetime | None


def read_lags(tx: Connection) -> Sequence[Lag]:
    """Every region that has a log or something waiting, by code.

    The lag is the age of the row with the lowest number: numbers are drawn in the order of the instants, so it is the
    oldest to within one transaction.
    """
    return [Lag(row.region_code, row.size, row.waiting, float(row.lag_s or 0), row.sealed_at) for row in _LAGS(tx, {})]


def lags_for(tx: Connection, *, caller: Caller) -> Sequence[Lag]:
    """The regions of which the caller is system administrator, and those below them. Raises `forbidden` for others.

    How much a region has to seal tells how much happens in it, which is no other city's business.
    """
    caller.require(Role.SYSTEM_ADMIN)
    return [lag for lag in read_lags(tx) if caller.holds_in(Role.SYSTEM_ADMIN, lag.region_code)]
