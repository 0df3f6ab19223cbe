"""Payments and recoveries as the leaves tell them: how far each redemption's money is, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

from app.verifier.leaves import Leaf

PAID_ACCOUNTS = ("in_payment", "disbursed")
RECOVERY_WAYS = (
    ("recovery_claimed", "recovery_due"),
    ("recovery_due", "recovery_claimed"),
    ("disbursed", "available"),
    ("recovery_due", "treasury"),
)
"""What is claimed, what ends as a claim, what the pools have again, what the treasury gets."""


class Step(NamedTuple):
    """An entry of a payment: all of it is one redemption's, for one payee."""

    kind: str
    redemption: str
    fen: int
    payee: str


class Payments:
    """The running state, by the ids that the leaves name. Some 400 bytes for each step."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.paid: dict[str, list[int]] = {}
        """What of a redemption is in payment, and what was paid."""
        self.recoveries: dict[str, list[int]] = {}
        """What of a recovery went each of the ways."""

    def step(self, leaf: Leaf) -> Step:
        """Take in an order, a confirmation or a bounce."""
        postings = leaf.postings
        payee = " ".join(sorted({str(posting.payee) for posting in postings}))
        fen = sum(posting.fen for posting in postings)
        step = self.steps[leaf.id] = Step(intern(leaf.kind), leaf.subject, fen, intern(payee))
        paid = self.paid.setdefault(leaf.subject, [0, 0])
        for posting in postings:
            for place, account in enumerate(PAID_ACCOUNTS):
                paid[place] += posting.fen * ((posting.destination == account) - (posting.source == account))
        return step

    def recover(self, leaf: Leaf) -> None:
        """Take in a claim, its end, or money that came back."""
        sums = self.recoveries.setdefault(leaf.subject, [0] * len(RECOVERY_WAYS))
        for posting in leaf.postings:
            way = (posting.source, posting.destination)
            if way in RECOVERY_WAYS:
                sums[RECOVERY_WAYS.index(way)] += posting.fen

    def to_json(self) -> dict[str, Any]:
        """For the state file."""
        steps = {entry: list(step) for entry, step in self.steps.items()}
        return {"steps": steps, "paid": self.paid, "recoveries": self.recoveries}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Payments:
        """As `to_json` wrote them."""
        payments = cls()
        payments.steps = {entry: Step(*step) for entry, step in written["steps"].items()}
        payments.paid, payments.recoveries = dict(written["paid"]), dict(written["recoveries"])
        return payments
