"""A first look at every leaf in one pass: what it finds right need not be looked at closely.

The leaf that an entry's columns, postings, facts and trace come to is written again as the service writes it
(`ledger.entries.leaf`, `audit.record`) and held against the stored bytes. Equal bytes prove every column, for the name
of each member stands in a leaf once. Whatever is not equal, right or wrong, is for the invariants' own queries, which
tell in words what differs.

Bytes are hashed here and not in the server, whose own SHA-256 takes several times as long where it was built without
OpenSSL, as the embedded one is.
"""

from __future__ import annotations

import re
from hashlib import sha256

from sqlalchemy import Connection

from app.sql import copied

_INSTANT = """to_char(timezone('UTC', {}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_SHA = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
SCREENED = frozenset({"columns", "leaves"})
"""The invariants that this proves where it has no doubt."""

_NO_DETAILS = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""SHA-256 of `{}`, which most entries have."""


def _id(column: str) -> str:
    """SQL for a member's value that the service chose itself: it needs no escapes."""
    return f"""'"', {column}, '"'"""


def _id_if_any(column: str) -> str:
    return f"""CASE WHEN {column} IS NULL THEN 'null' ELSE '"' || {column} || '"' END"""


def _words(column: str) -> str:
    """SQL for a value that may come from outside."""
    return f"to_json({column})"


def _joined(parts: str) -> str:
    """SQL for one text of these parts; what is said of neighbours is one part, for each costs time."""
    while parts != (fewer := _NEIGHBOURS.sub(r"'\1\2'", parts)):
        parts = fewer
    return f"concat({parts})"


_NEIGHBOURS = re.compile(r"'([^']*)',\s*'([^']*)'")

_POSTING = _joined(
    f"""'{{"fen":', p.amount_fen, ',"from":', {_id("p.source")},
        CASE WHEN p.hold_id IS NOT NULL THEN ',"hold":"' || p.hold_id || '"' END,
        ',"line":', p.line, ',"payee":', {_id_if_any("p.payee_id")}, ',"pool":', {_id("p.pool_id")},
        ',"seq":', coalesce(p.voucher_seq::text, 'null'), ',"to":', {_id("p.destination")},
        ',"voucher":', {_id_if_any("p.voucher_id")}, '}}'"""
)

_UP_TO_FACTS = _joined(
    f"""'{{"alg":"sha256","approval":', {_id_if_any("e.approval_id")}, ',"at":', {_id(_INSTANT.format("e.at"))},
        ',"checker":', {_id_if_any("e.checker_id")}, ',"details":',
        {_id(f"CASE e.details WHEN '{{}}' THEN '{_NO_DETAILS}' ELSE {_SHA.format('e.details')} END")}, ',"facts":'"""
)
_UP_TO_TRACE = _joined(
    f"""',"id":', {_id("e.id")}, ',"kind":', {_id("e.kind")},
        ',"maker":', {_id_if_any("e.maker_id")}, ',"organisation":', {_id("e.organisation_id")},
        ',"pair":', {_id_if_any("e.pair_id")}, ',"postings":[', p.said, more.said, '],"principal":',
        {_id("e.principal_id")}, ',"programme":', {_id("e.programme_id")}, ',"region":', {_id("e.region_code")},
        ',"request":', {_id("e.request_id")}, ',"reverses":', {_id_if_any("e.reverses_id")},
        ',"rules":', {_id_if_any("e.rule_version_id")}, ',"subject":', {_id("e.subject_id")}, ',"trace":'"""
)
_TO_THE_END = _joined(
    f"""',"type":"entry","v":', 1, ',"voucher":', {_id_if_any("e.voucher_id")},
        ',"voucher_end":', {_id_if_any("e.voucher_end")}, '}}'"""
)


def _hash_at(place: str) -> str:
    """SQL for a hash in quotes, or null, that stands at a place of a leaf, which may be any bytes."""
    return f"substr(e.leaf, {place}, CASE substr(e.leaf, {place}, 1) WHEN '\"' THEN 66 ELSE 4 END)"


_AUDIT_EVENT = _joined(
    f"""'{{"action":', {_words("a.action")}, ',"alg":"sha256","at":', {_id(_INSTANT.format("a.at"))},
        ',"details":', {_id(_SHA.format("a.details"))}, ',"id":', {_id("a.id")}, ',"object":', {_words("a.object_id")},
        ',"organisation":', {_words("a.organisation_id")}, ',"principal":', {_words("a.principal_id")},
        ',"region":', {_id("a.region_code")}, ',"request":', {_id("a.request_id")},
        ',"result":', {_words("a.result")}, ',"type":"audit_event","v":', 1, '}}'"""
)

