"""Who is served next: of each in turn, so that a burst of one waits behind itself and nobody else waits behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Things that wait, by whose they are. One's own keep their order. Not safe for threads by itself."""

    def __init__(self) -> None:
        self._of: dict[str, deque[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def waiting_of(self, whose: str) -> int:
        """How many of one's own wait."""
        own = self._of.get(whose)
        return len(own) if own else 0

    def add(self, whose: str, things: Sequence[T]) -> None:
        """Let these wait behind the others that are his."""
        self._of.setdefault(whose, deque()).extend(things)
        self._count += len(things)

    def take(self, most: int) -> list[T]:
        """The next ones: one of each in turn, whoever has been served going to the end."""
        taken: list[T] = []
        while self._of and len(taken) < most:
            whose, own = next(iter(self._of.items()))
            taken.append(own.popleft())
            del self._of[whose]
            if own:
                self._of[whose] = own
        self._count -= len(taken)
        return taken
