"""`make bench-reconciliation`: every invariant over many entries, beside one plain grouped sum over the postings.

The sum is what counters need and nothing else: per voucher, pool and pair of accounts, the amounts of all postings.
Two more lines are floors, of which no complete check stays clear: every row read once, with nothing done to it; every
leaf, all facts and traces sent here and hashed, with nothing compared. Both on two connections, as a reconciliation is.
The first looks prove most of what is asked; of an invariant is measured what is left to be asked after them.
In turn and several times over, medians; compare the lines of one run with each other, on a busy machine by their
processor seconds. Then how long balances as of earlier instants and sizes take there; --balances measures those
alone. At the end the books must be right, or the exit status is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, text

from app.database import Database
from app.embedded.server import temporary
from app.reach import EVERYWHERE
from app.services.reconciliation.checking import snapshot_settings
from app.services.reconciliation.grouping import look_at_groups
from app.services.reconciliation.invariants import INVARIANTS
from app.services.reconciliation.invariants.caps import over_caps
from app.services.reconciliation.reconcile import check_invariants
from app.services.reconciliation.screening import SCREENED, Look, look_at_leaves
from app.services.reconciliation.sealed import SEALED, recomputed
from app.sql import streamed
from benchmarks.measuring import processor_s, table
from benchmarks.reconciliation.books import fill, prepared
from benchmarks.redemptions.sealed import Sealing, ask_balances

PLAIN = (
    "SELECT region_code, voucher_id, pool_id, source, destination, sum(amount_fen)"
    " FROM postings GROUP BY region_code, voucher_id, pool_id, source, destination"
)

READ = (
    "entries",
    "redemptions",
    "postings",
    "log_leaves",
    "order_numbers",
    "idempotency_keys",
    "vouchers",
    "allotments",
    "mandates",
)
"""What has a row for each entry or each voucher, and belongs to the books or answers for them."""
HASHED = ("SELECT leaf FROM entries", "SELECT convert_to(facts, 'UTF8'), convert_to(trace, 'UTF8') FROM redemptions")


def main() -> int:
    """Fill, measure, print, check."""
    parser = argparse.ArgumentParser(
        prog="make bench-reconciliation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries in the books (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts (default 3)")
    parser.add_argument("--balances", action="store_true", help="measure balances as of earlier moments, and no more")
    asked = parser.parse_args()
    with temporary(settings={"synchronous_commit": "off", "max_wal_size": "8GB"}) as server:
        urls = prepared(server, "reconciliation")
        fill(server, urls, entries=asked.entries)
        database = Database(urls.app_url, reach=EVERYWHERE)
        if asked.balances:
            _tell_balances(database)
            database.dispose()
            return 0
        works: dict[str, Callable[[], object]] = {"plain grouped sum": lambda: _counted(database, PLAIN)}
        works["floor: rows read"] = lambda: _on_two(database, [partial(_read, table=name) for name in READ])
        works["floor: bytes hashed"] = lambda: _on_two(database, [partial(_hash, query=query) for query in HASHED])
        works["first look: leaves"] = lambda: _looked(database, look_at_leaves)
        works["first look: groups"] = lambda: _looked(database, look_at_groups)
        works |= {
            f"{of.number} {of.name}": lambda query=query: _counted(database, query)  # type: ignore[misc]
            for of in (*INVARIANTS, *SEALED)
            if of.name not in SCREENED and (query := of.query if of.rest is None else of.rest)
        }
        works["9 caps"] = lambda: _gone_through(
            database, lambda tx: over_caps(tx, "", counters_hold=True, bills_plain=True)
        )
        works["10 tree"] = lambda: _gone_through(database, lambda tx: recomputed(tx, ""))
        works["all invariants"] = lambda: check_invariants(database)
        works["plain grouped sum"]()  # once for nothing: to connect costs processor time too
        took = _in_turn(works, server.data, rounds=asked.rounds)
        plain_s, plain_used_s = took["plain grouped sum"]
        table(
            ["", "seconds", "ratio", "processor", "ratio"],
            [
                [name, f"{wall:.2f}", f"{wall / plain_s:.2f}", f"{used:.2f}", f"{used / plain_used_s:.2f}"]
                for name, (wall, used) in took.items()
            ],
        )
        _tell_balances(database)
        wrong = check_invariants(database).difference_count
        database.dispose()
    return 1 if wrong else 0


def _tell_balances(database: Database) -> None:
    found = Sealing()
    ask_balances(database, found)
    median, slowest = statistics.median(found.as_of_ms), max(found.as_of_ms)
    print(f"balances as of, among {found.entries:,} entries: median {median:.1f} ms, slowest {slowest:.1f} ms")


def _counted(database: Database, query: str) -> int:
    def work(tx: Connection) -> int:
        snapshot_settings(tx)
        return int(tx.execute(text(f"SELECT count(*) FROM ({query}) AS found")).scalar_one())

    return database.snapshot(work)


def _looked(database: Database, look: Callable[[Connection, str], Look]) -> None:
    def work(tx: Connection) -> None:
        snapshot_settings(tx)
        assert not look(tx, "").doubts, "the books are right"

    database.snapshot(work)


def _gone_through(database: Database, found: Callable[[Connection], Iterable[object]]) -> int:
    def work(tx: Connection) -> int:
        snapshot_settings(tx)
        return len(list(found(tx)))

    return database.snapshot(work)


def _on_two(database: Database, works: Sequence[Callable[[Connection], None]]) -> None:
    def work(tx: Connection) -> None:
        database.share_snapshot(tx, works)

    database.snapshot(work)


def _read(tx: Connection, *, table: str) -> None:
    for setting in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
        tx.execute(text(f"SET LOCAL {setting} = off"))
    tx.execute(text(f"SELECT count(*) FROM {table}"))


def _hash(tx: Connection, *, query: str) -> None:
    for row in streamed(tx, query, {}):
        for document in row:
            sha256(document).digest()


def _in_turn(works: dict[str, Callable[[], object]], data: Path, *, rounds: int) -> dict[str, tuple[float, float]]:
    """Wall seconds and processor seconds of each, this process's and PostgreSQL's together."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            began, used = time.perf_counter(), processor_s(data)
            work()
            found[name].append((time.perf_counter() - began, processor_s(data) - used))
        print(f"· round {number + 1}/{rounds}", file=sys.stderr, flush=True)
    return {
        name: (statistics.median(wall for wall, _ in of), statistics.median(used for _, used in of))
        for name, of in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
