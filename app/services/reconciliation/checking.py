"""All invariants over one snapshot, on two connections at once, and what they found as a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from app.database import Database
from app.services.reconciliation.bank_comparing import compare_bank_lists
from app.services.reconciliation.comparing import Comparison, Period, compare_statements
from app.services.reconciliation.invariants import INVARIANTS, Invariant
from app.services.reconciliation.invariants.caps import CAPS, over_caps
from app.services.reconciliation.screening import SCREENED, doubtful
from app.services.reconciliation.sealed import SEALED, TREE, recomputed
from app.sql import now

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

    Where it expects few suspects it would look each of them up, and in a bad hour they are many. A scan reads its pages
    itself and leaves reading ahead to the system: handing them over from PostgreSQL's own reading processes takes more
    processor time than it saves, where two connections already keep both busy.
    """
    tx.execute(text("SET LOCAL work_mem = '128MB'"))
    tx.execute(text("SET LOCAL enable_nestloop = off"))
    tx.execute(text("SET LOCAL jit = off"))
    tx.execute(text("SET LOCAL effective_io_concurrency = 0"))


Work = Callable[[Connection], Sequence[Broken]]


def check(database: Database, tx: Connection, prefix: str, period: Period | None) -> Checked:
    """Evaluate all invariants over the snapshot of `tx`; with a period, what providers and the bank state too."""
    snapshot_settings(tx)
    started_at = now(tx)
    alone = [of for of in (*INVARIANTS, *SEALED) if of.name not in {*SCREENED, COUNTERS}]
    works: list[Work] = [
        partial(_screened, prefix=prefix),
        partial(_counted, prefix=prefix),
        *(partial(_found, invariant=of, prefix=prefix) for of in sorted(alone, key=_longest_first)),
        partial(_tree, prefix=prefix),
    ]
    found = database.share_snapshot(tx, [partial(_in_memory, work) for work in works])
    broken = sorted((of for some in found for of in some), key=_BY_NUMBER)
    tx.execute(text("SET LOCAL enable_nestloop = on"))  # a comparison looks up what it needs of all other statements
    comparisons = () if period is None else tuple(compare(tx, prefix=prefix, period=period) for compare in COMPARED)
    return Checked(started_at, now(tx), tuple(broken), comparisons)


COMPARED = (compare_statements, compare_bank_lists)
LONGEST = (
    "stored_counters",
    "once",
    "causes",
    "no_negative_account",
    "payments",
    "no_negative_voucher",
    "validity",
    "recoveries",
    "marks",
    "records",
)
"""What takes long is begun first, the longest before all others, so that both connections end together."""
COUNTERS = "positions"
_BY_NUMBER = attrgetter("invariant.number")


def _longest_first(invariant: Invariant) -> int:
    return LONGEST.index(invariant.name) if invariant.name in LONGEST else len(LONGEST)


def _in_memory(work: Work, tx: Connection) -> Sequence[Broken]:
    snapshot_settings(tx)
    return work(tx)


def _screened(tx: Connection, *, prefix: str) -> list[Broken]:
    """The invariants of which a first look may have proven that nothing breaks them."""
    doubts = doubtful(tx, prefix)
    return [_find(tx, of, prefix) if of.name in doubts else Broken(of, {}, ()) for of in SEALED if of.name in SCREENED]


def _counted(tx: Connection, *, prefix: str) -> list[Broken]:
    """The counters of cumulative rules, and the caps that these counters prove."""
    (counters,) = (_find(tx, of, prefix) for of in INVARIANTS if of.name == COUNTERS)
    return [counters, _caps(tx, prefix, counters_hold=not counters.counts)]


def _caps(tx: Connection, prefix: str, *, counters_hold: bool) -> Broken:
    of = Invariant(*CAPS, query="")
    try:
        with tx.begin_nested():
            return _told(of, over_caps(tx, prefix, counters_hold=counters_hold))
    except (DataError, ValueError, KeyError, TypeError) as error:
        return _unreadable(tx, of, prefix, error)


def _found(tx: Connection, *, invariant: Invariant, prefix: str) -> list[Broken]:
    return [_find(tx, invariant, prefix)]


def _tree(tx: Connection, *, prefix: str) -> list[Broken]:
    return [_told(Invariant(*TREE, query=""), recomputed(tx, prefix))]


def _find(tx: Connection, invariant: Invariant, prefix: str) -> Broken:
    try:
        with tx.begin_nested():
            return _query(tx, invariant, prefix)
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


def _query(tx: Connection, invariant: Invariant, prefix: str) -> Broken:
    rows: Sequence[Any] = tx.execute(
        text(
            "SELECT * FROM (SELECT region_code, subject, expected, actual,"
            " count(*) OVER (PARTITION BY region_code) AS found,"
            " row_number() OVER (PARTITION BY region_code ORDER BY subject) AS place"
            f" FROM ({invariant.query}) AS wrong WHERE starts_with(region_code, :prefix)) AS placed"
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
