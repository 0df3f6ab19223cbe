"""A folder of backups: base backups and, where archiving is on, the write-ahead log (WAL) since the oldest of them.

    FOLDER/archive.json         whose it is: the system identifier that PostgreSQL gave the database at its making
    FOLDER/backups/NAME/        one base backup: `data/` as pg_basebackup wrote it, `backup.json` about it
    FOLDER/wal/SEGMENT.gz       closed segments of the WAL, put there by PostgreSQL's archiver and never changed again

A base backup carries the WAL it needs itself, so it can be restored alone, to its own end. It bears its name from the
moment it is whole; what was cut short lies under a name that begins with a dot and is cleared away by the next.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from app.embedded.home import Account, succeeds
from app.embedded.locks import FileLock
from app.embedded.private import write_private

FORMAT = 1
SEGMENTS_PER_LOG = 256
"""Segments are of 16 MiB, as initdb makes them, and 4 GiB share the middle part of their names."""
SEGMENT_BYTES = 16 * 1024 * 1024
DATA, ABOUT, IDENTITY = "data", "backup.json", "archive.json"

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})\.gz")


class BackupFailed(Exception):
    """A backup or a restoration cannot be done as asked; both sentences say why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")


class Segment(NamedTuple):
    """A closed part of the WAL. Numbers go on from one timeline to the next."""

    timeline: int
    number: int

    @property
    def name(self) -> str:
        """As PostgreSQL calls the file."""
        log, part = divmod(self.number, SEGMENTS_PER_LOG)
        return f"{self.timeline:08X}{log:08X}{part:08X}"


def segment_of(file: str) -> Segment | None:
    """The segment that a file of the archive holds; None for other files, such as a timeline's history."""
    found = _SEGMENT.fullmatch(file if file.endswith(".gz") else f"{file}.gz")
    if found is None:
        return None
    timeline, log, part = (int(word, 16) for word in found.groups())
    return Segment(timeline, log * SEGMENTS_PER_LOG + part)


def gap_after(first: int, numbers: Iterable[int]) -> int | None:
    """The first segment from `first` on that is missing although later ones are there; None where none is."""
    there = {number for number in numbers if number >= first}
    return next((number for number in range(first, max(there, default=first)) if number not in there), None)


@dataclass(frozen=True, slots=True)
class Backup:
    """One base backup. `facts` are the service's own, noted when it began: what a restoration will at least hold."""

    name: str
    started_at: datetime
    finished_at: datetime
    """By the database's clock: an instant from here on can be restored from this backup."""
    postgres: str
    timeline: int
    first_segment: int
    last_segment: int
    size_bytes: int
    manifest_sha256: str
    """Of PostgreSQL's `backup_manifest`, which holds the SHA-256 of every file."""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Archive:
    """A folder of backups of one database."""

    def __init__(self, folder: Path, system_identifier: str) -> None:
        self.folder = folder
        self.system_identifier = system_identifier

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    @property
    def _backups(self) -> Path:
        return self.folder / "backups"

    def data_of(self, backup: Backup) -> Path:
        """Its data folder, as pg_basebackup wrote it."""
        return self._backups / backup.name / DATA

    def backups(self) -> list[Backup]:
        """All that are whole, oldest first."""
        found = [_read(path) for path in self._backups.glob(f"[!.]*/{ABOUT}")]
        return sorted(found, key=lambda backup: backup.finished_at)

    def segments(self) -> list[Segment]:
        """The archived segments, in order of timeline and number."""
        return sorted(segment for path in self.wal.iterdir() if (segment := segment_of(path.name)))

    def archived_at(self, number: int | None = None) -> datetime | None:
        """When the last segment (or the one of this number) arrived: nothing later than that is in it."""
        found = [segment for segment in self.segments() if number is None or segment.number == number]
        if not found:
            return None
        return datetime.fromtimestamp((self.wal / f"{found[-1].name}.gz").stat().st_mtime).astimezone()

    @contextmanager
    def draft(self, name: str) -> Iterator[Path]:
        """An empty folder for a new backup while inside, alone in this archive; what was cut short before is cleared.

        Raises BackupFailed where another backup is under way.
        """
        with self._alone():
            path = self._backups / f".{name}"
            path.mkdir(mode=0o700)
            try:
                yield path
            finally:
                if path.exists():
                    shutil.rmtree(path)

    def keep(self, draft: Path, backup: Backup) -> None:
        """Let a draft become a backup: from here on it is listed."""
        write_private(draft / ABOUT, json.dumps(_written(backup), ensure_ascii=False, indent=2))
        draft.rename(self._backups / backup.name)
        sync_folder(self._backups)

    def prune(self, keep: int) -> tuple[list[Backup], list[Segment]]:
        """Remove all backups but the newest `keep` (at least 1), and the WAL that only they needed. Gives both."""
        assert keep >= 1, "the last backup stays"
        with self._alone():
            backups = self.backups()
            gone, kept = backups[:-keep], backups[-keep:]
            for backup in gone:
                hidden = self._backups / f".{backup.name}"
                (self._backups / backup.name).rename(hidden)
                shutil.rmtree(hidden)
            first = min((backup.first_segment for backup in kept), default=0)
            needless = [segment for segment in self.segments() if segment.number < first]
            for segment in needless:
                (self.wal / f"{segment.name}.gz").unlink()
            return gone, needless

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self.folder / ".lock")
        try:
            if not lock.take():
                raise BackupFailed(
                    f"{self.folder} 正在被另一个备份或清理使用。",
                    f"another backup or pruning is at work in {self.folder}",
                )
            for leftover in self._backups.glob(".*"):
                shutil.rmtree(leftover)
            yield
        finally:
            lock.close()


