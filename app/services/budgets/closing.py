"""What closing a year does to its pools: what lapses, what is carried forward, what stays. Pure; amounts are fen.

Money that is promised moves with the promise: a voucher's free part, each hold's part and what each redemption is owed
step through `available` here and there, in two entries with one `pair_id`. What is on a payment order stays where it
is until the bank has answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account
from app.services.ledger.entries import Movement


@dataclass(frozen=True, slots=True)
class ClosingPool:
    """A pool of the year to be closed."""

    id: str
    fund_source: str
    county_code: str | None
    available_fen: int
    closed: bool
    """Whether it was closed before: then only what is promised on it may still be carried."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What lies on `account` of a pool for one voucher: free (committed), held by a hold, or owed for a redemption."""

    account: Literal[Account.COMMITTED, Account.HELD, Account.OBLIGATED]
    voucher_id: str
    pool_id: str
    line: int
    """The voucher's declared order of its pools."""
    fen: int
    ended: bool
    """Whether the voucher has ended: what is free or held on it then comes free, and lapses."""
    subject_id: str | None = None
    """The hold, or the redemption."""
    payee_id: str | None = None


@dataclass(frozen=True, slots=True)
class CloseDecision:
    """What finance decided. `available_fen`: by fund source, how much of what is available goes to the successor."""

    carries_promises: bool
    available_fen: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """What a close does to one pool."""

    pool_id: str
    fund_source: str
    available_fen: int
    """Before it. `carried_available_fen` of it goes to the successor, the rest lapses."""
    carried_available_fen: int
    expired_fen: int
    """Free or held on vouchers that have ended: it lapses."""
    lapsed_fen: int
    carried_committed_fen: int
    carried_held_fen: int
    carried_obligated_fen: int
    left_committed_fen: int
    """What stays promised in the closed year: nothing more is drawn on it, and it lapses as the vouchers end."""
    left_held_fen: int
    left_obligated_fen: int


def outcomes(
    pools: Sequence[ClosingPool], promises: Iterable[Promise], decision: CloseDecision
) -> tuple[PoolOutcome, ...]:
    """What the decision does to each pool. Raises `carry_exceeds_available`."""
    sums: Counter[tuple[str, str]] = Counter()
    for promise in promises:
        sums[promise.pool_id, "expired" if expires(promise) else promise.account] += promise.fen
    return tuple(_outcome(pool, sums, decision) for pool in pools)


def expires(promise: Promise) -> bool:
    """Whether this comes free by the close: it lies free or held on a voucher that has ended."""
    return promise.ended and promise.account is not Account.OBLIGATED


def _outcome(pool: ClosingPool, sums: Mapping[tuple[str, str], int], decision: CloseDecision) -> PoolOutcome:
    wanted_fen = decision.available_fen.get(pool.fund_source, 0) if pool.county_code is None else 0
    if wanted_fen > pool.available_fen:
        raise AppError(
            Code.CARRY_EXCEEDS_AVAILABLE,
            fund_source=pool.fund_source,
            limit_fen=pool.available_fen,
            actual_fen=wanted_fen,
        )
    expired_fen = sums.get((pool.id, "expired"), 0)
    promised = {
        account: sums.get((pool.id, account), 0) for account in (Account.COMMITTED, Account.HELD, Account.OBLIGATED)
    }
    carried = promised if decision.carries_promises else dict.fromkeys(promised, 0)
    return PoolOutcome(
        pool_id=pool.id,
        fund_source=pool.fund_source,
        available_fen=pool.available_fen,
        carried_available_fen=wanted_fen,
        expired_fen=expired_fen,
        lapsed_fen=pool.available_fen - wanted_fen + expired_fen,
        carried_committed_fen=carried[Account.COMMITTED],
        carried_held_fen=carried[Account.HELD],
        carried_obligated_fen=carried[Account.OBLIGATED],
        left_committed_fen=promised[Account.COMMITTED] - carried[Account.COMMITTED],
        left_held_fen=promised[Account.HELD] - carried[Account.HELD],
        left_obligated_fen=promised[Account.OBLIGATED] - carried[Account.OBLIGATED],
    )


def carried(
    promises: Sequence[Promise], to: Mapping[str, str], *, posting_count: int
) -> tuple[tuple[Movement, ...], tuple[Movement, ...]]:
    """The movements that carry promises of one voucher to other pools (`to`, by pool id): out of the old, into the new.

    `posting_count` is how many postings the voucher has had; each promise makes one more on either side.
    """
    out: list[Movement] = []
    into: list[Movement] = []
    for place, promise in enumerate(promises, start=1):
        account, fen, new_pool = promise.account, promise.fen, to[promise.pool_id]
        hold_id = promise.subject_id if account is Account.HELD else None
        last = posting_count + len(promises) + place
        out += (
            Movement(
                promise.pool_id,
                account,
                Account.AVAILABLE,
                fen,
                promise.voucher_id,
                posting_count + place,
                promise.payee_id,
                hold_id,
            ),
            Movement(promise.pool_id, Account.AVAILABLE, Account.APPROPRIATION, fen),
        )
        into += (
            Movement(new_pool, Account.APPROPRIATION, Account.AVAILABLE, fen),
            Movement(new_pool, Account.AVAILABLE, account, fen, promise.voucher_id, last, promise.payee_id, hold_id),
        )
    return tuple(out), tuple(into)


def carried_available(pool_id: str, to_pool_id: str, fen: int) -> tuple[Movement, Movement]:
    """The movements that carry available money to another pool: out of the old, into the new."""
    return (
        Movement(pool_id, Account.AVAILABLE, Account.APPROPRIATION, fen),
        Movement(to_pool_id, Account.APPROPRIATION, Account.AVAILABLE, fen),
    )


def new_places(
    promises: Iterable[Promise],
    to: Mapping[str, str],
    taken: Mapping[str, tuple[int, frozenset[str]]],
    *,
    of_holds: bool,
) -> list[tuple[str, str, int]]:
    """The shares to open in the new pools, as (voucher or hold, pool, line): after those there are, in their order.

    `taken` tells of each voucher or hold its last line and its pools.
    """
    wanted = sorted({(_owner(promise, of_holds=of_holds), promise.line, to[promise.pool_id]) for promise in promises})
    last = {owner: line for owner, (line, _) in taken.items()}
    seen = {owner: set(pools) for owner, (_, pools) in taken.items()}
    places = []
    for owner, _, pool_id in wanted:
        if pool_id not in seen[owner]:
            seen[owner].add(pool_id)
            last[owner] += 1
            places.append((owner, pool_id, last[owner]))
    return places


def _owner(promise: Promise, *, of_holds: bool) -> str:
    if not of_holds:
        return promise.voucher_id
    assert promise.subject_id is not None, "a hold's part names its hold"
    return promise.subject_id
