"""What `voucher restore` refuses, and what it only shows. (What it does: test_restore_drill.)"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import migrations
from app.cli.output import Failure
from app.cli.restore import read_instant
from app.embedded.archive import Archive, Backup, Segment, prepare_archive
from migrations import NewerDatabase
from tests.operations.drill import command

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)
BACKUP = Backup("first", NOON, NOON, "18.6", 1, 2, 3, 10, "00" * 32)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """A backup of segments 2 and 3, made at noon in Beijing, and the WAL of segments 1 to 5."""
    archive = prepare_archive(tmp_path / "backups", system_identifier="7", account=None)
    keep(archive, BACKUP)
    for number in range(1, 6):
        (archive.wal / f"{Segment(1, number).name}.gz").touch()
    return archive


def keep(archive: Archive, backup: Backup) -> None:
    with archive.draft(backup.name) as draft:
        archive.keep(draft, replace(backup, facts={"migration": migrations.newest(), **backup.facts}))


def test_an_instant_is_beijing_time_unless_it_says_otherwise() -> None:
    assert read_instant("2026-11-25 12:00") == NOON
    assert read_instant("2026-11-25T12:00:00") == NOON
    assert read_instant("2026-11-25T04:00:00Z") == NOON
    with pytest.raises(Failure, match="no instant"):
        read_instant("noon")


def test_a_dry_run_shows_the_plan_and_does_nothing(archive: Archive, tmp_path: Path) -> None:
    shown = command("restore", archive.folder, "--to-latest", "--into", tmp_path / "new", "--dry-run")
    assert shown.status == 0
    assert "first，2026-11-25 12:00:00" in shown.said
    assert "4 段 segments" in shown.said
    assert not (tmp_path / "new").exists()


def test_an_instant_beyond_the_archive_is_no_recovery_point(archive: Archive, tmp_path: Path) -> None:
    """The plan is read before an outage is promised to end: it must not name an instant that nothing reaches."""
    options = ("restore", archive.folder, "--into", tmp_path / "new", "--dry-run", "--to")
    shown = command(*options, "2999-01-01 00:00").said
    assert "use --to-latest" in shown and "what was committed later is left out" not in shown
    shown = command(*options, "2026-11-25 12:00:00").said
    assert "use --to-latest" not in shown and "what was committed later is left out" in shown


def test_it_never_overwrites_a_database(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "state" / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(Failure, match="never overwrites"):
        command("restore", archive.folder, "--to-latest", "--into", tmp_path / "state", "--dry-run")


def test_one_target_is_named(archive: Archive, tmp_path: Path) -> None:
    for options in ([], ["--to-latest", "--to", "2026-11-25 14:00"]):
        with pytest.raises(Failure, match="either --to or --to-latest"):
            command("restore", archive.folder, "--into", tmp_path / "new", *options)


def test_an_instant_before_the_first_backup_cannot_be_reached(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="2026-11-25 12:00:00 Beijing time is the earliest"):
        command("restore", archive.folder, "--into", tmp_path / "new", "--to", "2026-11-25 11:59")


def test_a_missing_segment_does_not_pass_for_the_end_of_the_archive(archive: Archive, tmp_path: Path) -> None:
    (archive.wal / f"{Segment(1, 3).name}.gz").unlink()  # the backup carries that one itself
    assert command("restore", archive.folder, "--to-latest", "--into", tmp_path / "new", "--dry-run").status == 0
    (archive.wal / f"{Segment(1, 4).name}.gz").unlink()
    with pytest.raises(Failure, match="segment 4 of the WAL is missing"):
        command("restore", archive.folder, "--to-latest", "--into", tmp_path / "new", "--dry-run")
    later = replace(BACKUP, name="later", finished_at=NOON + timedelta(hours=1), first_segment=5, last_segment=5)
    keep(archive, later)
    assert command("restore", archive.folder, "--to-latest", "--into", tmp_path / "new", "--dry-run").status == 0


def test_a_backup_of_a_newer_service_is_left_to_that_one(archive: Archive, tmp_path: Path) -> None:
    newer = replace(BACKUP, name="newer", finished_at=NOON + timedelta(hours=1), facts={"migration": "9999"})
    keep(archive, newer)
    with pytest.raises(NewerDatabase):
        command("restore", archive.folder, "--to-latest", "--into", tmp_path / "new")


def test_the_list_names_a_gap(archive: Archive) -> None:
    listed = command("backup", archive.folder, "--list")
    assert (listed.status, "first" in listed.said) == (0, True)
    (archive.wal / f"{Segment(1, 4).name}.gz").unlink()
    with pytest.raises(Failure, match="segment 4 is missing"):
        command("backup", archive.folder, "--list")
