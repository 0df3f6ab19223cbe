"""The price of a job: card-hours times the price of a card-hour, as one line of a bill."""

from __future__ import annotations

from app.kernel.rates import Rounding, round_to
from app.services.redemption.bills import QUANTITY_DECIMALS, BillLine
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow

_QUANTITY_UNITS = 10**QUANTITY_DECIMALS


def bill_line(row: UsageRow, prices: PriceList) -> BillLine:
    """What the job costs. Pure: the same row and prices give the same line.

    The card-hours are rounded half up to six decimals, and the amount is that quantity times the unit price, half up
    to the fen. Whatever was used is billed: at least a millionth of a card-hour and at least one fen.
    """
    millionths = max(1, round_to(row.card_hours * _QUANTITY_UNITS, 1, Rounding.HALF_UP))
    whole, decimals = divmod(millionths, _QUANTITY_UNITS)
    exact_fen = millionths * prices.unit_price_fen(row.gpu_model) / _QUANTITY_UNITS
    return BillLine(
        category=prices.category,
        quantity=f"{whole}.{decimals:0{QUANTITY_DECIMALS}d}",
        unit=prices.unit,
        unit_price=prices.unit_price(row.gpu_model),
        amount_fen=max(1, round_to(exact_fen, 1, Rounding.HALF_UP)),
        used_from=row.used_from,
        used_until=row.used_until,
        usage_ref=row.job_id,
    )
