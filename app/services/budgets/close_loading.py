"""What a close looks at: the pools of a year, and everything that is promised on them. A statement each, set-based."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, TextClause, select, text

from app.kernel.vocabulary import Account
from app.models import Pool
from app.services.budgets.closing import ClosingPool, Promise
from app.services.vouchers.status import OVER

_ENDED = f"(v.ended_as IS NOT NULL OR {OVER.format(clock=':at')})"

_FREE = text(
    f"SELECT a.voucher_id, a.pool_id, a.line, a.balance_fen AS fen, {_ENDED} AS ended,"
    " NULL AS subject_id, NULL AS payee_id"
    " FROM vouchers v JOIN allotments a ON a.region_code = v.region_code AND a.voucher_id = v.id"
    " WHERE v.region_code = :region_code AND v.programme_id = :programme_id AND a.pool_id = ANY(CAST(:pools AS text[]))"
    " AND a.balance_fen > 0 ORDER BY a.voucher_id, a.line"
)
_HELD = text(
    f"SELECT h.voucher_id, s.pool_id, a.line, s.held_fen AS fen, {_ENDED} AS ended,"
    " h.id AS subject_id, NULL AS payee_id"
    " FROM vouchers v JOIN holds h ON h.region_code = v.region_code AND h.voucher_id = v.id AND h.status = 'open'"
    " JOIN hold_shares s ON s.region_code = h.region_code AND s.hold_id = h.id"
    " JOIN allotments a ON a.region_code = h.region_code AND a.voucher_id = h.voucher_id AND a.pool_id = s.pool_id"
    " WHERE v.region_code = :region_code AND v.programme_id = :programme_id AND s.pool_id = ANY(CAST(:pools AS text[]))"
    " AND s.held_fen > 0 ORDER BY h.id, s.line"
)
_OWED = text(
    f"SELECT r.voucher_id, o.pool_id, a.line, o.fen, {_ENDED} AS ended,"
    " r.id AS subject_id, r.provider_id AS payee_id"
    " FROM (SELECT p.region_code, p.pool_id,"
    "   coalesce(f.redemption_id, e.subject_id) AS redemption_id,"
    "   CAST(sum(CASE WHEN p.destination = 'obligated' THEN p.amount_fen ELSE -p.amount_fen END) AS bigint) AS fen"
    "   FROM postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id"
    "   LEFT JOIN refunds f ON f.region_code = e.region_code AND f.id = e.subject_id"
    "   WHERE p.region_code = :region_code AND p.pool_id = ANY(CAST(:pools AS text[]))"
    "   AND 'obligated' IN (p.source, p.destination) GROUP BY 1, 2, 3) o"
    " JOIN redemptions r ON r.region_code = o.region_code AND r.id = o.redemption_id AND r.status = 'posted'"
    " JOIN vouchers v ON v.region_code = r.region_code AND v.id = r.voucher_id"
    " JOIN allotments a ON a.region_code = r.region_code AND a.voucher_id = r.voucher_id AND a.pool_id = o.pool_id"
    " WHERE o.fen > 0 ORDER BY r.id, a.line"
)
"""What each redemption that is in no settlement is owed of each pool: drawn, less refunded, less carried before."""

_COUNTS = text(
    "SELECT id, posting_count FROM vouchers WHERE region_code = :region_code AND id = ANY(CAST(:ids AS text[]))"
)
_ALLOTMENTS = text(
    "SELECT voucher_id AS owner, max(line) AS line, array_agg(pool_id) AS pools FROM allotments"
    " WHERE region_code = :region_code AND voucher_id = ANY(CAST(:ids AS text[])) GROUP BY voucher_id"
)
_HOLD_SHARES = text(
    "SELECT hold_id AS owner, max(line) AS line, array_agg(pool_id) AS pools FROM hold_shares"
    " WHERE region_code = :region_code AND hold_id = ANY(CAST(:ids AS text[])) GROUP BY hold_id"
)

Places = Mapping[str, tuple[int, frozenset[str]]]
"""Of each voucher or hold, by id: the last line of its shares, and their pools."""


def load_pools_of(tx: Connection, region_code: str, programme_id: str, fiscal_year: int) -> list[ClosingPool]:
    """The programme's pools of a year, in the order of their ids."""
    rows = tx.execute(
        select(Pool.id, Pool.fund_source, Pool.county_code, Pool.available_fen, Pool.closed_at)
        .where(Pool.region_code == region_code, Pool.programme_id == programme_id, Pool.fiscal_year == fiscal_year)
        .order_by(Pool.id)
    )
    return [
        ClosingPool(row.id, row.fund_source, row.county_code, row.available_fen, row.closed_at is not None)
        for row in rows
    ]


def load_promises(
    tx: Connection, region_code: str, programme_id: str, pools: Sequence[ClosingPool], *, at: datetime
) -> list[Promise]:
    """Everything promised on these pools: free, held and owed."""
    asked = {
        "region_code": region_code,
        "programme_id": programme_id,
        "pools": [pool.id for pool in pools],
        "at": at,
    }
    found = {Account.COMMITTED: _FREE, Account.HELD: _HELD, Account.OBLIGATED: _OWED}
    return [
        Promise(account=account, **row._mapping)  # type: ignore[arg-type]
        for account, statement in found.items()
        for row in tx.execute(statement, asked)
    ]


def posting_counts(tx: Connection, region_code: str, voucher_ids: Collection[str]) -> dict[str, int]:
    """How many postings each voucher has had."""
    rows = tx.execute(_COUNTS, {"region_code": region_code, "ids": sorted(voucher_ids)})
    return {row.id: row.posting_count for row in rows}


def places_of_vouchers(tx: Connection, region_code: str, ids: Collection[str]) -> Places:
    """Of each voucher the last line of its allotments, and their pools."""
    return _places(tx, _ALLOTMENTS, region_code, ids)


def places_of_holds(tx: Connection, region_code: str, ids: Collection[str]) -> Places:
    """Of each hold the last line of its shares, and their pools."""
    return _places(tx, _HOLD_SHARES, region_code, ids)


def _places(tx: Connection, statement: TextClause, region_code: str, ids: Collection[str]) -> Places:
    rows = tx.execute(statement, {"region_code": region_code, "ids": sorted(ids)})
    return {row.owner: (row.line, frozenset(row.pools)) for row in rows}
