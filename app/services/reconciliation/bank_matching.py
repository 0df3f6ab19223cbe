"""Which line of the bank is about which payment, return or receipt of the books, and how the two differ. Pure.

A line finds what is recorded by its reference, whatever day either side gives it. What finds nothing so is about what
its payment order has left to tell: a record under another reference, what is still in payment, what was recorded the
other way round. Exact amounts are paired first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.kernel.vocabulary import BankLineStatus, DifferenceGroup
from app.kernel.widths import half_width

IN_PAYMENT = "in_payment"
"""What the books say of money of which they know no result."""

_OPPOSITE = {BankLineStatus.PAID: BankLineStatus.RETURNED, BankLineStatus.RETURNED: BankLineStatus.PAID}


@dataclass(frozen=True, slots=True)
class BankLine:
    """A line of a live list. `organisation_id` is the finance bureau that sent it. Amounts are fen."""

    list_id: str
    row_no: int
    status: BankLineStatus
    bank_reference: str
    amount_fen: int
    settled_on: date
    order_id: str | None = None
    payee_name: str | None = None
    account_tail: str | None = None
    organisation_id: str = ""

    @property
    def key(self) -> tuple[BankLineStatus, str]:
        """By what it is known: the same reference may stand once for a payment and once for its return."""
        return self.status, self.bank_reference


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the books say that the bank has done: a payment's result, or a receipt of recovered money."""

    ids: tuple[str, ...]
    status: BankLineStatus
    bank_reference: str
    amount_fen: int
    recorded_on: date
    payee_id: str
    payee_name: str
    order_id: str | None = None
    held: bool = True
    """Whether a list tells of the day on which it was recorded, and was sent later."""

    @property
    def key(self) -> tuple[BankLineStatus, str]:
        """As a line that says the same would be known."""
        return self.status, self.bank_reference


@dataclass(frozen=True, slots=True)
class Order:
    """A payment order as it stands: what of it is in payment, confirmed now, and returned without confirmation."""

    id: str
    status: str
    payee_id: str
    payee_name: str
    total_fen: int
    in_payment_fen: int = 0
    confirmed_fen: int = 0
    returned_fen: int = 0
    sent_on: date | None = None
    held: bool = True

    def left_for(self, status: BankLineStatus) -> tuple[tuple[str, int], ...]:
        """What a line with this result can be about, besides what is recorded: the state here, and how much."""
        settled_fen = self.confirmed_fen if status is BankLineStatus.RETURNED else self.returned_fen
        return (IN_PAYMENT, self.in_payment_fen), (_OPPOSITE[status], settled_fen)


@dataclass(frozen=True, slots=True)
class Pair:
    """A line and what it is about, or one of them alone. `kind` is None where they agree, or nothing can be held."""

    kind: DifferenceGroup | None
    happened_on: date
    line: BankLine | None = None
    recorded: Recorded | None = None
    order: Order | None = None
    here_fen: int | None = None
    differs: Mapping[str, list[Any]] = field(default_factory=dict)
    """Of each figure that differs what is here and what is there."""
    first: BankLine | None = None
    """The line that had the reference before."""
    held: bool = True


def match(lines: Iterable[BankLine], recorded: Sequence[Recorded], orders: Mapping[str, Order]) -> list[Pair]:
    """Pair the lines of one region with what its books say. Nothing is in two pairs, everything in one."""
    return list(
        _Matching(recorded, orders).pairs(sorted(lines, key=lambda line: (line.settled_on, line.list_id, line.row_no)))
    )


