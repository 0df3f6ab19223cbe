"""Whether so many uses, each between two instants, fit into a capacity of so much an hour. Pure, exact.

They do where the work can be spread over their times so that at no instant more than the capacity is used. That is
so exactly where at full speed the use that must end first can always go first and none ends too late (EDF, Horn 1974);
and where it is not so there is a time that is too short for the uses that lie within it, which proves it to anybody.
One sweep over n uses takes O(n log n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """So much compute between two instants, in card-hours or PFLOPS·hours."""

    amount: Fraction
    since: datetime
    until: datetime

    @property
    def hours(self) -> Fraction:
        """How long it is."""
        return Fraction((self.until - self.since) // _MICROSECOND, _MICROSECONDS_AN_HOUR)


@dataclass(frozen=True, slots=True)
class Overfull:
    """A time that is too short: `limit` fits into it, the uses that lie within it are `actual`."""

    place: int
    """Of the use, from 0, with which they are too many."""
    limit: Fraction
    actual: Fraction


class _Job(NamedTuple):
    """A use in whole numbers: instants as the work that the capacity can do until then."""

    since: int
    until: int
    work: int


def first_overfull(uses: Sequence[Use], rate: Fraction) -> Overfull | None:
    """The first use that does not fit with those before it into `rate` an hour, and the time that shows it; or None.

    One more use never makes others fit, so the first is found by halving: O(n log² n) where they do not fit.
    """
    scale = math.lcm(rate.denominator, *(use.amount.denominator for use in uses))
    speed = int(rate * scale)
    jobs = [_job(use, scale, speed) for use in uses]
    if _too_late(jobs) is None:
        return None
    fit, do_not = 0, len(jobs)
    while do_not - fit > 1:
        middle = (fit + do_not) // 2
        fit, do_not = (middle, do_not) if _too_late(jobs[:middle]) is None else (fit, middle)
    found = _too_late(jobs[:do_not])
    assert found is not None, "the halving ends at one that does not fit"
    since, until = found
    unit = scale * _MICROSECONDS_AN_HOUR
    within = sum(job.work for job in jobs[:do_not] if since <= job.since and job.until <= until)
    return Overfull(do_not - 1, Fraction(until - since, unit), Fraction(within, unit))


def _job(use: Use, scale: int, speed: int) -> _Job:
    since, until = ((instant - _EPOCH) // _MICROSECOND * speed for instant in (use.since, use.until))
    return _Job(since, until, int(use.amount * scale) * _MICROSECONDS_AN_HOUR)


def _too_late(jobs: Sequence[_Job]) -> tuple[int, int] | None:
    """Do the work at full speed, what must end first going first; None where all of it is done in time.

    Else a time that is too short for the work that lies within it: it ends where something is too late, and begins
    after the last moment before that was idle or went to something that could have waited longer.
    """
    coming = sorted((job for job in jobs if job.work), reverse=True)
    waiting: list[tuple[int, int]] = []
    done: list[tuple[int, int]] = []
    """Up to when, and until when it could have waited."""
    at = min((job.since for job in coming), default=0) - 1
    never = max((job.until for job in coming), default=0) + 1
    while coming or waiting:
        if not waiting and coming[-1].since > at:
            at = coming[-1].since
            done.append((at, never))
        while coming and coming[-1].since <= at:
            job = coming.pop()
            heappush(waiting, (job.until, job.work))
        until, left = waiting[0]
        some = min(left, coming[-1].since - at) if coming else left
        at += some
        if at > until:
            since = next(end for end, could_wait in reversed(done) if could_wait > until)
            return since, until
        done.append((at, until))
        if some == left:
            heappop(waiting)
        else:
            heapreplace(waiting, (until, left - some))
    return None
