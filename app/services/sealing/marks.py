"""Marks: what lay on each account after each batch, for the accounts that the batch touched.

They are what makes a balance as of any tree size or instant a look-up, whatever the number of entries. An account is
a pool's, or a payee's: what is owed and was paid to an organisation, over all pools of the region.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.kernel.vocabulary import Account, HolderKind
from app.sql import Statement

PAYEE_ACCOUNTS = frozenset(
    {
        Account.OBLIGATED,
        Account.IN_PAYMENT,
        Account.DISBURSED,
        Account.RECOVERY_CLAIMED,
        Account.RECOVERY_DUE,
        Account.TREASURY,
    }
)
"""The stages of money that is somebody's. Before them it is the city's, promised to a firm at most."""

_LISTED = ", ".join(f"'{account}'" for account in sorted(PAYEE_ACCOUNTS))

SIDES = f"""
    SELECT moved.region_code, side.holder_kind, side.holder_id, side.account, side.fen
    FROM moved
    CROSS JOIN LATERAL (VALUES
        ('{HolderKind.POOL}', moved.pool_id, moved.source, -moved.amount_fen),
        ('{HolderKind.POOL}', moved.pool_id, moved.destination, moved.amount_fen),
        ('{HolderKind.PAYEE}', moved.payee_id, moved.source, -moved.amount_fen),
        ('{HolderKind.PAYEE}', moved.payee_id, moved.destination, moved.amount_fen)
    ) AS side(holder_kind, holder_id, account, fen)
    WHERE side.holder_kind = '{HolderKind.POOL}' OR (side.holder_id IS NOT NULL AND side.account IN ({_LISTED}))
"""
"""What each posting of `moved` takes from and brings to each account of each holder."""

_MARK = Statement(
    f"""
    WITH moved AS (
        SELECT p.region_code, p.pool_id, p.payee_id, p.source, p.destination, p.amount_fen
        FROM (
            SELECT leaf_id FROM log_leaves
            WHERE region_code = :region AND leaf_index >= :first AND leaf_index < :size AND leaf_kind = 'entry'
            ORDER BY leaf_index OFFSET 0
        ) AS l
        CROSS JOIN LATERAL (
            SELECT region_code, pool_id, payee_id, source, destination, amount_fen FROM postings
            WHERE region_code = :region AND entry_id = l.leaf_id ORDER BY line OFFSET 0
        ) AS p
    ), changed AS (
        SELECT holder_kind, holder_id, account, CAST(sum(fen) AS bigint) AS change_fen
        FROM ({SIDES}) AS sides GROUP BY holder_kind, holder_id, account
    )
    INSERT INTO account_marks (region_code, holder_kind, holder_id, account, batch_no, change_fen, balance_fen)
    SELECT :region, c.holder_kind, c.holder_id, c.account, :batch_no, c.change_fen,
        c.change_fen + coalesce((
            SELECT m.balance_fen FROM account_marks m
            WHERE m.region_code = :region AND m.holder_kind = c.holder_kind AND m.holder_id = c.holder_id
                AND m.account = c.account AND m.batch_no < :batch_no
            ORDER BY m.batch_no DESC LIMIT 1
        ), 0)
    FROM changed c
    """
)


def mark(tx: Connection, *, region_code: str, batch_no: int, first_index: int, size: int) -> None:
    """Write the marks of a batch whose leaves, from `first_index` up to `size`, have just been written."""
    _MARK.send(tx, {"region": region_code, "batch_no": batch_no, "first": first_index, "size": size})
