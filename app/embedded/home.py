"""Where an embedded server keeps everything, and the user it runs as: private in each case.

As an ordinary user both are simple: the given folder (0700), the user himself. PostgreSQL refuses to run as root, so
root lends it an unprivileged account that exists already (nobody is added) and lets that account's group pass through
the folder (0710) to its data. No permission of any parent folder is touched: where a parent is closed to the account,
as /root is, everything lies in a folder of its own under `ELSEWHERE`, and the given folder remembers which.
"""

from __future__ import annotations

import os
import pwd
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.embedded.locks import FileLock
from app.embedded.private import write_private

ELSEWHERE = Path("/var/lib/compute-vouchers")
CHOICE_S = 10


class StartFailed(Exception):
    """There is no server, for the reason given."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user of the system."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Home:
    """The folder of one server. `account` is whom the server runs as; None where that is the current user."""

    path: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def port(self) -> Path:
        return self.path / "port"

    @property
    def users_lock(self) -> Path:
        return self.path / "users.lock"

    @property
    def guardian_lock(self) -> Path:
        return self.path / "guardian.lock"

    @property
    def server_lock(self) -> Path:
        return self.path / "server.lock"


def open_home(folder: Path) -> Home:
    """The home for this folder: made at the first call, the same at every later one. Raises StartFailed."""
    folder = folder.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() != 0:
            folder.chmod(0o700)
            return Home(folder, None)
        return _choose_as_root(folder)
    except PermissionError as error:
        raise StartFailed(f"{folder} belongs to another user ({error}); use another folder, or be that user") from error


def home_at(path: Path) -> Home:
    """The home that was already chosen and lies here."""
    return Home(path, _account_of(path))


def succeeds(arguments: Sequence[str | Path], account: Account | None) -> bool:
    """Whether this program ends well when that account runs it."""
    try:
        result = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
    except PermissionError:
        return False
    return result.returncode == 0


def _choose_as_root(folder: Path) -> Home:
    choice = FileLock(folder / "choice.lock")
    try:
        if not choice.wait(patience_s=CHOICE_S):
            raise StartFailed(f"another process has been choosing the place for {folder} for {CHOICE_S} s")
        if (folder / "data").exists():
            return home_at(folder)
        place = _remembered(folder)
        if place is not None:
            return _open_to_account(place)
        here = _open_to_account(folder)
        if _reachable(here):
            return here
        return _elsewhere(folder)
    finally:
        choice.close()


def _remembered(folder: Path) -> Path | None:
    """The place this folder remembers. A folder that was moved keeps it; one that was copied has none yet."""
    try:
        place = Path((folder / "location").read_text())
        origin = Path((place / "origin").read_text())
    except FileNotFoundError:
        return None
    if origin != folder:
        record = origin / "location"
        if record.exists() and record.read_text() == str(place):
            return None
        write_private(place / "origin", str(folder))
    return place


def _elsewhere(folder: Path) -> Home:
    ELSEWHERE.mkdir(mode=0o711, parents=True, exist_ok=True)
    place = ELSEWHERE / f"postgres-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700)
    home = _open_to_account(place)
    if not _reachable(home):
        place.rmdir()
        raise StartFailed(f"neither {folder} nor {ELSEWHERE} can be reached by the unprivileged user {home.account}")
    write_private(place / "origin", str(folder))
    write_private(folder / "location", str(place))
    return home


def _open_to_account(path: Path) -> Home:
    home = home_at(path)
    assert home.account, "only root lends an account"
    if path.stat().st_uid == 0:
        os.chown(path, 0, home.account.gid)
        path.chmod(0o710)
    return home


def _reachable(home: Home) -> bool:
    return succeeds(["/bin/sh", "-c", 'cd -- "$1"', "sh", home.path], home.account)


def _account_of(path: Path) -> Account | None:
    """Whom the server of this home runs as: the owner of what is there, else postgres, else nobody."""
    if os.geteuid() != 0:
        return None
    for existing in (path / "data", path):
        if existing.exists() and (owner := existing.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StartFailed("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")
