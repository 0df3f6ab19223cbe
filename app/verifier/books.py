"""The running state of one region's books: every value derived from the leaves, every invariant judged on the way.

Amounts are fen. A state of n leaves takes some 500 bytes for each, most of it for the ids that no later leaf may have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, NamedTuple

from app.verifier.findings import Findings
from app.verifier.leaves import AuditEvent, Leaf, Posting
from app.verifier.moves import (
    GRANTED,
    MOVES,
    OWED,
    PAYING,
    SOURCES,
    SPENDING,
    STAGES,
    TWO_PERSONS,
)
from app.verifier.payments import Payments
from app.verifier.validities import EXTENDED, Validities
from app.verifier.vouchers import Vouchers

RETURNING = frozenset({"refund", "reverse"})
GRANTING = frozenset({"appropriate", "adjust"})
PLAIN = frozenset({"issue", "hold", "redeem"})
"""The frequent kinds, of which nothing is noted but their postings."""
HOLD_PARTS = ("amount", "held", "redeemed", "released")


class Share(NamedTuple):
    """An amount of one voucher and one payee."""

    fen: int
    payee: str | None
    voucher: str | None

    @property
    def of(self) -> str:
        """Whose it is."""
        return f"{self.payee} {self.voucher}"


NOBODYS = Share(0, None, None)


class Books:
    """Balances by pool, by voucher and pool, by hold and pool, by payee; what was seen of entries and subjects."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.pools: dict[str, dict[str, int]] = {}
        self.vouchers = Vouchers(region)
        self.validities = Validities(region)
        """Until when each voucher is valid, by its issue and its extensions."""
        self.holds: dict[tuple[str, str], list[int]] = {}
        self.hold_ends: dict[str, int] = {}
        """The leaf of the release that ended a hold."""
        self.payees: dict[tuple[str, str], int] = defaultdict(int)
        self.hold_vouchers: dict[str, str] = {}
        self.drawn: dict[str, Share] = {}
        """What a subject (a redemption) made owed."""
        self.returned: dict[str, Share] = {}
        """What a subject (a refund) took back."""
        self.payments = Payments()
        self.used_at: dict[str, str] = {}
        """The last instant at which a pool was spent from, or had anything available again."""
        self.lapsed_at: dict[str, str] = {}
        """When what a pool had available lapsed: its year was closed."""
        self.index_of: dict[str, int] = {}
        self.pairs: dict[str, list[int]] = {}
        """Of two entries that move money between pools: how many there are, and what they leave over."""
        self.grants: dict[str, int] = {}
        """Approvals of money granted (or taken back), and the leaves that did so."""
        self.reversals: dict[str, int] = {}
        """Reversed entries and the leaves that reverse them; compared when all leaves are read."""

    def apply(self, leaf: Leaf | AuditEvent, index: int, findings: Findings) -> None:
        """Take one leaf in. What is wrong is noted, and the leaf counts all the same."""
        leaf_id, region = leaf.id, self.region
        seen = self.index_of.setdefault(leaf_id, index)
        if seen != index:
            findings.add(
                "leaf_twice", region, leaf_id, expected=f"#{seen}", actual=f"#{index}", index=index, entry=leaf_id
            )
        if leaf.region != region or leaf_id[4:10] != region:
            findings.add("region", region, leaf_id, expected=region, actual=leaf.region, index=index, entry=leaf_id)
        if type(leaf) is Leaf:
            self._entry(leaf, index, findings)
        elif type(leaf) is AuditEvent and leaf.action == EXTENDED and leaf.object is not None:
            voucher = self.vouchers.by_id.get(leaf.object)
            self.validities.extended(leaf, leaf.object, voucher.last if voucher is not None else "")

    def _entry(self, leaf: Leaf, index: int, findings: Findings) -> None:
        leaf_id, kind, region = leaf.id, leaf.kind, self.region
        maker, checker, approval = leaf.maker, leaf.checker, leaf.approval
        rules, voucher, reverses = leaf.rules, leaf.voucher, leaf.reverses
        if (kind in TWO_PERSONS or maker is not None) and (
            maker is None or checker is None or maker == checker or approval is None
        ):
            findings.add("two_persons", region, kind, actual=f"{maker} / {checker}", index=index, entry=leaf_id)
        if (
            leaf.subject[4:10] != region
            or leaf.programme[4:10] != region
            or (rules is not None and rules[4:10] != region)
            or (voucher is not None and voucher[4:10] != region)
            or (approval is not None and approval[4:10] != region)
            or (reverses is not None and reverses[4:10] != region)
        ):
            self._elsewhere(leaf, index, findings)
        if reverses is not None or kind == "reverse":
            self._reversal(leaf, reverses, index, findings)
        self._postings(leaf, kind, index, findings)
        if kind == "issue" and voucher is not None:
            self.validities.issued(leaf_id, voucher)
        if kind not in PLAIN:
            self._more(leaf, kind, index, findings)

    def _postings(self, leaf: Leaf, kind: str, index: int, findings: Findings) -> None:
        moves, at, is_spent = MOVES.get(kind), leaf.at, kind in SPENDING
        if moves is None and kind != "reverse":
            findings.add("kind", self.region, kind, index=index, entry=leaf.id)
        owed, owed_to, is_touched = 0, None, False
        for posting in leaf.postings:
            fen, source, destination, pool_id = posting.fen, posting.source, posting.destination, posting.pool
            if moves is not None and (source, destination) not in moves:
                way = f"{source} → {destination}"
                findings.add("moves", self.region, kind, actual=way, index=index, entry=leaf.id)
            pool = self.pools.get(pool_id)
            if pool is None:
                pool = self._new_pool(pool_id, leaf.id, index, findings)
            left = pool[source] - fen
            pool[source] = left
            pool[destination] += fen
            if left < 0 or destination in SOURCES:
                is_touched = True
            if destination == "obligated":
                owed += fen
                owed_to = posting.payee
            if source in OWED or destination in OWED:
                self._payee(posting, posting.payee, leaf.id, index, findings)
            if posting.voucher is not None:
                self.vouchers.post(leaf, posting, posting.voucher, index, findings)
            if posting.hold is not None:
                self._hold(posting, posting.hold, leaf, index, findings)
            if (is_spent or destination == "available") and kind != "move" and self.used_at.get(pool_id, "") < at:
                self.used_at[pool_id] = at
        if is_touched:
            self._judge_pools(leaf, index, findings)
        if kind == "redeem":
            self._drawn(leaf, owed, owed_to, index, findings)

    def _elsewhere(self, leaf: Leaf, index: int, findings: Findings) -> None:
        """Tell which of the ids of an entry are of another region."""
        for named in (leaf.programme, leaf.subject, leaf.voucher, leaf.rules, leaf.approval, leaf.reverses):
            if named is not None and named[4:10] != self.region:
                actual = named[4:10]
                findings.add(
                    "region", self.region, named, expected=self.region, actual=actual, index=index, entry=leaf.id
                )

    def _new_pool(self, pool_id: str, leaf_id: str, index: int, findings: Findings) -> dict[str, int]:
        if pool_id[4:10] != self.region:
            named = pool_id[4:10]
            findings.add("region", self.region, pool_id, expected=self.region, actual=named, index=index, entry=leaf_id)
        pool = self.pools[pool_id] = defaultdict(int)
        return pool

    def _judge_pools(self, leaf: Leaf, index: int, findings: Findings) -> None:
        """Once all of an entry has moved: no account below zero, no source above it."""
        for posting in leaf.postings:
            for account in (posting.source, posting.destination):
                balance = self.pools[posting.pool][account]
                if (balance > 0) if account in SOURCES else (balance < 0):
                    subject = f"{posting.pool} {account}"
                    findings.add("pool_below_zero", self.region, subject, actual=balance, index=index, entry=leaf.id)

    def _more(self, leaf: Leaf, kind: str, index: int, findings: Findings) -> None:
        """What is noted of the less frequent kinds beside their postings."""
        if kind in RETURNING:
            back = [one for one in leaf.postings if one.source in OWED]
            fen = self.returned.get(leaf.subject, NOBODYS).fen + sum(one.fen for one in back)
            self.returned[leaf.subject] = Share(fen, _only(back), leaf.voucher)
        elif kind in GRANTING and leaf.approval is not None:
            earlier = self.grants.setdefault(leaf.approval, index)
            if earlier != index:
                findings.add(
                    "approval_twice", self.region, leaf.approval, expected=f"#{earlier}", index=index, entry=leaf.id
                )
        elif kind == "release":
            self._release(leaf, index, findings)
        elif kind in PAYING:
            step = self.payments.step(leaf)
            owed_to = self.drawn.get(step.redemption, NOBODYS).payee
            if step.payee != owed_to:
                told, paid = owed_to or "-", step.payee
                findings.add(
                    "payee", self.region, step.redemption, expected=told, actual=paid, index=index, entry=leaf.id
                )
        elif kind == "recover":
            self.payments.recover(leaf)
        elif kind == "move":
            self._pair(leaf)
        elif kind == "lapse":
            self.lapsed_at.update((posting.pool, leaf.at) for posting in leaf.postings)

    def _drawn(self, leaf: Leaf, owed: int, payee: str | None, index: int, findings: Findings) -> None:
        subject, voucher = leaf.subject, leaf.voucher
        before = self.drawn.get(subject)
        if before is not None:
            findings.add("subject_twice", self.region, subject, index=index, entry=leaf.id)
            owed += before.fen
        self.drawn[subject] = Share(owed, payee and intern(payee), voucher and intern(voucher))

    def _payee(self, posting: Posting, payee: str | None, leaf_id: str, index: int, findings: Findings) -> None:
        """What is owed to a payee, or was paid to it."""
        source, destination = posting.source, posting.destination
        if payee is None:
            findings.add("payee", self.region, f"{source} → {destination}", index=index, entry=leaf_id)
            return
        if source in OWED:
            left = self.payees[payee, source] - posting.fen
            self.payees[payee, source] = left
            if left < 0:
                subject = f"{payee} {source}"
                findings.add("payee_below_zero", self.region, subject, actual=left, index=index, entry=leaf_id)
        if destination in OWED:
            self.payees[payee, destination] += posting.fen

    def _hold(self, posting: Posting, hold_id: str, leaf: Leaf, index: int, findings: Findings) -> None:
        """What leaves a hold was redeemed where it is owed then, else released; a move takes its amount along."""
        fen, leaf_id, region, kind = posting.fen, leaf.id, self.region, leaf.kind
        key = (hold_id, posting.pool)
        share = self.holds.get(key)
        is_new = share is None
        if share is None:
            share = self.holds[key] = [0, 0, 0, 0]
        if kind != "move" and (is_new != (kind == "hold") or (is_new and leaf.subject != hold_id)):
            findings.add("hold", region, hold_id, actual=f"{kind} {leaf.subject}", index=index, entry=leaf_id)
        voucher = posting.voucher or ""
        known = self.hold_vouchers.setdefault(hold_id, voucher)
        if known != voucher:
            findings.add("hold", region, hold_id, expected=known, actual=voucher, index=index, entry=leaf_id)
        if hold_id in self.hold_ends:
            ended = f"#{self.hold_ends[hold_id]}"
            findings.add("hold_end", region, hold_id, expected=ended, actual=kind, index=index, entry=leaf_id)
        if posting.destination == "held":
            share[0] += fen
            share[1] += fen
        else:
            share[1] -= fen
            if kind == "move":
                share[0] -= fen
            else:
                share[2 if posting.destination == "obligated" else 3] += fen
        if min(share) < 0:
            subject = f"{hold_id} {posting.pool} {HOLD_PARTS[share.index(min(share))]}"
            findings.add("hold_below_zero", region, subject, actual=min(share), index=index, entry=leaf_id)

    def _release(self, leaf: Leaf, index: int, findings: Findings) -> None:
        """A release takes all that is still held, once."""
        for hold_id in {posting.hold for posting in leaf.postings if posting.hold is not None}:
            self.hold_ends.setdefault(hold_id, index)
            for posting in leaf.postings:
                share = self.holds.get((hold_id, posting.pool), [0, 0, 0, 0])
                if share[1] != 0:
                    findings.add(
                        "hold_end", self.region, hold_id, expected=0, actual=share[1], index=index, entry=leaf.id
                    )

    def _pair(self, leaf: Leaf) -> None:
        """What one entry of a pair gives back to the source, the other takes from it."""
        pair = self.pairs.setdefault(leaf.pair or leaf.id, [0, 0])
        pair[0] += 1
        for posting in leaf.postings:
            pair[1] += posting.fen * ((posting.destination == "appropriation") - (posting.source == "appropriation"))

    def _reversal(self, leaf: Leaf, reversed_id: str | None, index: int, findings: Findings) -> None:
        leaf_id = leaf.id
        if reversed_id is None or leaf.kind != "reverse":
            findings.add(
                "reversal", self.region, leaf_id, actual=f"{leaf.kind} {reversed_id}", index=index, entry=leaf_id
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
            "vouchers": self.vouchers.to_json(),
            "validities": self.validities.by_voucher,
            "holds": [[*key, value] for key, value in self.holds.items()],
            "hold_ends": self.hold_ends,
            "hold_vouchers": self.hold_vouchers,
            "payees": [[*key, value] for key, value in self.payees.items()],
            "drawn": self.drawn,
            "returned": self.returned,
            "payments": self.payments.to_json(),
            "used_at": self.used_at,
            "lapsed_at": self.lapsed_at,
            "index_of": self.index_of,
            "pairs": self.pairs,
            "grants": self.grants,
            "reversals": self.reversals,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Books:
        """As `to_json` wrote them."""
        books = cls(written["region"])
        books.pools = {pool: defaultdict(int, accounts) for pool, accounts in written["pools"].items()}
        books.vouchers = Vouchers.from_json(books.region, written["vouchers"])
        books.validities.restore(written["validities"])
        books.holds = {(one, two): value for one, two, value in written["holds"]}
        books.payees = defaultdict(int, {(one, two): value for one, two, value in written["payees"]})
        books.drawn = {subject: Share(*share) for subject, share in written["drawn"].items()}
        books.returned = {subject: Share(*share) for subject, share in written["returned"].items()}
        books.payments = Payments.from_json(written["payments"])
        for name in (
            *("hold_ends", "hold_vouchers", "used_at", "lapsed_at", "index_of", "pairs", "grants", "reversals"),
        ):
            getattr(books, name).update(written[name])
        return books


def _only(postings: Iterable[Posting]) -> str | None:
    """The one payee of postings; of several all of them, which are nobody's."""
    payees = {posting.payee or "" for posting in postings}
    return " ".join(sorted(payees)) or None


def is_mirrored(original: Leaf | AuditEvent, reversal: Leaf) -> bool:
    """Whether the postings of `reversal` are those of `original` the other way round, in whatever order."""

    def sides(leaf: Leaf, source: str, destination: str) -> list[tuple[str, ...]]:
        members = (source, destination, "pool", "fen", "voucher", "payee", "hold")
        return sorted(tuple(str(getattr(posting, member)) for member in members) for posting in leaf.postings)

    return type(original) is Leaf and (
        sides(original, "source", "destination") == sides(reversal, "destination", "source")
    )
