"""The sealed log held against what it seals: invariant 10, and the sealer's marks. Each query must return no row.

Columns and leaf of an entry are two tellings of one thing. Whoever edits one leaves the other; whoever edits both
leaves the hash; whoever edits the hash too leaves the tree, whose heads are signed and lie with others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection

from app.services.reconciliation.invariants import Invariant
from app.services.sealing.marks import SIDES
from app.sql import Statement
from app.tlog.checkpoints import read_checkpoint
from app.tlog.merkle import Frontier
from app.tlog.notes import NoteError, read_note
from app.tlog.tiles import split_hashes

_AT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_HASH = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"

_LEAVES = """
    SELECT g.region_code, g.id AS subject, 'one leaf, or waiting for less than a day' AS expected,
        CASE WHEN q.leaf_id IS NULL THEN 'neither in the log nor in the queue' ELSE 'waits since ' || g.at END AS actual
    FROM (SELECT region_code, id, at FROM entries UNION ALL SELECT region_code, id, at FROM audit_events) AS g
    LEFT JOIN log_leaves l ON l.region_code = g.region_code AND l.leaf_id = g.id
    LEFT JOIN seal_queue q ON q.region_code = g.region_code AND q.leaf_id = g.id
    WHERE l.leaf_id IS NULL AND (q.leaf_id IS NULL OR g.at < clock_timestamp() - interval '1 day')
    UNION ALL
    SELECT l.region_code, l.leaf_id, 'waits no more', 'in the log and in the queue'
    FROM seal_queue q JOIN log_leaves l ON l.region_code = q.region_code AND l.leaf_id = q.leaf_id
    UNION ALL
    SELECT l.region_code, 'leaf ' || l.leaf_index || ' ' || l.leaf_id, encode(l.leaf_hash, 'hex'),
        coalesce(encode(sha256('\\x00'::bytea || coalesce(e.leaf, a.leaf)), 'hex'), 'no such ' || l.leaf_kind)
    FROM log_leaves l
    LEFT JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id AND l.leaf_kind = 'entry'
    LEFT JOIN audit_events a ON a.region_code = l.region_code AND a.id = l.leaf_id AND l.leaf_kind = 'audit_event'
    WHERE sha256('\\x00'::bytea || coalesce(e.leaf, a.leaf)) IS DISTINCT FROM l.leaf_hash
"""

_DENSE = """
    SELECT coalesce(g.region_code, l.region_code) AS region_code, 'size of the log' AS subject,
        concat_ws(' ', l.size, l.batch_count, l.size - 1) AS expected,
        concat_ws(' ', coalesce(g.leaves, 0), (
            SELECT count(*) FROM log_batches b WHERE b.region_code = coalesce(g.region_code, l.region_code)
        ), coalesce(g.last, -1)) AS actual
    FROM (
        SELECT region_code, count(*) AS leaves, max(leaf_index) AS last FROM log_leaves GROUP BY region_code
    ) AS g FULL JOIN logs l ON l.region_code = g.region_code
    WHERE l.size IS DISTINCT FROM coalesce(g.leaves, 0) OR l.size - 1 <> coalesce(g.last, -1) OR l.batch_count <> (
        SELECT count(*) FROM log_batches b WHERE b.region_code = l.region_code
    )
    UNION ALL
    SELECT told.region_code, 'tile 0/' || told.no, 'its leaves', 'other hashes'
    FROM (
        SELECT region_code, leaf_index / 256 AS no, string_agg(leaf_hash, ''::bytea ORDER BY leaf_index) AS hashes
        FROM log_leaves GROUP BY region_code, leaf_index / 256
    ) AS told LEFT JOIN log_tiles t ON t.region_code = told.region_code AND t.level = 0 AND t.tile_no = told.no
    WHERE t.hashes IS DISTINCT FROM told.hashes
