"""Is there an order in which these operations could have happened one after the other? Pure.

The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of what was
tried (2017): an operation may come next if it was invoked before any that is still open had returned. One that fits and
changes nothing may always come at once, for it is in nobody's way. Deciding this is NP-complete; answers that say what
state they saw keep the search almost without detours, and it is bounded besides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")

STEPS_LIMIT = 500_000


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """An operation that took effect at some moment from `invoked` to `returned`, with what was asked and answered."""

    invoked: float
    returned: float
    operation: T


@dataclass(frozen=True, slots=True)
class Verdict(Generic[T]):
    """`order` is a linearization, or the longest beginning of one; `stuck` are those that could not come next."""

    order: tuple[Event[T], ...]
    stuck: tuple[Event[T], ...]

    @property
    def linearizable(self) -> bool:
        return not self.stuck


def check(history: Sequence[Event[T]], initial: S, step: Callable[[S, T], S | None]) -> Verdict[T]:
    """Look for a linearization.

    `step` says in which state an operation leaves the object, None where it cannot have been answered so in this
    state. Raises RuntimeError where the search takes too long to decide.
    """
    events = sorted(history, key=lambda event: (event.invoked, event.returned))

    def fitting(state: S, places: Sequence[int]) -> Iterator[tuple[int, S]]:
        fits = [(place, after) for place in places if (after := step(state, events[place].operation)) is not None]
        idle = [(place, after) for place, after in fits if after == state]
        return iter(idle[:1] or fits)

    path: list[int] = []
    done = 0
    places = _next(events, done, 0)
    best: list[int] = []
    stuck = places
    levels = [(0, fitting(initial, places))]
    tried: set[tuple[int, S]] = set()
    for _ in range(STEPS_LIMIT):
        if len(path) == len(events):
            return Verdict(tuple(events[place] for place in path), ())
        low, candidates = levels[-1]
        place, after = next(candidates, (None, initial))
        if place is None:
            levels.pop()
            if not levels:
                return Verdict(tuple(events[n] for n in best), tuple(events[n] for n in stuck))
            done ^= 1 << path.pop()
        elif (now_done := done | 1 << place, after) not in tried:
            tried.add((now_done, after))
            done = now_done
            path.append(place)
            while done >> low & 1:
                low += 1
            places = _next(events, done, low)
            levels.append((low, fitting(after, places)))
            if len(path) > len(best):
                best, stuck = path.copy(), places
    raise RuntimeError(f"undecided after {STEPS_LIMIT} steps")


def _next(events: Sequence[Event[T]], done: int, low: int) -> list[int]:
    """The places that may come next, those that returned first first. All before `low` are done."""
    first_return = inf
    places = []
    for place in range(low, len(events)):
        if events[place].invoked > first_return:
            break
        if not done >> place & 1:
            places.append(place)
            first_return = min(first_return, events[place].returned)
    return sorted(places, key=lambda place: events[place].returned)
