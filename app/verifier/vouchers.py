"""Vouchers as the leaves tell them: their parts in each pool, their postings' numbers, when drawn on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.verifier.findings import Findings
from app.verifier.leaves import Leaf, Posting
from app.verifier.moves import ENDS, FACE, LIES_ON, PARTS, RECOVERED

DRAWING = frozenset({"hold", "redeem"})
"""What a voucher must be valid for."""


class Voucher:
    """`parts` by pool, in the order of `moves.PARTS`; `count` postings; first and last instant of a new draw."""

    __slots__ = ("count", "first", "last", "parts")

    def __init__(self) -> None:
        self.count = 0
        self.parts: dict[str, list[int]] = {}
        self.first = self.last = ""


class Vouchers:
    """All vouchers of a region, by id."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.by_id: dict[str, Voucher] = {}

    def post(self, leaf: Leaf, posting: Posting, voucher_id: str, index: int, findings: Findings) -> None:
        """Take in a posting on a voucher. What is wrong is noted, and the posting counts all the same."""
        fen, source, destination, pool_id = posting.fen, posting.source, posting.destination, posting.pool
        seq = posting.seq
        voucher = self.by_id.get(voucher_id)
        if voucher is None:
            voucher = self.by_id[voucher_id] = Voucher()
        if leaf.voucher != voucher_id and (leaf.voucher is not None or voucher_id[4:10] != self._region):
            expected = leaf.voucher or self._region
            self._add(findings, "voucher", voucher_id, leaf, index, expected=expected, actual=voucher_id)
        due = voucher.count + 1
        if seq != due:
            self._add(findings, "voucher_seq", voucher_id, leaf, index, expected=due, actual=seq)
            due = max(voucher.count, seq or 0)
        voucher.count = due
        if leaf.kind == "issue" and seq != posting.line:
            self._add(findings, "issue", voucher_id, leaf, index, expected=posting.line, actual=seq)
        parts = voucher.parts.get(pool_id)
        if parts is None:
            parts = voucher.parts[pool_id] = [0] * len(PARTS)
        gone, come = LIES_ON.get(source), LIES_ON.get(destination)
        if gone is None:
            if come is None:
                return
            gone = FACE
        elif come is None:
            come = self._way_out(leaf, voucher_id, index, findings)
        if gone != come:
            parts[gone] += fen if gone == FACE else -fen
            parts[come] += -fen if come == FACE else fen
            if parts[gone] < 0 or parts[come] < 0:
                part = gone if parts[gone] < 0 else come
                subject = f"{voucher_id} {pool_id} {PARTS[part]}"
                self._add(findings, "voucher_below_zero", subject, leaf, index, actual=parts[part])
        if source == "committed" and leaf.kind in DRAWING:
            at = leaf.at
            voucher.last = max(voucher.last, at)
            if not voucher.first or at < voucher.first:
                voucher.first = at

    def _way_out(self, leaf: Leaf, voucher_id: str, index: int, findings: Findings) -> int:
        """The part that grows where money leaves for good: as the voucher ended, recovered, or moved."""
        if leaf.kind == "move":
            return FACE
        come = RECOVERED if leaf.kind == "recover" else ENDS.get(leaf.voucher_end or "")
        if come is None:
            self._add(findings, "voucher_end", voucher_id, leaf, index, actual=leaf.voucher_end)
            return FACE
        return come

    def _add(
        self,
        findings: Findings,
        check: str,
        subject: str,
        leaf: Leaf,
        index: int,
        *,
        expected: object = "",
        actual: object = "",
    ) -> None:
        findings.add(check, self._region, subject, expected=expected, actual=actual, index=index, entry=leaf.id)

    def to_json(self) -> dict[str, Any]:
        """For the state file."""
        return {key: [one.count, one.first, one.last, one.parts] for key, one in self.by_id.items()}

    @classmethod
    def from_json(cls, region: str, written: Mapping[str, Any]) -> Vouchers:
        """As `to_json` wrote them."""
        vouchers = cls(region)
        for key, (count, first, last, parts) in written.items():
            voucher = vouchers.by_id[key] = Voucher()
            voucher.count, voucher.first, voucher.last, voucher.parts = count, first, last, parts
        return vouchers
