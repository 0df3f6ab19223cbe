"""`make bench-reconciliation`: every invariant over many entries, beside one plain grouped sum over the postings.

The sum is what counters need and nothing else: per voucher, pool and pair of accounts, the amounts of all postings.
In turn and several times over, medians; compare the lines of one run with each other. At the end the books must be
right, or the exit status is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, text

from app.database import Database
from app.embedded.server import temporary
from app.reach import EVERYWHERE
from app.services.reconciliation.checking import snapshot_settings
from app.services.reconciliation.invariants import INVARIANTS
from app.services.reconciliation.invariants.caps import over_caps
from app.services.reconciliation.reconcile import check_invariants
from app.services.reconciliation.screening import SCREENED, doubtful
from app.services.reconciliation.sealed import SEALED, recomputed
from benchmarks.measuring import table
from benchmarks.reconciliation.books import fill, prepared

PLAIN = (
    "SELECT region_code, voucher_id, pool_id, source, destination, sum(amount_fen)"
    " FROM postings GROUP BY region_code, voucher_id, pool_id, source, destination"
)


def main() -> int:
    """Fill, measure, print, check."""
    parser = argparse.ArgumentParser(
        prog="make bench-reconciliation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries in the books (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts (default 3)")
    asked = parser.parse_args()
    with temporary(settings={"synchronous_commit": "off", "max_wal_size": "8GB"}) as server:
        urls = prepared(server, "reconciliation")
        fill(server, urls, entries=asked.entries)
        database = Database(urls.app_url, reach=EVERYWHERE)
        works: dict[str, Callable[[], object]] = {"plain grouped sum": lambda: _counted(database, PLAIN)}
        works |= {
            f"{of.number} {of.name}": lambda query=of.query: _counted(database, query)  # type: ignore[misc]
            for of in (*INVARIANTS, *SEALED)
            if of.name not in SCREENED
        }
        works["9 caps"] = lambda: _gone_through(database, lambda tx: over_caps(tx, "", counters_hold=True))
        works["10 leaves and columns"] = lambda: _gone_through(database, lambda tx: doubtful(tx, ""))
        works["10 tree"] = lambda: _gone_through(database, lambda tx: recomputed(tx, ""))
        works["all invariants"] = lambda: check_invariants(database)
        took = _in_turn(works, rounds=asked.rounds)
        plain_s = took["plain grouped sum"]
        table(["", "seconds", "ratio"], [[name, f"{of:.2f}", f"{of / plain_s:.2f}"] for name, of in took.items()])
        wrong = check_invariants(database).difference_count
        database.dispose()
    return 1 if wrong else 0


def _counted(database: Database, query: str) -> int:
    def work(tx: Connection) -> int:
        snapshot_settings(tx)
        return int(tx.execute(text(f"SELECT count(*) FROM ({query}) AS found")).scalar_one())

    return database.snapshot(work)


def _gone_through(database: Database, found: Callable[[Connection], Iterable[object]]) -> int:
    def work(tx: Connection) -> int:
        snapshot_settings(tx)
        return len(list(found(tx)))

    return database.snapshot(work)


def _in_turn(works: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            found[name].append(time.perf_counter() - began)
        print(f"· round {number + 1}/{rounds}", file=sys.stderr, flush=True)
    return {name: statistics.median(durations) for name, durations in found.items()}


if __name__ == "__main__":
    sys.exit(main())