class _Matching:
    """What has been paired so far."""

    def __init__(self, recorded: Sequence[Recorded], orders: Mapping[str, Order]) -> None:
        self._orders = orders
        self._known = {one.key: one for one in recorded}
        self._waiting = dict(self._known)
        self._of_orders: dict[str | None, list[Recorded]] = defaultdict(list)
        for one in recorded:
            self._of_orders[one.order_id].append(one)
        self._used: Counter[tuple[str, str, str]] = Counter()
        """Per order, state here and result: how much of it lines have been about."""

    def pairs(self, lines: Sequence[BankLine]) -> Iterator[Pair]:
        first: dict[tuple[BankLineStatus, str], BankLine] = {}
        pending = []
        for line in lines:
            before = first.setdefault(line.key, line)
            if before is not line:
                yield self._alone(line, DifferenceGroup.REFERENCE_DOUBLED, before)
            elif (found := self._waiting.pop(line.key, None)) is not None:
                yield self._recorded(line, found)
            else:
                pending.append(line)
        loose = []
        for line in pending:
            pair = self._of_order(line, exact=True, last=False)
            if pair is None:
                loose.append(line)
            else:
                yield pair
        to_come = Counter((line.order_id, line.status) for line in loose)
        together_fen: Counter[str | None] = Counter()
        for line in loose:
            together_fen[line.order_id] += line.amount_fen
        for line in loose:
            to_come[line.order_id, line.status] -= 1
            order = self._orders.get(line.order_id or "")
            in_parts = order is not None and order.in_payment_fen == together_fen[line.order_id]
            last = not in_parts and not to_come[line.order_id, line.status]
            pair = self._of_order(line, exact=False, last=last)
            yield pair or self._alone(line, DifferenceGroup.MISSING_HERE)
        yield from self._silent()

    def _alone(self, line: BankLine, kind: DifferenceGroup, first: BankLine | None = None) -> Pair:
        return Pair(kind, line.settled_on, line, order=self._orders.get(line.order_id or ""), first=first)

    def _recorded(self, line: BankLine, found: Recorded) -> Pair:
        """A line and a record, however they were found to be of one another."""
        order = self._orders.get(found.order_id or "")
        differs: dict[str, list[Any]] = {}
        if found.status != line.status:
            differs["status"] = [found.status, line.status]
        if line.amount_fen != found.amount_fen:
            differs["amount_fen"] = [found.amount_fen, line.amount_fen]
        if line.bank_reference != found.bank_reference:
            differs["bank_reference"] = [found.bank_reference, line.bank_reference]
        if line.order_id is not None and found.order_id is not None and line.order_id != found.order_id:
            differs["order_id"] = [found.order_id, line.order_id]
        if line.status is not BankLineStatus.RECEIVED:
            differs |= _payee(found.payee_name, line)
        return Pair(_kind(differs), line.settled_on, line, found, order, found.amount_fen, differs)

    def _of_order(self, line: BankLine, *, exact: bool, last: bool) -> Pair | None:
        """What its order has left that the line can be about; None where that is nothing."""
        if line.status is BankLineStatus.RECEIVED:
            return None
        other = self._known.get((_OPPOSITE[line.status], line.bank_reference)) if line.order_id is None else None
        order = self._orders.get((other.order_id if other else line.order_id) or "")
        if order is None:
            return None
        in_payment, settled = order.left_for(line.status)
        return (
            self._record_of(line, order, line.status, exact=exact)
            or self._part_of(line, order, in_payment, exact=exact, last=last)
            or self._record_of(line, order, _OPPOSITE[line.status], exact=exact)
            or self._part_of(line, order, settled, exact=exact, last=last)
        )

    def _record_of(self, line: BankLine, order: Order, status: BankLineStatus, *, exact: bool) -> Pair | None:
        for found in self._of_orders[order.id]:
            if (
                found.status == status
                and found.key in self._waiting
                and (not exact or found.amount_fen == line.amount_fen)
            ):
                del self._waiting[found.key]
                if status != line.status:
                    self._used[order.id, status, line.status] += found.amount_fen
                return self._recorded(line, found)
        return None

    def _part_of(self, line: BankLine, order: Order, part: tuple[str, int], *, exact: bool, last: bool) -> Pair | None:
        state, whole_fen = part
        left_fen = whole_fen - self._used[order.id, state, line.status]
        if left_fen <= 0 or (exact and left_fen != line.amount_fen):
            return None
        here_fen = left_fen if last or exact else min(left_fen, line.amount_fen)
        self._used[order.id, state, line.status] += here_fen
        differs: dict[str, list[Any]] = {"status": [state, line.status]}
        if here_fen != line.amount_fen:
            differs["amount_fen"] = [here_fen, line.amount_fen]
        differs |= _payee(order.payee_name, line)
        kind = _kind(differs)
        if state == IN_PAYMENT and here_fen != line.amount_fen:
            kind = DifferenceGroup.DIFFERING_AMOUNT  # that no result is known yet is the lesser of the two
        return Pair(kind, line.settled_on, line, None, order, here_fen, differs)

    def _silent(self) -> Iterator[Pair]:
        """What no line is about."""
        for found in self._waiting.values():
            kind = DifferenceGroup.MISSING_THERE if found.held else None
            order = self._orders.get(found.order_id or "")
            yield Pair(kind, found.recorded_on, None, found, order, found.amount_fen, {}, held=found.held)
        for order in self._orders.values():
            told = any(self._used[order.id, IN_PAYMENT, status] for status in _OPPOSITE)
            if order.in_payment_fen and order.sent_on is not None and not told:
                kind = DifferenceGroup.MISSING_THERE if order.held else None
                yield Pair(kind, order.sent_on, None, None, order, order.in_payment_fen, {}, held=order.held)


def _kind(differs: Mapping[str, object]) -> DifferenceGroup | None:
    if "status" in differs:
        return DifferenceGroup.DIFFERING_STATUS
    return DifferenceGroup.DIFFERING_AMOUNT if differs else None


def _payee(name: str, line: BankLine) -> dict[str, list[Any]]:
    if line.payee_name is None or _plain(line.payee_name) == _plain(name):
        return {}
    return {"payee_name": [name, line.payee_name]}


def _plain(name: str) -> str:
    """A name without the accidents of typing: width of letters and brackets, spaces, case."""
    return "".join(half_width(name).split()).casefold()
