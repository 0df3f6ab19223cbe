"""What `voucher backup` and the embedded server's start share: where the backups go, and taking one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

import migrations
from app.cli.output import progress, step
from app.database import Database
from app.embedded import base_backup
from app.embedded.archive import Archive, Backup, BackupFailed, open_archive
from app.embedded.archiving import archive_settings
from app.embedded.binaries import binaries_for
from app.embedded.databases import Urls
from app.embedded.home import home_at
from app.embedded.private import write_private
from app.embedded.server import NO_SETTINGS, Server

ENABLED = "backup.json"
PERCENT = 100


def enabled_folder(state: Path) -> Path | None:
    """Where the embedded server of this state folder archives its WAL; None where it does not."""
    try:
        return Path(json.loads((state / ENABLED).read_text(encoding="utf-8"))["folder"])
    except FileNotFoundError:
        return None


def enable(state: Path, archive: Archive) -> None:
    """Let the embedded server archive there from its next start on."""
    write_private(state / ENABLED, json.dumps({"folder": str(archive.folder)}, ensure_ascii=False))


def disable(state: Path) -> None:
    """Let the embedded server archive nothing from its next start on."""
    (state / ENABLED).unlink(missing_ok=True)


def settings_of(state: Path) -> Mapping[str, str]:
    """PostgreSQL's settings for the embedded server of this state folder."""
    folder = enabled_folder(state)
    return NO_SETTINGS if folder is None else archive_settings(folder / "wal")


def archive_of(state: Path) -> Archive | None:
    """The archive that is enabled. Raises BackupFailed where its folder is not there, as with a disk not mounted."""
    folder = enabled_folder(state)
    return None if folder is None else open_archive(folder)


def back_up(server: Server, archive: Archive, *, state: Path, urls: Urls) -> Backup:
    """Take a base backup and wait until all that was committed before it is archived too. Raises BackupFailed."""
    binaries = binaries_for(home_at(server.folder))
    with progress("基础备份（%）", "base backup (%)", PERCENT) as advance:
        done = 0

        def shown(percent: int) -> None:
            nonlocal done
            for _ in range(done, percent):
                advance()
            done = max(done, percent)

        backup = base_backup.take(server, binaries, archive, facts=_facts(state, urls), shown=shown)
    if base_backup.archives_into(server, archive.wal):
        with step("等待预写日志归档", "waiting for the WAL to be archived"):
            if not base_backup.archive_all(server, archive):
                raise BackupFailed(
                    "备份已完成，但预写日志未能归档：请查看数据库日志（磁盘是否已满？）。",
                    "the backup is made, but the WAL is not being archived: see the server's log; is the disk full?",
                )
    return backup


def keys_in(state: Path) -> dict[str, str]:
    """The private keys of a state folder: their files and SHA-256. They are not part of a backup, only named in it."""
    return {
        str(path.relative_to(state)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((*state.glob("*keys/*.pem"), *state.glob("field-keys/*.key")))
    }


def _facts(state: Path, urls: Urls) -> dict[str, Any]:
    database = Database(urls.owner_url)
    try:
        logs = database.snapshot(_logs)
    finally:
        database.dispose()
    return {
        "service": version("compute-vouchers"),
        "migration": migrations.state_of(urls.owner_url).revision,
        "logs": logs,
        "keys": keys_in(state),
    }


def _logs(tx: Connection) -> list[dict[str, Any]]:
    if not tx.execute(text("SELECT to_regclass('public.logs') IS NOT NULL")).scalar_one():
        return []
    rows = tx.execute(text("SELECT region_code, origin, size, root FROM logs ORDER BY region_code"))
    return [{**row._asdict(), "root": base64.b64encode(row.root).decode()} for row in rows]
