"""Drops the bodies of answers that nobody repeats any more; fingerprint, status and resource stay for good.

A slow pass over the keys of each region, slice by slice of the primary key, begun anew once a day. There is no index by
age, because each redemption would have to write it: reading a slice of a thousand keys costs some milliseconds, and a
pass over a hundred million of them, pauses included, less than half a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event

import structlog
from sqlalchemy import Connection, text

from app.database import Database
from app.services.periodic import Periodic
from app.sql import now

SLICE = 1_000
"""Keys in one transaction."""

PAUSE_S = 0.3
"""Between two slices of a pass."""

LOOK_EVERY_S = 600
"""How often it is asked whether a pass is due."""

PASS_EVERY = timedelta(days=1)

log = structlog.get_logger(__name__)

_NOTE_REGIONS = text(  # a jump through the index from region to region, however many keys each has
    "WITH RECURSIVE regions AS ("
    " (SELECT region_code FROM idempotency_keys ORDER BY region_code LIMIT 1)"
    " UNION ALL SELECT (SELECT k.region_code FROM idempotency_keys k WHERE k.region_code > r.region_code"
    " ORDER BY k.region_code LIMIT 1) FROM regions r WHERE r.region_code IS NOT NULL)"
    " INSERT INTO answer_passes (region_code, principal_id, route, key, began_at)"
    " SELECT region_code, '', '', '', clock_timestamp() FROM regions WHERE region_code IS NOT NULL"
    " ON CONFLICT DO NOTHING"
)
_TAKE_UP = text(
    "SELECT region_code, principal_id, route, key, ended_at FROM answer_passes"
    " WHERE ended_at IS NULL OR began_at <= :begun_before ORDER BY began_at, region_code LIMIT 1"
    " FOR NO KEY UPDATE SKIP LOCKED"
)
_BEGIN = text(
    "UPDATE answer_passes SET principal_id = '', route = '', key = '', began_at = :at, ended_at = NULL"
    " WHERE region_code = :region"
)
_SLICE = text(
    "WITH slice AS MATERIALIZED ("
    " SELECT principal_id, route, key, (created_at < :made_before AND body IS NOT NULL) AS is_due FROM idempotency_keys"
    " WHERE region_code = :region AND (principal_id, route, key) > (:principal, :route, :key)"
    " ORDER BY principal_id, route, key LIMIT :most"
    "), due AS MATERIALIZED ("
    " SELECT k.principal_id, k.route, k.key FROM idempotency_keys k JOIN slice s"
    " ON k.principal_id = s.principal_id AND k.route = s.route AND k.key = s.key"
    " WHERE k.region_code = :region AND s.is_due FOR NO KEY UPDATE OF k SKIP LOCKED"
    "), dropped AS ("
    " UPDATE idempotency_keys k SET body = NULL FROM due d WHERE k.region_code = :region"
    " AND k.principal_id = d.principal_id AND k.route = d.route AND k.key = d.key RETURNING 1"
    ") SELECT s.principal_id, s.route, s.key, (SELECT count(*) FROM slice) AS seen,"
    " (SELECT count(*) FROM dropped) AS dropped FROM slice s ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1"
)
_GO_ON = text(
    "UPDATE answer_passes SET principal_id = :principal, route = :route, key = :key WHERE region_code = :region"
)
_END = text("UPDATE answer_passes SET ended_at = :at WHERE region_code = :region")


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step of a pass came to."""

    region_code: str
    seen: int
    dropped: int


def note_regions(tx: Connection) -> None:
    """Let every region that has keys have a pass."""
    tx.execute(_NOTE_REGIONS)


def drop_bodies(tx: Connection, *, keep: timedelta, most: int = SLICE) -> Slice | None:
    """Look at the next `most` keys of a pass that is due and drop the bodies older than `keep`.

    None where no pass is due, or others are at all that are. The clock is the database's.
    """
    at = now(tx)
    standing = tx.execute(_TAKE_UP, {"begun_before": at - PASS_EVERY}).one_or_none()
    if standing is None:
        return None
    region = standing.region_code
    after = {"principal": standing.principal_id, "route": standing.route, "key": standing.key}
    if standing.ended_at is not None:
        tx.execute(_BEGIN, {"region": region, "at": at})
        after = {"principal": "", "route": "", "key": ""}
    found = tx.execute(_SLICE, {"region": region, "made_before": at - keep, "most": most} | after).one_or_none()
    if found is None or found.seen < most:
        tx.execute(_END, {"region": region, "at": at})
    if found is None:
        return Slice(region, 0, 0)
    last = {"principal": found.principal_id, "route": found.route, "key": found.key}
    tx.execute(_GO_ON, {"region": region} | last)
    return Slice(region, found.seen, found.dropped)


def body_dropper(database: Database, *, keep: timedelta) -> Periodic:
    """The thread that carries the passes on; each takes up what no other has."""
    return Periodic(
        "body-dropper", partial(carry_on, database, keep=keep), every_s=LOOK_EVERY_S, failed="old_answers.failed"
    )


def carry_on(database: Database, stopped: Event, *, keep: timedelta) -> None:
    """Carry on every pass that is due to its end, or until stopped."""
    database.transact(note_regions)
    while (done := database.transact(lambda tx: drop_bodies(tx, keep=keep))) is not None:
        if done.dropped:
            log.info("old_answers.dropped", region=done.region_code, bodies=done.dropped)
        if stopped.wait(PAUSE_S):
            return
