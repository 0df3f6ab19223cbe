"""Taking a base backup of a running server, while it works, and seeing that the WAL up to then has been archived."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from app.embedded.archive import DATA, SEGMENT_BYTES, Archive, Backup, BackupFailed, Segment, segment_of, sync_folder
from app.embedded.archiving import archive_command
from app.embedded.postmaster import SUPERUSER
from app.embedded.server import Server

TICK_S = 0.1
ARCHIVED_WITHIN_S = 60
SPARE_BYTES = 4 * SEGMENT_BYTES
"""For the WAL that is written meanwhile."""

_STREAMED = "SELECT backup_streamed, backup_total FROM pg_stat_progress_basebackup"
_SWITCH = "SELECT pg_wal_lsn_diff(lsn, '0/0'), substr(pg_walfile_name(lsn), 1, 8) FROM pg_switch_wal() AS lsn"
_ON_DISK = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"


def take(
    server: Server,
    binaries: Path,
    archive: Archive,
    *,
    facts: Mapping[str, Any],
    shown: Callable[[int], None] = lambda _: None,
) -> Backup:
    """Take and verify a base backup; `shown` is told the percentage as it grows. Raises BackupFailed.

    The server goes on serving. What is committed before this begins is in the backup.
    """
    with _superuser(server) as connection:
        started_at = _one(connection, "SELECT clock_timestamp()")
        needed = int(_one(connection, _ON_DISK)) + SPARE_BYTES
        free = shutil.disk_usage(archive.folder).free
        if free < needed:
            raise BackupFailed(
                f"磁盘空间不足：{archive.folder} 剩余 {free >> 20} MiB，备份约需 {needed >> 20} MiB。",
                f"disk full: {free >> 20} MiB are free in {archive.folder}, a backup takes about {needed >> 20} MiB",
            )
        name = f"{started_at:%Y%m%dT%H%M%SZ}"
        if (archive.folder / "backups" / name).exists():
            raise BackupFailed("同一秒内已有一个备份。", "there is a backup of this very second already")
        with archive.draft(name) as draft:
            _copy(server, binaries, draft / DATA, connection, shown)
            _verify(binaries, draft / DATA)
            backup = _describe(connection, draft / DATA, name, started_at, facts)
            archive.keep(draft, backup)
    return backup


def verify(binaries: Path, data: Path) -> None:
    """Hold every file of a base backup against the SHA-256 in its manifest. Raises BackupFailed."""
    _verify(binaries, data)


def archives_into(server: Server, wal: Path) -> bool:
    """Whether the running server archives its WAL into this folder."""
    with _superuser(server) as connection:
        mode, command = _one(connection, "SHOW archive_mode"), _one(connection, "SHOW archive_command")
        return bool(mode == "on" and command == archive_command(wal))


def archive_all(server: Server, archive: Archive) -> bool:
    """Close the segment in use and wait until it is in the archive: all that is committed before can be restored.

    False where the archiver has not managed that in time.
    """
    with _superuser(server) as connection:
        # Where nothing was written since the last switch, this is where the next segment begins, and none is closed.
        row = connection.execute(_SWITCH).fetchone()
    assert row, "this query answers with one row"
    due = Segment(int(row[1], 16), (int(row[0]) - 1) // SEGMENT_BYTES)
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    while time.monotonic() < deadline:
        if (archive.wal / f"{due.name}.gz").exists():
            return True
        time.sleep(TICK_S)
    return False


def system_identifier(server: Server) -> str:
    """What PostgreSQL called this database when it was made; copies of it bear the same."""
    with _superuser(server) as connection:
        return str(_one(connection, "SELECT system_identifier FROM pg_control_system()"))


def _copy(
    server: Server, binaries: Path, target: Path, connection: psycopg.Connection, shown: Callable[[int], None]
) -> None:
    process = subprocess.Popen(
        [
            binaries / "pg_basebackup",
            f"--pgdata={target}",
            f"--host={server.host}",
            f"--port={server.port}",
            f"--username={SUPERUSER}",
            "--no-password",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--manifest-checksums=SHA256",
        ],
        env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": server.password},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while process.poll() is None:
            row = connection.execute(_STREAMED).fetchone()
            if row and row[1]:
                shown(min(99, 100 * row[0] // row[1]))
            time.sleep(TICK_S)
    finally:
        process.terminate()
        _, said = process.communicate()
    if process.returncode != 0:
        raise BackupFailed(f"pg_basebackup 未能完成备份：{said.strip()}", "pg_basebackup has failed")
    shown(100)


def _verify(binaries: Path, data: Path) -> None:
    said = subprocess.run(
        [binaries / "pg_verifybackup", "--quiet", "--exit-on-error", data],
        env={"PATH": os.defpath, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode != 0:
        raise BackupFailed(f"备份 {data} 已损坏：{said.stderr.strip()}", "the backup is damaged")


def _describe(
    connection: psycopg.Connection, data: Path, name: str, started_at: datetime, facts: Mapping[str, Any]
) -> Backup:
    label = (data / "backup_label").read_text(encoding="utf-8")
    first = re.search(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", label)
    segment = segment_of(first[1]) if first else None
    assert segment, "every base backup says where its WAL begins"
    carried = [found.number for path in (data / "pg_wal").iterdir() if (found := segment_of(path.name))]
    files = [path.stat().st_size for path in data.rglob("*") if path.is_file()]
    sync_folder(data)
    return Backup(
        name=name,
        started_at=started_at,
        finished_at=_one(connection, "SELECT clock_timestamp()"),
        postgres=str(_one(connection, "SHOW server_version")),
        timeline=segment.timeline,
        first_segment=segment.number,
        last_segment=max(carried, default=segment.number),
        size_bytes=sum(files),
        manifest_sha256=hashlib.sha256((data / "backup_manifest").read_bytes()).hexdigest(),
        facts=dict(facts),
    )


def _superuser(server: Server) -> psycopg.Connection:
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=SUPERUSER,
        password=server.password,
        dbname="postgres",
        autocommit=True,
        options="-c timezone=UTC",
    )


def _one(connection: psycopg.Connection, query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    assert row, "these queries answer with one row"
    return row[0]
