"""What forecasts look at: what moved each pool in the days before today, and what vouchers can still draw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from app.kernel.clock import civil_date, start_of_day
from app.services.budgets.execution import ExecutionRow
from app.services.budgets.forecast import WINDOW_DAYS, Forecast, Observed, forecast
from app.services.vouchers.status import OVER

_ISSUED = "e.kind = 'issue'"
_UNISSUED = "e.kind <> 'move' AND p.voucher_id IS NOT NULL AND p.destination = 'available'"
_DRAWN = "e.kind = 'redeem' AND p.destination = 'obligated'"
_UNDRAWN = "e.kind IN ('refund', 'reverse') AND p.source = 'obligated'"
_DAY = "(e.at AT TIME ZONE 'Asia/Shanghai')::date"
_MOVED = text(
    "SELECT o.id, o.created_at,"
    f" coalesce(sum(p.amount_fen) FILTER (WHERE {_ISSUED}), 0)"
    f" - coalesce(sum(p.amount_fen) FILTER (WHERE {_UNISSUED}), 0) AS issued_fen,"
    f" count(DISTINCT {_DAY}) FILTER (WHERE {_ISSUED}) AS issue_days,"
    f" coalesce(sum(p.amount_fen) FILTER (WHERE {_DRAWN}), 0)"
    f" - coalesce(sum(p.amount_fen) FILTER (WHERE {_UNDRAWN}), 0) AS drawn_fen,"
    f" count(DISTINCT {_DAY}) FILTER (WHERE {_DRAWN}) AS draw_days"
    " FROM pools o LEFT JOIN (postings p JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id"
    "   AND e.at >= :since AND e.at < :until)"
    " ON p.region_code = o.region_code AND p.pool_id = o.id"
    " WHERE o.region_code = ANY(CAST(:regions AS text[])) AND o.id = ANY(CAST(:pools AS text[]))"
    " GROUP BY o.id, o.created_at"
)
_USABLE = text(
    "SELECT a.pool_id, CAST(sum(a.balance_fen + a.held_fen) AS bigint) AS fen FROM allotments a"
    " JOIN vouchers v ON v.region_code = a.region_code AND v.id = a.voucher_id"
    f" AND v.ended_as IS NULL AND NOT {OVER.format(clock=':at')}"
    " WHERE a.region_code = ANY(CAST(:regions AS text[])) AND a.pool_id = ANY(CAST(:pools AS text[]))"
    " GROUP BY a.pool_id"
)


def forecasts(tx: Connection, rows: Sequence[ExecutionRow], *, at: datetime) -> dict[str, Forecast]:
    """What is to be expected of these pools, by pool id. Two statements, however many pools there are."""
    return {row.pool_id: forecast(seen) for row, seen in zip(rows, observe(tx, rows, at=at), strict=True)}


def observe(tx: Connection, rows: Sequence[ExecutionRow], *, at: datetime) -> list[Observed]:
    """What these pools are and what moved them in the window, in their order."""
    on = civil_date(at)
    asked = {
        "regions": sorted({row.region_code for row in rows}),
        "pools": [row.pool_id for row in rows],
        "since": start_of_day(on - timedelta(days=WINDOW_DAYS)),
        "until": start_of_day(on),
        "at": at,
    }
    usable = {row.pool_id: row.fen for row in tx.execute(_USABLE, asked)}
    moved = {row.id: row for row in tx.execute(_MOVED, asked)}
    return [
        Observed(
            fiscal_year=row.fiscal_year,
            on=on,
            closed=row.closed_at is not None,
            days=_days(civil_date(moved[row.pool_id].created_at), on),
            issued_fen=max(0, int(moved[row.pool_id].issued_fen)),
            issue_days=moved[row.pool_id].issue_days,
            drawn_fen=max(0, int(moved[row.pool_id].drawn_fen)),
            draw_days=moved[row.pool_id].draw_days,
            available_fen=row.standing.available_fen,
            promised_fen=row.standing.committed_fen + row.standing.held_fen,
            usable_fen=usable.get(row.pool_id, 0),
        )
        for row in rows
    ]


def _days(opened_on: date, on: date) -> int:
    """The days of the window: fewer where the pool is younger."""
    return min(WINDOW_DAYS, (on - opened_on).days)
