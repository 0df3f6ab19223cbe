"""Between versions: an older service leaves a newer database alone, a newer one asks for the migration.

That the embedded database is backed up before it is migrated is seen in test_restore_drill.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.cli.local import service_database
from app.cli.output import Failure
from app.embedded.databases import Urls
from migrations import NewerDatabase
from tests.cli.processes import voucher
from tests.operations.drill import command

BEFORE = "0009"


def pretend(owner_url: str, revision: str) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
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
