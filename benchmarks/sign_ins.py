"""`make bench-sign-ins`: what ten thousand sign-in attempts do to the service, and to whoever else is using it.

One worker on an embedded PostgreSQL is attacked over HTTP: first by one address, guessing one person's password and
then logins that nobody has; then by thousands of addresses at once. Meanwhile somebody asks for a page of redemptions
ten times a second, one person signs in from where she always does, and another from a place that was never seen.
Nothing is asserted: read what the attack was answered, how long the others waited, and whether memory and the table of
attempts stayed flat.
"""

from __future__ import annotations

import argparse
import http.client
import json
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from sqlalchemy import text

import migrations
from app.cli.serving import Service, listen, serving
from app.database import Database
from app.embedded import databases
from app.embedded.server import temporary
from app.kernel.vocabulary import Role
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.settings import Settings
from benchmarks.measuring import table
from tests.identity.authenticator import PASSWORD, with_password
from tests.world import World

HOME = "127.0.0.1"
PROBE_EVERY_S = 0.1
SIGN_IN_EVERY_S = 1.0


@dataclass
class Found:
    """What came of one round."""

    name: str
    answers: Counter[int] = field(default_factory=Counter)
    attack_s: list[float] = field(default_factory=list)
    taken_s: float = 0.0
    probes_s: list[float] = field(default_factory=list)
    known: Counter[int] = field(default_factory=Counter)
    known_s: list[float] = field(default_factory=list)
    fresh: Counter[int] = field(default_factory=Counter)
    memory_mib: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Target:
    """The service under attack, and who uses it."""

    service: Service
    world: World
    victim: str
    person: str
    newcomer: str
    device: str
    token: str

    def sign_in(self, source: str, login: str, password: str, device: str | None = None) -> int:
        """The status of one attempt from this address."""
        body = {"login": login, "password": password} | ({"device": device} if device else {})
        return self.ask("POST", "/v1/personal-tokens", source, json.dumps(body))

    def ask(self, method: str, path: str, source: str, body: str | None = None, **headers: str) -> int:
        """The status of one request on a connection of its own."""
        parts = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, source_address=(source, 0), timeout=60
        )
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def memory_mib(self) -> int:
        """What the worker holds now."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.service.pids) // 2**20

    def rows(self) -> int:
        """Counts of failures in the database."""
        with self.world.database.engine.connect() as tx:
            return int(tx.execute(text("SELECT count(*) FROM sign_in_failures")).scalar_one())


def main() -> int:
    """Attack, print."""
    given = argparse.ArgumentParser(
        prog="make bench-sign-ins", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given.add_argument("--attempts", type=int, default=10_000, help="in all, over the rounds (default 10,000)")
    given.add_argument("--connections", type=int, default=16, help="of each attacker (default 16)")
    given.add_argument("--seconds", type=float, default=30, help="the most that one round takes (default 30)")
    asked = given.parse_args()
    with _target() as target:
        results = [_round(target, "nobody attacks", lambda _: None, 0, 1, min(10, asked.seconds))]
        for name, attack, share in (
            ("one address, one person", lambda n: target.sign_in("127.1.0.1", target.victim, f"guess {n}"), 0.4),
            ("one address, many logins", lambda n: target.sign_in("127.1.0.2", f"nobody.{n}", "guess"), 0.4),
            ("many addresses", lambda n: target.sign_in(_address(n), f"nobody.{n}", "guess"), 0.2),
        ):
            attempts = int(asked.attempts * share)
            results.append(_round(target, name, attack, attempts, asked.connections, asked.seconds))
        twice = 3 * asked.connections
        name = f"many addresses, {twice} at once"
        results.append(
            _round(
                target, name, lambda n: target.sign_in(_address(n), f"none.{n}", "guess"), 10**9, twice, asked.seconds
            )
        )
    _show(results)
    return 0


def _address(number: int) -> str:
    return f"127.{2 + number // 60_000 % 250}.{number // 250 % 250}.{1 + number % 250}"


@contextmanager
def _target() -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder, temporary(within=Path(folder)) as server:
        urls = databases.prepare(server, database="bench")
        migrations.upgrade(urls.owner_url)
        state = Path(folder) / "state"
        database = Database(urls.app_url, pool_size=5, settings={"app.regions": "%"}, reach=EVERYWHERE)
        with listen(HOME, 0) as listening:
            log = Path(folder) / "log"
            with serving(
                urls.app_url, state, listening=listening, sealer_url=None, log_level="warning", log=log
            ) as run:
                run.wait_ready()
                settings = Settings(database_url=urls.app_url, state_dir=state, public_url=run.url)
                world = World(run.url, database, Tokens.from_settings(settings))
                firm = world.firm()
                people = [world.person(Role.FIRM, firm) for _ in range(3)]
                victim, person, newcomer = (with_password(world, one) for one in people)
                machine = world.machine(world.provider())
                device = secrets.token_urlsafe(32)
                target = Target(run, world, victim, person, newcomer, device, machine.http.headers["Authorization"])
                target.sign_in("127.0.0.9", person, PASSWORD, device)
                yield target
                world.close()
        database.dispose()


def _round(
    target: Target, name: str, attack: Callable[[int], int | None], attempts: int, connections: int, seconds: float
) -> Found:
    found, over, began = Found(name), threading.Event(), time.monotonic()
    numbers, lock = iter(range(attempts)), threading.Lock()

    def attacker() -> None:
        while time.monotonic() - began < seconds:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            at = time.monotonic()
            status = attack(number)
            with lock:
                found.answers[status or 0] += 1
                found.attack_s.append(time.monotonic() - at)

    def prober() -> None:
        while not over.wait(PROBE_EVERY_S):
            at = time.monotonic()
            target.ask("GET", "/v1/redemptions", HOME, Authorization=target.token)
            found.probes_s.append(time.monotonic() - at)

    def signs_in() -> None:
        number = 0
        while not over.wait(SIGN_IN_EVERY_S):
            at, number = time.monotonic(), number + 1
            found.known[target.sign_in("127.0.0.9", target.person, PASSWORD, target.device)] += 1
            found.known_s.append(time.monotonic() - at)
            found.fresh[target.sign_in(f"127.0.1.{1 + number % 250}", target.newcomer, PASSWORD)] += 1

    threads = [threading.Thread(target=attacker) for _ in range(connections)]
    others = [threading.Thread(target=prober), threading.Thread(target=signs_in)]
    for thread in (*threads, *others):
        thread.start()
    if attempts == 0:
        time.sleep(seconds)
    for thread in threads:
        thread.join()
    found.taken_s = time.monotonic() - began
    over.set()
    for thread in others:
        thread.join()
    found.memory_mib, found.rows = target.memory_mib(), target.rows()
    print(f"· {name}", file=sys.stderr)
    return found


def _show(results: list[Found]) -> None:
    rows = [
        [
            one.name,
            f"{sum(one.answers.values()):,}",
            f"{sum(one.answers.values()) / one.taken_s:.0f}",
            _counts(one.answers),
            _ms(one.attack_s),
            _ms(one.probes_s),
            _counts(one.known),
            _ms(one.known_s),
            _counts(one.fresh),
            str(one.memory_mib),
            f"{one.rows:,}",
        ]
        for one in results
    ]
    headings = ["round", "attempts", "a second", "answered", "ms", "others' ms"]
    table([*headings, "known", "ms", "new place", "MiB", "rows"], rows)
    print("ms: the median and the 99th percentile.")


def _counts(counted: Counter[int]) -> str:
    return " ".join(f"{status}×{times:,}" for status, times in sorted(counted.items())) or "-"


def _ms(durations: list[float]) -> str:
    if len(durations) < 2:
        return "-"
    return f"{1000 * statistics.median(durations):.0f} {1000 * statistics.quantiles(durations, n=100)[98]:.0f}"


if __name__ == "__main__":
    sys.exit(main())