"""

_COLUMNS = f"""
    SELECT e.region_code, e.id AS subject, coalesce(said.leaf::text, 'unreadable') AS expected,
        (coalesce(said.leaf, '{{}}') || stored.columns)::text AS actual
    FROM entries e
    CROSS JOIN LATERAL (SELECT leaf_as_json(e.leaf) AS leaf) AS said
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'v', 1, 'alg', 'sha256', 'type', 'entry', 'id', e.id, 'region', e.region_code, 'kind', e.kind,
        'at', {_AT.format("e.at")}, 'programme', e.programme_id, 'voucher', e.voucher_id, 'subject', e.subject_id,
        'principal', e.principal_id, 'organisation', e.organisation_id, 'maker', e.maker_id, 'checker', e.checker_id,
        'approval', e.approval_id, 'request', e.request_id, 'rules', e.rule_version_id, 'reverses', e.reverses_id,
        'pair', e.pair_id, 'voucher_end', e.voucher_end, 'details', {_HASH.format("e.details")},
        'postings', (
            SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('hold', p.hold_id)) || jsonb_build_object(
                'line', p.line, 'pool', p.pool_id, 'from', p.source, 'to', p.destination, 'fen', p.amount_fen,
                'voucher', p.voucher_id, 'seq', p.voucher_seq, 'payee', p.payee_id) ORDER BY p.line)
            FROM postings p WHERE p.region_code = e.region_code AND p.entry_id = e.id
        )) AS columns) AS stored
    WHERE said.leaf IS DISTINCT FROM said.leaf || stored.columns OR said.leaf IS NULL
    UNION ALL
    SELECT a.region_code, a.id, coalesce(said.leaf::text, 'unreadable'),
        (coalesce(said.leaf, '{{}}') || stored.columns)::text
    FROM audit_events a
    CROSS JOIN LATERAL (SELECT leaf_as_json(a.leaf) AS leaf) AS said
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'v', 1, 'alg', 'sha256', 'type', 'audit_event', 'id', a.id, 'region', a.region_code,
        'at', {_AT.format("a.at")}, 'principal', a.principal_id, 'organisation', a.organisation_id,
        'action', a.action, 'object', a.object_id, 'result', a.result, 'request', a.request_id,
        'details', {_HASH.format("a.details")}) AS columns) AS stored
    WHERE said.leaf IS DISTINCT FROM said.leaf || stored.columns OR said.leaf IS NULL
    UNION ALL
    SELECT r.region_code, 'facts and trace of ' || r.id, said.hashes, {_HASH.format("r.facts")} || ' ' ||
        {_HASH.format("r.trace")}
    FROM (
        SELECT region_code, id, entry_id, facts, trace FROM redemptions WHERE entry_id IS NOT NULL
        UNION ALL SELECT region_code, id, entry_id, facts, trace FROM holds
        UNION ALL SELECT region_code, id, entry_id, facts, trace FROM refunds WHERE entry_id IS NOT NULL
    ) AS r
    JOIN entries e ON e.region_code = r.region_code AND e.id = r.entry_id
    CROSS JOIN LATERAL (SELECT leaf_as_json(e.leaf) AS leaf) AS read
    CROSS JOIN LATERAL (SELECT concat_ws(' ', read.leaf ->> 'facts', read.leaf ->> 'trace') AS hashes) AS said
    WHERE said.hashes IS DISTINCT FROM {_HASH.format("r.facts")} || ' ' || {_HASH.format("r.trace")}
"""


def marks(sealed: str) -> str:
    """SQL for marks that are not what was moved by sealed postings."""
    return f"""
    WITH moved AS ({sealed})
    SELECT coalesce(s.region_code, m.region_code) AS region_code,
        concat_ws(' ', 'mark of', coalesce(s.holder_id, m.holder_id), coalesce(s.account, m.account)) AS subject,
        coalesce(s.fen, 0)::text AS expected, coalesce(m.balance_fen, 0)::text AS actual
    FROM (
        SELECT sides.region_code, sides.holder_kind, sides.holder_id, sides.account, sum(sides.fen) AS fen
        FROM ({SIDES}) AS sides
        GROUP BY 1, 2, 3, 4
    ) AS s
    FULL JOIN (
        SELECT DISTINCT ON (region_code, holder_kind, holder_id, account) *
        FROM account_marks ORDER BY region_code, holder_kind, holder_id, account, batch_no DESC
    ) AS m USING (region_code, holder_kind, holder_id, account)
    WHERE coalesce(s.fen, 0) <> coalesce(m.balance_fen, 0)
    """


_SEALED_MOVED = """
    SELECT p.region_code, p.pool_id, p.payee_id, p.source, p.destination, sum(p.amount_fen) AS amount_fen
    FROM postings p JOIN log_leaves l ON l.region_code = p.region_code AND l.leaf_id = p.entry_id
    GROUP BY 1, 2, 3, 4, 5
