"""Stored payments and recoveries against what the leaves say of them: how far each money is, and what came back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from app.verifier.payments import RECOVERY_WAYS, Payments

Row = Mapping[str, Any]

STEPS = {
    "order_payment": "order_entry_id",
    "confirm_payment": "confirm_entry_id",
    "bounce": "bounce_entry_id",
}
"""By kind of entry, the column of an item that names it; the last that is there says what the item is."""

_ITEM_AFTER = {"order_payment": "in_payment", "confirm_payment": "confirmed", "bounce": "bounced"}
_NOTHING, _UNPAID = [0] * len(RECOVERY_WAYS), [0, 0]


class Compare(Protocol):
    """Notes a finding where the two differ."""

    def __call__(self, table: str, subject: str, expected: object, actual: object) -> None: ...


class PaymentRows:
    """Reads payment items, orders and recoveries, in this order, then answers for redemptions."""

    def __init__(self, payments: Payments, same: Compare) -> None:
        self._payments, self._same = payments, same
        self._entries = set(payments.steps)
        self._recoveries = set(payments.recoveries)
        self._recovered: dict[str, int] = defaultdict(int)
        self._sums: dict[str, list[int]] = {}
        """By order: items, fen."""
        self._states: dict[str, set[str]] = defaultdict(set)
        self._payees: dict[str, set[str]] = defaultdict(set)

    def item(self, row: Row) -> None:
        """A redemption of an order: each entry that it names is of that redemption and amount, and named once."""
        order, redemption, fen = row["order_id"], row["redemption_id"], row["amount_fen"]
        status = row["status"]
        after = "rejected" if status == "rejected" else "proposed"
        for kind, column in STEPS.items():
            if row[column] is None:
                continue
            after, entry = _ITEM_AFTER[kind], row[column]
            step = self._payments.steps.get(entry) if entry in self._entries else None
            self._entries.discard(entry)
            told = "-" if step is None else f"{step.kind} {step.redemption} {step.fen}"
            self._same("payment_items", f"{order} {entry}", told, f"{kind} {redemption} {fen}")
            if step is not None:
                self._payees[order].add(step.payee)
        if status != after:
            self._same("payment_items", f"{order} {redemption} status", after, status)
        self._states[order].add(status if status in {"proposed", "rejected"} else "ordered")
        sums = self._sums.setdefault(order, [0, 0])
        sums[0] += 1
        sums[1] += fen

    def order(self, row: Row) -> None:
        """An order is the sum of its items, for one payee."""
        order = row["id"]
        self._same("payment_orders", order, self._sums.pop(order, [0, 0]), [row["item_count"], row["total_fen"]])
        self._same("payment_orders", f"{order} status", " ".join(sorted(self._states[order])), row["status"])
        for payee in self._payees[order]:
            self._same("payment_orders", f"{order} payee", payee, row["payee_id"])

    def recovery(self, row: Row) -> None:
        """What was claimed, ended as a claim, went back to the pool, and to the treasury."""
        recovery, fen, treasury_fen, status = row["id"], row["amount_fen"], row["treasury_fen"], row["status"]
        self._recoveries.discard(recovery)
        claimed = fen if row["claim_entry_id"] is not None else 0
        back = fen - treasury_fen
        stored = {
            "recorded": [0, 0, 0, 0],
            "due": [fen, 0, 0, 0],
            "received": [fen, back, back, treasury_fen],
            "refunded": [claimed, claimed, 0, 0],
        }[status]
        self._same("recoveries", f"{recovery} {status}", self._payments.recoveries.get(recovery, _NOTHING), stored)
        if status != "refunded":
            self._recovered[row["redemption_id"]] += fen

    def redemption(self, row: Row, redemption: str, left_fen: int) -> None:
        """How far its money is (all that was not refunded), by its payments; and what was to be paid back."""
        status, recovered = row["status"], self._recovered.get(redemption, 0)
        paid = self._payments.paid.get(redemption, _UNPAID)
        stored = _UNPAID
        if status != "posted":
            stored = [0, left_fen] if status == "paid" else [left_fen, 0]
        if paid != stored:
            self._same("paid", f"{redemption} {status}", paid, stored)
        if recovered != row["recovered_fen"]:
            self._same("recovered", redemption, recovered, row["recovered_fen"])

    def missing(self) -> Iterator[tuple[str, set[str]]]:
        """What no stored row tells, by table."""
        yield "payment_items", self._entries
        yield "payment_orders", set(self._sums)
        yield "recoveries", self._recoveries
