"""The service on this machine: its private folder, and its database (the given one, or the embedded PostgreSQL)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import migrations
from app.cli.output import Failure, say
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import running

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
    """The database on the state folder's embedded PostgreSQL, migrated, while inside. Raises StartFailed."""
    with running(state_dir() / "postgres") as server:
        urls = databases.prepare(server, database=DATABASE)
        migrations.upgrade(urls.owner_url)
        yield urls


@contextmanager
def service_database() -> Iterator[str]:
    """The database as the service's role: VOUCHER_DATABASE_URL as it is, else the embedded one. Raises StartFailed."""
    given = os.environ.get("VOUCHER_DATABASE_URL")
    if given:
        yield given
        return
    say(
        f"未设置 VOUCHER_DATABASE_URL：使用内置 PostgreSQL（{state_dir() / 'postgres'}）",
        "VOUCHER_DATABASE_URL is not set: embedded PostgreSQL",
    )
    with embedded_database() as urls:
        yield urls.app_url


def end_orderly_on_sigterm() -> None:
    """Let SIGTERM unwind like Ctrl-C: with everything closed that was opened, in the right order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
