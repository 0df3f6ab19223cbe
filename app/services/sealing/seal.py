"""The sealer: one transaction takes what waits in a region's queue into its log and signs the new head.

Whoever seals holds the lock of the region's head (`logs`), so two sealers never append at once, and a killed one
leaves nothing behind. What is sealed is deleted from the queue in the same transaction. It is never asked for "numbers
above the last one": a transaction that commits late has a lower number, and is found because it is still there.
The leaves are hashed where they lie; only their hashes come here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.models import Log, LogBatch
from app.services.sealing.held import require_not_held
from app.services.sealing.keys import LogKeys
from app.services.sealing.marks import mark
from app.sql import BulkInsert, Statement, now, pipelined
from app.tlog.checkpoints import Checkpoint
from app.tlog.merkle import Frontier
from app.tlog.notes import sign
from app.tlog.tiles import HEIGHT, WIDTH, Tile, grow, split_hashes

MOST = 1_000
"""Leaves in one transaction: a twentieth of a second's work, and what a balance within a batch has to add up."""

_WAITING = Statement(
    # From region to region by the key: a plain DISTINCT would read the whole queue.
    "WITH RECURSIVE region AS ("
    " (SELECT region_code FROM seal_queue ORDER BY region_code LIMIT 1)"
    " UNION ALL"
    " SELECT (SELECT q.region_code FROM seal_queue q WHERE q.region_code > r.region_code"
    " ORDER BY q.region_code LIMIT 1) FROM region r WHERE r.region_code IS NOT NULL"
    ") SELECT region_code FROM region WHERE region_code IS NOT NULL"
)
_HEAD = Statement(
    "SELECT origin, size, root, frontier, batch_count FROM logs WHERE region_code = :region FOR NO KEY UPDATE"
)
_BEGIN = BulkInsert(
    Log.__table__,
    ("region_code", "origin", "size", "root", "frontier", "checkpoint", "sealed_at", "batch_count"),
    suffix="ON CONFLICT DO NOTHING",
)
# `id >= … AND id <= … ORDER BY id`: with sorting discouraged (`SEALING`) that is one descent of the one index that has
# this order, whatever the planner believes of the tables' sizes; an order by what is held equal would decide nothing.
_TAKE = Statement(
    """
    WITH taken AS (
        DELETE FROM seal_queue
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM seal_queue WHERE region_code = :region ORDER BY queue_no LIMIT :most
        ))
        RETURNING queue_no, leaf_kind, leaf_id
    ), leaves AS (
        SELECT CAST(:size AS bigint) + row_number() OVER (ORDER BY taken.queue_no) - 1 AS leaf_index,
            leaf_kind, leaf_id, sha256(CAST('\\x00' AS bytea) || coalesce(e.leaf, a.leaf)) AS leaf_hash,
            coalesce(e.at, a.at) AS at
        FROM taken
        LEFT JOIN LATERAL (
            SELECT at, leaf FROM entries
            WHERE leaf_kind = 'entry' AND region_code = :region AND id >= leaf_id AND id <= leaf_id
            ORDER BY id LIMIT 1
        ) AS e ON true
        LEFT JOIN LATERAL (
            SELECT at, leaf FROM audit_events
            WHERE leaf_kind = 'audit_event' AND region_code = :region AND id >= leaf_id AND id <= leaf_id
            ORDER BY id LIMIT 1
        ) AS a ON true
    ), written AS (
        INSERT INTO log_leaves (region_code, leaf_index, leaf_kind, leaf_id, leaf_hash)
        SELECT :region, leaf_index, leaf_kind, leaf_id, leaf_hash FROM leaves ORDER BY leaf_index
    )
    SELECT string_agg(leaf_hash, CAST('' AS bytea) ORDER BY leaf_index) AS hashes, min(at) AS at_min,
        max(at) AS at_max,
        (SELECT at_max_so_far FROM log_batches WHERE region_code = :region AND batch_no <= :batch_count
            ORDER BY batch_no DESC LIMIT 1) AS at_max_before
    FROM leaves
    """
)
_EDGE = Statement(
    "SELECT t.level, t.hashes FROM unnest(CAST(:levels AS smallint[]), CAST(:numbers AS bigint[]))"
    " AS asked(level, tile_no) JOIN log_tiles t"
    " ON t.region_code = :region AND t.level = asked.level AND t.tile_no = asked.tile_no"
)
_TILES = Statement(
    "INSERT INTO log_tiles (region_code, level, tile_no, width, hashes)"
    " SELECT :region, * FROM unnest(CAST(:levels AS smallint[]), CAST(:numbers AS bigint[]),"
    " CAST(:widths AS smallint[]), CAST(:hashes AS bytea[]))"
    " ON CONFLICT (region_code, level, tile_no) DO UPDATE SET width = excluded.width, hashes = excluded.hashes"
)
_BATCH = BulkInsert(
    LogBatch.__table__,
    (
        "region_code",
        "batch_no",
        "first_index",
        "size",
        "root",
        "checkpoint",
        "sealed_at",
        "at_min",
        "at_max",
        "at_max_so_far",
    ),
)
_ADVANCE = Statement(
    "UPDATE logs SET size = :size, root = :root, frontier = :frontier, checkpoint = :checkpoint,"
    " sealed_at = :sealed_at, batch_count = :batch_no WHERE region_code = :region"
)


