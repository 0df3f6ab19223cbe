"""What an invariant is, and how SQL lists the values of an enum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise of the books and the query that finds what breaks it."""

    number: int
    name: str
    title_en: str
    title_zh: str
    query: str
    rest: str | None = None
    """Its query without what a first look proves, where one does, and empty where that is all of it.

    To be asked instead if no look is in doubt of it.
    """


@dataclass(frozen=True, slots=True)
class OfRedemption:
    """Part of an invariant that holds of each redemption `r` by itself, so that one look can ask it of all of them.

    `joined` adds one row at most to a redemption; `told` are its subject, what was expected and what is there.
    """

    joined: str
    wrong: str
    told: str

    @property
    def query(self) -> str:
        """It alone, telling which redemptions break it."""
        return f"SELECT r.region_code, {self.told} FROM redemptions r {self.joined} WHERE {self.wrong}"


def union(*parts: str) -> str:
    """Queries of the same columns as one."""
    return " UNION ALL ".join(parts)


def listed(values: Iterable[str]) -> str:
    """Values as SQL lists them, in order: `'a', 'b'`."""
    return ", ".join(f"'{value}'" for value in sorted(values))
