"""What a verification finds: values, collected with a bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 200
"""Findings that are told in full; all are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where. `check` is a name of `words.CHECKS`; `subject` a file, an account, an id.

    `index` is the place of the leaf in the region's log. Where the tree differs and no single leaf can be told, the
    wrong ones lie from `index` to before `until`.
    """

    check: str
    region: str | None
    subject: str
    expected: str = ""
    actual: str = ""
    index: int | None = None
    until: int | None = None
    entry: str | None = None


def plain(text: str) -> str:
    r"""What a pack says, without what would steer a terminal or cannot be written: `\x1b`, `\udcff`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class Findings:
    """The first findings of each region and how many there are of each check."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: dict[str, int] = {}

    def add(
        self,
        check: str,
        region: str | None,
        subject: str,
        *,
        expected: object = "",
        actual: object = "",
        index: int | None = None,
        until: int | None = None,
        entry: str | None = None,
    ) -> None:
        """Note one finding. Beyond `KEPT` of a check it is only counted."""
        count = self.counts.get(check, 0) + 1
        self.counts[check] = count
        if count <= KEPT:
            told = (plain(subject), plain(str(expected)), plain(str(actual)))
            self.kept.append(Finding(check, region, *told, index, until, entry))

    def __len__(self) -> int:
        return sum(self.counts.values())

    def first_wrong_leaf(self, regions: Sequence[str]) -> Finding | None:
        """The wrong leaf with the lowest place in the first region that has one; a range where none is told in it."""
        for region in regions:
            placed = [found for found in self.kept if found.region == region and found.index is not None]
            single = min((found for found in placed if found.until is None), key=_place, default=None)
            between = min((found for found in placed if found.until is not None), key=_place, default=None)
            if single is not None and (between is None or _place(single) < (between.until or 0)):
                return single
            if between is not None:
                return between
        return None

    def to_json(self) -> dict[str, Any]:
        """For the state file."""
        return {"kept": [asdict(finding) for finding in self.kept], "counts": self.counts}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Findings:
        """As `to_json` wrote them."""
        found = cls()
        found.kept = [Finding(**one) for one in written["kept"]]
        found.counts = dict(written["counts"])
        return found


def _place(found: Finding) -> int:
    return found.index or 0