_ENTRIES = f"""
    SELECT e.region_code, e.id, e.at, e.leaf,
        e.leaf IS DISTINCT FROM first.part || facts.hash || first.next
            || {_hash_at("octet_length(first.part) + octet_length(facts.hash) + octet_length(first.next) + 1")}
            || convert_to({_TO_THE_END}, 'UTF8') AS differs
    FROM entries e
    LEFT JOIN (
        SELECT p.region_code, p.entry_id, {_POSTING} AS said FROM postings p WHERE p.line = 1
    ) AS p ON p.region_code = e.region_code AND p.entry_id = e.id
    LEFT JOIN (
        SELECT p.region_code, p.entry_id, string_agg(',' || {_POSTING}, '' ORDER BY p.line) AS said
        FROM postings p WHERE p.line <> 1 GROUP BY p.region_code, p.entry_id
    ) AS more ON more.region_code = e.region_code AND more.entry_id = e.id
    CROSS JOIN LATERAL (
        SELECT convert_to({_UP_TO_FACTS}, 'UTF8') AS part, convert_to({_UP_TO_TRACE}, 'UTF8') AS next OFFSET 0
    ) AS first
    CROSS JOIN LATERAL (SELECT {_hash_at("octet_length(first.part) + 1")} AS hash OFFSET 0) AS facts
    WHERE starts_with(e.region_code, %(prefix)s)
"""

_AUDIT_EVENTS = f"""
    SELECT a.region_code, a.id, a.at, a.leaf, a.leaf IS DISTINCT FROM convert_to({_AUDIT_EVENT}, 'UTF8') AS differs
    FROM audit_events a WHERE starts_with(a.region_code, %(prefix)s)
"""


def _side(source: str, kind: str) -> str:
    """Each of these is one leaf, or waits for less than a day, and nothing else of its kind is; with bytes and hash."""
    return f"""
    SELECT coalesce(g.differs, false), g.id IS NULL OR (l.leaf_id IS NULL) <> (q.leaf_id IS NOT NULL)
        OR l.leaf_id IS NULL AND g.at < clock_timestamp() - interval '1 day', g.leaf, l.leaf_hash
    FROM ({source}) AS g
    FULL JOIN (
        SELECT region_code, leaf_id, leaf_hash FROM log_leaves
        WHERE {kind} AND starts_with(region_code, %(prefix)s)
    ) AS l ON l.region_code = g.region_code AND l.leaf_id = g.id
    LEFT JOIN seal_queue q ON q.region_code = g.region_code AND q.leaf_id = g.id
    """


_LEAVES = (_side(_ENTRIES, "leaf_kind <> 'audit_event'"), _side(_AUDIT_EVENTS, "leaf_kind = 'audit_event'"))


def _said(member: str) -> str:
    return f"""substr(e.leaf, position('"{member}":'::bytea IN e.leaf) + {len(member) + 3}, 66) AS {member}"""


_FACTS = f"""
    SELECT convert_to(r.facts, 'UTF8'), convert_to(r.trace, 'UTF8'), said.facts, said.trace
    FROM (
        SELECT region_code, entry_id, facts, trace FROM redemptions WHERE entry_id IS NOT NULL
        UNION ALL SELECT region_code, entry_id, facts, trace FROM holds
        UNION ALL SELECT region_code, entry_id, facts, trace FROM refunds WHERE entry_id IS NOT NULL
    ) AS r
    JOIN (
        SELECT e.region_code, e.id, {_said("facts")}, {_said("trace")}
        FROM entries e WHERE starts_with(e.region_code, %(prefix)s) OFFSET 0
    ) AS said ON said.region_code = r.region_code AND said.id = r.entry_id
"""


def doubtful(tx: Connection, prefix: str) -> frozenset[str]:
    """Those of `SCREENED` that cannot be taken as kept in the regions. A row at a time is in memory."""
    columns = leaves = False
    for query in _LEAVES:
        for differs, misplaced, leaf, leaf_hash in copied(tx, query, _LEAF_TYPES, {"prefix": prefix}):
            columns = columns or differs
            leaves = leaves or misplaced or (leaf_hash is not None and sha256(b"\0" + leaf).digest() != leaf_hash)
    for facts, trace, said_facts, said_trace in copied(tx, _FACTS, _FACTS_TYPES, {"prefix": prefix}):
        if _hash(facts) != said_facts or _hash(trace) != said_trace:
            columns = True
    return frozenset(name for name, doubt in (("columns", columns), ("leaves", leaves)) if doubt)


def _hash(document: bytes) -> bytes:
    return f'"{sha256(document).hexdigest()}"'.encode()


_LEAF_TYPES = ("bool", "bool", "bytea", "bytea")
_FACTS_TYPES = ("bytea", "bytea", "bytea", "bytea")
