"""From usage rows to bills: which voucher, which machine, which order number and key. Pure.

Everything about a bill follows from (file, seed, row), never from what is left anywhere. So a replay that was
interrupted sends the same requests again, gets the stored answers for those that were decided, and ends with the same
totals. Bills on one voucher draw on one balance, hence their order matters: they form a lane and are sent one after
the other in the order of the file. Lanes have nothing in common and may run side by side.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from app.services.redemption.bills import BillLine
from app.services.usage.billing import bill_line
from app.services.usage.mapping import PriceList
from app.services.usage.reading import UsageRow

_REFERENCE = re.compile("[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A voucher that may be drawn on, and the machines whose providers may draw on it."""

    voucher_code: str
    client_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One bill on its way: sent by `client_id` under `key`, however often."""

    row: int
    client_id: str
    key: str
    voucher_code: str
    order_no: str
    line: BillLine

    def body(self) -> dict[str, Any]:
        """The redemption's request."""
        line = {name: value for name, value in self.line.facts().items() if value is not None}
        return {
            "voucher_code": self.voucher_code,
            "order_no": self.order_no,
            "bill": {"total_fen": self.line.amount_fen, "lines": [line]},
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """A usage file, read to its end. `sha256` is of its bytes."""

    name: str
    sha256: str
    billable: tuple[UsageRow, ...]
    skipped: dict[str, int]

    @property
    def card_hours(self) -> Fraction:
        """Of the rows that are billed."""
        return sum((row.card_hours for row in self.billable), Fraction(0))


def make_orders(
    usage: Usage, prices: PriceList, places: Sequence[Place], *, seed: int, series: str = ""
) -> list[Order]:
    """A bill for each billable row, in the order of the file; `places` must come in an order that does not change.

    `series` sets replays of one file and seed apart that draw on different vouchers of one service on purpose.
    """
    orders = []
    for row in usage.billable:
        place = places[draw(seed, row.row, "voucher", len(places))]
        number = order_no(usage.sha256, seed, row.row, series=series)
        orders.append(
            Order(
                row=row.row,
                client_id=place.client_ids[draw(seed, row.row, "provider", len(place.client_ids))],
                key=f"replay-{number}",
                voucher_code=place.voucher_code,
                order_no=number,
                line=_line(row, prices),
            )
        )
    return orders


def split_into_lanes(orders: Iterable[Order]) -> list[list[Order]]:
    """The orders of each voucher, in their order; the longest lane first, so that none is left over at the end."""
    lanes: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        lanes[order.voucher_code].append(order)
    return sorted(lanes.values(), key=len, reverse=True)


def draw(seed: int, row: int, what: str, choices: int) -> int:
    """A number from 0 to `choices` − 1 that depends on seed, row and purpose and on nothing else."""
    digest = hashlib.sha256(f"{seed}/{row}/{what}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices


def order_no(file_sha256: str, seed: int, row: int, *, series: str = "") -> str:
    """The provider's own number of the bill: taken once, for ever. 128 bits of the file's hash tell files apart."""
    return f"{series}{file_sha256[:32]}-{seed}-{row}"


def _line(row: UsageRow, prices: PriceList) -> BillLine:
    line = bill_line(row, prices)
    if line.usage_ref is None or _REFERENCE.fullmatch(line.usage_ref):
        return line
    # A job id that the API does not take as a reference; the order number names file and row anyway.
    return replace(line, usage_ref=None)
