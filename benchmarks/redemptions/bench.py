"""One run of the benchmark: set up, measure in turn, check the books, clear away."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

import migrations
from app.cli.serving import listen, serving
from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server, running
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.services.reconciliation.reconcile import check_invariants
from app.settings import Settings
from benchmarks.redemptions import books, sealed
from benchmarks.redemptions.cases import SEND_FOR_OPEN, Case, Running, Samples, measure
from benchmarks.redemptions.sealed import Sealing
from benchmarks.redemptions.watching import Watch, children_s, memory_mib
from benchmarks.redemptions.yardsticks import HOW_TO_GET, Told, Yardsticks, find_pgbench

SETTINGS = {"max_connections": "250"}
"""Everything else is as the service's own embedded PostgreSQL has it: fsync on, synchronous_commit on."""
OURS = ("VOUCHER_DATABASE_URL", "VOUCHER_SEALER_URL", "VOUCHER_OWNER_URL", "VOUCHER_STATE_DIR", "VOUCHER_PUBLIC_URL")
TOKEN_S = 12 * 3600
CLIENTS = (8, 32, 96)
"""Of pgbench; the best counts."""
BATCH_CLIENTS = 8
CITIES = 20
MOST_TARGETS = 200_000
SOAK_PARTS = 10
MAIN = "2 workers, 128 clients"
UNSEALED, BESIDE_A_SEALER = f"{MAIN}, no sealer", f"{MAIN}, beside a sealer"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    rounds: int
    seconds: float
    warm_s: float
    scale: int
    vouchers: int
    many: int
    rows: int
    soak: int
    only: str
    pgbench: bool
    against: Path | None


@dataclass(slots=True)
class Results:
    """All that was found. `wrong` says in words what must not be."""

    options: Options
    server: str = ""
    yardsticks: dict[str, dict[int, list[Told]]] = field(default_factory=dict)
    cases: dict[str, Samples] = field(default_factory=dict)
    soak: list[tuple[int, list[float]]] = field(default_factory=list)
    sealing: Sealing = field(default_factory=Sealing)
    wrong: list[str] = field(default_factory=list)
    checked: int = 0
    taken_s: float = 0

    def best(self, name: str) -> tuple[float, int] | None:
        """Transactions a second of a pgbench script at the first round's best number of clients, and that number."""
        first = {clients: taken[0] for clients, taken in self.yardsticks.get(name, {}).items() if clients > 1}
        if not first:
            return None
        clients = max(first, key=lambda clients: first[clients].per_second)
        return statistics.median(told.per_second for told in self.yardsticks[name][clients]), clients


