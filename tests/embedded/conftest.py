from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.embedded.server import running
from tests.embedded.processes import PATIENCE_S, Enter, User, processes_of, within


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A folder that an unprivileged user can pass through; pytest's own are closed, which is tested on its own."""
    path = Path(tempfile.mkdtemp(prefix="embedded-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def prepared(ground: Path) -> Path:
    """A folder whose server has been started and stopped once: copying it is quicker than making one anew."""
    folder = ground / "prepared"
    with running(folder):
        pass
    (folder / "port").unlink()
    return folder


@pytest.fixture
def blank(ground: Path) -> Iterator[Path]:
    """A folder for a server, not there yet. Afterwards nothing may be left running on it."""
    around = Path(tempfile.mkdtemp(dir=ground))
    around.chmod(0o711)
    yield around / "数据 of postgres"
    elsewhere = {Path(record.read_text()) for record in around.rglob("location")}
    for home in elsewhere | {path.parent for path in around.rglob("users.lock")}:
        left = [] if within(PATIENCE_S, partial(_is_quiet, home)) else processes_of(home)
        for process in left:
            process.kill()
        assert not left, "no process outlives the users of a server"
    for path in (around, *elsewhere):
        shutil.rmtree(path)


def _is_quiet(home: Path) -> bool:
    return not processes_of(home)


@pytest.fixture
def folder(blank: Path, prepared: Path) -> Path:
    """A folder with data in it, whose server is not running."""
    subprocess.run(["cp", "-a", prepared, blank], check=True)
    return blank


@pytest.fixture
def enter(blank: Path) -> Iterator[Enter]:
    """Start processes that use the server in a folder; all are gone before anybody looks at what they left there."""
    users: list[User] = []

    def start(folder: Path, **options: Any) -> User:
        users.append(User(folder, **options))
        return users[-1]

    yield start
    for user in users:
        user.end()