"""
SEALED: tuple[Invariant, ...] = (
    Invariant(
        4, "marks", "Marks equal the sum of the sealed postings", "账户标记＝已封存分录之和", marks(_SEALED_MOVED), ""
    ),
    Invariant(
        10,
        "leaves",
        "Every entry is exactly one leaf of the log, by its own bytes",
        "每条流水在日志中恰有一叶，哈希与其字节一致",
        _LEAVES,
    ),
    Invariant(
        10,
        "columns",
        "The columns of every entry say what its leaf says",
        "每条流水的各列与其叶内容一致",
        _COLUMNS,
    ),
    Invariant(10, "dense", "The log has no gap and its tiles hold its leaves", "日志无缺漏，分块与叶一致", _DENSE),
)

TREE = (10, "tree", "The tree recomputes to every signed head", "Merkle 树重算结果与每个签名树头一致")

STEP = 50_000
"""Leaves whose hashes are read at once."""

_HEADS = Statement(
    "SELECT region_code, size, root, checkpoint FROM log_batches WHERE starts_with(region_code, :prefix)"
    " UNION ALL SELECT region_code, size, root, checkpoint FROM logs WHERE starts_with(region_code, :prefix)"
    " ORDER BY region_code, size"
)
_HASHES = Statement(
    "SELECT string_agg(leaf_hash, CAST('' AS bytea) ORDER BY leaf_index) AS hashes FROM log_leaves"
    " WHERE region_code = :region AND leaf_index >= :first AND leaf_index < :until"
)


class Wrong(NamedTuple):
    """A head that is not that of its leaves."""

    region_code: str
    subject: str
    expected: str
    actual: str


def recomputed(tx: Connection, prefix: str) -> Iterator[Wrong]:
    """Recompute the trees of the regions from their leaf hashes, and hold every signed head against them.

    A microsecond or two a leaf. The heads after the first wrong one of a region are wrong too and are not told.
    """
    wrong: set[str] = set()
    region_code, edge = "", Frontier()
    for head in _HEADS(tx, {"prefix": prefix}):
        if head.region_code != region_code:
            region_code, edge = head.region_code, Frontier()
        if region_code in wrong:
            continue
        edge = _extended(tx, region_code, edge, head.size)
        told = _told(head.checkpoint)
        recomputes = (edge.size, edge.root()) == (head.size, bytes(head.root)) == told
        if not recomputes:
            wrong.add(region_code)
            subject = f"head of {head.size} leaves"
            yield Wrong(region_code, subject, edge.root().hex(), f"{bytes(head.root).hex()} {_shown(told)}")


def _extended(tx: Connection, region_code: str, edge: Frontier, size: int) -> Frontier:
    while edge.size < size:
        until = min(size, edge.size + STEP)
        (row,) = _HASHES(tx, {"region": region_code, "first": edge.size, "until": until})
        hashes = split_hashes(row.hashes or b"")
        edge = edge.extend(hashes)
        if len(hashes) == 0 or edge.size < until:
            break
    return edge


def _told(checkpoint: str) -> tuple[int, bytes] | None:
    try:
        text, _ = read_note(checkpoint)
        read = read_checkpoint(text)
    except NoteError:
        return None
    return read.size, read.root


def _shown(told: Any) -> str:
    return "unreadable checkpoint" if told is None else f"signed {told[0]} {told[1].hex()}"
