"""Real processes around an embedded server, seen from outside."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.embedded.home import home_at
from app.embedded.postmaster import processes

PATIENCE_S = 15
HEARING_S = 60
NO_FSYNC = {"fsync": "off"}
"""Processes die here, not machines: nothing has to wait for the disk."""


class User:
    """`user.py` as a process; in a process group of its own, as a shell would start it."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *, pythonpath: Path | None = None) -> None:
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": str(pythonpath)} if pythonpath else None
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("user.py"), folder, json.dumps(dict(settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment,
            process_group=0,
        )

    def hear(self) -> dict[str, Any]:
        """What it says next; an empty answer when it has ended."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], HEARING_S)[0], "it says nothing"
        line = self.process.stdout.readline()
        return json.loads(line) if line else {}

    def server(self) -> Seen:
        """The server it uses, once it is there."""
        said = self.hear()
        assert "url" in said, said
        return Seen(said["url"].replace("+psycopg", ""), Path(said["folder"]), said["version"])

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.killpg(self.process.pid, number)

    def leave(self) -> None:
        """Let it go the ordinary way, and wait for its end."""
        self.process.communicate(timeout=PATIENCE_S)

    def end(self) -> None:
        """Whatever became of it: nothing is left of it afterwards."""
        if self.process.poll() is None:
            self.kill()
        self.process.communicate()


Enter = Callable[..., User]


class Seen:
    """A server as one finds it on the machine."""

    def __init__(self, url: str, folder: Path, version: str) -> None:
        self.url = url
        self.folder = folder
        self.version = version

    @property
    def port(self) -> int:
        return int(psycopg.conninfo.conninfo_to_dict(self.url)["port"] or 0)

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))

    @property
    def guardian(self) -> psutil.Process:
        parent = self.postmaster.parent()
        assert parent
        assert "app.embedded.guardian" in parent.cmdline()
        return parent

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def ask(self, statement: str) -> Any:
        """The first value the server answers."""
        with psycopg.connect(self.url, connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def keep(self) -> Any:
        """Commit something new."""
        self.ask("DROP TABLE IF EXISTS kept")
        self.ask("CREATE TABLE kept AS SELECT gen_random_uuid() AS what")
        return self.kept()

    def kept(self) -> Any:
        return self.ask("SELECT what FROM kept")

    def answers(self) -> bool:
        try:
            return bool(self.ask("SELECT true"))
        except psycopg.OperationalError:
            return False


def processes_of(folder: Path) -> list[psutil.Process]:
    """The server's processes on the data in this folder, and its guardian."""
    guardians = [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"app.embedded.guardian", str(folder)} <= set(process.info["cmdline"] or [])
    ]
    return [process for process in (*guardians, *processes(home_at(folder))) if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that ended and was not yet fetched by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it comes true in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
