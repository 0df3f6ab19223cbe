"""What a bill is held against: declared capacity, admitted prices, usage that was billed before. Values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from app.services.redemption.bills import Bill
from app.services.rules.model import Rules


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a site, or a provider as a whole, declares to have; None where it declares nothing."""

    cards: int | None = None
    pflops: str | None = None
    """FP16, dense; a decimal."""

    @property
    def declared(self) -> bool:
        """Whether anything is."""
        return self.cards is not None or self.pflops is not None

    @staticmethod
    def of_profile(profile: Mapping[str, Any]) -> Capacity:
        """Of a provider's or a site's entry in the registry, where nought means that nothing is declared."""
        pflops = profile.get("capacity_pflops")
        return Capacity(profile.get("capacity_cards") or None, pflops if pflops and Fraction(pflops) else None)


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A row of the price list with which a provider was admitted; `unit_price` is a decimal in 元."""

    category: str
    unit: str
    unit_price: str
    accelerator: str | None = None


@dataclass(frozen=True, slots=True)
class Billed:
    """Where a usage was billed before. Lines count from 1."""

    redemption_id: str
    line: int


class Taken(NamedTuple):
    """What bills take of a site in one measure from one day to another; without a site where they name none."""

    site: str
    unit: str
    first_on: date
    last_on: date
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Short:
    """A line for which other bills leave less than it says: so much of that measure. Lines count from 1."""

    line: int
    site: str | None
    """Whose capacity it is; None for the provider's."""
    unit: str
    left: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """All that one judgement of evidence looks at besides the bill and the rules."""

    provider: Capacity = Capacity()
    sites: Mapping[str, Capacity] = field(default_factory=dict)
    """By the site's code."""
    prices: tuple[ListedPrice, ...] = ()
    billed: Mapping[str, Billed] = field(default_factory=dict)
    """By usage reference: those of this bill that another redemption holds."""
    taken: Sequence[Taken] = ()
    """What other bills take of the provider's capacity, on the days that matter here. Not stored: `short` is."""
    short: tuple[Short, ...] = ()
    """Where that leaves too little, in the order of the lines."""
    by_days: bool = True
    """Whether uses are counted by their days; not so where it was judged before that was done."""

    @property
    def declares(self) -> bool:
        """Whether the provider, or a site of it, has declared a capacity."""
        return self.provider.declared or any(site.declared for site in self.sites.values())

    def looked_at(self, rules: Rules, bill: Bill) -> Grounds:
        """No more of it than these rules look at for this bill: so much is stored with the redemption."""
        checks = rules.bill_checks
        capacity, price = checks.capacity.beyond is not None, checks.price.above_list is not None
        if not (capacity or price or self.billed):
            return _NOTHING
        named = {line.provider_site for line in bill.lines}
        return Grounds(
            provider=self.provider if capacity else Capacity(),
            sites={code: site for code, site in sorted(self.sites.items()) if capacity and code in named},
            prices=self._prices_of(rules, bill) if price else (),
            billed=self.billed if checks.usage_ref.repeated is not None else {},
            short=self.short if capacity else (),
            by_days=self.by_days,
        )

    def _prices_of(self, rules: Rules, bill: Bill) -> tuple[ListedPrice, ...]:
        """The rows of the bill's categories; where there are none the list's first row: that there is a list."""
        categories = {category for line in bill.lines for category in rules.lineage(line.category)}
        return tuple(row for row in self.prices if row.category in categories) or self.prices[:1]

    def stored(self) -> dict[str, Any]:
        """As plain values, as they are stored with a redemption."""
        return {
            "provider": _plain(self.provider),
            "sites": {code: _plain(site) for code, site in self.sites.items()},
            "prices": [price_row(row) for row in self.prices],
            "billed": {ref: {"redemption": one.redemption_id, "line": one.line} for ref, one in self.billed.items()},
            **({"short": [asdict(one) for one in self.short]} if self.short else {}),
        }

    @staticmethod
    def read(stored: Mapping[str, Any]) -> Grounds:
        """What `stored()` wrote."""
        return Grounds(
            provider=Capacity(**stored["provider"]),
            sites={code: Capacity(**site) for code, site in stored["sites"].items()},
            prices=price_list(stored["prices"]),
            billed={ref: Billed(one["redemption"], one["line"]) for ref, one in stored["billed"].items()},
            short=tuple(Short(**one) for one in stored.get("short", ())),
            by_days="uses" in stored,
        )


_NOTHING = Grounds()


def price_row(row: ListedPrice) -> dict[str, Any]:
    """A row of a price list as it is stored and shown."""
    named = {} if row.accelerator is None else {"accelerator": row.accelerator}
    return {"category": row.category, "unit": row.unit, "unit_price": row.unit_price} | named


def price_list(rows: Sequence[Mapping[str, Any]]) -> tuple[ListedPrice, ...]:
    """Stored rows of a price list again."""
    return tuple(ListedPrice(**row) for row in rows)


def _plain(capacity: Capacity) -> dict[str, Any]:
    return {"cards": capacity.cards, "pflops": capacity.pflops}
