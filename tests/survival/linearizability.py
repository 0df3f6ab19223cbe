"""Is there an order in which these operations could have happened one after the other? Pure.

The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of what was
tried (2017): an operation may come next if it was invoked before any that is still open had returned. Deciding this is
NP-complete; answers that say what state they saw keep the search almost without detours, and it is bounded besides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
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
    path: list[int] = []
    done = 0
    tried: set[tuple[int, S]] = set()
    levels: list[tuple[S, Iterator[int]]] = [(initial, iter(_next(events, done, 0)))]
    first_open = [0]
    best: tuple[int, ...] = ()
    best_open: Sequence[int] = _next(events, 0, 0)
    for _ in range(STEPS_LIMIT):
        if len(path) == len(events):
            return Verdict(tuple(events[place] for place in path), ())
        state, candidates = levels[-1]
        place = next(candidates, None)
        if place is None:
            if not path:
                return Verdict(tuple(events[n] for n in best), tuple(events[n] for n in best_open))
            levels.pop()
            first_open.pop()
            done &= ~(1 << path.pop())
            continue
        after = step(state, events[place].operation)
        if after is None or (done | 1 << place, after) in tried:
            continue
        done |= 1 << place
        tried.add((done, after))
        path.append(place)
        low = first_open[-1]
        while done >> low & 1:
            low += 1
        candidate_places = _next(events, done, low)
        first_open.append(low)
        levels.append((after, iter(candidate_places)))
        if len(path) > len(best):
            best, best_open = tuple(path), candidate_places
    raise RuntimeError(f"undecided after {STEPS_LIMIT} steps")


def _next(events: Sequence[Event[T]], done: int, low: int) -> list[int]:
    """The places that may come next, those that returned first first."""
    first_return = float("inf")
    places = []
    for place in range(low, len(events)):
        if events[place].invoked > first_return:
            break
        if not done >> place & 1:
            places.append(place)
            first_return = min(first_return, events[place].returned)
    kept = [place for place in places if events[place].invoked <= first_return]
    return sorted(kept, key=lambda place: events[place].returned)
