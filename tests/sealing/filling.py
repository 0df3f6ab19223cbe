"""Entries by the hundred thousand: a real redemption's entry and postings, copied under other ids and instants."""

from __future__ import annotations

from sqlalchemy import create_engine, text

_ENTRIES = """
    INSERT INTO entries
    SELECT region_code, new_id, kind, new_at, programme_id, voucher_id, subject_id, principal_id, organisation_id,
        maker_id, checker_id, approval_id, rule_version_id, request_id, reverses_id, pair_id, voucher_end, details,
        convert_to(replace(replace(convert_from(leaf, 'UTF8'), id, new_id), old_at, to_char(new_at AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), 'UTF8')
    FROM (
        SELECT e.*, 'ent_' || e.region_code || '_' || lpad(to_hex(n), 26, '0') AS new_id,
            e.at + n * interval '1 ms' AS new_at,
            to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS old_at
        FROM entries e, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
        WHERE e.id = :entry_id ORDER BY n
    ) AS copied
"""
_POSTINGS = """
    INSERT INTO postings
    SELECT p.region_code, 'ent_' || p.region_code || '_' || lpad(to_hex(n), 26, '0'), p.line, p.pool_id, p.source,
        p.destination, p.amount_fen, p.voucher_id, p.voucher_seq + CAST(n AS bigint) * 1000, p.payee_id, p.hold_id
    FROM postings p, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
    WHERE p.entry_id = :entry_id ORDER BY n
"""
_QUEUE = """
    INSERT INTO seal_queue (region_code, leaf_kind, leaf_id)
    SELECT region_code, 'entry', 'ent_' || region_code || '_' || lpad(to_hex(n), 26, '0')
    FROM entries, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
    WHERE id = :entry_id ORDER BY n
"""


def fill(owner_url: str, entry_id: str, count: int, *, first: int = 1, analyse: bool = True) -> None:
    """Copy the entry `count` times, a millisecond apart, and queue the copies. Stored counters do not follow."""
    engine = create_engine(owner_url)
    with engine.begin() as tx:
        for statement in (_ENTRIES, _POSTINGS, _QUEUE):
            tx.execute(text(statement), {"first": first, "last": first + count - 1, "entry_id": entry_id})
    if analyse:
        with engine.begin() as tx:
            tx.execute(text("ANALYZE"))
    engine.dispose()
