"""One file's worth of a region's log: leaves, the hashes stored for them, and the texts that they name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from app.kernel.vocabulary import EntryKind
from app.services.export.journal import transaction
from app.sql import Statement

SLICE = 2_000
"""Leaves read at a time: some megabytes with their facts and traces."""

DETAILED = frozenset(
    {
        EntryKind.APPROPRIATE,
        EntryKind.ADJUST,
        EntryKind.ISSUE,
        EntryKind.HOLD,
        EntryKind.RELEASE,
        EntryKind.REDEEM,
        EntryKind.EXPIRE,
        EntryKind.ORDER_PAYMENT,
        EntryKind.CONFIRM_PAYMENT,
        EntryKind.LAPSE,
        EntryKind.MOVE,
    }
)
"""Kinds whose details hold numbers of documents and codes; those of the others may hold words that people wrote.

Of audit events only those that extend a voucher have their details in a pack: validity is judged by them.
"""

_LEAVES = Statement(
    """
    SELECT l.leaf_index, l.leaf_id, l.leaf_hash, coalesce(e.leaf, a.leaf) AS leaf, e.id AS entry_id, e.kind, e.details,
        CASE WHEN a.action = 'voucher.extended' THEN a.details END AS extension
    FROM log_leaves l
    LEFT JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id AND l.leaf_kind = 'entry'
    LEFT JOIN audit_events a ON a.region_code = l.region_code AND a.id = l.leaf_id AND l.leaf_kind = 'audit_event'
    WHERE l.region_code = :region AND l.leaf_index >= :first AND l.leaf_index < :last
    ORDER BY l.leaf_index
    """
)
_TILES = Statement(
    "SELECT tile_no, hashes FROM log_tiles"
    " WHERE region_code = :region AND level = 0 AND tile_no >= :first AND tile_no < :last ORDER BY tile_no"
)
_TEXTS = Statement(
    """
    SELECT e.id AS entry_id, coalesce(r.facts, h.facts, f.facts) AS facts, coalesce(r.trace, h.trace, f.trace) AS trace
    FROM entries e
    LEFT JOIN redemptions r ON r.region_code = e.region_code AND r.id = e.subject_id
    LEFT JOIN holds h ON h.region_code = e.region_code AND h.id = e.subject_id
    LEFT JOIN recoveries v ON v.region_code = e.region_code AND v.id = e.subject_id
    LEFT JOIN refunds f ON f.region_code = e.region_code AND f.id = coalesce(v.refund_id, e.subject_id)
    WHERE e.region_code = :region AND e.id = ANY(CAST(:ids AS text[]))
    """
)
_WAITING = Statement(
    """
    SELECT q.queue_no, coalesce(e.leaf, a.leaf) AS leaf
    FROM seal_queue q
    LEFT JOIN entries e ON e.region_code = q.region_code AND e.id = q.leaf_id AND q.leaf_kind = 'entry'
    LEFT JOIN audit_events a ON a.region_code = q.region_code AND a.id = q.leaf_id AND q.leaf_kind = 'audit_event'
    WHERE q.region_code = :region AND q.queue_no > :after ORDER BY q.queue_no LIMIT :most
    """
)
TILE_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a leaf names by its SHA-256."""

    entry_id: str
    kind: str
    text: str


@dataclass(slots=True)
class Slice:
    """Consecutive leaves as they are stored. What is missing is empty bytes, so that every place keeps its number."""

    first: int
    leaves: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Those that are entries, read."""
    transactions: list[str] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def slices(tx: Connection, *, region_code: str, first: int, last: int) -> Iterator[Slice]:
    """The leaves from `first` to before `last`, some at a time."""
    for start in range(first, last, SLICE):
        yield _slice(tx, region_code, start, min(start + SLICE, last))


def tiles(tx: Connection, *, region_code: str, first: int, last: int) -> bytes:
    """The hashes that the tree's lowest tiles hold for these leaves; zeroes where they hold none."""
    start, stop = first // TILE_WIDTH, -(-last // TILE_WIDTH)
    rows = _TILES(tx, {"region": region_code, "first": start, "last": stop})
    found = {row.tile_no: bytes(row.hashes) for row in rows}
    empty = bytes(32 * TILE_WIDTH)
    whole = b"".join(found.get(number, empty).ljust(len(empty), b"\0") for number in range(start, stop))
    return whole[(first - start * TILE_WIDTH) * 32 : (last - start * TILE_WIDTH) * 32]


def waiting(tx: Connection, *, region_code: str) -> Iterator[bytes]:
    """The leaves that are not sealed yet, in the order in which they wait."""
    after = -1
    while rows := _WAITING(tx, {"region": region_code, "after": after, "most": SLICE}):
        for row in rows:
            yield bytes(row.leaf or b"")
        after = rows[-1].queue_no


def framed(leaf: bytes) -> bytes:
    """A leaf behind its length in two bytes, as in an entry bundle (C2SP tlog-tiles)."""
    return len(leaf).to_bytes(2, "big") + leaf


def _slice(tx: Connection, region_code: str, first: int, last: int) -> Slice:
    rows = {row.leaf_index: row for row in _LEAVES(tx, {"region": region_code, "first": first, "last": last})}
    taken, details = Slice(first), {}
    extensions: list[Text] = []
    for index in range(first, last):
        row = rows.get(index)
        leaf = b"" if row is None or row.leaf is None else bytes(row.leaf)
        taken.leaves.append(leaf)
        taken.hashes.append(bytes(32) if row is None else bytes(row.leaf_hash))
        read = _read(leaf, index)
        if row is not None and row.entry_id is not None and read is not None:
            taken.entries.append(read[0])
            taken.transactions.append(read[1])
            if row.kind in DETAILED:
                details[row.entry_id] = row.details
        if row is not None and row.extension is not None:
            extensions.append(Text(row.leaf_id, "details", row.extension))
    taken.texts = extensions + _texts(tx, region_code, taken.entries, details)
    return taken


def _read(leaf: bytes, index: int) -> tuple[dict[str, Any], str] | None:
    """An entry's leaf and its transaction; None for others, and for bytes that are no leaf any more."""
    try:
        read = json.loads(leaf)
        return (read, transaction(read, index)) if read["type"] == "entry" else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # exported all the same: it is the verifier's to say what is wrong


def _texts(tx: Connection, region_code: str, entries: Sequence[dict[str, Any]], details: dict[str, str]) -> list[Text]:
    named = [leaf["id"] for leaf in entries if leaf["facts"] is not None or leaf["trace"] is not None]
    rows = {row.entry_id: row for row in _TEXTS(tx, {"region": region_code, "ids": named})} if named else {}
    found = []
    for leaf in entries:
        row = rows.get(leaf["id"])
        for kind in ("facts", "trace"):
            text = getattr(row, kind, None)
            if leaf[kind] is not None and text is not None:
                found.append(Text(leaf["id"], kind, text))
        if leaf["id"] in details:
            found.append(Text(leaf["id"], "details", details[leaf["id"]]))
    return found
