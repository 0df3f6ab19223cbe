"""Balances as of any tree size or instant: a mark per account, and the few leaves between it and the moment asked for.

As of a size: the marks of the last batch within it, and the leaves of the batch that straddles it. As of an instant,
leaves are not quite in the order of their instants (a transaction may commit late), so there is more to look at:

- the *prefix*: the batches up to the last one with `at_max_so_far` at or before the instant, all by their marks;
- *late* batches after it whose leaves all lie at or before the instant, by what each changed;
- *straddling* batches, with leaves on both sides of it, leaf by leaf;
- what is committed and not sealed yet, entry by entry.

Each is one statement, which sees one state of the books however sealing goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from app.kernel.vocabulary import Account, HolderKind
from app.services.sealing.marks import SIDES
from app.sql import Statement

Holder = tuple[HolderKind, str]
"""A pool, or the organisation that is paid, by id."""


class Part(NamedTuple):
    """What one of the sources says of an account: a balance to begin with, or a change. Fen."""

    holder_kind: str
    holder_id: str
    account: str
    fen: int


def added_up(parts: Iterable[Part]) -> Mapping[tuple[Holder, Account], int]:
    """The balance of each account that any part tells of. Pure."""
    balances: dict[tuple[Holder, Account], int] = defaultdict(int)
    for part in parts:
        balances[(HolderKind(part.holder_kind), part.holder_id), Account(part.account)] += part.fen
    return balances


_ACCOUNTS = ", ".join(f"('{account}')" for account in Account)

_WANTED = """
    wanted AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:holders AS text[])) AS w(holder_kind, holder_id)
    )
"""
_MARKED = f"""
    SELECT w.holder_kind, w.holder_id, m.account, m.balance_fen AS fen
    FROM wanted w
    CROSS JOIN (VALUES {_ACCOUNTS}) AS each(account)
    CROSS JOIN LATERAL (
        SELECT account, balance_fen FROM account_marks
        WHERE region_code = :region AND holder_kind = w.holder_kind AND holder_id = w.holder_id
            AND account = each.account AND batch_no <= (SELECT batch_no FROM prefix)
        ORDER BY batch_no DESC LIMIT 1
    ) AS m
"""
_MOVED = "p.region_code, p.pool_id, p.payee_id, p.source, p.destination, p.amount_fen"
# OFFSET 0 keeps these apart from what they are joined to: range by range and key by key, whatever the planner makes of
# the tables' sizes. Left to it, it took many ranges for most of the log, and read all leaves to join them afterwards.
_LEAVES = """
    CROSS JOIN LATERAL (
        SELECT leaf_id FROM log_leaves
        WHERE region_code = :region AND leaf_index >= first_index AND leaf_index < size OFFSET 0
    ) AS l
"""
_ENTRY = """
    CROSS JOIN LATERAL (
        SELECT id FROM entries WHERE region_code = :region AND id = leaf_id AND at <= :at OFFSET 0
    ) AS e
"""
_POSTINGS = """
    CROSS JOIN LATERAL (SELECT * FROM postings WHERE region_code = :region AND entry_id = {} OFFSET 0) AS p
"""
_CHANGED = f"""
    SELECT sides.holder_kind, sides.holder_id, sides.account, CAST(sum(sides.fen) AS bigint) AS fen
    FROM ({SIDES}) AS sides JOIN wanted USING (holder_kind, holder_id)
    GROUP BY sides.holder_kind, sides.holder_id, sides.account
"""

_AS_OF_SIZE = Statement(
    f"""
    WITH {_WANTED}, prefix AS MATERIALIZED (
        SELECT coalesce(max(batch_no), 0) AS batch_no, coalesce(max(size), 0) AS size FROM (
            SELECT batch_no, size FROM log_batches WHERE region_code = :region AND size <= :size
            ORDER BY size DESC LIMIT 1
        ) AS last
    ), moved AS (
        SELECT {_MOVED}
        FROM (SELECT size AS first_index, CAST(:size AS bigint) AS size FROM prefix) AS straddling
        {_LEAVES} {_POSTINGS.format("l.leaf_id")}
    )
    {_MARKED}
    UNION ALL
    {_CHANGED}
    """
)

_AS_OF_INSTANT = Statement(
    f"""
    WITH {_WANTED}, prefix AS MATERIALIZED (
        SELECT coalesce(max(batch_no), 0) AS batch_no FROM (
            SELECT batch_no FROM log_batches
            WHERE region_code = :region AND at_max_so_far <= CAST(:at AS timestamptz)
            ORDER BY at_max_so_far DESC, batch_no DESC LIMIT 1
        ) AS last
    ), late AS MATERIALIZED (
        SELECT batch_no FROM log_batches
        WHERE region_code = :region AND at_max <= :at AND at_max < at_max_so_far
            AND batch_no > (SELECT batch_no FROM prefix)
    ), straddling AS MATERIALIZED (
        SELECT first_index, size FROM log_batches
        WHERE region_code = :region AND at_max > :at AND at_max <= CAST(:at AS timestamptz) + interval '1 minute'
            AND at_max - at_min <= interval '1 minute' AND at_min <= :at
        UNION ALL
        SELECT first_index, size FROM log_batches
        WHERE region_code = :region AND at_max > :at AND at_max - at_min > interval '1 minute' AND at_min <= :at
    ), moved AS (
        SELECT {_MOVED}
        FROM straddling {_LEAVES} {_ENTRY} {_POSTINGS.format("e.id")}
        UNION ALL
        SELECT {_MOVED}
        FROM seal_queue q {_ENTRY} {_POSTINGS.format("e.id")}
        WHERE q.region_code = :region
    )
    {_MARKED}
    UNION ALL
    SELECT m.holder_kind, m.holder_id, m.account, m.change_fen
    FROM late
    CROSS JOIN wanted w
    CROSS JOIN (VALUES {_ACCOUNTS}) AS each(account)
    CROSS JOIN LATERAL (
        SELECT * FROM account_marks
        WHERE region_code = :region AND holder_kind = w.holder_kind AND holder_id = w.holder_id
            AND account = each.account AND batch_no = late.batch_no OFFSET 0
    ) AS m
    UNION ALL
    {_CHANGED}
    """
)


def balances_at(
    tx: Connection, *, region_code: str, holders: Collection[Holder], at: datetime
) -> Mapping[tuple[Holder, Account], int]:
    """What lay on the accounts of these holders as of an instant: entries at or before it. Fen.

    Accounts that nothing had moved on are left out. Sources are below zero by what they gave.
    """
    return added_up(_parts(_AS_OF_INSTANT(tx, _bound(region_code, holders) | {"at": at})))


def balances_of_size(
    tx: Connection, *, region_code: str, holders: Collection[Holder], size: int
) -> Mapping[tuple[Holder, Account], int]:
    """The same after the first `size` leaves of the region's log. The caller has checked that it has so many."""
    return added_up(_parts(_AS_OF_SIZE(tx, _bound(region_code, holders) | {"size": size})))


def _bound(region_code: str, holders: Collection[Holder]) -> dict[str, Any]:
    ordered = sorted(holders)
    return {
        "region": region_code,
        "kinds": [kind for kind, _ in ordered],
        "holders": [holder_id for _, holder_id in ordered],
    }


def _parts(rows: Iterable[Any]) -> list[Part]:
    return [Part(row.holder_kind, row.holder_id, row.account, int(row.fen)) for row in rows]
