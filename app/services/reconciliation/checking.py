"""All invariants over one snapshot, on two connections at once, and what they found as a report.

First looks (`screening`, `grouping`) prove a large part of many invariants in few passes; of these, only what no look
proves is asked. Where a look is in doubt, the invariant's whole query is asked afterwards and tells what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from app.database import Database
from app.services.reconciliation.bank_comparing import compare_bank_lists
from app.services.reconciliation.comparing import Comparison, Period, compare_statements
from app.services.reconciliation.grouping import look_at_groups
from app.services.reconciliation.invariants import INVARIANTS, Invariant
from app.services.reconciliation.invariants.caps import CAPS, over_caps
from app.services.reconciliation.screening import SCREENED, Look, doubts_of, look_at_leaves
from app.services.reconciliation.sealed import SEALED, TREE, recomputed
from app.sql import now, undone_if_it_fails

SHOWN = 100
"""Differences listed per invariant; all are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that breaks an invariant."""

    region_code: str
    subject: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what broke it; `count` is exact, `differences` the first of them."""

    number: int
    name: str
    title_en: str
    title_zh: str
    count: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation found, over one snapshot."""

    region_code: str | None
    started_at: datetime
    finished_at: datetime
    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...] = ()

    @property
    def difference_count(self) -> int:
        """How many rows break an invariant; 0 means the books are right."""
        return sum(finding.count for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Broken:
    """What breaks an invariant, by region: how often, and the first rows of each."""

    invariant: Invariant
    counts: Mapping[str, int]
    rows: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """All that one snapshot showed."""

    started_at: datetime
    finished_at: datetime
    broken: tuple[Broken, ...]
    comparisons: tuple[Comparison, ...]

    def report(self, region_code: str | None, covers: Callable[[str], bool]) -> Report:
        """What concerns the regions that are covered."""
        return Report(
            region_code,
            self.started_at,
            self.finished_at,
            tuple(
                Finding(
                    of.invariant.number,
                    of.invariant.name,
                    of.invariant.title_en,
                    of.invariant.title_zh,
                    sum(count for code, count in of.counts.items() if covers(code)),
                    tuple(row for row in of.rows if covers(row.region_code))[:SHOWN],
                )
                for of in self.broken
            ),
            tuple(
                replace(
                    comparison,
                    tallies=tuple(row for row in comparison.tallies if covers(row.region_code)),
                    unheld=tuple(row for row in comparison.unheld if covers(row.region_code)),
                    mismatches=tuple(row for row in comparison.mismatches if covers(row.region_code)),
                )
                for comparison in self.comparisons
            ),
        )


def snapshot_settings(tx: Connection) -> None:
    """Let PostgreSQL sort and hash in memory, for this transaction: each invariant is a few large steps, never many.

    Where it expects few suspects it would look each of them up, and in a bad hour they are many. It would also merge by
    the region alone, in an order that it finds, and compare each row of a city with all others. A scan reads its pages
    itself and leaves reading ahead to the system: handing them over from PostgreSQL's own reading processes takes more
    processor time than it saves, where two connections already keep both busy. So do its helpers, which each group
    the rows anew; and all of them together would not be done before the first look, which goes from row to row.
    """
    tx.execute(text("SET LOCAL work_mem = '128MB'"))
    tx.execute(text("SET LOCAL enable_nestloop = off"))
    tx.execute(text("SET LOCAL enable_mergejoin = off"))
    tx.execute(text("SET LOCAL jit = off"))
    tx.execute(text("SET LOCAL effective_io_concurrency = 0"))
    tx.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))


class Seen(NamedTuple):
    """What one piece of work found, or a look proved."""

    broken: Sequence[Broken] = ()
    look: Look | None = None


Work = Callable[[Connection], Seen]


def check(database: Database, tx: Connection, prefix: str, period: Period | None) -> Checked:
    """Evaluate all invariants over the snapshot of `tx`; with a period, what providers and the bank state too."""
    snapshot_settings(tx)
    started_at = now(tx)
    asked = [of for of in (*INVARIANTS, *SEALED) if of.name not in SCREENED]
    works: list[Work] = [
        partial(_looked, look=look_at_leaves, prefix=prefix),
        partial(_looked, look=look_at_groups, prefix=prefix),
        *(partial(_unproven, invariant=of, prefix=prefix) for of in sorted(asked, key=_longest_first)),
        partial(_tree, prefix=prefix),
    ]
    seen = _on_two(database, tx, works)
    found = {of.invariant.name: of for one in seen for of in one.broken}
    doubts = doubts_of([one.look for one in seen if one.look is not None])
    doubted = [of for of in (*INVARIANTS, *SEALED) if of.name in doubts and of.name != COUNTERS]
    works = [partial(_counted, doubts=doubts, prefix=prefix)]
    works += [partial(_whole, invariant=of, prefix=prefix) for of in doubted]
    found |= {of.invariant.name: of for one in _on_two(database, tx, works) for of in one.broken}
    found = {of.name: Broken(of, {}, ()) for of in SEALED if of.name in SCREENED} | found
    broken = sorted(found.values(), key=_BY_NUMBER)
    tx.execute(text("SET LOCAL enable_nestloop = on"))  # a comparison looks up what it needs of all other statements
    comparisons = () if period is None else tuple(compare(tx, prefix=prefix, period=period) for compare in COMPARED)
    return Checked(started_at, now(tx), tuple(broken), comparisons)


COMPARED = (compare_statements, compare_bank_lists)
LONGEST = ("no_negative_account", "records", "causes", "sealed_validity", "once", "dense", "payments", "two_persons")
"""What takes long is begun first, the longest before all others, so that both connections end together."""
COUNTERS = "positions"
UNREADABLE = (DataError, ValueError, KeyError, TypeError)
"""What a stored document raises that is not what it must be any more."""
_BY_NUMBER = attrgetter("invariant.number")


def _longest_first(invariant: Invariant) -> int:
    return LONGEST.index(invariant.name) if invariant.name in LONGEST else len(LONGEST)


def _on_two(database: Database, tx: Connection, works: Sequence[Work]) -> list[Seen]:
    return database.share_snapshot(tx, [partial(_in_memory, work) for work in works])


def _in_memory(work: Work, tx: Connection) -> Seen:
    snapshot_settings(tx)
    return work(tx)


def _looked(tx: Connection, *, look: Callable[[Connection, str], Look], prefix: str) -> Seen:
    try:
        with undone_if_it_fails(tx):
            return Seen(look=look(tx, prefix))
    except UNREADABLE:  # a look that cannot read something has proven nothing
        return Seen(look=Look(frozenset(of.name for of in (*INVARIANTS, *SEALED)) | {CAPS[1]}, redemptions=-1))


def _counted(tx: Connection, *, doubts: frozenset[str], prefix: str) -> Seen:
    """The counters of cumulative rules, and the caps that these counters prove."""
    (of,) = (of for of in INVARIANTS if of.name == COUNTERS)
    counters = _find(tx, of, of.query, prefix) if COUNTERS in doubts else Broken(of, {}, ())
    plain = CAPS[1] not in doubts
    return Seen([counters, _caps(tx, prefix, counters_hold=not counters.counts, bills_plain=plain)])


def _caps(tx: Connection, prefix: str, *, counters_hold: bool, bills_plain: bool) -> Broken:
    of = Invariant(*CAPS, query="")
    try:
        with undone_if_it_fails(tx):
            return _told(of, over_caps(tx, prefix, counters_hold=counters_hold, bills_plain=bills_plain))
    except UNREADABLE as error:
        return _unreadable(tx, of, prefix, error)


def _unproven(tx: Connection, *, invariant: Invariant, prefix: str) -> Seen:
    query = invariant.query if invariant.rest is None else invariant.rest
    return Seen([_find(tx, invariant, query, prefix) if query else Broken(invariant, {}, ())])


def _whole(tx: Connection, *, invariant: Invariant, prefix: str) -> Seen:
    return Seen([_find(tx, invariant, invariant.query, prefix)])


def _tree(tx: Connection, *, prefix: str) -> Seen:
    return Seen([_told(Invariant(*TREE, query=""), recomputed(tx, prefix))])


def _find(tx: Connection, invariant: Invariant, query: str, prefix: str) -> Broken:
    try:
        with undone_if_it_fails(tx):
            return _query(tx, invariant, query, prefix)
    except DataError as error:
        return _unreadable(tx, invariant, prefix, error)


def _unreadable(tx: Connection, invariant: Invariant, prefix: str, error: Exception) -> Broken:
    """Something that the invariant reads is not what it must be, say a document that is no JSON any more.

    Where, nobody can tell, so each region is told; another invariant (`columns`, `approved_rules`) names the row.
    """
    regions = tx.execute(
        text("SELECT region_code FROM logs WHERE starts_with(region_code, :prefix) ORDER BY region_code"),
        {"prefix": prefix},
    ).scalars()
    said = str(getattr(error, "orig", None) or error).splitlines()[0]
    return _told(invariant, ((region, "unreadable", "what can be read", said) for region in regions))


def _query(tx: Connection, invariant: Invariant, query: str, prefix: str) -> Broken:
    rows: Sequence[Any] = tx.execute(
        text(
            "SELECT * FROM (SELECT region_code, subject, expected, actual,"
            " count(*) OVER (PARTITION BY region_code) AS found,"
            " row_number() OVER (PARTITION BY region_code ORDER BY subject) AS place"
            f" FROM ({query}) AS wrong WHERE starts_with(region_code, :prefix)) AS placed"
            " WHERE place <= :shown ORDER BY region_code, subject"
        ),
        {"prefix": prefix, "shown": SHOWN},
    ).all()
    return Broken(
        invariant,
        {row.region_code: row.found for row in rows},
        tuple(Difference(row.region_code, row.subject, str(row.expected), str(row.actual)) for row in rows),
    )


def _told(invariant: Invariant, found: Iterable[tuple[str, str, str, str]]) -> Broken:
    wrong = [Difference(*row) for row in found]
    return Broken(invariant, Counter(row.region_code for row in wrong), tuple(wrong))
