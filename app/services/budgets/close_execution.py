"""Carrying out an approved close: alone in the region, in one transaction, so nothing is lost and nothing spent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.kernel.canonical import canonical
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, EntryKind
from app.models import Allotment, HoldShare, Pool, YearClose
from app.services.approvals.requests import Decision
from app.services.budgets.close_loading import (
    load_pools_of,
    load_promises,
    places_of_holds,
    places_of_vouchers,
    posting_counts,
)
from app.services.budgets.closing import (
    CloseDecision,
    ClosingPool,
    Promise,
    carried,
    carried_available,
    expires,
    new_places,
    outcomes,
)
from app.services.ledger.entries import COUNTERS, HOLD_SHARE_COUNTERS, JournalEntry, Movement
from app.services.ledger.fences import take_fence_alone
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.redemption.holds.ending import end_due_holds
from app.services.redemption.loading import lock_vouchers
from app.services.vouchers.expiry import expire
from app.sql import BulkInsert, now

T = TypeVar("T")

CHUNK = 2_000
"""Entries written with one statement."""

_ALLOTMENTS = BulkInsert(Allotment.__table__, ("region_code", "voucher_id", "pool_id", "line", *COUNTERS))
_HOLD_SHARES = BulkInsert(HoldShare.__table__, ("region_code", "hold_id", "pool_id", "line", *HOLD_SHARE_COUNTERS))


def execute_close_year(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Close the year, alone in the region: what is not carried forward lapses, and from this instant nothing is spent.

    Raises `region_busy` where others would not pause, `carry_exceeds_available` where less is available by now,
    `year_closed` where the next year is closed already. Then nothing has happened and the approval still waits.
    """
    close = _Close(tx, command, decision)
    close.settle_available()
    close.end_the_ended()
    if close.decision.carries_promises:
        close.carry()
    close.record()


