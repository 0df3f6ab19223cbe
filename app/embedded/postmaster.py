"""One PostgreSQL server process on one data folder: made, started, watched, stopped. Used by the guardian alone."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from app.embedded.home import Home, StartFailed
from app.embedded.locks import FileLock
from app.embedded.private import open_private, secret, write_private

HOST = "127.0.0.1"
SUPERUSER = "postgres"
PORTS = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections: a client that keeps trying while the server restarts could
otherwise be given the server's own port."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "1GB",  # bounds recovery: 19 s were measured with 8GB
    "checkpoint_timeout": "5min",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
STOPPING = ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 10))
"""Fast, immediate, kill; with the seconds each is given. All three keep every acknowledged commit."""

STRAGGLER_S = 1
"""Idle sessions end at once when their server is gone; one that is busy would not notice before its query ends."""

log = logging.getLogger(__name__)


class Postmaster:
    """The server process of a home; a child of this process, which it does not outlive on Linux."""

    def __init__(self, home: Home, binaries: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        self._binaries = binaries
        self._settings = {**SETTINGS, **settings, "cluster_name": cluster_name(home)}
        self._process: subprocess.Popen[bytes] | None = None

    def create_data(self) -> None:
        """Make the data folder unless there is one; an attempt that was cut short leaves none. Raises StartFailed."""
        for leftover in self._home.path.glob("initdb-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self._home.data.exists():
            return
        draft = Path(tempfile.mkdtemp(prefix="initdb-", dir=self._home.path))
        data, password = draft / "data", draft / "password"
        password.write_text(secret(self._home.path, SUPERUSER))
        data.mkdir(mode=0o700)
        if self._home.account:
            for path in (draft, data, password):
                os.chown(path, self._home.account.uid, self._home.account.gid)
        arguments: list[str | Path] = [
            self._binaries / "initdb",
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]
        if self._start(arguments).wait() != 0:
            raise StartFailed(f"initdb failed:\n{log_tail(self._home)}")
        data.rename(self._home.data)
        shutil.rmtree(draft)

    def start(self) -> None:
        """Start the server; it is `ready` some time later, or `ended`."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        lock = FileLock(self._home.server_lock)
        try:
            self._see_off_predecessor(lock)
            port = self._free_port()
            command: list[str | Path] = [self._binaries / "postgres", "-D", self._home.data, "-p", str(port), *options]
            with lock.handed_over() as descriptor:
                self._process = self._start(command, descriptor)
        finally:
            lock.close()
        log.info("postgres %d started on %s:%d, data in %s", self._process.pid, HOST, port, self._home.data)

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    @property
    def ready(self) -> bool:
        """Whether it takes connections: postgres writes so into its pid file (as pg_ctl reads it)."""
        try:
            lines = (self._home.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            self._process is not None
            and len(lines) > 7
            and lines[0] == str(self._process.pid)
            and lines[7].strip() == "ready"
        )

    def stop(self) -> None:
        """End the server, gently if it lets itself; returns when it has ended."""
        if self._process is None:
            return
        for number, patience_s in STOPPING:
            if self.ended:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                log.warning("postgres %d did not end on %s", self._process.pid, number.name)
        log.info("postgres %d ended with status %s", self._process.pid, self._process.returncode)

    def _start(self, arguments: list[str | Path], *inherited: int) -> subprocess.Popen[bytes]:
        """Start a program as the home's account, its output in the log; nothing of our environment reaches it."""
        account = self._home.account
        output = open_private(self._home.log, os.O_WRONLY | os.O_APPEND)
        try:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=inherited,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                umask=0o077,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509 - the guardian has one thread
            )
        finally:
            os.close(output)

    def _see_off_predecessor(self, lock: FileLock) -> None:
        """Let the processes of an earlier server end, and take its pid file away. Raises StartFailed.

        Each of them holds the lock, so that having it is proof; the pid in the file may long be somebody else's, and
        postgres itself would then refuse to start.
        """
        if not lock.take():
            leader = [process for process in processes(self._home) if _leads(process, self._home)]
            for process in leader:
                log.info("postgres %d of an earlier guardian is asked to end", process.pid)
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGINT)
            if not lock.wait(patience_s=STOPPING[0][1] if leader else STRAGGLER_S):
                for process in processes(self._home):
                    log.warning("postgres process %d outlived its server and is killed", process.pid)
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                if not lock.wait(patience_s=STOPPING[-1][1]):
                    raise StartFailed(f"processes of an earlier server still work on {self._home.data}")
        (self._home.data / "postmaster.pid").unlink(missing_ok=True)

    def _free_port(self) -> int:
        """The port of last time, so that addresses given out stay true; another where it is taken."""
        try:
            remembered = int(self._home.port.read_text())
        except (FileNotFoundError, ValueError):
            remembered = None
        if remembered is not None and _is_free(remembered):
            return remembered
        port = next(port for port in iter(_any_port, None) if _is_free(port))
        if remembered is not None:
            log.warning("port %d is taken by another program: %d instead", remembered, port)
        write_private(self._home.port, str(port))
        return port


def cluster_name(home: Home) -> str:
    """The name that the server's processes bear in their titles: one for each home."""
    return f"voucher-{hashlib.sha256(os.fsencode(home.path)).hexdigest()[:16]}"


def processes(home: Home) -> list[psutil.Process]:
    """The server's processes on this home, known by what anybody may read of them."""
    title = f"postgres: {cluster_name(home)}:"
    return [
        process
        for process in psutil.process_iter()
        if _leads(process, home) or " ".join(_command(process)).startswith(title)
    ]


def log_tail(home: Home, lines: int = 12) -> str:
    """The end of the server's log."""
    text = home.log.read_text(errors="replace") if home.log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def _leads(process: psutil.Process, home: Home) -> bool:
    command = _command(process)
    return command[1:3] == ["-D", str(home.data)] and Path(command[0]).name == "postgres"


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _any_port() -> int:
    return secrets.choice(PORTS)


def _is_free(port: int) -> bool:
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False


def _ends_with(parent: int) -> Callable[[], None] | None:
    """What to run in a new child so that it shuts down (SIGINT) when this process dies, even by kill -9; Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        set_parent_death_signal = 1
        prctl(set_parent_death_signal, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)  # it died before this was arranged

    return arrange
