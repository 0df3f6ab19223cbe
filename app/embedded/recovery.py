"""Restoring a backup into a home without data: a copy is recovered apart, looked at, and only then put in its place.

While it recovers the server listens on a socket in a private folder and nowhere else, and trusts whoever gets there:
nobody but this user, or root. Until the very end the home has no data, so a restoration that is cut short leaves
nothing that could be taken for a database.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql

from app.embedded.archive import Archive, Backup, BackupFailed, segment_of, sync_folder
from app.embedded.archiving import restore_command
from app.embedded.base_backup import verify
from app.embedded.binaries import binaries_for
from app.embedded.databases import make_roles
from app.embedded.home import Home
from app.embedded.locks import FileLock
from app.embedded.postmaster import SUPERUSER, Postmaster, log_tail
from app.embedded.private import secret, write_private

TICK_S = 0.05
NOT_REACHED = "recovery ended before configured recovery target was reached"
FETCHED = "restored log file"


@dataclass(frozen=True)
class Recovered:
    """The recovered database while it lies apart. `last_commit_at` is that of the last transaction that was replayed;
    None where the backup was restored to its own end and nothing followed.
    """

    socket_folder: Path
    port: int
    last_commit_at: datetime | None

    def url(self, role: str, database: str) -> str:
        """The address for SQLAlchemy, as this role."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.socket_folder}&port={self.port}"


@contextmanager
def recovered(
    home: Home,
    archive: Archive,
    backup: Backup,
    *,
    to: datetime | None,
    rest: Path | None = None,
    shown: Callable[[str, int], None],
) -> Iterator[Recovered]:
    """The database as it was at the instant `to`, or at the end of all archived WAL; in its place once left in peace.

    `rest` is the `pg_wal` of the lost server, where its disk can still be read: what it had not archived yet comes from
    there. `shown` is told what is being done ('copy', 'verify', 'replay') and a count. Raises BackupFailed and
    StartFailed; after any exception, also one from inside, the home has no data, as before.
    """
    lock = FileLock(home.users_lock)
    try:
        if not lock.take():
            raise BackupFailed(f"{home.path} 正在使用中。", f"{home.path} is in use by another process")
        if home.data.exists():
            raise BackupFailed(
                f"{home.path} 中已有数据库，恢复从不覆盖，请另选状态目录（--into）。",
                f"there is a database in {home.path}, and a restoration never overwrites: choose another state folder",
            )
        for leftover in home.path.glob("restore-*"):
            shutil.rmtree(leftover)
        draft = Home(Path(tempfile.mkdtemp(prefix="restore-", dir=home.path)), home.account)
        try:
            _give(draft.path, home)
            _fetch(draft, archive, backup, rest, shown)
            with _recovering(home, draft, archive, to, shown) as server:
                yield server
            _put_in_place(draft, home)
        finally:
            if draft.log.exists():
                write_private(home.path / "restore.log", draft.log.read_text(errors="replace"))
            shutil.rmtree(draft.path)
    finally:
        lock.close()


def needed_bytes(backup: Backup) -> int:
    """Room that a restoration takes at least."""
    return backup.size_bytes


def _fetch(draft: Home, archive: Archive, backup: Backup, rest: Path | None, shown: Callable[[str, int], None]) -> None:
    """Copy the base backup, hold the copy against its manifest, and lay the rest of the WAL beside it."""
    copied = 0

    def copy(source: str, target: str) -> str:
        nonlocal copied
        copied += 1
        shown("copy", copied)
        return str(shutil.copy2(source, target))

    source = archive.data_of(backup)
    free = shutil.disk_usage(draft.path).free
    if free < needed_bytes(backup):
        raise BackupFailed(
            f"磁盘空间不足：{draft.path.parent} 剩余 {free >> 20} MiB，恢复至少需要 {backup.size_bytes >> 20} MiB。",
            f"disk full: {free >> 20} MiB are free, restoring takes at least {backup.size_bytes >> 20} MiB",
        )
    try:
        shutil.copytree(source, draft.data, copy_function=copy)
    except OSError as error:
        raise BackupFailed(f"无法复制备份 {source}：{error}", "cannot copy the backup") from error
    shown("verify", copied)
    verify(binaries_for(draft, source), draft.data)
    if rest is not None:
        archived = {segment.name for segment in archive.segments()}
        for path in rest.iterdir():
            segment = segment_of(path.name)
            if segment and segment.name not in archived and not (draft.data / "pg_wal" / path.name).exists():
                shutil.copy2(path, draft.data / "pg_wal" / path.name)
    (draft.data / "recovery.signal").touch(mode=0o600)
    (draft.path / "hba.conf").write_text("local all all trust\n", encoding="utf-8")
    for path in (draft.path, *draft.path.rglob("*")):
        _give(path, draft)


@contextmanager
def _recovering(
    home: Home, draft: Home, archive: Archive, to: datetime | None, shown: Callable[[str, int], None]
) -> Iterator[Recovered]:
    socket_folder = Path(tempfile.mkdtemp(prefix="voucher-"))  # short: the name of a socket has room for 107 bytes
    _give(socket_folder, draft)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder),
        "hba_file": str(draft.path / "hba.conf"),
        "hot_standby": "off",  # otherwise the settings of the lost server would have to be ours
        "archive_mode": "off",
        "restore_command": restore_command(archive.wal),
        "recovery_target_action": "promote",
    }
    if to is not None:
        settings["recovery_target_time"] = to.isoformat()
    postmaster = Postmaster(draft, binaries_for(home, draft.data), settings)
    try:
        postmaster.start()
        while not postmaster.ready:
            if postmaster.ended:
                raise _why(draft, to)
            shown("replay", _log(draft).count(FETCHED))
            time.sleep(TICK_S)
        port = int(draft.port.read_text())
        with psycopg.connect(
            host=str(socket_folder), port=port, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            row = connection.execute("SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp()").fetchone()
            assert row and row[0] is False, "ready means that it has been promoted"
            _set_password(connection, secret(home.path, SUPERUSER))
            make_roles(connection)  # a backup of an older version has not all of them, and migrating it takes them
        yield Recovered(socket_folder, port, row[1])
    finally:
        postmaster.stop()
        shutil.rmtree(socket_folder)


def _why(draft: Home, to: datetime | None) -> BackupFailed:
    """Why the recovery has ended, from the server's log."""
    if to is not None and NOT_REACHED in _log(draft):
        return BackupFailed(
            f"归档中没有晚于 {to.isoformat()} 的事务：要么归档在此之前就结束了，要么此后没有业务。"
            "请用 --to-latest 恢复到归档末尾。",
            f"the archive holds no transaction after {to.isoformat()}: it ends earlier, or nothing happened since;"
            " --to-latest restores to its end",
        )
    return BackupFailed(f"恢复未能完成，数据库日志：\n{log_tail(draft)}", "the recovery has failed; see the log above")


def _put_in_place(draft: Home, home: Home) -> None:
    draft.data.rename(home.data)
    sync_folder(home.path)


def _set_password(connection: psycopg.Connection, password: str) -> None:
    """The home's own: that of the lost server need not be known."""
    verifier = connection.pgconn.encrypt_password(password.encode(), SUPERUSER.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(SUPERUSER), sql.Literal(verifier)))


def _log(draft: Home) -> str:
    return draft.log.read_text(errors="replace") if draft.log.exists() else ""


def _give(path: Path, home: Home) -> None:
    """To the account of the server, where root lends it one."""
    if home.account:
        os.chown(path, home.account.uid, home.account.gid, follow_symlinks=False)
