from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.processes import NO_FSYNC, PATIENCE_S, Enter, User, processes_of, within


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A folder that an unprivileged user can pass through; pytest's own are closed, which is tested on its own."""
    path = Path(tempfile.mkdtemp(prefix="embedded-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def folder(ground: Path) -> Path:
    """A folder whose server every test finds stopped, and leaves so. Most tests do with this one."""
    return ground / "数据 of postgres"


@pytest.fixture
def blank(ground: Path) -> Iterator[Path]:
    """A folder of a test's own, not there yet."""
    around = Path(tempfile.mkdtemp(dir=ground))
    around.chmod(0o711)
    yield around / "postgres"
    for record in around.rglob("location"):
        shutil.rmtree(record.read_text(), ignore_errors=True)
    shutil.rmtree(around)


@pytest.fixture
def enter(blank: Path) -> Iterator[Enter]:
    """Start processes that use the server in a folder. When they are gone, nothing may be left of it."""
    users: list[User] = []

    def start(folder: Path, settings: Mapping[str, str] = NO_FSYNC, **options: Any) -> User:
        users.append(User(folder, settings, **options))
        return users[-1]

    yield start
    for user in users:
        user.end()
    homes = {_home(user.folder) for user in users if user.folder.exists()}
    quiet = within(PATIENCE_S, lambda: not any(processes_of(home) for home in homes))
    for process in [process for home in homes for process in processes_of(home)]:
        process.kill()
    assert quiet, "no process outlives the users of a server"


def _home(folder: Path) -> Path:
    record = folder / "location"
    return Path(record.read_text()) if record.exists() else folder
