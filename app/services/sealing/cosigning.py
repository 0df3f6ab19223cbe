"""Cosignatures: what a witness still has to sign of the logs, what shows that it may, and what it has answered.

No HTTP here: whoever talks to the witnesses asks `due` and `proof`, and hands their lines to `keep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.database import Statement
from app.tlog.merkle import consistency_proof
from app.tlog.tiles import TileId, node_reader, tiles_read

_ORIGINS = Statement("SELECT origin FROM logs ORDER BY region_code")
_DUE = Statement(
    "SELECT l.region_code, l.origin, l.size, l.checkpoint, coalesce(("
    "  SELECT max(c.size) FROM log_cosignatures c WHERE c.region_code = l.region_code AND c.witness = :witness"
    " ), 0) AS cosigned FROM logs l WHERE l.size > 0 AND NOT EXISTS ("
    "  SELECT FROM log_cosignatures c"
    "  WHERE c.region_code = l.region_code AND c.size = l.size AND c.witness = :witness"
    " ) ORDER BY l.region_code"
)
_TILES = Statement(
    "SELECT t.level, t.tile_no, t.hashes FROM unnest(CAST(:levels AS smallint[]), CAST(:numbers AS bigint[]))"
    " AS asked(level, tile_no) JOIN log_tiles t"
    " ON t.region_code = :region AND t.level = asked.level AND t.tile_no = asked.tile_no"
)
_KEEP = Statement(
    "INSERT INTO log_cosignatures (region_code, size, witness, cosignature, received_at)"
    " VALUES (:region, :size, :witness, :line, clock_timestamp()) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Due:
    """The newest checkpoint of a region's log, which a witness has not signed yet."""

    region_code: str
    origin: str
    size: int
    checkpoint: str
    """The signed note, without witnesses' lines."""
    cosigned: int
    """The size of the newest checkpoint that the witness has signed, 0 where none."""


def read_origins(tx: Connection) -> Sequence[str]:
    """The name of every log that there is, by region."""
    return [row.origin for row in _ORIGINS(tx, {})]


def due(tx: Connection, *, witness: str) -> Sequence[Due]:
    """What the witness of this name has not signed, region by region: always the newest head, which contains those
    between.
    """
    rows = _DUE(tx, {"witness": witness})
    return [Due(row.region_code, row.origin, row.size, row.checkpoint, row.cosigned) for row in rows]


def proof(tx: Connection, *, region_code: str, first: int, second: int) -> Sequence[bytes]:
    """What shows that the region's tree of `first` leaves is the beginning of that of `second`, read from its tiles.

    Raises ProofError where `first` is the larger one, LookupError where the log has not grown to `second` yet.
    """
    tiles = sorted(tiles_read(lambda node: consistency_proof(first, second, node)))
    rows = _TILES(
        tx,
        {
            "region": region_code,
            "levels": [tile.level for tile in tiles],
            "numbers": [tile.no for tile in tiles],
        },
    )
    return consistency_proof(
        first, second, node_reader({TileId(row.level, row.tile_no): bytes(row.hashes) for row in rows})
    )


def keep(tx: Connection, *, region_code: str, size: int, witness: str, line: str) -> None:
    """Keep the witness's signature line for the checkpoint of this size; a second one for it changes nothing."""
    _KEEP.send(tx, {"region": region_code, "size": size, "witness": witness, "line": line.removesuffix("\n")})
