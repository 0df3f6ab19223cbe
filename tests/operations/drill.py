"""A service with archiving that loses its power, for drills."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from alembic import command as alembic
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

import migrations
from app.cli.commands import app
from app.cli.local import DATABASE
from app.database import Database
from app.embedded import databases
from app.embedded.home import home_at
from app.embedded.postmaster import HOST, SUPERUSER, processes
from app.embedded.private import secret
from app.embedded.server import Server, running
from app.reach import EVERYWHERE
from tests.cli.processes import Started

GONE_S = 20


class Outcome:
    """How a command ended and what it said."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        self.said = said


def command(*arguments: str | Path) -> Outcome:
    """Run `voucher` in this process, where VOUCHER_STATE_DIR leads. What it raises is the caller's to expect."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return Outcome(result.exit_code, result.output)


def server_of(state: Path) -> Server:
    """The running server of a state folder, without becoming one of its users."""
    home = home_at(state / "postgres")
    return Server(HOST, int(home.port.read_text()), secret(home.path, SUPERUSER), home.path)


def migrated_but_for_the_last_step(owner_url: str) -> str:
    """Migrate a new database as an older version of the service would have. Gives the step it stands at."""
    configuration = migrations.configuration()
    last = ScriptDirectory.from_config(configuration).get_revision(migrations.newest())
    assert isinstance(last.down_revision, str)
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        alembic.upgrade(configuration, last.down_revision)
    engine.dispose()
    return last.down_revision


def lose_power(service: Started, state: Path) -> None:
    """All of it ends at once: nothing has time to archive, to finish, or to start anything again."""
    home = home_at(state / "postgres")
    guardians = [process for process in psutil.process_iter() if _guards(process, home.path)]
    own = [service.process, *service.process.children(recursive=True)] if _lives(service.process) else []
    everything = [*own, *guardians, *processes(home)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in filter(_lives, everything):
            process.send_signal(number)
    deadline = time.monotonic() + GONE_S
    while any(map(_lives, everything)):
        assert time.monotonic() < deadline, "it outlives SIGKILL"
        time.sleep(0.02)
    service.process.wait()


@contextmanager
def opened(state: Path, *, sealer: bool = False) -> Iterator[Database]:
    """The restored database as the service's or the sealer's role, on a server of its own."""
    with running(state / "postgres", settings={"fsync": "off"}) as server:
        urls = databases.prepare(server, database=DATABASE)
        database = Database(urls.sealer_url if sealer else urls.app_url, reach=EVERYWHERE)
        yield database
        database.dispose()


def redemptions_in(database: Database) -> set[str]:
    """The ids of all redemptions in the books."""
    return set(database.transact(lambda tx: tx.execute(text("SELECT id FROM redemptions")).scalars().all()))


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _guards(process: psutil.Process, home: Path) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "app.embedded.guardian" in words and str(home) in words
