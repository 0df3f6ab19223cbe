"""GPU usage records as bills: the time from the trace, the price from its mapping, the firm from the caller. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta

from app.kernel.clock import start_of_day
from app.kernel.rates import Rounding, round_to
from app.services.rules.facts import Facts, Line, Value
from app.services.simulation.bills import SimulatedBill
from app.services.usage.billing import bill_line
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow

_AMOUNTS = ("contracted", "assessed", "invoiced", "paid", "metered")
_MICROSECOND = timedelta(microseconds=1)


def bills_of_usage(
    rows: Iterable[UsageRow],
    prices: PriceList,
    *,
    firm_of: Callable[[int], str],
    start_on: date,
    category: str | None = None,
) -> list[SimulatedBill]:
    """One bill per job, claimed when the job ended, by the firm that `firm_of` gives for its row.

    A trace that hides its date begins at the start of `start_on`, Asia/Shanghai. What was metered counts as contracted,
    assessed, invoiced and paid in full. `category` stands for the price list's own where it is given.
    """
    filed_under = category or prices.category
    origin = start_of_day(start_on)
    return [_bill(row, prices, firm=firm_of(row.row), origin=origin, category=filed_under) for row in rows]


def _bill(row: UsageRow, prices: PriceList, *, firm: str, origin: datetime, category: str) -> SimulatedBill:
    priced = bill_line(row, prices)
    used_from = row.used_from or origin + round_to(row.started_s * 10**6, 1, Rounding.FLOOR) * _MICROSECOND
    used_until = row.used_until or origin + round_to(row.ended_s * 10**6, 1, Rounding.FLOOR) * _MICROSECOND
    line = Line(
        category=category,
        amount_fen=priced.amount_fen,
        quantity=priced.quantity,
        unit=priced.unit,
        unit_price=priced.unit_price,
        used_from=used_from,
        used_until=used_until,
        amounts_fen=dict.fromkeys(_AMOUNTS, priced.amount_fen),
        facts=_gpu(row),
    )
    return SimulatedBill(firm, Facts(lines=[line], at=used_until))


def _gpu(row: UsageRow) -> Mapping[str, Value]:
    return {"gpu_model": row.gpu_model} if row.gpu_model is not None else {}
