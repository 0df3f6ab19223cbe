"""`running(folder)`: a PostgreSQL server while one is inside, shared by all processes that name the same folder."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg

from app.embedded.guardian import START_S
from app.embedded.home import Home, StartFailed, open_home
from app.embedded.locks import FileLock
from app.embedded.postmaster import HOST, SUPERUSER
from app.embedded.private import secret

STOP_S = 60
HEAL_S = 0.5
RETRY_S = 5
PAUSE_S = 0.05
CODE = Path(__file__).parents[2]  # `python -m` looks in its working folder first
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A running server. `folder` holds its data, passwords and log: the one asked for, or one in its stead (`home`)."""

    host: str
    port: int
    password: str = field(repr=False)
    folder: Path

    @property
    def superuser_url(self) -> str:
        return self.url(SUPERUSER, self.password, "postgres")

    def secret(self, role: str) -> str:
        """The password of a role, made when first asked for."""
        return secret(self.folder, role)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def url(self, user: str, password: str, database: str) -> str:
        """The address for SQLAlchemy. Passwords of ours need no quoting: they are made of URL-safe characters."""
        return f"postgresql+psycopg://{user}:{password}@{self.host}:{self.port}/{database}"


@contextmanager
def running(folder: Path, *, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[Server]:
    """A server with its data in `folder` while inside; the last of all processes to leave stops it and sees it stopped.

    `settings` are PostgreSQL's own; where several share a server, those of whoever started it count. A server that dies
    is back within seconds on the same port, its clients only have to connect again. Only this process needs to stay
    alive for that: children of it need nothing but the address. Raises StartFailed.
    """
    home = open_home(folder)
    users = FileLock(home.users_lock)
    left = threading.Event()
    try:
        if not users.wait(shared=True, patience_s=START_S):
            raise StartFailed(f"the server in {home.path} has been stopping for {START_S} s; its log is {home.log}")
        server = _reach(home, settings)
        healer = threading.Thread(
            target=_keep_guarded, args=(home, settings, left), name="postgres-healer", daemon=True
        )
        healer.start()
        try:
            yield server
        finally:
            left.set()
            healer.join()
    finally:
        users.release()
        _see_off(home, users)
        users.close()


@contextmanager
def temporary(*, settings: Mapping[str, str] = NO_SETTINGS, within: Path | None = None) -> Iterator[Server]:
    """A server of which nothing remains afterwards, for tests; its files lie `within` a folder, or where others do."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=within))
    try:
        folder.chmod(0o711)  # root's server runs as somebody who has to pass through
        with running(folder / "home", settings=settings) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def _reach(home: Home, settings: Mapping[str, str]) -> Server:
    """The server, once it answers. Raises StartFailed."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        _ensure_guardian(home, settings)
        try:
            server = Server(HOST, int(home.port.read_text()), secret(home.path, SUPERUSER), home.path)
            _greet(server)
        except (FileNotFoundError, psycopg.OperationalError):
            time.sleep(PAUSE_S)  # another process is just starting it
        else:
            return server
    raise StartFailed(f"postgres did not answer within {START_S} s; its log is {home.log}")


def _greet(server: Server) -> None:
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=SUPERUSER,
        password=server.password,
        dbname="postgres",
        connect_timeout=5,
        require_auth="scram-sha-256",  # so that no other program on this port is told the password
    ):
        pass


def _ensure_guardian(home: Home, settings: Mapping[str, str]) -> None:
    """Start a guardian unless there is one, and wait until it has the server ready. Raises StartFailed."""
    lock = FileLock(home.guardian_lock)
    try:
        if not lock.take():
            return
        with lock.handed_over() as descriptor:
            told = subprocess.run(
                [sys.executable, "-m", "app.embedded.guardian", home.path, str(descriptor), json.dumps(dict(settings))],
                cwd=CODE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[descriptor],
                start_new_session=True,
                text=True,
                check=False,
            ).stdout.strip()
    finally:
        lock.close()
    if told:
        raise StartFailed(told)


def _keep_guarded(home: Home, settings: Mapping[str, str], left: threading.Event) -> None:
    """Start another guardian whenever the last one was killed."""
    pause_s = HEAL_S
    while not left.wait(pause_s):
        try:
            _ensure_guardian(home, settings)
            pause_s = HEAL_S
        except (StartFailed, OSError) as failure:
            pause_s = RETRY_S
            log.error("the embedded PostgreSQL is down: %s", failure)


def _see_off(home: Home, users: FileLock) -> None:
    """Return when the server has stopped, or at once where others still use it."""
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        if users.take():  # nobody uses it; the guardian ends as soon as it notices
            guardian = FileLock(home.guardian_lock)
            stopped = guardian.take()
            guardian.close()
            users.release()
            if stopped:
                return
        elif users.take(shared=True):
            users.release()
            return
        time.sleep(PAUSE_S)  # otherwise the guardian has it, and is stopping the server
    log.warning("the server in %s has not stopped within %d s; its log is %s", home.path, STOP_S, home.log)
