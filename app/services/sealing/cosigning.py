"""Cosignatures: what a witness still has to sign of the logs, what shows that it may, and what it has answered.

No HTTP here: whoever talks to the witnesses asks `due` and `proof`, and hands their lines to `keep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from app.services.sealing.reading import load_tiles
from app.sql import Statement
from app.tlog.merkle import consistency_proof
from app.tlog.tiles import node_reader, tiles_read

_DUE = Statement(
    "SELECT l.region_code, l.origin, l.size, l.checkpoint, coalesce(("
    "  SELECT max(c.size) FROM log_cosignatures c WHERE c.region_code = l.region_code AND c.witness = :witness"
    " ), 0) AS cosigned FROM logs l WHERE l.size > 0 AND NOT EXISTS ("
    "  SELECT FROM log_cosignatures c"
    "  WHERE c.region_code = l.region_code AND c.size = l.size AND c.witness = :witness"
    " ) ORDER BY l.region_code"
)
_COSIGNED = Statement(
    "SELECT DISTINCT ON (c.region_code, c.witness) c.region_code, c.witness, c.size, c.received_at, l.size AS log_size"
    " FROM log_cosignatures c JOIN logs l ON l.region_code = c.region_code"
    " ORDER BY c.region_code, c.witness, c.size DESC"
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


@dataclass(frozen=True, slots=True)
class Cosigned:
    """How far a witness has followed a region's log of `log_size` leaves."""

    region_code: str
    witness: str
    size: int
    log_size: int
    received_at: datetime


def read_cosigned(tx: Connection) -> Sequence[Cosigned]:
    """How far every witness that ever signed has followed each log, by region and name."""
    return [
        Cosigned(row.region_code, row.witness, row.size, row.log_size, row.received_at) for row in _COSIGNED(tx, {})
    ]


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
    prove = partial(consistency_proof, first, second)
    return prove(node_reader(load_tiles(tx, region_code, tiles_read(prove))))


def keep(tx: Connection, *, region_code: str, size: int, witness: str, line: str) -> None:
    """Keep the witness's signature line for the checkpoint of this size; a second one for it changes nothing."""
    _KEEP.send(tx, {"region": region_code, "size": size, "witness": witness, "line": line.removesuffix("\n")})
