"""How long guessing has to wait: growing rests per account and source, and budgets that many sources share. Pure.

Four counts, each under a key of its own:

- `own`: one account from one source, or from one browser or program that the account got in with before. Four failures
  cost nothing, then each makes the next try wait longer: 1, 2, 4, 8, 16 s, then 15 minutes (the lock), doubling to a
  day.
- `account`: one account from all sources that it never got in from. A hundred an hour: what many machines together may
  try. Known places are not asked, so nobody is locked out of his own desk by strangers.
- `source`: one source over all accounts that never got in from it. A hundred an hour.
- `code`: wrong codes of the second factor, of one account from sources it never got in from: twenty a day. Whoever has
  the password guesses one of three codes in a million, so 6 in 100,000 a day.

Each attempt is counted before it is judged, so that attempts at once buy no further guess; success gives it back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

FREE = 5
"""From this failure on each costs time; people mistype."""
LOCK_AT = 10
LOCK = timedelta(minutes=15)
LONGEST = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(hours=1)
"""After the last failure, or the end of the rest it brought."""


class Scope(StrEnum):
    """What a count is of."""

    OWN = "own"
    ACCOUNT = "account"
    SOURCE = "source"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Budget:
    """So many failures within a time; then a rest until the time is over."""

    failures: int
    within: timedelta


BUDGETS = {
    Scope.ACCOUNT: Budget(100, timedelta(hours=1)),
    Scope.SOURCE: Budget(100, timedelta(hours=1)),
    Scope.CODE: Budget(20, timedelta(days=1)),
}


@dataclass(frozen=True, slots=True)
class Key:
    """Under which failures are counted. The hash tells neither login nor address, and is as short for long ones."""

    scope: Scope
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """What is known of a key."""

    failures: int
    rests_until: datetime | None
    forgotten_at: datetime


def key(scope: Scope, *parts: str) -> Key:
    """The key of an account, a source, or both."""
    return Key(scope, hashlib.sha256("\0".join((scope, *parts)).encode(errors="replace")).digest())


def network(source: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 line has to itself."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def counted(scope: Scope, before: Count | None, *, at: datetime) -> Count:
    """The count after one more failure."""
    known = before if before is not None and before.forgotten_at > at else None
    failures = (known.failures if known else 0) + 1
    budget = BUDGETS.get(scope)
    if budget is None:
        rest = rest_after(failures)
        return Count(failures, at + rest if rest else None, at + rest + FORGOTTEN_AFTER)
    ends = known.forgotten_at if known else at + budget.within
    return Count(failures, ends if failures >= budget.failures else None, ends)


def rest_after(failures: int) -> timedelta:
    """How long one account rests for one source after so many failures."""
    if failures < FREE:
        return timedelta(0)
    if failures < LOCK_AT:
        return timedelta(seconds=1 << (failures - FREE))
    return min(LOCK * (1 << min(failures - LOCK_AT, 16)), LONGEST)


def rest_left(count: Count | None, *, at: datetime) -> timedelta:
    """For how long nothing more is tried under this key."""
    if count is None or count.rests_until is None or count.rests_until <= at:
        return timedelta(0)
    return count.rests_until - at
