"""A first look at every leaf in one pass: what it finds right need not be looked at closely.

The leaf that an entry's columns, postings, facts and trace come to is written again as the service writes it
(`ledger.entries.leaf`, `audit.record`) and held against the stored bytes. Equal bytes prove every column, for the name
of each member stands in a leaf once. Whatever is not equal, right or wrong, is for the invariants' own queries, which
tell in words what differs.

All that belongs to an entry is read in the order of its id, of which every table has an index: joins by hash would
write rows to disk, with their leaves and facts. As a redemption is at hand with its entry and postings, what other
invariants ask of these together is asked here too, a bit for each of `DOUBTS`.

Bytes are hashed here and not in the server, whose own SHA-256 takes several times as long where it was built without
OpenSSL, as the embedded one is.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, text

from app.services.reconciliation.invariants.boundaries import abroad
from app.services.reconciliation.invariants.caps import bounds_of
from app.services.reconciliation.invariants.counted import BESIDE_ENTRIES
from app.services.reconciliation.invariants.records import ENTERED, ORDER_NO, TOTAL
from app.services.reconciliation.tallying import Tally
from app.sql import streamed

_INSTANT = """to_char(timezone('UTC', {}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_SHA = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
SCREENED = frozenset({"columns", "leaves", "positions"})
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

_DRAWN = "p.voucher_id || ' ' || p.payee_id || ' ' || coalesce(p.hold_id, '') || ' ' || p.source || p.destination"
"""What all postings of a redemption have in common that is no rest of a hold."""

DOUBTS = {
    "causes": f"""r.entry_id IS NOT NULL AND NOT coalesce(p.voucher_id = r.voucher_id AND p.payee_id = r.provider_id
        AND p.hold_id IS NOT DISTINCT FROM r.hold_id AND p.destination = 'obligated'
        AND p.source = CASE WHEN r.hold_id IS NULL THEN 'committed' ELSE 'held' END
        AND (more.entry_id IS NULL OR more.least = {_DRAWN} AND more.most = {_DRAWN}), false)""",
    "stored_counters": """CASE p.destination WHEN 'obligated' THEN p.amount_fen ELSE 0 END
        + coalesce(more.obligated_fen, 0) <> r.subsidy_fen""",
    "once": "e.kind = 'redeem' AND r.id IS DISTINCT FROM e.subject_id",
    "closed_years": """e.kind = 'redeem'
        AND (r.voucher_id IS DISTINCT FROM e.voucher_id OR r.redeemed_at IS DISTINCT FROM e.at)""",
    "regions": f"{abroad('e.id')} OR {abroad('e.subject_id')}",
    "reversals": "(e.kind = 'reverse') <> (e.reverses_id IS NOT NULL)",
    "records": f"r.id IS NOT NULL AND {ENTERED}",
}
"""Where an entry `e`, its first posting `p`, the others as `more`, and its redemption `r` are not as they should be, or
not as simple: by the invariant whose own query must then be asked."""

_UNSEEN = frozenset({"caps", "causes", "columns", "positions", "records", "stored_counters"})
"""What cannot be taken as kept where a redemption names an entry that is not there."""

_DIFFERS, _MISPLACED, _HELD_OR_REFUNDED, _FIRST = 1, 2, 4, 8
_BITS = " + ".join(
    f"CASE WHEN {doubt} THEN {_FIRST << place} ELSE 0 END" for place, doubt in enumerate(DOUBTS.values())
)

_ENTRIES = f"""
    SELECT e.region_code, e.id, e.at, e.leaf,
        {_BITS} + CASE WHEN e.kind IN ('hold', 'refund') THEN {_HELD_OR_REFUNDED} ELSE 0 END
            + CASE WHEN e.leaf IS DISTINCT FROM first.part || facts.hash || first.next
            || {_hash_at("octet_length(first.part) + octet_length(facts.hash) + octet_length(first.next) + 1")}
            || textsend({_TO_THE_END}) THEN {_DIFFERS} ELSE 0 END AS bits,
        textsend(coalesce(r.facts, '')) AS facts, textsend(coalesce(r.trace, '')) AS trace,
        r.region_code || ' ' || r.programme_id || ' ' || r.rule_version_id AS scheme,
        CASE WHEN r.hold_id IS NULL THEN r.subsidy_fen END AS bill_fen,
        textsend({ORDER_NO}) AS order_no, CASE WHEN r.hold_id IS NULL THEN textsend({TOTAL}) END AS total
    FROM entries e
    LEFT JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id AND p.line = 1
    LEFT JOIN (
        SELECT p.region_code, p.entry_id, string_agg(',' || {_POSTING}, '' ORDER BY p.line) AS said,
            min({_DRAWN}) AS least, max({_DRAWN}) AS most,
            sum(p.amount_fen) FILTER (WHERE p.destination = 'obligated') AS obligated_fen
        FROM postings p WHERE p.line <> 1 GROUP BY p.region_code, p.entry_id
    ) AS more ON more.region_code = e.region_code AND more.entry_id = e.id
    LEFT JOIN redemptions r ON r.region_code = e.region_code AND r.entry_id = e.id
    CROSS JOIN LATERAL (
        SELECT textsend({_UP_TO_FACTS}) AS part, textsend({_UP_TO_TRACE}) AS next OFFSET 0
    ) AS first
    CROSS JOIN LATERAL (SELECT {_hash_at("octet_length(first.part) + 1")} AS hash OFFSET 0) AS facts
    WHERE starts_with(e.region_code, %(prefix)s)
"""
"""`textsend` is `convert_to` on a connection in UTF-8, for much less. On another one leaves would seem to differ."""

_AUDIT_EVENTS = f"""
    SELECT a.region_code, a.id, a.at, a.leaf,
        CASE WHEN a.leaf IS DISTINCT FROM textsend({_AUDIT_EVENT}) THEN {_DIFFERS} ELSE 0 END AS bits,
        NULL AS facts, NULL AS trace, NULL AS scheme, NULL AS bill_fen, NULL AS order_no, NULL AS total
    FROM audit_events a WHERE starts_with(a.region_code, %(prefix)s)
"""


def _side(source: str, kind: str) -> str:
    """Each of these is one leaf, or waits for less than a day, and nothing else of its kind is; with what is hashed."""
    return f"""
    SELECT coalesce(g.bits, 0) + CASE WHEN g.id IS NULL OR (l.leaf_id IS NULL) <> g.waits
            OR l.leaf_id IS NULL AND g.at < clock_timestamp() - interval '1 day' THEN {_MISPLACED} ELSE 0 END AS bits,
        g.leaf, l.leaf_hash, g.scheme, g.bill_fen, g.order_no, g.total, g.facts, g.trace
    FROM (
        SELECT s.*, q.leaf_id IS NOT NULL AS waits
        FROM ({source}) AS s
        LEFT JOIN seal_queue q ON q.region_code = s.region_code AND q.leaf_id = s.id
    ) AS g
    FULL JOIN (
        SELECT region_code, leaf_id, leaf_hash FROM log_leaves
        WHERE {kind} AND starts_with(region_code, %(prefix)s)
    ) AS l ON l.region_code = g.region_code AND l.leaf_id = g.id
    """


_LEAVES = (
    _side(_ENTRIES, "leaf_kind <> 'audit_event'"),
    _side(_AUDIT_EVENTS, "leaf_kind = 'audit_event'"),
)

_HELD_AND_REFUNDED = """
    SELECT coalesce(e.kind = r.kind AND e.subject_id = r.id, false) AS named, e.leaf,
        convert_to(coalesce(r.facts, ''), 'UTF8'), convert_to(coalesce(r.trace, ''), 'UTF8')
    FROM (
        SELECT region_code, id, 'hold' AS kind, entry_id, facts, trace FROM holds
        UNION ALL
        SELECT region_code, id, 'refund', entry_id, facts, trace FROM refunds WHERE entry_id IS NOT NULL
    ) AS r
    JOIN entries e ON e.region_code = r.region_code AND e.id = r.entry_id
    WHERE starts_with(e.region_code, %(prefix)s)
"""


_POSITIONS = """
    SELECT region_code, programme_id, holder, holder_id, period, category, base_fen, gross_fen, granted_fen, claims
    FROM positions WHERE starts_with(region_code, %(prefix)s)
"""
_COUNTED_BESIDE = f"SELECT * FROM ({BESIDE_ENTRIES}) AS beside WHERE starts_with(region_code, %(prefix)s)"


class Look(NamedTuple):
    """Of which invariants a look is in doubt, and how many redemptions it saw with their entries."""

    doubts: frozenset[str]
    redemptions: int


def doubts_of(looks: Sequence[Look]) -> frozenset[str]:
    """What any look doubts; all that one alone could have seen of a redemption, where they saw not equally many."""
    doubts = frozenset().union(*(look.doubts for look in looks))
    if len({look.redemptions for look in looks}) > 1:
        doubts |= _UNSEEN
    return doubts | {"marks"} if "leaves" in doubts else doubts  # what is not sealed was taken to wait


def look_at_leaves(tx: Connection, prefix: str) -> Look:
    """Go through all entries and audit events of the regions; few rows at a time are in memory.

    In doubt are those of `SCREENED` and `DOUBTS` that cannot be taken as kept; `caps`, where a bill says more.
    """
    tally = Tally(bounds_of(tx, prefix))
    columns = leaves = records = strange = False
    seen = redemptions = unnamed = 0
    _join_in_order_of_ids(tx, asked=True)
    for query in _LEAVES:
        for row in streamed(tx, query, {"prefix": prefix}):
            bits, leaf, leaf_hash, scheme, bill_fen, order_no, total, facts, trace = row
            if bits:
                seen |= bits
                unnamed += bits & _HELD_OR_REFUNDED != 0
            if leaf is None or (leaf_hash is not None and sha256(b"\0" + leaf).digest() != leaf_hash):
                leaves = True
            if scheme is not None:
                redemptions += 1
                if not _names(leaf, facts, trace):
                    columns = True
                if order_no not in facts or (total is not None and total not in facts):
                    records = True
                tally.redeemed(scheme, bill_fen, facts)
    _join_in_order_of_ids(tx, asked=False)  # for the walk alone was it asked for
    for named, leaf, facts, trace in streamed(tx, _HELD_AND_REFUNDED, {"prefix": prefix}):
        unnamed -= 1
        strange = strange or not named
        columns = columns or not _names(leaf, facts, trace)
    for claim in streamed(tx, _COUNTED_BESIDE, {"prefix": prefix}):
        tally.add(*claim)
    for counter in streamed(tx, _POSITIONS, {"prefix": prefix}):
        tally.stored(*counter)
    found = {name for place, name in enumerate(DOUBTS) if seen & _FIRST << place}
    if unnamed or strange:  # else each names an entry of its own, which names it
        found |= {"once", "closed_years"}
    told = {"columns": columns or seen & _DIFFERS, "leaves": leaves or seen & _MISPLACED}
    told |= {"positions": not tally.even, "caps": not tally.bills_plain, "records": records}
    found |= {name for name, doubt in told.items() if doubt}
    return Look(frozenset(found), redemptions)


def _join_in_order_of_ids(tx: Connection, *, asked: bool) -> None:
    """Whether PostgreSQL must merge by the indexes of ids, and neither sort nor join by hash."""
    for setting, is_on in {"enable_mergejoin": asked, "enable_hashjoin": not asked, "enable_sort": not asked}.items():
        tx.execute(text(f"SET LOCAL {setting} = {'on' if is_on else 'off'}"))


def _names(leaf: bytes, facts: bytes, trace: bytes) -> bool:
    """Whether a leaf has the hashes of these facts and this trace where it has hashes of such."""
    return (
        b'"facts":"' + hexlify(sha256(facts).digest()) + b'"' in leaf
        and b'"trace":"' + hexlify(sha256(trace).digest()) + b'"' in leaf
    )
