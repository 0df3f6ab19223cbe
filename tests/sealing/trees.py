"""The log as an outsider reads it: hashes, roots and tiles by the RFC's definitions, not by the code."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sqlalchemy import text

from app.database import Database


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


def rows(database: Database, sql: str, **bound: Any) -> list[Any]:
    return list(database.transact(lambda tx: tx.execute(text(sql), bound).all()))


def one(database: Database, sql: str, **bound: Any) -> Any:
    return rows(database, sql, **bound)[0][0]


def hashes_of(database: Database, region_code: str) -> list[bytes]:
    """The leaf hashes of a region's log from the leaves' own bytes, in order; the indexes must be 0, 1, 2 …"""
    found = rows(
        database,
        "SELECT l.leaf_index, coalesce(e.leaf, a.leaf) AS leaf FROM log_leaves l"
        " LEFT JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id"
        " LEFT JOIN audit_events a ON a.region_code = l.region_code AND a.id = l.leaf_id"
        " WHERE l.region_code = :region ORDER BY l.leaf_index",
        region=region_code,
    )
    assert [row.leaf_index for row in found] == list(range(len(found)))
    return [leaf_hash(bytes(row.leaf)) for row in found]


def check_log(database: Database, region_code: str) -> int:
    """Everything of a log fits: leaves, every signed head, the tiles of every level. Its size."""
    hashes = hashes_of(database, region_code)
    heads = rows(
        database, "SELECT * FROM log_batches WHERE region_code = :region ORDER BY batch_no", region=region_code
    )
    assert [head.batch_no for head in heads] == list(range(1, len(heads) + 1))
    before = 0
    for head in heads:
        assert head.first_index == before
        assert bytes(head.root) == root_of(hashes[: head.size])
        _, size, root = head.checkpoint.splitlines()[:3]
        assert (int(size), base64.b64decode(root)) == (head.size, bytes(head.root))
        before = head.size
    assert before == len(hashes)
    (head,) = rows(database, "SELECT * FROM logs WHERE region_code = :region", region=region_code)
    assert (head.size, bytes(head.root), head.batch_count) == (len(hashes), root_of(hashes), len(heads))
    assert stored_tiles(database, region_code) == tiles_of(hashes)
    return len(hashes)


def stored_tiles(database: Database, region_code: str) -> dict[tuple[int, int], bytes]:
    found = rows(database, "SELECT * FROM log_tiles WHERE region_code = :region", region=region_code)
    return {(row.level, row.tile_no): bytes(row.hashes) for row in found}


def tiles_of(hashes: list[bytes]) -> dict[tuple[int, int], bytes]:
    """C2SP tlog-tiles: tile n of level L holds the roots of the complete subtrees of 256^L leaves, 256 of them."""
    tiles = {}
    level, row = 0, hashes
    while row:
        for start in range(0, len(row), 256):
            tiles[level, start // 256] = b"".join(row[start : start + 256])
        row = [root_of(row[start : start + 256]) for start in range(0, len(row) - 255, 256)]
        level += 1
    return tiles


def path_of(index: int, hashes: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1, as it is written there."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*path_of(index, hashes[:split]), root_of(hashes[split:])]
    return [*path_of(index - split, hashes[split:]), root_of(hashes[:split])]


def consistency_of(first: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, as it is written there."""
    if first == len(hashes):
        return [] if whole else [root_of(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if first <= split:
        return [*consistency_of(first, hashes[:split], whole=whole), root_of(hashes[split:])]
    return [*consistency_of(first - split, hashes[split:], whole=False), root_of(hashes[:split])]
