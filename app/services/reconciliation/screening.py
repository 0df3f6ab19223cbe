"""A first look at every leaf in one pass: what it finds right need not be looked at closely.

The leaf that an entry's columns, postings, facts and trace come to is written again as the service writes it
(`ledger.entries.leaf`, `audit.record`) and held against the stored bytes. Equal bytes prove every column, for the name
of each member stands in a leaf once. Whatever is not equal, right or wrong, is for the invariants' own queries, which
tell in words what differs.

All that belongs to an entry is read in the order of its id, of which every table has an index: joins by hash would
write rows to disk, with their leaves and facts.

Bytes are hashed here and not in the server, whose own SHA-256 takes several times as long where it was built without
OpenSSL, as the embedded one is.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, text

from app.sql import streamed

_INSTANT = """to_char(timezone('UTC', {}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_SHA = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
SCREENED = frozenset({"columns", "leaves"})
"""The invariants that this proves where it has no doubt."""

_NO_DETAILS = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""SHA-256 of `{}`, which most entries have."""


def _quoted(column: str) -> str:
    """SQL for a member's value that the service chose itself: it needs no escapes."""
    return f"""'"' || {column} || '"'"""


def _quoted_if_any(column: str) -> str:
    return f"coalesce({_quoted(column)}, 'null')"


def _words(column: str) -> str:
    """SQL for a value that may come from outside."""
    return f"coalesce(to_json({column})::text, 'null')"


_POSTING = f"""'{{"fen":' || p.amount_fen || ',"from":"' || p.source || coalesce('","hold":"' || p.hold_id, '')
    || '","line":' || p.line || ',"payee":' || {_quoted_if_any("p.payee_id")} || ',"pool":"' || p.pool_id
    || '","seq":' || coalesce(p.voucher_seq::text, 'null') || ',"to":"' || p.destination
    || '","voucher":' || {_quoted_if_any("p.voucher_id")} || '}}'"""

_UP_TO_FACTS = f"""'{{"alg":"sha256","approval":' || {_quoted_if_any("e.approval_id")}
    || ',"at":"' || {_INSTANT.format("e.at")} || '","checker":' || {_quoted_if_any("e.checker_id")}
    || ',"details":"' || CASE e.details WHEN '{{}}' THEN '{_NO_DETAILS}' ELSE {_SHA.format("e.details")} END
    || '","facts":'"""
_UP_TO_TRACE = f"""',"id":"' || e.id || '","kind":"' || e.kind || '","maker":' || {_quoted_if_any("e.maker_id")}
    || ',"organisation":"' || e.organisation_id || '","pair":' || {_quoted_if_any("e.pair_id")}
    || ',"postings":[' || coalesce({_POSTING}, '') || coalesce(more.said, '')
    || '],"principal":"' || e.principal_id || '","programme":"' || e.programme_id || '","region":"' || e.region_code
    || '","request":"' || e.request_id || '","reverses":' || {_quoted_if_any("e.reverses_id")}
    || ',"rules":' || {_quoted_if_any("e.rule_version_id")} || ',"subject":"' || e.subject_id || '","trace":'"""
_TO_THE_END = f"""',"type":"entry","v":1,"voucher":' || {_quoted_if_any("e.voucher_id")}
    || ',"voucher_end":' || {_quoted_if_any("e.voucher_end")} || '}}'"""


def _hash_at(place: str) -> str:
    """SQL for a hash in quotes, or null, that stands at a place of a leaf, which may be any bytes."""
    return f"substr(e.leaf, {place}, CASE substr(e.leaf, {place}, 1) WHEN '\"' THEN 66 ELSE 4 END)"


_AUDIT_EVENT = f"""'{{"action":' || {_words("a.action")} || ',"alg":"sha256","at":"' || {_INSTANT.format("a.at")}
    || '","details":"' || {_SHA.format("a.details")} || '","id":"' || a.id || '","object":' || {_words("a.object_id")}
    || ',"organisation":' || {_words("a.organisation_id")} || ',"principal":' || {_words("a.principal_id")}
    || ',"region":"' || a.region_code || '","request":"' || a.request_id || '"'
    || ',"result":' || {_words("a.result")} || ',"type":"audit_event","v":1}}'"""

_ENTRIES = f"""
    SELECT e.region_code, e.id, e.at, e.leaf,
        e.leaf IS DISTINCT FROM first.part || facts.hash || first.next
            || {_hash_at("octet_length(first.part) + octet_length(facts.hash) + octet_length(first.next) + 1")}
            || convert_to({_TO_THE_END}, 'UTF8') AS differs
    FROM entries e
    LEFT JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id AND p.line = 1
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


def _side(source: str, kind: str, evidence: str) -> str:
    """Each of these is one leaf, or waits for less than a day, and nothing else of its kind is; with what is hashed."""
    return f"""
    SELECT coalesce(g.differs, false) AS differs,
        g.id IS NULL OR (l.leaf_id IS NULL) <> g.waits
            OR l.leaf_id IS NULL AND g.at < clock_timestamp() - interval '1 day' AS misplaced,
        g.leaf, l.leaf_hash, convert_to(g.facts, 'UTF8') AS facts, convert_to(g.trace, 'UTF8') AS trace
    FROM (
        SELECT s.*, q.leaf_id IS NOT NULL AS waits, r.facts, r.trace
        FROM ({source}) AS s
        LEFT JOIN seal_queue q ON q.region_code = s.region_code AND q.leaf_id = s.id
        LEFT JOIN ({evidence}) AS r ON r.region_code = s.region_code AND r.entry_id = s.id
    ) AS g
    FULL JOIN (
        SELECT region_code, leaf_id, leaf_hash FROM log_leaves
        WHERE {kind} AND starts_with(region_code, %(prefix)s)
    ) AS l ON l.region_code = g.region_code AND l.leaf_id = g.id
    """


_REDEEMED = "SELECT region_code, entry_id, coalesce(facts, '') AS facts, coalesce(trace, '') AS trace FROM redemptions"
_NONE = "SELECT '' AS region_code, '' AS entry_id, '' AS facts, '' AS trace WHERE false"

_LEAVES = (
    _side(_ENTRIES, "leaf_kind <> 'audit_event'", _REDEEMED),
    _side(_AUDIT_EVENTS, "leaf_kind = 'audit_event'", _NONE),
)

_HELD_AND_REFUNDED = """
    SELECT e.leaf, convert_to(coalesce(r.facts, ''), 'UTF8'), convert_to(coalesce(r.trace, ''), 'UTF8')
    FROM (
        SELECT region_code, entry_id, facts, trace FROM holds
        UNION ALL SELECT region_code, entry_id, facts, trace FROM refunds WHERE entry_id IS NOT NULL
    ) AS r
    JOIN entries e ON e.region_code = r.region_code AND e.id = r.entry_id
    WHERE starts_with(e.region_code, %(prefix)s)
"""


def doubtful(tx: Connection, prefix: str) -> frozenset[str]:
    """Those of `SCREENED` that cannot be taken as kept in the regions. Few rows at a time are in memory."""
    columns = leaves = False
    with tx.begin_nested() as walk:
        for setting in _IN_ORDER_OF_IDS:
            tx.execute(text(f"SET LOCAL {setting}"))
        for query in _LEAVES:
            for differs, misplaced, leaf, leaf_hash, facts, trace in streamed(tx, query, {"prefix": prefix}):
                columns = columns or differs or (facts is not None and not _names(leaf, facts, trace))
                leaves = leaves or misplaced or (leaf_hash is not None and sha256(b"\0" + leaf).digest() != leaf_hash)
        walk.rollback()  # for it alone was it set
    for leaf, facts, trace in streamed(tx, _HELD_AND_REFUNDED, {"prefix": prefix}):
        columns = columns or not _names(leaf, facts, trace)
    return frozenset(name for name, doubt in (("columns", columns), ("leaves", leaves)) if doubt)


_IN_ORDER_OF_IDS = ("enable_hashjoin = off", "enable_sort = off", "max_parallel_workers_per_gather = 0")


def _names(leaf: bytes, facts: bytes, trace: bytes) -> bool:
    """Whether a leaf has the hashes of these facts and this trace where it has hashes of such."""
    return _follows(leaf, b'"facts":', facts) and _follows(leaf, b'"trace":', trace)


def _follows(leaf: bytes, member: bytes, document: bytes) -> bool:
    return leaf.startswith(b'"%b"' % sha256(document).hexdigest().encode(), leaf.find(member) + len(member))
