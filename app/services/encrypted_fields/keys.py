"""The keys of encrypted fields: one version a file, `<name>.key`, in the folder `field-keys` of the state folder.

A version is two keys, drawn independently: one encrypts, one makes search tags. The newest is written with, all are
read with, so an old version goes only when nothing in the database is under it any more (`voucher keys rotate-fields`).
Whoever loses the folder loses the values for ever; whoever has it and the database reads them. So it is backed up, and
kept apart from the database's backups.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.kernel.clock import utc_now
from app.kernel.encrypted_fields import KEY_BYTES, NONCE_BYTES, FieldPlace, decrypt, encrypt, key_name_of, search_tag
from app.kernel.problems import AppError, Code
from app.settings import Settings

FOLDER = "field-keys"
LOOK_EVERY_S = 5.0
"""How old what is known of the folder may be. A key whose name is met for the first time is looked for at once."""

RETRY_AFTER_S = 60
"""Somebody has to put a key back: it may take a while."""

_NAME = re.compile("[0-9]{8}T[0-9]{12}Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, repr=False)
class FieldKey:
    """One version."""

    encryption: bytes
    search: bytes


class FieldKeys:
    """Encrypts, decrypts and finds values, with the keys of one folder as they were some seconds ago at most."""

    def __init__(self, folder: Path, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._timer = timer
        self._keys: dict[str, FieldKey] = {}
        self._looked_at = timer()
        if not self._look():
            raise FileNotFoundError(f"No field key in {folder}")

    @classmethod
    def from_settings(cls, settings: Settings) -> FieldKeys:
        """Those of this installation; the first is made where there is none."""
        return cls.load_or_create(settings.state_dir / FOLDER)

    @classmethod
    def load_or_create(cls, folder: Path) -> FieldKeys:
        """The keys of the folder, with a first one where there is none, however many processes start at once."""
        if not names_in(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not names_in(folder):
                    add_field_key(folder)
        return cls(folder)

    @property
    def current(self) -> str:
        """Name of the key that is written with: the newest."""
        if self._timer() - self._looked_at >= LOOK_EVERY_S:
            self._look()
        return max(self._keys)

    def encrypt(self, value: str, place: FieldPlace) -> str:
        """The value as it is stored at this place."""
        name = self.current
        nonce = secrets.token_bytes(NONCE_BYTES)
        return encrypt(value, key=self._key(name).encryption, key_name=name, nonce=nonce, place=place)

    def decrypt(self, stored: str, place: FieldPlace) -> str:
        """The value that was stored at this place.

        Raises `field_key_missing` where its key is not in the folder; FieldUnreadable where it was altered or moved.
        """
        return decrypt(stored, key=self._key(key_name_of(stored)).encryption, place=place)

    def tag(self, value: str, table: str, column: str) -> bytes:
        """The search tag that is stored beside a value that is encrypted now."""
        return search_tag(value, key=self._key(self.current).search, table=table, column=column)

    def tags(self, value: str, table: str, column: str) -> list[bytes]:
        """Every tag under which a value of that column may be found: one for each key, while they are exchanged."""
        self._look()
        return [search_tag(value, key=key.search, table=table, column=column) for key in self._keys.values()]

    def _key(self, name: str) -> FieldKey:
        known = self._keys.get(name)
        if known is None:
            self._look()
            known = self._keys.get(name)
        if known is None:
            raise AppError(Code.FIELD_KEY_MISSING, key=name, retry_after_s=RETRY_AFTER_S)
        return known

    def _look(self) -> bool:
        """Read the folder; whether there is a key in it. Where there is none any more, the last ones stay."""
        self._looked_at = self._timer()
        found = {name: self._keys.get(name) or _read(self._folder, name) for name in names_in(self._folder)}
        kept = {name: key for name, key in found.items() if key is not None}
        if not kept:
            return False
        self._keys = kept
        return True


def add_field_key(folder: Path) -> str:
    """Make a new version, readable by its owner alone, and return its name. It appears whole or not at all."""
    name = f"{utc_now():%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    keys = {kind: b64encode(secrets.token_bytes(KEY_BYTES)).decode() for kind in ("encryption", "search")}
    draft = folder / f".{name}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(keys, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(_path(folder, name))
    return name


def names_in(folder: Path) -> list[str]:
    """Names of the versions in a folder, oldest first: a name begins with the instant at which it was made."""
    return sorted(path.stem for path in folder.glob("*.key") if _NAME.fullmatch(path.stem))


def remove_field_key(folder: Path, name: str) -> None:
    """Remove a version for good. Whoever calls has seen that nothing is under it any more."""
    assert _NAME.fullmatch(name), "a name as names_in gives it"
    _path(folder, name).unlink()


def _read(folder: Path, name: str) -> FieldKey | None:
    try:
        written = json.loads(_path(folder, name).read_text())
    except FileNotFoundError:
        return None
    key = FieldKey(b64decode(written["encryption"]), b64decode(written["search"]))
    if {len(key.encryption), len(key.search)} != {KEY_BYTES}:
        raise ValueError(f"{_path(folder, name)} is no field key")
    return key


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"
