"""After a restoration nothing is sealed before somebody has looked, and only the owner's word lets a log go on."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.cli.output import Failure
from app.database import Database
from app.embedded.databases import Urls
from app.services.sealing.keys import LogKeys
from app.services.sealing.sealer import Sealer
from app.settings import Settings
from app.tlog.checkpoints import Checkpoint, read_checkpoint
from app.tlog.notes import read_note, sign
from tests.operations.drill import command
from tests.world import HANGZHOU, NINGBO, World, counter, ok


@pytest.fixture
def owner(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of this test are given by the schema's owner."""
    monkeypatch.setenv("VOUCHER_OWNER_URL", urls.owner_url)
    monkeypatch.setenv("VOUCHER_DATABASE_URL", urls.app_url)


def look(settings: Settings, sealing: Database) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A sealer looks once: the regions it sealed, and those it could not."""
    done = Sealer(sealing, LogKeys.from_settings(settings)).look()
    return tuple(one.region_code for one in done.sealed), done.failed


def checkpoint(database: Database, path: Path) -> Path:
    query = text("SELECT checkpoint FROM logs WHERE region_code = :region")
    path.write_text(database.transact(lambda tx: tx.execute(query, {"region": HANGZHOU}).scalar_one()), "utf-8")
    return path


def longer(path: Path, settings: Settings, target: Path) -> Path:
    """What the log had published a leaf later."""
    seen = read_checkpoint(read_note(path.read_bytes())[0])
    signers = LogKeys.from_settings(settings).signers(seen.origin)
    target.write_text(sign(Checkpoint(seen.origin, seen.size + 1, seen.root).text(), *signers), "utf-8")
    return target


@pytest.mark.usefixtures("owner")
def test_a_log_goes_on_where_it_agrees_and_waits_for_an_official_where_not(
    world: World, database: Database, sealing: Database, settings: Settings, tmp_path: Path
) -> None:
    desk = counter(world.city())
    assert look(settings, sealing) == ((HANGZHOU,), ())
    published = checkpoint(database, tmp_path / "published")
    ok(desk.redeem(1_000))
    assert command("after-restore", "--mark", "pgBackRest 20261125").status == 0
    assert look(settings, sealing) == ((), (HANGZHOU,)), "nothing has been compared"
    assert "pgBackRest 20261125" in command("seal", "--status").said

    assert command("after-restore", "--checkpoint", published).status == 0
    assert look(settings, sealing) == ((HANGZHOU,), ())

    lost = longer(checkpoint(database, tmp_path / "later"), settings, tmp_path / "lost")
    ok(desk.redeem(1_000))
    assert command("after-restore", "--mark", "a second time").status == 0
    told = command("after-restore", "--checkpoint", lost, "--checkpoint", published)
    assert (told.status, "SHORTER" in told.said) == (1, True)
    assert look(settings, sealing) == ((), (HANGZHOU,))
    with pytest.raises(Failure, match="--decided-by"):
        command("after-restore", "--accept", HANGZHOU)
    decided = ("--decided-by", "财政局 王某", "--reason", "两笔已由服务方补报")
    assert command("after-restore", "--checkpoint", lost, "--accept", HANGZHOU, *decided).status == 0
    assert look(settings, sealing) == ((HANGZHOU,), ())
    rows = database.transact(
        lambda tx: tx.execute(
            text("SELECT ground, published_size, decided_by FROM restoration_releases ORDER BY released_at")
        ).all()
    )
    size = read_checkpoint(read_note(published.read_bytes())[0]).size
    later = read_checkpoint(read_note(lost.read_bytes())[0]).size
    assert [tuple(row) for row in rows] == [("agrees", size, None), ("decided", later, "财政局 王某")]


@pytest.mark.usefixtures("owner")
def test_a_region_that_nothing_is_known_of_waits_until_all_is_settled(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    assert command("after-restore", "--mark", "a backup").status == 0
    counter(world.city(NINGBO))
    assert look(settings, sealing) == ((), (NINGBO,))
    decided = ("--decided-by", "数据局 李某", "--reason", "恢复点之后没有新地区启用")
    assert command("after-restore", "--accept", "all", *decided).status == 0
    assert look(settings, sealing) == ((NINGBO,), ())


def test_the_service_itself_cannot_lift_the_mark(urls: Urls, database: Database) -> None:
    changes = [
        "INSERT INTO restorations (id, restored_at, backup) VALUES ('rst_x', now(), 'x')",
        "UPDATE restorations SET settled_at = now(), settled_by = 'x', settled_reason = 'x'",
        "DELETE FROM restorations",
        "INSERT INTO restoration_releases SELECT '330100', 'rst_x', now(), 'agrees', 0",
    ]
    for change in changes:
        with pytest.raises(DBAPIError) as refused:
            database.transact(lambda tx, change=change: tx.execute(text(change)))  # type: ignore[misc]
        assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
    engine = create_engine(urls.owner_url)
    with engine.connect() as connection, pytest.raises(DBAPIError, match="is refused"):
        connection.execute(text("DELETE FROM restoration_releases"))
    engine.dispose()


@pytest.mark.usefixtures("owner")
def test_a_checkpoint_that_is_none_or_not_signed_by_the_given_key_is_refused(
    world: World, database: Database, sealing: Database, settings: Settings, tmp_path: Path
) -> None:
    counter(world.city())
    look(settings, sealing)
    published = checkpoint(database, tmp_path / "published")
    (tmp_path / "letter").write_text("dear sir", encoding="utf-8")
    with pytest.raises(Failure, match="cannot be accepted"):
        command("after-restore", "--checkpoint", tmp_path / "letter")
    strange = LogKeys.from_settings(settings.model_copy(update={"state_dir": tmp_path / "other"}))
    (stranger,) = strange.signers(strange.origin(HANGZHOU))
    with pytest.raises(Failure, match="cannot be accepted"):
        command("after-restore", "--checkpoint", published, "--log-key", stranger.verifier.vkey)