def open_archive(folder: Path) -> Archive:
    """The archive in this folder. Raises BackupFailed where there is none, or a newer service made it."""
    try:
        told = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise BackupFailed(f"{folder} 不是备份文件夹。", f"{folder} is no folder of backups") from None
    except (OSError, ValueError) as error:
        raise BackupFailed(f"无法读取备份文件夹 {folder}：{error}", f"cannot read the backups in {folder}") from error
    if told["format"] > FORMAT:
        raise BackupFailed(
            f"{folder} 由更新版本的服务建立（格式 {told['format']}），请使用该版本。",
            f"{folder} was made by a newer version of the service (format {told['format']}): use that one",
        )
    return Archive(folder, told["system_identifier"])


def prepare_archive(folder: Path, *, system_identifier: str, account: Account | None) -> Archive:
    """The archive of this database in the folder, made where the folder is missing or empty.

    `account` is whom the server runs as, which writes the WAL. Raises BackupFailed where something else lies there.
    """
    try:
        if not (folder / IDENTITY).exists():
            _make(folder, system_identifier, account)
    except OSError as error:
        raise BackupFailed(f"无法建立备份文件夹 {folder}：{error.strerror}", f"cannot make {folder}") from error
    archive = open_archive(folder)
    if archive.system_identifier != system_identifier:
        raise BackupFailed(
            f"{folder} 中是另一个数据库的备份，请另选文件夹。",
            f"{folder} holds backups of another database: choose another folder",
        )
    if not succeeds(["/bin/sh", "-c", 'test -w "$1"', "sh", archive.wal], account):
        raise BackupFailed(
            f"数据库进程的账户不能写入 {archive.wal}，请选择它可到达的文件夹。",
            f"the account of the database server cannot write to {archive.wal}: choose a folder within its reach",
        )
    return archive


def sync_folder(path: Path) -> None:
    """Let a folder's new names reach the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(folder: Path, system_identifier: str, account: Account | None) -> None:
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupFailed(
            f"{folder} 不为空，也不是备份文件夹，请另选文件夹。", f"{folder} is neither empty nor a folder of backups"
        )
    for name in ("backups", "wal"):
        (folder / name).mkdir(mode=0o700)
    if account:
        os.chown(folder / "wal", account.uid, account.gid)
    write_private(folder / IDENTITY, json.dumps({"format": FORMAT, "system_identifier": system_identifier}))
    sync_folder(folder)


def _written(backup: Backup) -> dict[str, Any]:
    instants = {name: getattr(backup, name).isoformat() for name in ("started_at", "finished_at")}
    return {"format": FORMAT, **asdict(backup), **instants}


def _read(path: Path) -> Backup:
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["format"]
    for name in ("started_at", "finished_at"):
        told[name] = datetime.fromisoformat(told[name])
    return Backup(**told)


def newest_before(backups: Sequence[Backup], at: datetime | None) -> Backup | None:
    """The newest backup from which the instant can be reached; the newest of all where none is given."""
    return next((backup for backup in reversed(backups) if at is None or backup.finished_at <= at), None)
