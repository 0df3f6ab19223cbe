"""What bills take of their providers' capacity, in the database: days locked after positions, read, added to.

The lock is a provider's day, so bills for different days go side by side. Set-based, and asked only where the rules
hold bills against capacity and the provider has declared one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy import Connection

from app.kernel.rates import decimal_text
from app.services.redemption.capacity_uses import MAX_DAYS, Counted, Days
from app.services.redemption.grounds import Taken
from app.sql import Statement, ask_now, pipelined

ProviderKey = tuple[str, str]
"""(region_code, provider id)."""

DayKey = tuple[str, str, date]
"""(region_code, provider id, day)."""

_DAYS = (
    "(SELECT region_code, provider_id, CAST(day AS date) AS day"
    " FROM unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:days AS text[]))"
    " AS given(region_code, provider_id, day)) AS asked"
)
_OPEN = Statement(
    "INSERT INTO capacity_uses (region_code, provider_id, first_on, last_on, site, unit, amount)"
    f" SELECT region_code, provider_id, day, day, '', '', 0 FROM {_DAYS}"
    " ORDER BY region_code, provider_id, day ON CONFLICT DO NOTHING"
)
_LOCK = (
    f"SELECT u.region_code, u.provider_id, u.first_on FROM capacity_uses u JOIN {_DAYS}"
    " ON u.region_code = asked.region_code AND u.provider_id = asked.provider_id"
    " AND u.first_on = asked.day AND u.last_on = asked.day AND u.site = '' AND u.unit = ''"
    " ORDER BY u.region_code, u.provider_id, u.first_on FOR NO KEY UPDATE OF u"
)
_LOCK_WAITING = Statement(_LOCK)
_LOCK_SKIPPING = Statement(_LOCK + " SKIP LOCKED")
_READ = Statement(
    "SELECT DISTINCT u.region_code, u.provider_id, u.site, u.unit, u.first_on, u.last_on, u.amount FROM ("
    "SELECT asked.region_code, asked.provider_id, least(asked.first_on, min(o.first_on)) AS since,"
    " greatest(asked.last_on, max(o.last_on)) AS until FROM ("
    "SELECT region_code, provider_id, CAST(first_on AS date) AS first_on, CAST(last_on AS date) AS last_on"
    " FROM unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:firsts AS text[]),"
    " CAST(:lasts AS text[])) AS given(region_code, provider_id, first_on, last_on)) AS asked"
    " LEFT JOIN capacity_uses o ON o.region_code = asked.region_code AND o.provider_id = asked.provider_id"
    f" AND o.first_on BETWEEN asked.first_on - {MAX_DAYS - 1} AND asked.last_on AND o.last_on >= asked.first_on"
    " AND o.unit <> '' AND o.amount > 0"
    " GROUP BY asked.region_code, asked.provider_id, asked.first_on, asked.last_on) AS reach"
    " JOIN capacity_uses u ON u.region_code = reach.region_code AND u.provider_id = reach.provider_id"
    " AND u.first_on BETWEEN reach.since AND reach.until AND u.last_on <= reach.until"
    " AND u.unit <> '' AND u.amount > 0"
)
_WRITE = Statement(
    "INSERT INTO capacity_uses (region_code, provider_id, first_on, last_on, site, unit, amount)"
    " SELECT region_code, provider_id, CAST(first_on AS date), CAST(last_on AS date), site, unit,"
    " CAST(amount AS numeric)"
    " FROM unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:firsts AS text[]),"
    " CAST(:lasts AS text[]), CAST(:sites AS text[]), CAST(:units AS text[]), CAST(:amounts AS text[]))"
    " AS given(region_code, provider_id, first_on, last_on, site, unit, amount)"
    " ON CONFLICT (region_code, provider_id, first_on, last_on, site, unit) DO UPDATE SET amount = excluded.amount"
)

_Row = tuple[date, date, str, str]
"""(first day, last day, site, unit)."""


@dataclass(slots=True)
class CapacityUses:
    """What is taken of the capacity of one transaction's providers, as it evolves, and what has been added to it."""

    _amounts: dict[ProviderKey, dict[_Row, Fraction]] = field(default_factory=dict)
    _touched: set[tuple[ProviderKey, _Row]] = field(default_factory=set)

    def of(self, key: ProviderKey) -> tuple[Taken, ...]:
        """What is taken of a provider's capacity by now."""
        rows = self._amounts.get(key, {})
        return tuple(
            Taken(site, unit, first_on, last_on, amount) for (first_on, last_on, site, unit), amount in rows.items()
        )

    def add(self, key: ProviderKey, counted: Iterable[Counted]) -> None:
        """Let the next bill see what this one counts, or what a refund takes off (below zero). Its days are locked."""
        rows = self._amounts.setdefault(key, {})
        for taken in (one.taken for one in counted):
            row = (taken.first_on, taken.last_on, taken.site, taken.unit)
            rows[row] = rows.get(row, Fraction(0)) + taken.amount
            self._touched.add((key, row))

    def write(self, tx: Connection) -> None:
        """Write what has changed, in one statement. The days' locks make the values those of the database."""
        if not self._touched:
            return
        names = ("regions", "providers", "firsts", "lasts", "sites", "units", "amounts")
        rows = [
            (*key, first_on.isoformat(), last_on.isoformat(), site, unit, decimal_text(self._amounts[key][row]))
            for key, row in sorted(self._touched)
            for first_on, last_on, site, unit in (row,)
        ]
        _WRITE.send(tx, {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


class CapacityAsked(NamedTuple):
    """Whose capacity a bill is held against, and the days of its uses."""

    provider: ProviderKey
    days: frozenset[Days]


def lock_capacity(
    tx: Connection, asked: Mapping[int, CapacityAsked], *, wait: bool
) -> tuple[list[int], CapacityUses, datetime]:
    """Lock the days of bills in sorted order; then say what is taken there, and what time it is. One journey.

    Says first which bills have to wait, by their keys: with `wait` false, a day that somebody else holds is left out.
    What is taken is told for the days of all uses that share a day with these. Without a lock of their own the days
    around may change meanwhile: of those it is as it was a moment before.
    """
    keys = {place: {(*one.provider, day) for days in one.days for day in days.each()} for place, one in asked.items()}
    with pipelined(tx):
        locked = _ask_locked(tx, {key for of_place in keys.values() for key in of_place}, wait=wait)
        uses = _ask_uses(tx, {(one.provider, days) for one in asked.values() for days in one.days})
        clock = ask_now(tx)
    free = locked()
    return [place for place, of_place in keys.items() if not of_place <= free], uses(), clock()


def lock_given_back(tx: Connection, provider: ProviderKey, counted: Sequence[Counted]) -> CapacityUses:
    """Lock the days of what a refund gives back, and read what is taken there; ask nothing where that is nothing."""
    days = frozenset(Days(one.taken.first_on, one.taken.last_on) for one in counted)
    return lock_capacity(tx, {0: CapacityAsked(provider, days)}, wait=True)[1] if days else CapacityUses()


def read_taken(tx: Connection, provider: ProviderKey, days: Collection[Days]) -> tuple[Taken, ...]:
    """What is taken of a provider's capacity there, without a lock: for what only asks."""
    return _ask_uses(tx, {(provider, own) for own in days})().of(provider)


def _ask_locked(tx: Connection, keys: Collection[DayKey], *, wait: bool) -> Callable[[], set[DayKey]]:
    columns = zip(*sorted(keys), strict=True)
    regions, providers, days = (list(column) for column in columns)
    asked = {"regions": regions, "providers": providers, "days": [day.isoformat() for day in days]}
    _OPEN.send(tx, asked)
    rows = (_LOCK_WAITING if wait else _LOCK_SKIPPING).ask(tx, asked)
    return lambda: {tuple(row) for row in rows()}


def _ask_uses(tx: Connection, spans: Collection[tuple[ProviderKey, Days]]) -> Callable[[], CapacityUses]:
    ordered = sorted(spans)
    rows = _READ.ask(
        tx,
        {
            "regions": [region_code for (region_code, _), _ in ordered],
            "providers": [provider_id for (_, provider_id), _ in ordered],
            "firsts": [days.first_on.isoformat() for _, days in ordered],
            "lasts": [days.last_on.isoformat() for _, days in ordered],
        },
    )

    def uses() -> CapacityUses:
        found: dict[ProviderKey, dict[_Row, Fraction]] = {}
        for row in rows():
            of_provider = found.setdefault((row.region_code, row.provider_id), {})
            of_provider[row.first_on, row.last_on, row.site, row.unit] = Fraction(row.amount)
        return CapacityUses(found)

    return uses