class LogDamaged(Exception):
    """What is stored of a log does not fit together: nothing is appended to it, somebody has to look."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one transaction appended."""

    region_code: str
    leaves: int
    size: int


def waiting_regions(tx: Connection) -> list[str]:
    """The regions that have something in the queue."""
    return [row.region_code for row in _WAITING(tx, {})]


def seal(tx: Connection, *, region_code: str, keys: LogKeys, most: int = MOST) -> Sealed | None:
    """Append up to `most` leaves of the region's queue, in the order of their numbers, and sign the head.

    None where nothing waits. The caller commits; until then another sealer of the region waits. Raises LogDamaged
    where the stored head is not the head of the stored tree, SealingHeld where the log must not go on yet.
    """
    require_not_held(tx, region_code)
    head = _locked(tx, region_code, keys)
    edge = Frontier.from_bytes(head.size, head.frontier)
    if edge.root() != head.root:
        raise LogDamaged(f"the root of log {head.origin} is not that of its {head.size} leaves")
    (taken,) = _TAKE(tx, {"region": region_code, "most": most, "size": head.size, "batch_count": head.batch_count})
    if taken.hashes is None:
        return None
    hashes = split_hashes(taken.hashes)
    frontier = edge.extend(hashes)
    tiles = list(grow(head.size, _edge(tx, region_code, head.size), hashes))
    now_head = {
        "size": frontier.size,
        "root": frontier.root(),
        "checkpoint": _signed(head.origin, frontier, keys),
        "sealed_at": now(tx),
    }
    batch_no = head.batch_count + 1
    with pipelined(tx):
        _write_tiles(tx, region_code, tiles)
        _BATCH.send(
            tx,
            [
                {
                    "region_code": region_code,
                    "batch_no": batch_no,
                    "first_index": head.size,
                    "at_min": taken.at_min,
                    "at_max": taken.at_max,
                    "at_max_so_far": max(taken.at_max, taken.at_max_before or taken.at_max),
                    **now_head,
                }
            ],
        )
        mark(tx, region_code=region_code, batch_no=batch_no, first_index=head.size, size=frontier.size)
        _ADVANCE.send(tx, {"region": region_code, "batch_no": batch_no, "frontier": frontier.to_bytes(), **now_head})
    return Sealed(region_code, len(hashes), frontier.size)


def _locked(tx: Connection, region_code: str, keys: LogKeys) -> Any:
    """The head under its lock; where the region has no log yet, an empty one."""
    found = _HEAD(tx, {"region": region_code})
    if not found:
        origin, empty = keys.origin(region_code), Frontier()
        _BEGIN(
            tx,
            [
                {
                    "region_code": region_code,
                    "origin": origin,
                    "size": 0,
                    "root": empty.root(),
                    "frontier": b"",
                    "checkpoint": _signed(origin, empty, keys),
                    "sealed_at": now(tx),
                    "batch_count": 0,
                }
            ],
        )
        found = _HEAD(tx, {"region": region_code})
    return found[0]


def _signed(origin: str, frontier: Frontier, keys: LogKeys) -> str:
    return sign(Checkpoint(origin, frontier.size, frontier.root()).text(), *keys.signers(origin))


def _edge(tx: Connection, region_code: str, size: int) -> dict[int, list[bytes]]:
    """The hashes of the tiles that are not full, by level."""
    places = []
    level = 0
    while size:
        if size % WIDTH:
            places.append((level, size // WIDTH))
        level, size = level + 1, size >> HEIGHT
    if not places:
        return {}
    rows = _EDGE(
        tx, {"region": region_code, "levels": [place[0] for place in places], "numbers": [place[1] for place in places]}
    )
    return {row.level: split_hashes(row.hashes) for row in rows}


def _write_tiles(tx: Connection, region_code: str, tiles: Sequence[Tile]) -> None:
    _TILES.send(
        tx,
        {
            "region": region_code,
            "levels": [tile.id.level for tile in tiles],
            "numbers": [tile.id.no for tile in tiles],
            "widths": [tile.width for tile in tiles],
            "hashes": [tile.to_bytes() for tile in tiles],
        },
    )
