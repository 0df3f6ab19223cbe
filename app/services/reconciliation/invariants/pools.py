"""Pools: granted is what the stages hold, and no account was ever below zero."""

from __future__ import annotations

from app.kernel.vocabulary import SOURCES, Account
from app.services.reconciliation.invariants.invariant import Invariant, listed

_MEMO = frozenset({Account.RECOVERY_CLAIMED, Account.RECOVERY_DUE, Account.TREASURY})
_GRANTED = listed(frozenset({Account.APPROPRIATION, Account.AUTHORISED}))
_STAGES = listed(frozenset(Account) - SOURCES - _MEMO)
_MAY_BE_NEGATIVE = listed(SOURCES)

POOL_SIDES = """
    SELECT p.region_code, p.pool_id, p.source AS account, -p.amount_fen AS fen, e.at, p.entry_id, p.line
    FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    UNION ALL
    SELECT p.region_code, p.pool_id, p.destination, p.amount_fen, e.at, p.entry_id, p.line
    FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
"""

_POOL_EQUATION = f"""
    SELECT region_code, pool_id AS subject, (-granted)::text AS expected, staged::text AS actual
    FROM (
        SELECT region_code, pool_id,
            coalesce(sum(fen) FILTER (WHERE account IN ({_GRANTED})), 0) AS granted,
            coalesce(sum(fen) FILTER (WHERE account IN ({_STAGES})), 0) AS staged
        FROM ({POOL_SIDES}) AS side GROUP BY region_code, pool_id
    ) AS pool
    WHERE -granted <> staged
"""

_POOL_ACCOUNT_NEGATIVE = f"""
    SELECT region_code, pool_id || ' ' || account AS subject, '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT region_code, pool_id, account,
            sum(fen) OVER (PARTITION BY region_code, pool_id, account ORDER BY at, entry_id, fen DESC, line) AS running
        FROM ({POOL_SIDES}) AS side
        WHERE account NOT IN ({_MAY_BE_NEGATIVE})
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, pool_id, account
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        1,
        "pool_equation",
        "Granted equals the sum of all stages, per pool",
        "每个资金池：预算指标＝各阶段之和",
        _POOL_EQUATION,
    ),
    Invariant(
        2,
        "no_negative_account",
        "No account of a pool was ever below zero",
        "资金池各账户从未为负",
        _POOL_ACCOUNT_NEGATIVE,
    ),
)
