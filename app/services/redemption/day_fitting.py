"""How much of a use still fits beside others that are known by their days only. Pure, exact.

Each use may be done at any time of its days, at most so much a day altogether. Whatever the uses' real hours were lies
within these days, so what does not fit here fits nowhere: the answer is never too little for uses that were all made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple

HOURS_A_DAY = 24


class DayUse(NamedTuple):
    """So much compute from the beginning of one day to the end of another."""

    first_on: date
    last_on: date
    amount: Fraction


def room_beside(taken: Sequence[DayUse], own: DayUse, rate: Fraction) -> Fraction:
    """How much of `own` fits at `rate` an hour beside what is taken: all of it, unless some days are too short.

    Looked at are the days from the first to the last of all uses that share a day with it, and what lies within them.
    Where the others do not fit even without it, they are cut to what does, so it answers only for itself.
    """
    met = [use for use in taken if use.first_on <= own.last_on and own.first_on <= use.last_on]
    since = min((use.first_on for use in met), default=own.first_on)
    until = max((use.last_on for use in met), default=own.last_on)
    beside = [use for use in taken if since <= use.first_on and use.last_on <= until]
    scale = math.lcm(rate.denominator, own.amount.denominator, *(use.amount.denominator for use in beside))
    a_day = int(rate * HOURS_A_DAY * scale)
    jobs = [_job(use, scale) for use in beside]
    if sum(job.work for job in jobs) + _job(own, scale).work <= a_day:
        return own.amount  # whatever their days are, any single one is enough for all: so it is as a rule
    return Fraction(_most_done([*jobs, _job(own, scale)], a_day) - _most_done(jobs, a_day), scale)


class _Job(NamedTuple):
    first: int
    last: int
    work: int


def _job(use: DayUse, scale: int) -> _Job:
    work = use.amount.numerator * (scale // use.amount.denominator)
    return _Job(use.first_on.toordinal(), use.last_on.toordinal(), work)


def _most_done(jobs: Sequence[_Job], a_day: int) -> int:
    """The most work that can be done in time: each day what must end first goes first (Glover 1967)."""
    coming = sorted(jobs, reverse=True)
    waiting: list[tuple[int, int]] = []
    done, day = 0, 0
    while coming or waiting:
        day = day + 1 if waiting else coming[-1].first
        while coming and coming[-1].first <= day:
            job = coming.pop()
            heappush(waiting, (job.last, job.work))
        free = a_day
        while waiting and (free or waiting[0][0] < day):
            last, work = waiting[0]
            some = min(free, work) if last >= day else 0
            done, free = done + some, free - some
            if last < day or some == work:
                heappop(waiting)
            else:
                heapreplace(waiting, (last, work - some))
    return done