class Bench:
    """Runs once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._results = Results(options)
        self._acknowledged: dict[str, int] = {}

    def run(self) -> Results:
        """Measure everything and check the books."""
        began = time.monotonic()
        for name in OURS:
            os.environ.pop(name, None)
        with _folder() as folder, running(folder / "postgres", settings=SETTINGS) as server, ExitStack() as stack:
            self._watch = Watch(server.data)
            self._results.server = _version(server)
            self._measure(server, folder, stack)
        self._results.taken_s = time.monotonic() - began
        return self._results

    def _measure(self, server: Server, folder: Path, stack: ExitStack) -> None:
        yardsticks = self._prepare_yardsticks(server, folder)
        few = self._books(server, "few", stack)
        many = self._books(server, "many", stack) if self._options.many else None
        cases = [case for case in self._cases(few, many, folder, stack) if re.search(self._options.only, case[1].name)]
        for number in range(1, self._options.rounds + 1):
            if yardsticks:
                self._take_yardsticks(yardsticks, first=number == 1)
            for books_name, case in cases:
                self._take(books_name, case)
            _tell(f"round {number}/{self._options.rounds}")
        for books_name, case in cases:
            if self._options.soak and case.name == MAIN:
                self._soak(books_name, case)
        main = next((case for books_name, case in cases if case.name == MAIN), None)
        if main is not None:
            self._seal(few, main, folder)
        for name, of in (("few", few), ("many", many)):
            if of is not None:
                self._check(name, of[1])

    # -- pgbench ---------------------------------------------------------------------------------------------

    def _prepare_yardsticks(self, server: Server, folder: Path) -> Yardsticks | None:
        if not self._options.pgbench:
            return None
        program = find_pgbench(folder / "postgres")
        if program is None:
            print(HOW_TO_GET, file=sys.stderr)
            return None
        urls = databases.prepare(server, database="yardsticks")
        yardsticks = Yardsticks(program, urls.owner_url, folder, scale=self._options.scale)
        _tell(f"pgbench at scale {self._options.scale}, with {program}")
        yardsticks.prepare()
        return yardsticks

    def _take_yardsticks(self, yardsticks: Yardsticks, *, first: bool) -> None:
        """In the first round every number of clients has its turn, later the best of that round."""
        for name in ("a", "b", "c"):
            best = None if first else self._results.best(name)
            for clients in CLIENTS if best is None else (best[1],):
                self._take_yardstick(yardsticks, name, clients)
        self._take_yardstick(yardsticks, "b", 1)

    def _take_yardstick(self, yardsticks: Yardsticks, name: str, clients: int) -> None:
        before, before_s = self._watch.cpu(()), children_s()
        told = yardsticks.measure(name, clients=clients, seconds=self._options.seconds)
        used_s = self._watch.cpu(()).postgres_s - before.postgres_s + children_s() - before_s
        told = replace(told, processor_us=used_s * 1e6 / (told.per_second * self._options.seconds))
        self._results.yardsticks.setdefault(name, {}).setdefault(clients, []).append(told)
        _tell(f"({name}) {clients} clients: {told.per_second:,.0f}/s")

    # -- the service -----------------------------------------------------------------------------------------

    def _books(self, server: Server, name: str, stack: ExitStack) -> tuple[Urls, Database]:
        urls = databases.prepare(server, database=name)
        migrations.upgrade(urls.owner_url)
        database = Database(urls.app_url, reach=EVERYWHERE)
        stack.callback(database.dispose)
        return urls, database

    def _cases(
        self,
        few: tuple[Urls, Database],
        many: tuple[Urls, Database] | None,
        folder: Path,
        stack: ExitStack,
    ) -> Iterator[tuple[str, Case]]:
        options = self._options
        cities = books.city_codes(CITIES)
        urls, database = few
        centres = books.providers(database, cities)
        count = options.vouchers
        city = books.scheme(
            database, cities[0], centres, vouchers=count, told=books.Progress("vouchers of one city", count)
        )
        _tell(f"vouchers of {CITIES} cities: {count:,}")
        spread = [books.scheme(database, code, centres, vouchers=count // CITIES) for code in cities]
        hot = books.scheme(database, cities[0], centres, vouchers=1, face_fen=books.HOT_FACE_FEN)

        def of(*schemes: books.Scheme) -> list[tuple[str, int]]:
            return [target for one in schemes for target in books.targets(database, one, centres, most=MOST_TARGETS)]

        ordinary, of_all, one = of(city), of(*spread), of(hot)
        one_worker = self._serve(urls, folder, centres, 1, stack)
        two_workers = self._serve(urls, folder, centres, 2, stack)
        for name, service in (("1 worker", one_worker), ("2 workers", two_workers)):
            for clients in (1, 32, 128):
                called = f"{name}, {clients} client{'s' if clients > 1 else ''}"
                yield "few", Case(called, service, ordinary, clients)
            yield "few", Case(f"{name}, open loop", service, ordinary, 128, open_after=f"{name}, 128 clients")
            batches = f"{name}, batches of {options.rows}"
            yield "few", Case(batches, service, ordinary, BATCH_CLIENTS, rows=options.rows)
        if options.against:
            with contextlib.chdir(options.against):
                before = self._serve(urls, folder, centres, 2, stack)
            yield "few", Case(f"{MAIN}, {options.against}", before, ordinary, 128)
            yield "few", Case(f"2 workers, 1 client, {options.against}", before, ordinary, 1)
            batches = f"2 workers, batches, {options.against}"
            yield "few", Case(batches, before, ordinary, BATCH_CLIENTS, rows=options.rows)
        yield "few", Case("one hot voucher", two_workers, one, 128)
        yield "few", Case("twenty cities", two_workers, of_all, 128)
        if many is not None:
            yield "many", self._case_of_many(*many, folder, stack)

    def _case_of_many(self, urls: Urls, database: Database, folder: Path, stack: ExitStack) -> Case:
        count = self._options.many
        city = books.city_codes(1)[0]
        centres = books.providers(database, [city])
        scheme = books.scheme(database, city, centres, vouchers=count, told=books.Progress("many vouchers", count))
        targets = books.targets(database, scheme, centres, most=MOST_TARGETS)
        return Case(f"{count:,} vouchers", self._serve(urls, folder, centres, 2, stack), targets, 128)

    def _serve(self, urls: Urls, folder: Path, centres: books.Providers, workers: int, stack: ExitStack) -> Running:
        os.environ["VOUCHER_LIMIT_VOUCHER"] = "1000000000/10"  # counted, and no bound to how hot one voucher may be
        os.environ["VOUCHER_LIMIT_CLIENT"] = "1000000000/10"
        service = stack.enter_context(
            serving(
                urls.app_url,
                folder,
                listening=listen("127.0.0.1", 0),
                workers=workers,
                sealer_url=None,  # it has a section of its own
                log_level="warning",
                log=folder / "service.log",
            )
        )
        service.wait_ready()
        settings = Settings(database_url=urls.app_url, state_dir=folder, public_url=service.url)
        tokens = Tokens.from_settings(settings)
        pairs = zip(centres.machines, centres.organisations, strict=True)
        return Running(
            service, tuple(tokens.issue(machine, organisation_id=of, ttl_s=TOKEN_S).token for machine, of in pairs)
        )

    def _take(self, books_name: str, case: Case) -> None:
        rate = 0.0
        if case.open_after is not None:
            taken = self._results.cases.get(case.open_after)
            if taken is None:
                return
            rate = taken.taken[-1].found.per_second * SEND_FOR_OPEN
        sample = measure(case, self._watch, seconds=self._options.seconds, warm_s=self._options.warm_s, rate=rate)
        self._results.cases.setdefault(case.name, Samples()).taken.append(sample)
        self._count(books_name, sample.found.acknowledged)
        found = sample.found
        _tell(f"(d) {case.name}: {found.per_second:,.0f}/s, p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms")

    def _soak(self, books_name: str, case: Case) -> None:
        """Many requests, and what the workers' memory is after each part of them."""
        pids = case.running.service.pids
        self._results.soak.append((0, memory_mib(pids)))
        for part in range(1, SOAK_PARTS + 1):
            requests = self._options.soak // SOAK_PARTS
            sample = measure(case, self._watch, seconds=1, warm_s=0, requests=requests)
            self._count(books_name, sample.found.acknowledged)
            memory = memory_mib(pids)
            self._results.soak.append((part * requests, memory))
            told = ", ".join(f"{one:.1f}" for one in memory)
            _tell(f"soak {part * requests:,}/{self._options.soak:,}: {sample.found.per_second:,.0f}/s, {told} MiB")

    def _seal(self, few: tuple[Urls, Database], case: Case, folder: Path) -> None:
        """Seal what the rounds have queued, then redeem with and without a sealer in turn."""
        urls, database = few
        settings = sealed.settings_of(urls, folder, case.running.service)
        found = self._results.sealing
        sealed.drain(urls, settings, found)
        _tell(f"sealed {found.leaves:,} leaves, {found.rates[-1]:,.0f}/s")
        for _ in range(self._options.rounds):
            self._take("few", replace(case, name=UNSEALED))
            with sealed.running_sealer(urls, settings, folder / "service.log", database, found):
                self._take("few", replace(case, name=BESIDE_A_SEALER))
        sealed.drain(urls, settings, sealed.Sealing())
        sealed.ask_balances(database, found)
        _tell(f"balances among {found.entries:,} entries: {statistics.median(found.as_of_ms):.1f} ms")

    # -- the books -------------------------------------------------------------------------------------------

    def _count(self, books_name: str, acknowledged: int) -> None:
        self._acknowledged[books_name] = self._acknowledged.get(books_name, 0) + acknowledged

    def _check(self, name: str, database: Database) -> None:
        _tell(f"every invariant of the books with {name} vouchers")
        wrong, results = self._results.wrong, self._results
        found, answered = books.redemptions(database), self._acknowledged.get(name, 0)
        if found != answered:
            wrong.append(f"{name}: {answered:,} redemptions were answered with 201, the books have {found:,}")
        for finding in check_invariants(database).findings:
            results.checked += 1
            if finding.count:
                wrong.append(f"{name}: invariant {finding.number} {finding.name}: {finding.count:,} differences")
        wrong.extend(f"{case}: {of.others}" for case, of in results.cases.items() if of.others and name == "few")


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on this disk (a temporary one may be memory, where nothing is durable), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    folder.chmod(0o711)
    try:
        yield folder
    except BaseException:
        log = folder / "service.log"
        if log.exists():
            print(log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _version(server: Server) -> str:
    with psycopg.connect(server.superuser_url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "SELECT version(), current_setting('fsync'), current_setting('synchronous_commit'),"
            " current_setting('full_page_writes'), current_setting('shared_buffers')"
        ).fetchone()
    assert row is not None
    return (
        f"{row[0].split(' on ')[0]}, fsync {row[1]}, synchronous_commit {row[2]}, "
        f"full_page_writes {row[3]}, shared_buffers {row[4]}"
    )


def _tell(what: str) -> None:
    print(f"· {what}", file=sys.stderr, flush=True)
