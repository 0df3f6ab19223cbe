"""The archive of the write-ahead log: its names, its gaps, and the command that PostgreSQL runs."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.embedded.archive import (
    Archive,
    Backup,
    BackupFailed,
    Segment,
    gap_after,
    newest_before,
    open_archive,
    prepare_archive,
    segment_of,
)
from app.embedded.archiving import archive_command, restore_command

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)
SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "postgres-archive.sh"
SEGMENT = "000000010000000000000005"
BACKUP = Backup("first", NOON, NOON, "18.6", 1, 2, 3, 10, "00" * 32)


def test_segments_are_named_as_postgresql_names_them() -> None:
    # 0x1FE = 510 = 1 × 256 + 254 segments of 16 MiB.
    assert segment_of("0000000200000001000000FE.gz") == Segment(2, 510)
    assert Segment(2, 510).name == "0000000200000001000000FE"
    assert segment_of("00000002.history.gz") is None
    assert segment_of("000000010000000000000005.partial") is None


@pytest.mark.parametrize(
    ("numbers", "gap"), [([2, 3, 4], None), ([1, 2, 4, 5], 3), ([3, 4], 2), ([], None), ([1], None)]
)
def test_a_missing_segment_is_found(numbers: list[int], gap: int | None) -> None:
    assert gap_after(2, numbers) == gap


def test_an_instant_is_restored_from_the_newest_backup_that_was_whole_by_then() -> None:
    later = replace(BACKUP, name="second", finished_at=NOON + timedelta(hours=1))
    assert newest_before([BACKUP, later], NOON + timedelta(hours=2)) == later
    assert newest_before([BACKUP, later], NOON + timedelta(minutes=59)) == BACKUP
    assert newest_before([BACKUP, later], NOON - timedelta(seconds=1)) is None
    assert newest_before([BACKUP, later], None) == later


def run(command: str, path: Path, name: str = SEGMENT) -> int:
    """As PostgreSQL would."""
    filled = command.replace("%p", path.name).replace("%f", name).replace("%%", "%")
    return subprocess.run(["/bin/sh", "-c", filled], cwd=path.parent, capture_output=True, check=False).returncode


def test_archiving_is_whole_repeatable_and_never_replaces(tmp_path: Path) -> None:
    wal = tmp_path / "wal of 100% 'quotes'"
    wal.mkdir()
    path = tmp_path / SEGMENT
    path.write_bytes(b"first")
    assert run(archive_command(wal), path) == 0
    assert [file.name for file in wal.iterdir()] == [f"{SEGMENT}.gz"]
    assert run(archive_command(wal), path) == 0  # as after a crash between the link and PostgreSQL's note of it

    path.write_bytes(b"other")
    assert run(archive_command(wal), path) == 1
    assert gzip.decompress((wal / f"{SEGMENT}.gz").read_bytes()) == b"first"


def test_the_script_for_containers_archives_alike(tmp_path: Path) -> None:
    wal = tmp_path / "wal"
    wal.mkdir()
    path = tmp_path / SEGMENT
    path.write_bytes(b"first")
    command = list(map(str, (SCRIPT, path, SEGMENT, wal)))
    assert [subprocess.run(command, check=False).returncode for _ in range(2)] == [0, 0]
    path.write_bytes(b"other")
    assert subprocess.run(command, check=False).returncode == 1
    assert gzip.decompress((wal / f"{SEGMENT}.gz").read_bytes()) == b"first"
    assert [file.name for file in wal.iterdir()] == [f"{SEGMENT}.gz"]


def test_archiving_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    wal = tmp_path / "wal"
    wal.mkdir()
    assert run(archive_command(wal), tmp_path / "missing") == 1
    assert list(wal.iterdir()) == []
    assert run(archive_command(tmp_path / "not mounted"), tmp_path / "missing") == 1


def test_fetching_tells_the_end_of_the_archive_from_a_damaged_segment(tmp_path: Path) -> None:
    wal = tmp_path / "wal"
    wal.mkdir()
    target = tmp_path / "target"
    assert run(restore_command(wal), target) == 1
    (wal / f"{SEGMENT}.gz").write_bytes(gzip.compress(b"whole"))
    assert run(restore_command(wal), target) == 0
    assert target.read_bytes() == b"whole"
    (wal / f"{SEGMENT}.gz").write_bytes(gzip.compress(b"whole")[:-4])
    assert run(restore_command(wal), target) == 255  # PostgreSQL stops at a status above 125


def kept(archive: Archive, backup: Backup) -> None:
    with archive.draft(backup.name) as draft:
        archive.keep(draft, backup)


def test_pruning_keeps_the_newest_backups_and_the_wal_that_they_need(tmp_path: Path) -> None:
    archive = prepare_archive(tmp_path / "backups", system_identifier="7", account=None)
    for number, first in enumerate([2, 5, 9]):
        at = NOON + timedelta(days=number)
        kept(archive, replace(BACKUP, name=f"b{number}", finished_at=at, first_segment=first))
    for number in range(1, 11):
        (archive.wal / f"{Segment(1, number).name}.gz").touch()
    gone, needless = archive.prune(2)
    assert [backup.name for backup in gone] == ["b0"]
    assert [segment.number for segment in needless] == [1, 2, 3, 4]
    assert [backup.name for backup in open_archive(tmp_path / "backups").backups()] == ["b1", "b2"]
    assert [segment.number for segment in archive.segments()] == [5, 6, 7, 8, 9, 10]


def test_a_backup_that_was_cut_short_is_none_and_is_cleared_away(tmp_path: Path) -> None:
    archive = prepare_archive(tmp_path / "backups", system_identifier="7", account=None)
    with archive.draft("cut") as draft:
        (draft / "data").mkdir()
    (archive.folder / "backups" / ".killed").mkdir()
    kept(archive, BACKUP)
    assert archive.backups() == [BACKUP]
    assert [path.name for path in (archive.folder / "backups").iterdir()] == ["first"]


def test_two_backups_at_once_are_kept_apart(tmp_path: Path) -> None:
    archive = prepare_archive(tmp_path / "backups", system_identifier="7", account=None)
    with archive.draft("one"), pytest.raises(BackupFailed, match="another backup"), archive.draft("two"):
        pass


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").touch()
    with pytest.raises(BackupFailed, match="neither empty"):
        prepare_archive(tmp_path / "letters", system_identifier="7", account=None)
    prepare_archive(tmp_path / "backups", system_identifier="7", account=None)
    with pytest.raises(BackupFailed, match="another database"):
        prepare_archive(tmp_path / "backups", system_identifier="8", account=None)
    with pytest.raises(BackupFailed, match="no folder of backups"):
        open_archive(tmp_path / "letters")
    (tmp_path / "backups" / "archive.json").write_text(json.dumps({"format": 2, "system_identifier": "7"}))
    with pytest.raises(BackupFailed, match="newer version"):
        open_archive(tmp_path / "backups")
