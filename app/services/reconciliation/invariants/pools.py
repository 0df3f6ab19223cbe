"""Pools: granted is what the stages hold, and no account was ever below zero."""

from __future__ import annotations

from app.kernel.vocabulary import SOURCES, Account
from app.services.reconciliation.invariants.invariant import Invariant, listed

_MEMO = frozenset({Account.RECOVERY_CLAIMED, Account.RECOVERY_DUE, Account.TREASURY})
_GRANTED = listed(frozenset({Account.APPROPRIATION, Account.AUTHORISED}))
_STAGES = listed(frozenset(Account) - SOURCES - _MEMO)
_MAY_BE_NEGATIVE = listed(SOURCES)

POOLS_MOVED = """(
    SELECT region_code, pool_id, source, destination, sum(amount_fen) AS fen
    FROM postings GROUP BY region_code, pool_id, source, destination
)"""


def pool_sums(moved: str) -> str:
    """SQL for what lies on each account of each pool, by what moved between accounts."""
    return f"""
    SELECT region_code, pool_id, account, sum(side.fen) AS fen
    FROM {moved} AS moved
    CROSS JOIN LATERAL (VALUES (source, -moved.fen), (destination, moved.fen)) AS side(account, fen)
    GROUP BY region_code, pool_id, account
    """


def pool_equation(moved: str) -> str:
    """SQL for the pools whose stages do not hold what was granted."""
    return f"""
    SELECT region_code, pool_id AS subject, (-granted)::text AS expected, staged::text AS actual
    FROM (
        SELECT region_code, pool_id,
            coalesce(sum(fen) FILTER (WHERE account IN ({_GRANTED})), 0) AS granted,
            coalesce(sum(fen) FILTER (WHERE account IN ({_STAGES})), 0) AS staged
        FROM ({pool_sums(moved)}) AS side GROUP BY region_code, pool_id
    ) AS pool
    WHERE -granted <> staged
    """


_AT = "date_bin('1 hour', e.at, '2000-01-01 00:00:00+00')"

_POOL_ACCOUNT_NEGATIVE = f"""
    WITH hours AS MATERIALIZED (
        SELECT p.region_code, p.pool_id, p.source, p.destination, {_AT} AS hour, sum(p.amount_fen) AS fen
        FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
        GROUP BY 1, 2, 3, 4, 5
    ), flows AS (
        SELECT h.region_code, h.pool_id, side.account, h.hour, sum(side.gone) AS gone, sum(side.come) AS come
        FROM hours h
        CROSS JOIN LATERAL (VALUES (source, h.fen, 0), (destination, 0, h.fen)) AS side(account, gone, come)
        WHERE side.account NOT IN ({_MAY_BE_NEGATIVE})
        GROUP BY 1, 2, 3, 4
    ), suspects AS MATERIALIZED (
        SELECT region_code, pool_id, account, hour, before FROM (
            SELECT *, coalesce(sum(come - gone) OVER (PARTITION BY region_code, pool_id, account ORDER BY hour
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
            FROM flows
        ) AS stood WHERE before < gone
    ), near AS MATERIALIZED (
        SELECT e.region_code, e.id, e.at, {_AT} AS hour FROM entries e
        WHERE (e.region_code, {_AT}) IN (SELECT region_code, hour FROM suspects)
    )
    SELECT region_code, pool_id || ' ' || account AS subject, '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT region_code, pool_id, account, before + sum(fen) OVER (
            PARTITION BY region_code, pool_id, account, hour ORDER BY at, entry_id, fen DESC, line) AS running
        FROM (
            SELECT s.region_code, s.pool_id, s.account, s.hour, s.before, p.entry_id, p.line, e.at,
                CASE WHEN p.source = s.account THEN -p.amount_fen ELSE p.amount_fen END AS fen
            FROM near e
            JOIN postings p ON p.region_code = e.region_code AND p.entry_id = e.id
            JOIN suspects s ON s.region_code = p.region_code AND s.pool_id = p.pool_id AND s.hour = e.hour
                AND (p.source = s.account OR p.destination = s.account)
        ) AS side
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, pool_id, account
"""
"""An hour in which what was there before covers all that left cannot end below zero whatever its order; only the others
are looked at entry by entry. Nothing is left out: every posting is in an hour, and every hour is judged."""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        1,
        "pool_equation",
        "Granted equals the sum of all stages, per pool",
        "每个资金池：预算指标＝各阶段之和",
        pool_equation(POOLS_MOVED),
        rest="",
    ),
    Invariant(
        2,
        "no_negative_account",
        "No account of a pool was ever below zero",
        "资金池各账户从未为负",
        _POOL_ACCOUNT_NEGATIVE,
    ),
)
