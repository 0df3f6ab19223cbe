"""What a bill takes of its provider's capacity, day by day, and what a refund gives back of it. Pure.

A use counts from its first to its last day, as Asia/Shanghai counts them, for the site that it names and for the
provider as a whole. What was counted is stored with the redemption: the counters follow from redemptions and refunds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from app.kernel.clock import civil_date
from app.kernel.rates import decimal_text, parse_decimal
from app.services.evidence.accelerators import CARD_HOUR, PFLOPS_HOUR
from app.services.redemption.bills import QUANTITY_DECIMALS, Bill, BillLine
from app.services.redemption.grounds import Grounds, Taken
from app.services.redemption.signs import Numbered

MAX_DAYS = 366
"""Days that the times of one bill may touch together: each is a lock of its own."""
LEFT_DECIMALS = 12
"""Of what a refund leaves of a line, rounded down: no less than any converted card-hours have."""

_MOMENT = timedelta(microseconds=1)


class Days(NamedTuple):
    """The first and the last day of a use."""

    first_on: date
    last_on: date

    @property
    def length(self) -> int:
        """How many there are."""
        return (self.last_on - self.first_on).days + 1

    def each(self) -> Iterable[date]:
        """All of them."""
        return (self.first_on + timedelta(days=n) for n in range(self.length))


class Counted(NamedTuple):
    """What one line counts in one measure."""

    line: int
    """From 1."""
    taken: Taken

    def stored(self) -> dict[str, Any]:
        """As plain values, as they are stored with a redemption or a refund."""
        amount = self.taken.amount
        return {
            "line": self.line,
            "site": self.taken.site or None,
            "unit": self.taken.unit,
            "first_on": self.taken.first_on.isoformat(),
            "last_on": self.taken.last_on.isoformat(),
            "amount": f"-{decimal_text(-amount)}" if amount < 0 else decimal_text(amount),
        }


def amounts_of(line: BillLine) -> dict[str, Fraction]:
    """What a line says in each measure of capacity; nothing where it is no compute."""
    if line.unit not in {CARD_HOUR, PFLOPS_HOUR}:
        return {}
    amounts = {line.unit: parse_decimal(line.quantity, max_decimals=QUANTITY_DECIMALS, max_digits=18)}
    return amounts if line.pflops_hours is None else amounts | {PFLOPS_HOUR: Fraction(line.pflops_hours)}


def days_of(bill: Bill) -> tuple[dict[int, Days], dict[int, int]]:
    """The days of each line of compute (number from 1), and the lines with which they become more than `MAX_DAYS`.

    Of these it is told how many they would be; they are not counted. Lines without times have no days.
    """
    days: dict[int, Days] = {}
    most = 0
    for number, line in enumerate(bill.lines, start=1):
        if line.used_from is None or line.used_until is None or not amounts_of(line):
            continue
        first_on = civil_date(line.used_from)
        own = days[number] = Days(first_on, max(first_on, civil_date(line.used_until - _MOMENT)))
        most += own.length
    if most <= MAX_DAYS:  # as of nearly every bill: no need to see which days are the same
        return days, {}
    too_many: dict[int, int] = {}
    touched: set[date] = set()
    for number, own in list(days.items()):
        length = own.length if own.length > MAX_DAYS else len(touched.union(own.each()))
        if length > MAX_DAYS:
            too_many[number] = length
            del days[number]
        else:
            touched.update(own.each())
    return days, too_many


def counted(bill: Bill, covered: Iterable[Numbered], grounds: Grounds) -> list[Counted]:
    """What the covered lines of a bill count. Nothing where neither their sites nor the provider declare a capacity."""
    if not grounds.declares:
        return []
    days, _ = days_of(bill)
    return [
        Counted(
            number, Taken(site if (site := line.provider_site) in grounds.sites and site else "", unit, *span, amount)
        )
        for number, line in covered
        if (span := days.get(number)) is not None
        for unit, amount in sorted(amounts_of(line).items())
        if amount
    ]


def counted_by(evidence: Mapping[str, Any] | None) -> list[Counted]:
    """What a redemption counted, from what is stored with it."""
    return [
        Counted(
            row["line"],
            Taken(
                row["site"] or "",
                row["unit"],
                date.fromisoformat(row["first_on"]),
                date.fromisoformat(row["last_on"]),
                Fraction(row["amount"]),
            ),
        )
        for row in (evidence or {}).get("uses", ())
    ]


def given_back(facts: Mapping[str, Any], cancelled: Mapping[int, int], refunded: Mapping[int, int]) -> list[Counted]:
    """What a refund takes off again (amounts below zero), from a redemption's stored facts.

    `cancelled` is what it cancels of each line, `refunded` all that has been cancelled with it, in fen. What is left
    of a line counts in proportion to what is left of its amount.
    """
    whole_fen = {number: line["amount_fen"] for number, line in enumerate(facts["bill"]["lines"], start=1)}

    def left(one: Counted, refunded_fen: int) -> Fraction:
        share = Fraction(whole_fen[one.line] - refunded_fen, whole_fen[one.line])
        return Fraction(int(one.taken.amount * share * 10**LEFT_DECIMALS), 10**LEFT_DECIMALS)

    changes = [
        one._replace(
            taken=one.taken._replace(
                amount=left(one, refunded[one.line]) - left(one, refunded[one.line] - cancelled[one.line])
            )
        )
        for one in counted_by(facts.get("evidence"))
        if cancelled.get(one.line)
    ]
    return [one for one in changes if one.taken.amount]
