"""The signed heads of a region's log, the cosignatures on them, and heads that were taken earlier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.verifier.findings import Findings
from app.verifier.manifest import RegionListed
from app.verifier.notes import (
    BadNote,
    Checkpoint,
    Keys,
    is_cosigned,
    is_signed_by_log,
    parse_checkpoint,
    parse_signature,
)


@dataclass(slots=True)
class Summary:
    """What was read of a region, and how far its head can be trusted."""

    region: str
    origin: str
    leaves: int = 0
    unsealed: int = 0
    entries: int = 0
    texts: int = 0
    rule_versions: int = 0
    rules_bound: int = 0
    """Rule versions that are what the log sealed of their publication."""
    root: str = ""
    heads: int = 0
    heads_signed: int = 0
    cosigned: dict[str, int] = field(default_factory=dict)
    """The largest size that each known witness cosigned."""
    strangers: int = 0
    """Cosignatures of witnesses whose key is not known here."""
    earlier_heads: int = 0
    """Heads from elsewhere that fit."""
    rows: dict[str, int] = field(default_factory=dict)
    stopped_at: int | None = None
    """The leaf from which on nothing could be judged."""


class Heads:
    """What was signed about one log. `by_size` holds the heads of the pack."""

    def __init__(
        self,
        listed: RegionListed,
        keys: Keys,
        earlier: Sequence[Checkpoint],
        summary: Summary,
        findings: Findings,
    ) -> None:
        self._listed, self._keys, self._earlier = listed, keys, earlier
        self._summary, self._findings = summary, findings
        self.by_size: dict[int, Checkpoint] = {}

    def targets(self) -> list[int]:
        """The sizes at which the tree has to be compared with a head."""
        sizes = {size for size in self.by_size if size <= self._listed.size} | {head.size for head in self._earlier}
        return sorted(sizes)

    def read(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Judge every head by itself: its text, its signature, one root for one size, the newest over all leaves."""
        listed, findings, region = self._listed, self._findings, self._listed.region
        for row in rows:
            note, subject = row.get("note"), str(row.get("size"))
            try:
                head = parse_checkpoint(note if isinstance(note, str) else "")
            except BadNote as error:
                findings.add("head_malformed", region, subject, actual=error)
                continue
            self._summary.heads += 1
            if head.origin != listed.origin or head.size != row.get("size"):
                told = f"{head.origin} {head.size}"
                findings.add("head_malformed", region, subject, expected=f"{listed.origin} {subject}", actual=told)
            signed = is_signed_by_log(head, self._keys)
            if signed:
                self._summary.heads_signed += 1
            else:
                name = "head_signature" if signed is False else "head_unknown_key"
                signers = " ".join(f"{one.name}+{one.key_id.hex()}" for one in head.signatures)
                findings.add(name, region, subject, actual=signers)
            twin = self.by_size.setdefault(head.size, head)
            if twin.root != head.root:
                findings.add("fork", region, subject, expected=twin.root.hex(), actual=head.root.hex())
        newest, size = max(self.by_size, default=0), listed.size
        if newest != size:
            place = min(newest, size)
            findings.add("log_size", region, listed.origin, expected=newest, actual=size, index=place)
        for head in self._earlier:
            if head.size > size:
                expected = head.size
                findings.add(
                    "shortened", region, listed.origin, expected=expected, actual=size, index=size, until=expected
                )

    def read_cosignatures(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Judge every witness's line by the head that it was added to."""
        for row in rows:
            size, line = row.get("size"), row.get("line")
            head = self.by_size.get(size) if type(size) is int else None
            subject = f"{row.get('size')} {row.get('witness')}"
            try:
                signature = parse_signature(line if isinstance(line, str) else "")
            except BadNote as error:
                self._findings.add("cosignature", self._listed.region, subject, actual=error)
                continue
            genuine = head is not None and is_cosigned(head, signature, self._keys)
            if genuine is None:
                self._summary.strangers += 1
            elif head is None or not genuine:
                self._findings.add("cosignature", self._listed.region, subject)
            else:
                before = self._summary.cosigned.get(signature.name, 0)
                self._summary.cosigned[signature.name] = max(before, head.size)