class _Close:
    """The steps of one close, and what each leaves for the next. Everything is locked when it has been made."""

    def __init__(self, tx: Connection, command: Mapping[str, Any], approved: Decision) -> None:
        self._tx = tx
        self._command = command
        self._approved = approved
        self._region = approved.region_code
        self._programme_id = str(command["programme_id"])
        self._year = int(command["fiscal_year"])
        self._id = new_id("ycl", self._region)
        self.decision = CloseDecision(bool(command["carries_promises"]), command["available_fen"])
        take_fence_alone(tx, self._region)
        pools = load_pools_of(tx, self._region, self._programme_id, self._year)
        self._at = now(tx)
        self._promises = load_promises(tx, self._region, self._programme_id, pools, at=self._at)
        going = {promise.pool_id for promise in self._promises if not expires(promise)}
        self._next = {
            pool.id: self._pool_of(self._programme_id, pool)
            for pool in pools
            if self.decision.carries_promises and pool.id in going
        }
        successor_id = command["successor_programme_id"]
        self._successors = {
            pool.id: self._pool_of(str(successor_id), pool)
            for pool in pools
            if self.decision.available_fen.get(pool.fund_source) and pool.county_code is None
        }
        touched = {*(pool.id for pool in pools), *self._next.values(), *self._successors.values()}
        lock_pools(tx, {(self._region, pool_id) for pool_id in touched})
        self._pools = load_pools_of(tx, self._region, self._programme_id, self._year)  # as they are under the lock
        self._outcomes = outcomes(self._pools, self._promises, self.decision)

    def settle_available(self) -> None:
        """Carry of what is available as much as was decided, let the rest lapse, and mark the pools closed."""
        entries: list[JournalEntry] = []
        for outcome in self._outcomes:
            lapsing_fen = outcome.available_fen - outcome.carried_available_fen
            if outcome.carried_available_fen:
                successor = self._successors[outcome.pool_id]
                out, into = carried_available(outcome.pool_id, successor, outcome.carried_available_fen)
                entries += self._pair((out,), (into,), to_programme_id=str(self._command["successor_programme_id"]))
            if lapsing_fen:
                lapse = Movement(outcome.pool_id, Account.AVAILABLE, Account.LAPSED, lapsing_fen)
                entries.append(self._entry(EntryKind.LAPSE, (lapse,)))
        if entries:
            post(self._tx, entries)
        self._tx.execute(
            update(Pool)
            .where(
                Pool.region_code == self._region,
                Pool.id.in_([pool.id for pool in self._pools]),
                Pool.closed_at.is_(None),
            )
            .values(closed_at=self._at)
        )

    def end_the_ended(self) -> None:
        """Take what is free or held off vouchers that have ended by now: in a closed year it lapses."""
        ended = sorted({promise.voucher_id for promise in self._promises if expires(promise)})
        for ids in _chunks(ended, CHUNK):
            vouchers = lock_vouchers(self._tx, [(self._region, voucher_id) for voucher_id in ids], wait=True)
            end_due_holds(self._tx, vouchers, wait=True)
            expire(self._tx, vouchers, self._approved.cause)

    def carry(self) -> None:
        """Move what is promised to the pools of the next year, voucher by voucher and redemption by redemption."""
        going = [promise for promise in self._promises if not expires(promise)]
        if not going:
            return
        self._open_shares(going)
        counts = posting_counts(self._tx, self._region, {promise.voucher_id for promise in going})
        entries: list[JournalEntry] = []
        for subject_id, promises in _by_subject(going, self._id):
            voucher_id = promises[0].voucher_id
            out, into = carried(promises, self._next, posting_count=counts[voucher_id])
            counts[voucher_id] += 2 * len(promises)
            entries += self._pair(out, into, subject_id=subject_id, voucher_id=voucher_id)
            if len(entries) >= CHUNK:
                post(self._tx, entries)
                entries = []
        if entries:
            post(self._tx, entries)

    def record(self) -> None:
        """Write down what was decided and what it came to."""
        effect = {"pools": [asdict(outcome) for outcome in self._outcomes]}
        self._tx.execute(
            insert(YearClose).values(
                region_code=self._region,
                id=self._id,
                programme_id=self._programme_id,
                fiscal_year=self._year,
                approval_id=self._approved.approval_id,
                document_no=str(self._command["document_no"]),
                effect=canonical(effect).decode(),
                closed_at=self._at,
                made_by=self._approved.maker_id,
                decided_by=self._approved.checker.principal_id,
            )
        )

    def _pool_of(self, programme_id: str, pool: ClosingPool) -> str:
        """The pool of the same source in the next year, opened where there is none. Raises `year_closed`."""
        key = {
            "region_code": self._region,
            "programme_id": programme_id,
            "fiscal_year": self._year + 1,
            "fund_source": pool.fund_source,
            "county_code": pool.county_code,
        }
        new = {"id": new_id("pol", self._region), "available_fen": 0, "created_at": self._approved.at}
        self._tx.execute(upsert(Pool).values(**key, **new).on_conflict_do_nothing())
        found = self._tx.execute(
            select(Pool.id, Pool.closed_at).where(
                *(getattr(Pool, name).is_not_distinct_from(value) for name, value in key.items())
            )
        ).one()
        if found.closed_at is not None:
            raise AppError(Code.YEAR_CLOSED, fiscal_year=self._year + 1)
        return str(found.id)

    def _open_shares(self, going: Sequence[Promise]) -> None:
        taken = places_of_vouchers(self._tx, self._region, {promise.voucher_id for promise in going})
        for places in _chunks(new_places(going, self._next, taken, of_holds=False), CHUNK):
            _ALLOTMENTS(self._tx, [self._share("voucher_id", place, COUNTERS) for place in places])
        held = [promise for promise in going if promise.account is Account.HELD]
        holds = places_of_holds(self._tx, self._region, {promise.subject_id for promise in held if promise.subject_id})
        for places in _chunks(new_places(held, self._next, holds, of_holds=True), CHUNK):
            _HOLD_SHARES(self._tx, [self._share("hold_id", place, HOLD_SHARE_COUNTERS) for place in places])

    def _share(self, owner: str, place: tuple[str, str, int], counters: Collection[str]) -> dict[str, object]:
        owner_id, pool_id, line = place
        empty = dict.fromkeys(counters, 0)
        return {"region_code": self._region, owner: owner_id, "pool_id": pool_id, "line": line, **empty}

    def _pair(
        self,
        out: tuple[Movement, ...],
        into: tuple[Movement, ...],
        *,
        subject_id: str | None = None,
        voucher_id: str | None = None,
        to_programme_id: str | None = None,
    ) -> tuple[JournalEntry, JournalEntry]:
        pair_id = new_id("ent", self._region)
        told = {"subject_id": subject_id, "voucher_id": voucher_id, "pair_id": pair_id}
        return (
            self._entry(EntryKind.MOVE, out, entry_id=pair_id, **told),
            self._entry(EntryKind.MOVE, into, programme_id=to_programme_id, **told),
        )

    def _entry(
        self,
        kind: EntryKind,
        moved: tuple[Movement, ...],
        *,
        entry_id: str | None = None,
        subject_id: str | None = None,
        voucher_id: str | None = None,
        pair_id: str | None = None,
        programme_id: str | None = None,
    ) -> JournalEntry:
        return JournalEntry(
            region_code=self._region,
            id=entry_id or new_id("ent", self._region),
            kind=kind,
            at=self._at,
            programme_id=programme_id or self._programme_id,
            subject_id=subject_id or self._id,
            cause=self._approved.cause,
            movements=moved,
            voucher_id=voucher_id,
            pair_id=pair_id,
            details={"document_no": str(self._command["document_no"]), "year_close": self._id},
        )


def _by_subject(going: Sequence[Promise], close_id: str) -> Iterator[tuple[str, list[Promise]]]:
    """What is carried in one pair of entries: all that is free and held on a voucher; what a redemption is owed."""
    groups: dict[tuple[str, str], list[Promise]] = defaultdict(list)
    for promise in going:
        subject_id = promise.subject_id if promise.account is Account.OBLIGATED else close_id
        assert subject_id is not None, "what is owed names its redemption"
        groups[promise.voucher_id, subject_id].append(promise)
    for (_, subject_id), promises in sorted(groups.items()):
        yield subject_id, promises


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
