"""`make bench-issuing`: vouchers from one .xlsx, validated and issued, beside what nobody can do without.

In turn and several times over, medians of wall time on one embedded PostgreSQL with its durable settings:

(a) openpyxl, read-only, reads the same sheet, every cell of it and nothing more;
(b) a bare COPY of the same vouchers, entries, postings and queue rows into the same tables, their keys, checks and
    guards on, after they were taken out again;
(c) the service: the sheet read and checked against registry and earlier batches, written down for the checker,
    approved, and every voucher issued with its allotment, entry, leaf, posting and place in the seal queue, in one
    transaction;
(d) the same sheet with a wrong row in so many: every error found, and the annotated copy written;
(e) two hundred approvals of one voucher each, one after the other, on a pool that is enough for half of them;
(f) the same, all pressed at once, over the connections that one process has.

Three ratios are printed: (c) to (a) + (b), which is to stay at or below 2, (d) to (a), and (f) to (e). Compare the
lines of one run with each other; on a busy machine look at the processor seconds. Of (e) and (f) exactly half must have
been issued and the others refused for want of money. At the end the books must be right, or the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import psycopg

from app.cli.worker import collect_seldom
from app.database import Database
from app.embedded.server import Server, temporary
from app.reach import EVERYWHERE
from app.services.approvals.decisions import approve
from app.services.budgets.appropriations import request_appropriation
from app.services.issuance.annotated import write_annotated
from app.services.issuance.checks import Submission, find_complaints
from app.services.issuance.sheet import Sheet, read_sheet
from app.services.issuance.submission import submit_batch
from app.services.programmes.programmes import create_programme, submit_programme
from app.services.reconciliation.reconcile import check_invariants
from benchmarks.issuing.last_yuan import Race
from benchmarks.issuing.sheets import SHEET, Large, firms, large, register
from benchmarks.measuring import processor_s, table
from benchmarks.reconciliation.books import prepared
from benchmarks.redemptions.books import caller_of, draft, people_of

REGION = "330100"
NAME = "issuing"
_LAST = "(SELECT max(id) FROM issuance_batches)"
_LAST_ENTRIES = f"(SELECT id FROM entries WHERE subject_id = {_LAST})"
_WHICH = {
    "vouchers": f"WHERE batch_id = {_LAST}",
    "entries": f"WHERE subject_id = {_LAST}",
    "postings": f"WHERE entry_id IN {_LAST_ENTRIES}",
    "seal_queue": f"WHERE leaf_id IN {_LAST_ENTRIES}",
}
"""The rows of the last batch, in the order in which keys between them allow."""

Took = dict[str, list[tuple[float, float]]]
"""By what was done: wall seconds and processor seconds, of this process and PostgreSQL, round by round."""


def main() -> int:
    """Issue, copy, read, print, check."""
    parser = argparse.ArgumentParser(
        prog="make bench-issuing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the sheet (default 100,000)")
    parser.add_argument("--wrong", type=int, default=1_000, help="wrong rows of the second sheet (default 1,000)")
    parser.add_argument("--approvals", type=int, default=200, help="approvals that are pressed at once (default 200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts (default 3)")
    asked = parser.parse_args()
    took: Took = {}
    collect_seldom()  # as the service's processes do
    with temporary(settings={"max_wal_size": "8GB"}) as server:
        wrong = Bench(server, took, asked.rows, asked.wrong, asked.approvals).run(asked.rounds)
    show(took)
    return 1 if wrong else 0


class Bench:
    """One run: a city with a programme, and a new sheet for every round."""

    def __init__(self, server: Server, took: Took, rows: int, wrong: int, approvals: int) -> None:
        self._server, self._took, self._rows, self._wrong, self._approvals = server, took, rows, wrong, approvals
        self._database = Database(prepared(server, NAME).app_url, reach=EVERYWHERE)
        self._people = self._database.transact(lambda tx: people_of(tx, REGION))
        self._firms = firms(max(1, rows // 10))
        self._database.transact(lambda tx: register(tx, self._firms, REGION))

    def run(self, rounds: int) -> int:
        """Measure; says how many invariants do not hold."""
        programme_id = self._programme(rounds * self._rows * 200_000)
        for number in range(1, rounds + 1):
            sheet = large(self._firms, self._rows, batch=f"R{number}")
            faulty = large(self._firms, self._rows, batch=f"W{number}", wrong=self._wrong)
            with self._timed("(a) openpyxl reads the sheet"):
                _read_only(sheet)
            with self._timed("(c) read, check, submit, approve, issue"):
                self._issue(sheet, programme_id)
            self._copy()
            with self._timed("(d) all errors, annotated copy"):
                self._annotate(faulty, programme_id)
            race = Race(self._database, self._people, self._firms[0].id, self._approvals)
            for what, press in (
                ("(e) approvals, one after the other", race.one_by_one),
                ("(f) the same approvals at once", race.at_once),
            ):
                asked = race.prepare(self._programme(race.funds_fen), f"{what[1]}{number}")
                with self._timed(what):
                    press(asked)
            print(f"· round {number}/{rounds}", file=sys.stderr, flush=True)
        wrong = check_invariants(self._database).difference_count
        self._database.dispose()
        return wrong

    def _issue(self, sheet: Large, programme_id: str) -> None:
        read = read_sheet(sheet.data, language="zh")
        submission = _submission(sheet, read, programme_id)
        asked = self._act("maker", submit_batch, submission=submission, dry_run=False).approval_id
        self._act("checker", approve, approval_id=asked)

    def _annotate(self, sheet: Large, programme_id: str) -> None:
        read = read_sheet(sheet.data, language="zh")
        found = self._act("maker", find_complaints, submission=_submission(sheet, read, programme_id))
        assert len(found) == self._wrong, "every wrong row and no other"
        write_annotated(read, found)

    def _copy(self) -> None:
        """What the last batch wrote, taken out and copied in again as fast as PostgreSQL takes it."""
        address = self._server.url("postgres", self._server.password, NAME).replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as planning:
            planning.execute("ANALYZE")  # autovacuum has not seen the new rows, and the plans to take them out show it
        with psycopg.connect(address) as taking:
            rows = {name: _taken(taking, f"SELECT * FROM {name} {which}") for name, which in _WHICH.items()}
            taking.execute("SET session_replication_role = replica")  # only an owner can, and only to take them out
            for name in reversed(_WHICH):
                taking.execute(f"DELETE FROM {name} {_WHICH[name]}")  # type: ignore[arg-type]
            taking.commit()
        with psycopg.connect(address, autocommit=True) as cleaning:
            for name in _WHICH:
                cleaning.execute(f"VACUUM {name}")  # type: ignore[arg-type]
        with psycopg.connect(address) as copying, self._timed("(b) bare COPY of the same rows"):
            for name in _WHICH:
                with copying.cursor().copy(f"COPY {name} FROM STDIN") as copy:  # type: ignore[arg-type]
                    copy.write(rows[name])
            copying.commit()

    def _programme(self, funds_fen: int) -> str:
        programme_id: str = self._act("maker", create_programme, draft=draft(REGION, self._people)).id
        _, asked = self._act("maker", submit_programme, programme_id=programme_id)
        self._act("checker", approve, approval_id=asked)
        granted = {"document_no": "财字1号", "amount_fen": funds_fen}
        asked = self._act("finance", request_appropriation, programme_id=programme_id, **granted)
        self._act("second_finance", approve, approval_id=asked)
        return programme_id

    def _act(self, role: str, work: Callable[..., Any], **given: Any) -> Any:
        return self._database.transact(lambda tx: work(tx, caller=caller_of(tx, self._people[role]), **given))

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        wall, processor = time.perf_counter(), processor_s(self._server.data)
        yield
        self._took.setdefault(what, []).append((time.perf_counter() - wall, processor_s(self._server.data) - processor))


def show(took: Took) -> None:
    """Print the medians and the ratios."""
    median = {
        name: tuple(statistics.median(one[place] for one in rounds) for place in (0, 1))
        for name, rounds in took.items()
    }
    table(["", "seconds", "processor"], [[name, f"{wall:.2f}", f"{used:.2f}"] for name, (wall, used) in median.items()])
    a, c, b, d, e, f = (median[name] for name in took)
    print(f"\n(c) / ((a) + (b)): {c[0] / (a[0] + b[0]):.2f}   by processor time {c[1] / (a[1] + b[1]):.2f}")
    print(f"(d) / (a): {d[0] / a[0]:.2f}   by processor time {d[1] / a[1]:.2f}")
    print(f"(f) / (e): {f[0] / e[0]:.2f}   by processor time {f[1] / e[1]:.2f}")


def _read_only(sheet: Large) -> None:
    book = openpyxl.load_workbook(BytesIO(sheet.data), read_only=True)
    for _ in book[SHEET].iter_rows(values_only=True):
        pass


def _submission(sheet: Large, read: Sheet, programme_id: str) -> Submission:
    return Submission(
        programme_id,
        read.rows,
        read.layout,
        sheet.count,
        sheet.total_fen,
        "清单.xlsx",
        hashlib.sha256(sheet.data).hexdigest(),
        read.errors,
    )


def _taken(connection: psycopg.Connection[Any], query: str) -> bytes:
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT") as copy:  # type: ignore[arg-type]
        return b"".join(bytes(block) for block in copy)


if __name__ == "__main__":
    sys.exit(main())
