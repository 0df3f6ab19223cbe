"""The service on this machine: its private folder, and its database (the given one, or the embedded PostgreSQL)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import migrations
from app.cli.backing_up import archive_of, back_up, settings_of
from app.cli.encrypting import encrypt_what_is_clear
from app.cli.output import Failure, say
from app.database import Database
from app.embedded import base_backup, databases
from app.embedded.databases import Urls
from app.embedded.server import Server, running
from app.services.sealing.sealer import may_seal

DATABASE = "voucher"
DEFAULT_STATE_DIR = ".voucher"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def state_dir() -> Path:
    """VOUCHER_STATE_DIR, absolute. Others may pass through it (the embedded server's account has to), but not look."""
    folder = Path(os.environ.get("VOUCHER_STATE_DIR") or DEFAULT_STATE_DIR).resolve()
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"无法建立状态目录 {folder}。", f"cannot make the state folder: {error.strerror}") from error
    return folder


@contextmanager
def embedded_database() -> Iterator[Urls]:
    """The database on the state folder's embedded PostgreSQL, migrated, while inside.

    Where backups are enabled one is taken before an older database is migrated: there is no other way back. Raises
    StartFailed, BackupFailed, and NewerDatabase.
    """
    state = state_dir()
    with running(state / "postgres", settings=settings_of(state)) as server:
        urls = databases.prepare(server, database=DATABASE)
        found = migrations.state_of(urls.owner_url)
        if found.revision is not None and found.due:
            _before_upgrade(server, urls, state, found)
        migrations.upgrade(urls.owner_url)
        encrypt_what_is_clear(urls.owner_url, state)
        yield urls


def _before_upgrade(server: Server, urls: Urls, state: Path, found: migrations.State) -> None:
    say(
        f"数据库结构将由 {found.revision} 升级到 {found.newest}，不能退回。",
        f"the database is migrated from {found.revision} to {found.newest}; there is no way back but a backup",
    )
    archive = archive_of(state)
    if archive is None:
        say("未启用备份（voucher backup --enable），升级前不做备份。", "backups are not enabled: none is taken before")
    elif base_backup.archives_into(server, archive.wal):
        back_up(server, archive, state=state, urls=urls)


@contextmanager
def service_database() -> Iterator[str]:
    """The database as the service's role: VOUCHER_DATABASE_URL as it is, else the embedded one.

    Raises StartFailed; NewerDatabase, and Failure for a given one that has not been migrated to this version.
    """
    with service_databases() as (url, _):
        yield url


@contextmanager
def service_databases() -> Iterator[tuple[str, str | None]]:
    """The same, and the database as the sealer's role: VOUCHER_SEALER_URL where the first is given, None without it."""
    given = os.environ.get("VOUCHER_DATABASE_URL")
    if given:
        _require_migrated(given)
        yield given, os.environ.get("VOUCHER_SEALER_URL") or None
        return
    say(
        f"未设置 VOUCHER_DATABASE_URL：使用内置 PostgreSQL（{state_dir() / 'postgres'}）",
        "VOUCHER_DATABASE_URL is not set: embedded PostgreSQL",
    )
    with embedded_database() as urls:
        yield urls.app_url, urls.sealer_url


@contextmanager
def owner_database() -> Iterator[str]:
    """The database as its owner: VOUCHER_OWNER_URL as it is, else the embedded one. Raises as the others."""
    given = os.environ.get("VOUCHER_OWNER_URL")
    if given:
        _require_migrated(given)
        yield given
    elif os.environ.get("VOUCHER_DATABASE_URL"):
        raise Failure(
            "请在 VOUCHER_OWNER_URL 中给出数据库所有者的地址。", "set VOUCHER_OWNER_URL to the database as its owner"
        )
    else:
        with embedded_database() as urls:
            yield urls.owner_url


@contextmanager
def reading_database() -> Iterator[str]:
    """The database for who writes nothing: VOUCHER_AUDITOR_URL, else VOUCHER_DATABASE_URL, else the embedded one.

    The embedded one as the auditor's role. Raises as `service_database` does.
    """
    given = os.environ.get("VOUCHER_AUDITOR_URL") or os.environ.get("VOUCHER_DATABASE_URL")
    if given:
        _require_migrated(given)
        yield given
        return
    with embedded_database() as urls:
        yield urls.auditor_url


@contextmanager
def sealer_database() -> Iterator[str]:
    """The database as the sealer's role: VOUCHER_SEALER_URL as it is, else the embedded one. Raises as the others."""
    given = os.environ.get("VOUCHER_SEALER_URL")
    if given:
        _require_migrated(given)
        _require_may_seal(given)
        yield given
        return
    with service_databases() as (_, url):
        yield require_sealer_url(url)


def require_sealer_url(url: str | None) -> str:
    """The address for a sealer. Raises Failure where the database is given and that address is not."""
    if url is None:
        raise Failure(
            "请在 VOUCHER_SEALER_URL 中给出封存角色 voucher_sealer 的数据库地址（voucher run 可改用 --no-seal）。",
            "set VOUCHER_SEALER_URL to the database as the role voucher_sealer; or give voucher run --no-seal",
        )
    return url


def _require_migrated(url: str) -> None:
    found = migrations.state_of(url)
    if found.due:
        raise Failure(
            f"数据库结构为 {found.revision or '空'}，本版本需要 {found.newest}：请先备份，再运行 voucher migrate。",
            f"the database is at migration {found.revision or 'none'}, this version needs {found.newest}:"
            " back it up, then run voucher migrate as its owner",
        )


def _require_may_seal(url: str) -> None:
    database = Database(url, pool_size=1)
    try:
        if not database.transact(may_seal):
            raise Failure(
                "VOUCHER_SEALER_URL 的数据库角色无权封存，应为 voucher_sealer。",
                "the role in VOUCHER_SEALER_URL may not seal: it must be voucher_sealer",
            )
    finally:
        database.dispose()


def end_orderly_on_sigterm() -> None:
    """Let SIGTERM unwind like Ctrl-C: with everything closed that was opened, in the right order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
