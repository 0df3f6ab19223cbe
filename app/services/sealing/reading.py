"""What a log shows: its checkpoints, the tiles of its tree, its leaves in bundles (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.identity.principals import Caller
from app.services.sealing.keys import LogKeys
from app.sql import Statement
from app.tlog.merkle import HASH_BYTES
from app.tlog.tiles import MAX_LEVEL, WIDTH, TileId, bundle, read_number_path

_CHECKPOINT = Statement(
    """
    SELECT b.checkpoint, coalesce((
        SELECT string_agg(c.cosignature || chr(10), '' ORDER BY c.received_at, c.witness)
        FROM log_cosignatures c WHERE c.region_code = b.region_code AND c.size = b.size
    ), '') AS cosignatures
    FROM (
        SELECT region_code, size, checkpoint FROM log_batches WHERE region_code = :region AND size = :size
        UNION ALL
        SELECT region_code, size, checkpoint FROM logs WHERE region_code = :region AND CAST(:size AS bigint) IS NULL
    ) AS b
    """
)
_SIZE = Statement("SELECT origin, size FROM logs WHERE region_code = :region")
_TILES = Statement(
    "SELECT t.level, t.tile_no, t.hashes FROM unnest(CAST(:levels AS smallint[]), CAST(:numbers AS bigint[]))"
    " AS asked(level, tile_no) JOIN log_tiles t"
    " ON t.region_code = :region AND t.level = asked.level AND t.tile_no = asked.tile_no"
)
_LEAVES = Statement(
    """
    SELECT coalesce(e.leaf, a.leaf) AS leaf
    FROM log_leaves l
    LEFT JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id AND l.leaf_kind = 'entry'
    LEFT JOIN audit_events a ON a.region_code = l.region_code AND a.id = l.leaf_id AND l.leaf_kind = 'audit_event'
    WHERE l.region_code = :region AND l.leaf_index >= :first AND l.leaf_index < :first + :width
    ORDER BY l.leaf_index
    """
)


def read_checkpoint(tx: Connection, *, region_code: str, size: int | None = None) -> str:
    """The newest head of a region's log, or the one signed at `size`, with the lines of its witnesses.

    Public: it tells how many leaves there are and a hash. Raises `not_found`.
    """
    rows = _CHECKPOINT(tx, {"region": region_code, "size": size})
    if not rows:
        raise AppError(Code.NOT_FOUND, what="checkpoint")
    note: str = rows[0].checkpoint + rows[0].cosignatures
    return note


def read_tile(tx: Connection, *, caller: Caller, region_code: str, level: int, path: str) -> bytes:
    """A tile of hashes by its path (`x001/234`, `067.p/12`), partial ones at any width they ever had.

    Raises `not_found`, also for a tile that has not grown so far yet; `forbidden`.
    """
    require_reader(caller, region_code)
    no, width = _place(path)
    if not 0 <= level <= MAX_LEVEL:
        raise AppError(Code.NOT_FOUND, what="tile")
    tile = TileId(level, no)
    hashes = load_tiles(tx, region_code, [tile]).get(tile, b"")[: width * HASH_BYTES]
    if len(hashes) < width * HASH_BYTES:
        raise AppError(Code.NOT_FOUND, what="tile")
    return hashes


def read_bundle_of(tx: Connection, *, caller: Caller, region_code: str, path: str) -> bytes:
    """The leaves under a tile of level 0 as an entry bundle, the very bytes that were hashed. Raises as `read_tile`."""
    require_reader(caller, region_code)
    no, width = _place(path)
    rows = _LEAVES(tx, {"region": region_code, "first": no * WIDTH, "width": width})
    if len(rows) < width:
        raise AppError(Code.NOT_FOUND, what="tile")
    return bundle(row.leaf for row in rows)


def read_log_keys(tx: Connection, keys: LogKeys, *, region_code: str) -> list[str]:
    """The public keys of a region's log in the text form of C2SP signed-note, the newest first.

    Public, and there before the log begins: the first receipts are.
    """
    log = load_size(tx, region_code)
    origin = keys.origin(region_code) if log is None else log.origin
    return [signer.verifier.vkey for signer in keys.signers(origin)]


def load_size(tx: Connection, region_code: str) -> Any:
    """`origin` and `size` of a region's log, or None where it has none yet."""
    rows = _SIZE(tx, {"region": region_code})
    return rows[0] if rows else None


def load_tiles(tx: Connection, region_code: str, tiles: Collection[TileId]) -> dict[TileId, bytes]:
    """The tiles asked for, those that are there."""
    asked = sorted(tiles)
    rows = _TILES(
        tx, {"region": region_code, "levels": [tile.level for tile in asked], "numbers": [tile.no for tile in asked]}
    )
    return {TileId(row.level, row.tile_no): row.hashes for row in rows}


def require_reader(caller: Caller, region_code: str) -> None:
    """Let finance of the region and its auditors read. Raises `forbidden`; `not_found` for another region's log."""
    caller.require(Role.FINANCE, Role.AUDITOR)
    if not reads_all(caller, region_code):
        raise AppError(Code.NOT_FOUND, what="log")


def reads_all(caller: Caller, region_code: str) -> bool:
    """Whether the whole log of a region lies within the caller's reach."""
    return any(caller.holds_in(role, region_code) for role in (Role.FINANCE, Role.AUDITOR))


def _place(path: str) -> tuple[int, int]:
    try:
        return read_number_path(path)
    except ValueError:
        raise AppError(Code.NOT_FOUND, what="tile") from None
