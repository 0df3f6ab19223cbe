"""Between versions: an older service leaves a newer database alone, a newer one migrates, and backs up before."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command as alembic
from sqlalchemy import create_engine, text

import migrations
from app.cli.backing_up import settings_of
from app.cli.local import DATABASE, embedded_database, service_database
from app.cli.output import Failure
from app.embedded import databases
from app.embedded.archive import open_archive
from app.embedded.databases import Urls
from app.embedded.server import running
from migrations import NewerDatabase
from tests.cli.processes import voucher
from tests.operations.drill import command

BEFORE = "0009"


def pretend(owner_url: str, revision: str) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def migrate_to(revision: str, owner_url: str) -> None:
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        config = migrations.configuration()
        config.attributes["connection"] = connection
        alembic.upgrade(config, revision)
    engine.dispose()


def test_an_older_service_refuses_a_newer_database(urls: Urls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(urls.owner_url, "9999")
    run = voucher(folder, "run", "--port", "0", VOUCHER_DATABASE_URL=urls.app_url)
    assert run.returncode == 1
    assert "数据库结构（9999）比本版本" in run.stderr
    assert "the database is at migration 9999 and this older version" in run.stderr
    monkeypatch.setenv("VOUCHER_OWNER_URL", urls.owner_url)
    with pytest.raises(NewerDatabase):
        command("migrate")


def test_a_newer_service_asks_for_the_migration_of_a_given_database(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(urls.owner_url, BEFORE)
    monkeypatch.setenv("VOUCHER_DATABASE_URL", urls.app_url)
    with pytest.raises(Failure, match=f"at migration {BEFORE}.*voucher migrate"), service_database():
        pass


def test_the_embedded_database_is_backed_up_before_it_is_migrated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOUCHER_STATE_DIR", str(folder / "state"))
    monkeypatch.delenv("VOUCHER_DATABASE_URL", raising=False)
    assert command("backup", folder / "backups", "--enable").status == 0
    with running(folder / "state" / "postgres", settings=settings_of(folder / "state")) as server:
        migrate_to(BEFORE, databases.prepare(server, database=DATABASE).owner_url)
        with embedded_database() as urls:
            assert migrations.state_of(urls.app_url).revision == migrations.newest()
        (taken,) = open_archive(folder / "backups").backups()
        assert taken.facts["migration"] == BEFORE
        with embedded_database():
            assert open_archive(folder / "backups").backups() == [taken], "nothing was due the second time"
