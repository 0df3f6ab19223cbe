"""The drill of docs/operations.md as its operator does it: back up, lose everything at once, restore, look."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from app.cli.local import DATABASE
from app.database import Database
from app.embedded import databases
from app.embedded.archive import open_archive
from app.embedded.base_backup import archive_all
from app.embedded.home import home_at
from app.embedded.postmaster import HOST, SUPERUSER, processes
from app.embedded.private import secret
from app.embedded.server import Server, running
from app.services.identity.tokens import Tokens
from app.services.reconciliation.reconcile import check_invariants
from app.settings import Settings
from tests.cli.processes import Started, voucher
from tests.world import Counter, World, counter, ok

BILL_FEN = 1_000


@pytest.fixture
def drilled(folder: Path) -> Iterator[tuple[Started, Server, Counter]]:
    """The service with archiving on from its first start, and a firm's voucher to draw on."""
    enabled = voucher(folder, "backup", folder / "备份 of Hangzhou", "--enable")
    assert enabled.returncode == 0, enabled.stderr
    service = Started(folder, "run", "--port", "0")
    try:
        service.wait_for("服务已就绪")
        home = home_at(folder / "state" / "postgres")
        server = Server(HOST, int(home.port.read_text()), secret(home.path, SUPERUSER), home.path)
        url = databases.urls(server, database=DATABASE).app_url
        settings = Settings(database_url=url, state_dir=folder / "state", public_url=service.address())
        database = Database(url)
        world = World(service.address(), database, Tokens.from_settings(settings))
        yield service, server, counter(world.city())
        world.close()
        database.dispose()
    finally:
        lose_power(service, folder)


def lose_power(service: Started, folder: Path) -> None:
    """All of it ends at once, and nothing of it has time to archive, to finish or to restart anything."""
    home = home_at(folder / "state" / "postgres")
    everything = [service.process, *service.process.children(recursive=True), *processes(home)]
    for process in psutil.process_iter():
        if (
            process.is_running()
            and "app.embedded.guardian" in (command := process.cmdline())
            and str(home.path) in command
        ):
            everything.append(process)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in everything:
            if process.is_running():
                process.send_signal(number)
    psutil.wait_procs(everything, timeout=20)


def draw(desk: Counter, count: int) -> list[str]:
    """So many redemptions, each answered; their ids."""
    return [ok(desk.redeem(BILL_FEN))["id"] for _ in range(count)]


@contextmanager
def opened(state: Path) -> Iterator[Database]:
    """The restored database, as the service."""
    with running(state / "postgres") as server:
        database = Database(databases.prepare(server, database=DATABASE).app_url)
        yield database
        database.dispose()


def redemptions(database: Database) -> set[str]:
    return set(database.transact(lambda tx: tx.execute(text("SELECT id FROM redemptions")).scalars().all()))


def test_what_was_acknowledged_comes_back_as_far_as_it_was_archived(
    drilled: tuple[Started, Server, Counter], folder: Path
) -> None:
    service, server, desk = drilled
    before = draw(desk, 2)
    taken = voucher(folder, "backup")
    assert taken.returncode == 0, taken.stderr
    early = draw(desk, 2)
    between = datetime.now(UTC)
    late = draw(desk, 2)
    (backups := folder / "备份 of Hangzhou")
    assert archive_all(server, open_archive(backups)) is not None
    unarchived = draw(desk, 2)
    lose_power(service, folder)

    lost_wal = home_at(folder / "state" / "postgres").data / "pg_wal"
    wanted = {
        "to-latest": (["--to-latest"], {*before, *early, *late}),
        "with-lost-disk": (["--to-latest", "--lost-wal", lost_wal], {*before, *early, *late, *unarchived}),
        "to-time": (["--to", between.isoformat()], {*before, *early}),
    }
    for name, (options, expected) in wanted.items():
        restored = voucher(folder, "restore", backups, "--into", folder / name, *options)
        assert restored.returncode == 0, restored.stdout + restored.stderr
        with opened(folder / name) as database:
            assert redemptions(database) == expected, name
            assert check_invariants(database).difference_count == 0
