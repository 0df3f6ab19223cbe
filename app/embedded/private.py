"""Files for the eyes of their folder's owner alone (0600), also when root makes them in somebody else's folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, made where it is missing; no program that is started inherits it."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write the file: all of it or nothing. With `replace=False` one that is already there stays as it is."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(open_private(draft, os.O_WRONLY | os.O_EXCL), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def secret(folder: Path, name: str) -> str:
    """The password of this name, made when first asked for and kept in a file of its own."""
    path = folder / f"{name}.password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24), replace=False)
    return path.read_text()
