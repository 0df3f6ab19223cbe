"""The counters of a whole simulation: whose they are, and the view of them that one bill's assessment takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

from app.services.rules.model import Rules
from app.services.rules.position import NOTHING, Bucket, Counter, Position
from app.services.simulation.bills import SimulatedBill

Key = tuple[str, ...]


class Books:
    """A position for every firm, group, contract and voucher whose counters the rules read."""

    def __init__(self, rules: Rules) -> None:
        self._positions: dict[Key, Position] = {}
        self._keys = {scope: KEYS[scope] for scope in sorted({kept.holder for kept in rules.kept})}

    def position_of(self, bill: SimulatedBill) -> Position:
        """What the bill's firm, its group, its contract and its voucher have come to; adding to it adds to each."""
        parts = {scope: self._positions.setdefault(key(bill), Position()) for scope, key in self._keys.items()}
        return next(iter(parts.values())) if len(parts) == 1 else _View(parts)


def _group(bill: SimulatedBill) -> Key:
    """A firm without a declared group is a group of its own."""
    group = bill.facts.holder.get("group")
    return ("group", str(group)) if group is not None else ("group of", bill.firm)


def _voucher(bill: SimulatedBill) -> Key:
    """Bills that name no voucher draw on one voucher per firm."""
    return ("voucher", bill.voucher) if bill.voucher is not None else ("voucher of", bill.firm)


KEYS: Mapping[str, Callable[[SimulatedBill], Key]] = {
    "firm": lambda bill: ("firm", bill.firm),
    "group": _group,
    # A contract is told by its firm and number: two firms may use the same one.
    "contract": lambda bill: ("contract", bill.firm, str(bill.facts.claim.get("contract_no"))),
    "voucher": _voucher,
}
"""Whose counters a bill looks at and adds to, by the scope that caps and brackets name."""


class _View(Position):
    """One position made of several, each of which other bills may look at too."""

    def __init__(self, parts: Mapping[str, Position]) -> None:
        super().__init__()
        self._parts = parts

    def of(self, bucket: Bucket) -> Counter:
        part = self._parts.get(bucket.holder)
        return part.of(bucket) if part is not None else NOTHING

    def within(self, holder: str, category: str, first_on: date, last_on: date) -> Counter:
        part = self._parts.get(holder)
        return part.within(holder, category, first_on, last_on) if part is not None else NOTHING

    def add(self, counts: Iterable[tuple[Bucket, Counter]]) -> None:
        for bucket, counter in counts:
            self._parts[bucket.holder].add([(bucket, counter)])

    def items(self) -> Iterator[tuple[Bucket, Counter]]:
        return iter(sorted(item for part in self._parts.values() for item in part.items()))
