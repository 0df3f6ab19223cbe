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


def listed(values: Iterable[str]) -> str:
    """Values as SQL lists them, in order: `'a', 'b'`."""
    return ", ".join(f"'{value}'" for value in sorted(values))
