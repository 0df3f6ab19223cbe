"""The drill of docs/operations.md as its operator does it: back up, lose everything at once, restore, look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from app.cli.local import DATABASE
from app.cli.output import Failure
from app.database import Database
from app.embedded import databases
from app.embedded.archive import open_archive
from app.embedded.base_backup import archive_all
from app.embedded.home import home_at
from app.embedded.server import running
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.services.reconciliation.reconcile import check_invariants
from app.services.sealing.keys import LogKeys
from app.services.sealing.sealer import Sealer
from app.settings import Settings
from tests.cli.processes import Started
from tests.operations.drill import (
    command,
    lose_power,
    migrated_but_for_the_last_step,
    opened,
    redemptions_in,
    server_of,
)
from tests.world import HANGZHOU, Counter, World, counter, ok

BILL_FEN = 1_000
SEALED_WITHIN_S = 20


class Drill:
    """A service that has been upgraded, with archiving on, and a firm's voucher to draw on."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.backups = folder / "备份 of Hangzhou"
        with running(self.state / "postgres") as older:
            url = databases.prepare(older, database=DATABASE).owner_url
            self.upgraded_from = migrated_but_for_the_last_step(url)
            assert command("backup", self.backups, "--enable").status == 0
            with pytest.raises(Failure, match="restart the service first"):
                command("backup")
        self.service = Started(folder, "run", "--port", "0")
        self._closing = ExitStack()

    def begin(self) -> None:
        """Wait until it serves, and put the firm's voucher into its hands."""
        self.service.wait_for("服务已就绪")
        self.server = server_of(self.state)
        self.settings = Settings(
            database_url=databases.urls(self.server, database=DATABASE).app_url,
            state_dir=self.state,
            public_url=self.service.address(),
        )
        self.database = Database(self.settings.database_url, reach=EVERYWHERE)
        self._closing.callback(self.database.dispose)
        world = World(self.service.address(), self.database, Tokens.from_settings(self.settings))
        self._closing.callback(world.close)
        self.desk: Counter = counter(world.city())

    def draw(self, count: int) -> list[str]:
        """So many redemptions, each acknowledged; their ids."""
        return [ok(self.desk.redeem(BILL_FEN))["id"] for _ in range(count)]

    def published(self, path: Path) -> Path:
        """The region's checkpoint, once its sealer has sealed all that was acknowledged."""
        deadline = time.monotonic() + SEALED_WITHIN_S
        while self._ask("SELECT count(*) FROM seal_queue"):
            assert time.monotonic() < deadline, "the sealer does not keep up"
            time.sleep(0.05)
        path.write_text(str(self._ask("SELECT checkpoint FROM logs")), encoding="utf-8")
        return path

    def lose_power(self) -> None:
        """Everything ends at once; the disk can still be read."""
        self._closing.close()
        lose_power(self.service, self.state)

    def _ask(self, query: str) -> object:
        return self.database.transact(lambda tx: tx.execute(text(query)).scalar_one())


@pytest.fixture
def drill(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drill]:
    monkeypatch.setenv("VOUCHER_STATE_DIR", str(folder / "state"))
    monkeypatch.delenv("VOUCHER_DATABASE_URL", raising=False)
    drill = Drill(folder)
    try:
        drill.begin()
        yield drill
    finally:
        drill.lose_power()


def seal(drill: Drill, sealing: Database) -> tuple[int, tuple[str, ...]]:
    """Let a sealer with the old keys look once: how many leaves it sealed, and which regions it could not."""
    done = Sealer(sealing, LogKeys.from_settings(drill.settings)).look()
    return done.leaves, done.failed


def test_what_was_acknowledged_comes_back_as_far_as_the_wal_reaches(drill: Drill, folder: Path) -> None:
    (at_upgrade,) = open_archive(drill.backups).backups()
    assert at_upgrade.facts["migration"] == drill.upgraded_from, "the way back from an upgrade"
    before = drill.draw(1)
    with ThreadPoolExecutor(1) as pool:
        during = pool.submit(drill.draw, 3)  # redemptions go on while the backup is taken
        assert command("backup").status == 0
        before += during.result()
    early = drill.draw(1)
    between = datetime.now(UTC)
    archived = drill.draw(1)
    checkpoint = drill.published(folder / "checkpoint")
    assert archive_all(drill.server, open_archive(drill.backups))
    assert archive_all(drill.server, open_archive(drill.backups)), "nothing to close is nothing to wait for"
    unarchived = drill.draw(1)
    drill.lose_power()

    # The disk is lost: all that was archived, and with it the log as it was published.
    restored = command("restore", drill.backups, "--to-latest", "--into", folder / "b", "--checkpoint", checkpoint)
    assert restored.status == 0, restored.said
    with opened(folder / "b") as database:
        assert redemptions_in(database) == {*before, *early, *archived}
        assert check_invariants(database).difference_count == 0

    # The disk can be read: everything.
    lost_wal = home_at(drill.state / "postgres").data / "pg_wal"
    restored = command("restore", drill.backups, "--to-latest", "--into", folder / "c", "--lost-wal", lost_wal)
    assert restored.status == 0, restored.said
    with opened(folder / "c") as database:
        assert redemptions_in(database) == {*before, *early, *archived, *unarchived}

    # An earlier instant: exactly what was then, and a log that is shorter than the published one is not sealed.
    restored = command(
        "restore", drill.backups, "--to", between.isoformat(), "--into", folder / "d", "--checkpoint", checkpoint
    )
    assert restored.status == 1
    assert "SHORTER" in restored.said
    with opened(folder / "d") as database:
        assert redemptions_in(database) == {*before, *early}
        assert check_invariants(database).difference_count == 0
        with opened(folder / "d", sealer=True) as sealing:
            assert seal(drill, sealing) == (0, (HANGZHOU,))
