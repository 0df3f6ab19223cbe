"""Which entries may move what, and what that does to a voucher: the tables of the ledger, written down once more."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES = frozenset({"appropriation", "authorised", "recovery_claimed"})
"""Where money comes from: never above zero. All other accounts are never below it."""

GRANTED = ("appropriation", "authorised")
STAGES = ("available", "committed", "held", "obligated", "in_payment", "disbursed", "lapsed")
"""A pool's identity: what was granted is the sum of these."""

MOVES: Mapping[str, frozenset[tuple[str, str]]] = {
    kind: frozenset((way.split(">")[0], way.split(">")[1]) for way in ways.split())
    for kind, ways in {
        "appropriate": "appropriation>available",
        "adjust": "appropriation>available available>appropriation",
        "issue": "available>committed",
        "hold": "committed>held",
        "release": "held>committed held>available held>lapsed",
        "redeem": "committed>obligated held>obligated held>committed",
        "refund": "obligated>committed obligated>available obligated>lapsed",
        "expire": "committed>available committed>lapsed",
        "void": "committed>available committed>lapsed",
        "surrender": "committed>available committed>lapsed",
        "order_payment": "obligated>in_payment",
        "bounce": "in_payment>obligated disbursed>obligated",
        "confirm_payment": "in_payment>disbursed",
        "recover": "disbursed>available recovery_claimed>recovery_due recovery_due>recovery_claimed"
        " recovery_due>treasury",
        "lapse": "available>lapsed",
        "authorise": "authorised>available",
        "move": "available>appropriation appropriation>available committed>available held>available obligated>available"
        " available>committed available>held available>obligated",
    }.items()
}
"""By kind of entry. `reverse` mirrors another entry and has no moves of its own."""

TWO_PERSONS = frozenset({"appropriate", "adjust", "issue", "void", "order_payment", "authorise", "move", "reverse"})

SPENDING = frozenset({"appropriate", "adjust", "authorise", "issue", "hold", "redeem"})
"""What a closed year no longer sees. Money may still come back to it, leave it or lapse, and be paid out of it."""

PAYING = frozenset({"order_payment", "confirm_payment", "bounce"})
"""The steps of a payment, each of one redemption."""

FACE, BALANCE, HELD, REDEEMED, RECOVERED, EXPIRED, VOIDED, SURRENDERED = range(8)
PARTS = ("face", "balance", "held", "redeemed", "recovered", "expired", "voided", "surrendered")
"""A voucher's face is the sum of the others; the same counters per allotment, its share in one pool."""

LIES_ON: Mapping[str, int] = {
    "committed": BALANCE,
    "held": HELD,
    "obligated": REDEEMED,
    "in_payment": REDEEMED,
    "disbursed": REDEEMED,
}
"""Which part of a voucher what lies on an account counts as."""

ENDS: Mapping[str, int] = {"expired": EXPIRED, "voided": VOIDED, "surrendered": SURRENDERED}
OWED = frozenset({"obligated", "in_payment", "disbursed"})
"""Accounts on which money belongs to a payee."""
