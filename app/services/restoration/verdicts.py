"""Is a restored log still the one that the world has seen? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a region's restored log stands to a head that was published."""

    AGREES = "agrees"
    """It has signed that head, and may have gone on from there."""
    SHORTER = "shorter"
    """Leaves are missing that were published: they are lost, or must come back exactly as they were."""
    FORKED = "forked"
    """It is as long or longer, and yet never had that head: another history."""
    OTHER_LOG = "other_log"
    """The head is of a log of another name."""


@dataclass(frozen=True, slots=True)
class Head:
    """A tree head of a region's log."""

    region_code: str
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One published head held against the restored log; `log` is None where the region has none."""

    log: Head | None
    published: Head
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Region:
    """What is found of one region. It may be sealed again by itself only where there are findings and all agree."""

    region_code: str
    log: Head | None
    findings: tuple[Finding, ...]

    @property
    def agrees(self) -> bool:
        """Whether at least one published head was given, and every one of them agrees."""
        return bool(self.findings) and all(finding.verdict == Verdict.AGREES for finding in self.findings)

    @property
    def largest(self) -> Head | None:
        """The largest head that was given."""
        return max((finding.published for finding in self.findings), key=lambda head: head.size, default=None)


def judge(log: Head | None, published: Head, own_root: bytes | None) -> Verdict:
    """Hold the restored log against a published head.

    `own_root` is the root that the restored log itself has signed at the published size; None where it signed none of
    that size. Every head that is published is one that the log has signed.
    """
    if log is not None and published.origin != log.origin:
        return Verdict.OTHER_LOG
    if published.size == 0:
        return Verdict.AGREES
    if log is None or log.size < published.size:
        return Verdict.SHORTER
    return Verdict.AGREES if own_root == published.root else Verdict.FORKED


def compare(
    logs: Iterable[Head], published: Sequence[Head], own_roots: Mapping[tuple[str, int], bytes]
) -> list[Region]:
    """Every region that has a log or of which a head was given, in order of its code.

    `own_roots` are the roots that the restored logs have signed, by region and size.
    """
    known = {log.region_code: log for log in logs}
    regions = sorted({*known, *(head.region_code for head in published)})
    return [
        Region(
            region,
            known.get(region),
            tuple(
                Finding(known.get(region), head, judge(known.get(region), head, own_roots.get((region, head.size))))
                for head in published
                if head.region_code == region
            ),
        )
        for region in regions
    ]
