"""The running state of one region's books: every value derived from the leaves, every invariant judged on the way.

Amounts are fen. A state of n leaves takes some 500 bytes for each, most of it for the ids that no later leaf may have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from app.verifier.findings import Findings
from app.verifier.moves import (
    ENDS,
    FACE,
    GRANTED,
    LIES_ON,
    MOVES,
    OWED,
    PARTS,
    PAYING,
    RECOVERED,
    SOURCES,
    SPENDING,
    STAGES,
    TWO_PERSONS,
)
from app.verifier.payments import Payments

RETURNING = frozenset({"refund", "reverse"})
REGIONAL = ("programme", "voucher", "subject", "rules", "reverses", "approval")
HOLD_PARTS = ("amount", "held", "redeemed", "released")


class Books:
    """Balances by pool, by voucher and pool, by hold and pool, by payee; what was seen of entries and subjects."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.pools: dict[str, dict[str, int]] = {}
        self.allotments: dict[tuple[str, str], list[int]] = {}
        self.sequence: dict[str, int] = {}
        """How many postings a voucher has had."""
        self.spent: dict[str, tuple[str, str]] = {}
        """First and last instant at which something new was drawn on a voucher."""
        self.holds: dict[tuple[str, str], list[int]] = {}
        self.hold_ends: dict[str, int] = {}
        """The leaf of the release that ended a hold."""
        self.payees: dict[tuple[str, str], int] = defaultdict(int)
        self.drawn: dict[str, int] = {}
        """What a subject (a redemption) made owed."""
        self.returned: dict[str, int] = defaultdict(int)
        """What a subject (a refund) took back."""
        self.payments = Payments()
        self.used_at: dict[str, str] = {}
        """The last instant at which a pool was spent from, or had anything available again."""
        self.lapsed_at: dict[str, str] = {}
        """When what a pool had available lapsed: its year was closed."""
        self.index_of: dict[str, int] = {}
        self.pairs: dict[str, list[int]] = {}
        """Of two entries that move money between pools: how many there are, and what they leave over."""
        self.reversals: dict[str, int] = {}
        """Reversed entries and the leaves that reverse them; compared when all leaves are read."""

    def apply(self, leaf: Mapping[str, Any], index: int, findings: Findings) -> None:
        """Take one leaf in. What is wrong is noted, and the leaf counts all the same."""
        leaf_id, region = leaf["id"], self.region
        seen = self.index_of.setdefault(leaf_id, index)
        if seen != index:
            findings.add(
                "leaf_twice", region, leaf_id, expected=f"#{seen}", actual=f"#{index}", index=index, entry=leaf_id
            )
        if leaf["region"] != region or leaf_id[4:10] != region:
            findings.add("region", region, leaf_id, expected=region, actual=leaf["region"], index=index, entry=leaf_id)
        if leaf["type"] != "entry":
            return
        kind, maker = leaf["kind"], leaf["maker"]
        if kind in TWO_PERSONS or maker is not None:
            checker = leaf["checker"]
            if maker is None or checker is None or maker == checker or leaf["approval"] is None:
                findings.add("two_persons", region, kind, actual=f"{maker} / {checker}", index=index, entry=leaf_id)
        for member in REGIONAL:
            named = leaf[member]
            if named and named[4:10] != region:
                findings.add("region", region, named, expected=region, actual=named[4:10], index=index, entry=leaf_id)
        reversed_id = leaf["reverses"]
        if reversed_id is not None or kind == "reverse":
            self._reversal(leaf, index, findings)
        self._postings(leaf, index, findings)
        if kind == "release":
            self._release(leaf, index, findings)
        elif kind in PAYING:
            self.payments.step(leaf)
        elif kind == "recover":
            self.payments.recover(leaf)
        if kind == "move":
            self._pair(leaf)
        else:
            self._year(leaf)

    def _postings(self, leaf: Mapping[str, Any], index: int, findings: Findings) -> None:
        leaf_id, kind, region = leaf["id"], leaf["kind"], self.region
        moves = MOVES.get(kind)
        if moves is None and kind != "reverse":
            findings.add("kind", region, kind, index=index, entry=leaf_id)
        owed = returned = 0
        touched: list[tuple[str, dict[str, int], str]] = []
        for posting in leaf["postings"]:
            source, destination, fen, pool_id = posting["from"], posting["to"], posting["fen"], posting["pool"]
            if moves is not None and (source, destination) not in moves:
                findings.add("moves", region, kind, actual=f"{source} → {destination}", index=index, entry=leaf_id)
            if pool_id[4:10] != region:
                findings.add(
                    "region", region, pool_id, expected=region, actual=pool_id[4:10], index=index, entry=leaf_id
                )
            pool = self.pools.get(pool_id)
            if pool is None:
                pool = self.pools[pool_id] = defaultdict(int)
            pool[source] -= fen
            pool[destination] += fen
            if pool[source] < 0 or pool[destination] < 0 or source in SOURCES or destination in SOURCES:
                touched += ((pool_id, pool, source), (pool_id, pool, destination))
            if destination == "obligated":
                owed += fen
            if source in OWED:
                returned += fen
            if posting["payee"] is not None:
                self._owed(posting["payee"], source, destination, fen, leaf_id, index, findings)
            if posting["voucher"] is not None:
                self._voucher(leaf, posting, index, findings)
            if "hold" in posting:
                self._hold(posting, leaf, index, findings)
        for pool_id, pool, account in touched:  # judged when all of the entry has moved
            balance = pool[account]
            if (balance > 0) if account in SOURCES else (balance < 0):
                subject = f"{pool_id} {account}"
                findings.add("pool_below_zero", region, subject, actual=balance, index=index, entry=leaf_id)
        if kind == "redeem" or kind in RETURNING:
            self._subject(leaf, owed, returned, index, findings)

    def _subject(self, leaf: Mapping[str, Any], owed: int, returned: int, index: int, findings: Findings) -> None:
        subject = leaf["subject"]
        if leaf["kind"] != "redeem":
            self.returned[subject] += returned
            return
        if subject in self.drawn:
            findings.add("subject_twice", self.region, subject, index=index, entry=leaf["id"])
        self.drawn[subject] = self.drawn.get(subject, 0) + owed

    def _owed(
        self, payee: str, source: str, destination: str, fen: int, leaf_id: str, index: int, findings: Findings
    ) -> None:
        if source in OWED:
            left = self.payees[payee, source] - fen
            self.payees[payee, source] = left
            if left < 0:
                subject = f"{payee} {source}"
                findings.add("payee_below_zero", self.region, subject, actual=left, index=index, entry=leaf_id)
        if destination in OWED:
            self.payees[payee, destination] += fen

    def _voucher(self, leaf: Mapping[str, Any], posting: Mapping[str, Any], index: int, findings: Findings) -> None:
        leaf_id, region, voucher_id, fen = leaf["id"], self.region, posting["voucher"], posting["fen"]
        if voucher_id[4:10] != region or (leaf["voucher"] is not None and leaf["voucher"] != voucher_id):
            findings.add(
                "voucher",
                region,
                voucher_id,
                expected=leaf["voucher"] or region,
                actual=voucher_id,
                index=index,
                entry=leaf_id,
            )
        last = self.sequence.get(voucher_id, 0)
        if posting["seq"] != last + 1:
            findings.add(
                "voucher_seq", region, voucher_id, expected=last + 1, actual=posting["seq"], index=index, entry=leaf_id
            )
        self.sequence[voucher_id] = max(last, posting["seq"])
        key = (voucher_id, posting["pool"])
        allotment = self.allotments.get(key)
        if allotment is None:
            allotment = self.allotments[key] = [0] * len(PARTS)
        gone, come = LIES_ON.get(posting["from"]), LIES_ON.get(posting["to"])
        kind = leaf["kind"]
        if gone is None and come is None:
            return
        if gone is None:
            gone = FACE
        if come is None:
            come = _way_out(leaf)
            if come is None:
                findings.add("voucher_end", region, voucher_id, actual=leaf["voucher_end"], index=index, entry=leaf_id)
                come = FACE
        if gone != come:
            allotment[gone] += fen if gone == FACE else -fen
            allotment[come] += -fen if come == FACE else fen
            if allotment[gone] < 0 or allotment[come] < 0:
                part = gone if allotment[gone] < 0 else come
                subject = f"{voucher_id} {posting['pool']} {PARTS[part]}"
                findings.add("voucher_below_zero", region, subject, actual=allotment[part], index=index, entry=leaf_id)
        if (kind == "redeem" and posting["from"] == "committed") or kind == "hold":
            at = leaf["at"]
            spent = self.spent.get(voucher_id)
            if spent is None:
                self.spent[voucher_id] = (at, at)
            elif at > spent[1]:
                self.spent[voucher_id] = (spent[0], at)
            elif at < spent[0]:
                self.spent[voucher_id] = (at, spent[1])

    def _hold(self, posting: Mapping[str, Any], leaf: Mapping[str, Any], index: int, findings: Findings) -> None:
        """What leaves a hold was redeemed where it is owed then, else released; a move takes its amount along."""
        hold_id, fen, leaf_id, region, kind = posting["hold"], posting["fen"], leaf["id"], self.region, leaf["kind"]
        key = (hold_id, posting["pool"])
        share = self.holds.get(key)
        is_new = share is None
        if share is None:
            share = self.holds[key] = [0, 0, 0, 0]
        if kind != "move" and (is_new != (kind == "hold") or (is_new and leaf["subject"] != hold_id)):
            findings.add("hold", region, hold_id, actual=f"{kind} {leaf['subject']}", index=index, entry=leaf_id)
        if hold_id in self.hold_ends:
            ended = f"#{self.hold_ends[hold_id]}"
            findings.add("hold_end", region, hold_id, expected=ended, actual=kind, index=index, entry=leaf_id)
        if posting["to"] == "held":
            share[0] += fen
            share[1] += fen
        else:
            share[1] -= fen
            if kind == "move":
                share[0] -= fen
            else:
                share[2 if posting["to"] == "obligated" else 3] += fen
        if min(share) < 0:
            subject = f"{hold_id} {posting['pool']} {HOLD_PARTS[share.index(min(share))]}"
            findings.add("hold_below_zero", region, subject, actual=min(share), index=index, entry=leaf_id)

    def _release(self, leaf: Mapping[str, Any], index: int, findings: Findings) -> None:
        """A release takes all that is still held, once."""
        for hold_id in {posting.get("hold") for posting in leaf["postings"]} - {None}:
            self.hold_ends.setdefault(hold_id, index)
            for posting in leaf["postings"]:
                share = self.holds.get((hold_id, posting["pool"]), [0, 0, 0, 0])
                if share[1] != 0:
                    findings.add(
                        "hold_end", self.region, hold_id, expected=0, actual=share[1], index=index, entry=leaf["id"]
                    )

    def _year(self, leaf: Mapping[str, Any]) -> None:
        """Note until when a pool's year was open (spent from, or money freed to it), and when the rest of it lapsed."""
        kind, at = leaf["kind"], leaf["at"]
        spends = kind in SPENDING
        for posting in leaf["postings"]:
            pool_id = posting["pool"]
            if (spends or posting["to"] == "available") and self.used_at.get(pool_id, "") < at:
                self.used_at[pool_id] = at
            if kind == "lapse":
                self.lapsed_at[pool_id] = at

    def _pair(self, leaf: Mapping[str, Any]) -> None:
        """What one entry of a pair gives back to the source, the other takes from it."""
        pair = self.pairs.setdefault(leaf["pair"] or leaf["id"], [0, 0])
        pair[0] += 1
        for posting in leaf["postings"]:
            pair[1] += posting["fen"] * ((posting["to"] == "appropriation") - (posting["from"] == "appropriation"))

    def _reversal(self, leaf: Mapping[str, Any], index: int, findings: Findings) -> None:
        reversed_id, leaf_id = leaf["reverses"], leaf["id"]
        if leaf["kind"] != "reverse" or reversed_id is None:
            findings.add(
                "reversal", self.region, leaf_id, actual=f"{leaf['kind']} {reversed_id}", index=index, entry=leaf_id
            )
            return
        if self.index_of.get(reversed_id, index) >= index:
            findings.add("reversal", self.region, reversed_id, actual="?", index=index, entry=leaf_id)
        earlier = self.reversals.setdefault(reversed_id, index)
        if earlier != index:
            findings.add(
                "reversed_twice",
                self.region,
                reversed_id,
                expected=f"#{earlier}",
                actual=f"#{index}",
                index=index,
                entry=leaf_id,
            )

    def close(self, findings: Findings) -> None:
        """Judge what can be judged only at the end: each pool's identity, and pairs of entries."""
        for pair_id, (count, over) in self.pairs.items():
            if count != 2 or over != 0:
                findings.add("pair", self.region, pair_id, expected="2 entries, 0 fen", actual=f"{count}, {over}")
        for pool_id, accounts in self.pools.items():
            granted = -sum(accounts.get(account, 0) for account in GRANTED)
            staged = sum(accounts.get(account, 0) for account in STAGES)
            if granted != staged:
                findings.add("pool_equation", self.region, pool_id, expected=granted, actual=staged)

    def to_json(self) -> dict[str, Any]:
        """For the state file: JSON has no pairs as keys."""
        return {
            "region": self.region,
            "pools": self.pools,
            "allotments": [[*key, value] for key, value in self.allotments.items()],
            "sequence": self.sequence,
            "spent": self.spent,
            "holds": [[*key, value] for key, value in self.holds.items()],
            "hold_ends": self.hold_ends,
            "payees": [[*key, value] for key, value in self.payees.items()],
            "drawn": self.drawn,
            "returned": self.returned,
            "payments": self.payments.to_json(),
            "used_at": self.used_at,
            "lapsed_at": self.lapsed_at,
            "index_of": self.index_of,
            "pairs": self.pairs,
            "reversals": self.reversals,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Books:
        """As `to_json` wrote them."""
        books = cls(written["region"])
        books.pools = {pool: defaultdict(int, accounts) for pool, accounts in written["pools"].items()}
        books.allotments = {(one, two): value for one, two, value in written["allotments"]}
        books.holds = {(one, two): value for one, two, value in written["holds"]}
        books.payees = defaultdict(int, {(one, two): value for one, two, value in written["payees"]})
        books.spent = {voucher: (first, last) for voucher, (first, last) in written["spent"].items()}
        books.returned = defaultdict(int, written["returned"])
        books.payments = Payments.from_json(written["payments"])
        for name in ("sequence", "hold_ends", "drawn", "used_at", "lapsed_at", "index_of", "pairs", "reversals"):
            getattr(books, name).update(written[name])
        return books


def _way_out(leaf: Mapping[str, Any]) -> int | None:
    """The part that grows where money leaves a voucher for good: as it ended, recovered, or moved to another pool."""
    if leaf["kind"] == "move":
        return FACE
    return RECOVERED if leaf["kind"] == "recover" else ENDS.get(leaf["voucher_end"])


def is_mirrored(original: Mapping[str, Any], reversal: Mapping[str, Any]) -> bool:
    """Whether the postings of `reversal` are those of `original` the other way round, in whatever order."""

    def sides(leaf: Mapping[str, Any], source: str, destination: str) -> list[tuple[str, ...]]:
        return sorted(
            tuple(
                str(posting.get(member)) for member in (source, destination, "pool", "fen", "voucher", "payee", "hold")
            )
            for posting in leaf["postings"]
        )

    return original.get("type") == "entry" and sides(original, "from", "to") == sides(reversal, "to", "from")
