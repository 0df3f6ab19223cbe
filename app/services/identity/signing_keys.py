"""The keys that sign tokens and payment codes: one Ed25519 key a file, `<kid>.pem`, in a folder of the service's own.

Several may be there: the newest signs, all verify. Running processes look at the folder every few seconds, so a key
that is added signs soon (`voucher keys rotate`), and one that is removed verifies nothing any more (`… retire`).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import OKPAlgorithm

from app.kernel.clock import utc_now

_KID = re.compile("[0-9]{8}T[0-9]{12}Z-[0-9a-f]{8}")

LOOK_EVERY_S = 5.0
"""How old what is known of the folder may be. A key whose name is met for the first time is looked for at once."""


class SigningKeys:
    """The keys of one folder, as they were some seconds ago at most."""

    def __init__(self, folder: Path, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._timer = timer
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._newest, self._looked_at = "", timer()
        if not self._look():
            raise FileNotFoundError(f"No signing key in {folder}")

    @classmethod
    def load_or_create(cls, folder: Path) -> SigningKeys:
        """The keys of the folder, with a first one where there is none, however many processes start at once."""
        if not _kids(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(folder):
                if not _kids(folder):
                    add_key(folder)
        return cls(folder)

    @property
    def current_kid(self) -> str:
        """Name of the key that signs: the newest."""
        self._look_again()
        return self._newest

    @property
    def current(self) -> tuple[str, Ed25519PrivateKey]:
        """The key that signs, with its name: both of one look at the folder, however many threads look."""
        self._look_again()
        kid, keys = self._newest, self._keys
        while kid not in keys:  # another thread has just looked
            kid, keys = self._newest, self._keys
        return kid, keys[kid]

    def public(self, kid: str) -> Ed25519PublicKey | None:
        """The key that verifies what `kid` signed, or None for a name that none of our keys has."""
        key = self._find(kid)
        return None if key is None else key.public_key()

    def private(self, kid: str) -> Ed25519PrivateKey | None:
        """The key of this name, or None where none of ours has it."""
        return self._find(kid)

    def kids(self) -> list[str]:
        """Names of all keys, newest first, with those that other processes have added meanwhile."""
        return list(reversed(_kids(self._folder)))

    def derived(self, kid: str, purpose: str) -> bytes | None:
        """32 bytes for another purpose that follow from the key and tell nothing of it (HKDF-SHA256, RFC 5869)."""
        key = self._find(kid)
        if key is None:
            return None
        return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(key.private_bytes_raw())

    def jwks(self) -> dict[str, Any]:
        """All public keys as a JSON Web Key Set (RFC 7517), newest first."""
        found = {kid: self.public(kid) for kid in self.kids()}  # one may be removed while we read
        return {
            "keys": [
                {**OKPAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig", "alg": "EdDSA"}
                for kid, public in found.items()
                if public is not None
            ]
        }

    def _look_again(self) -> None:
        if self._timer() - self._looked_at >= LOOK_EVERY_S:
            self._look()

    def _look(self) -> bool:
        """Read the folder; whether there is a key in it. Where there is none any more, the last ones stay."""
        self._looked_at = self._timer()
        kids = _kids(self._folder)
        found = {kid: key for kid in kids if (key := self._keys.get(kid) or self._read(kid)) is not None}
        if not found:
            return False
        self._keys, self._newest = found, max(found)
        return True

    def _find(self, kid: str) -> Ed25519PrivateKey | None:
        self._look_again()
        known = self._keys.get(kid)
        if known is not None:
            return known
        if _KID.fullmatch(kid) is None:  # also keeps a stranger's `kid` from naming another file
            return None
        key = self._read(kid)
        if key is not None:
            self._keys[kid] = key
        return key

    def _read(self, kid: str) -> Ed25519PrivateKey | None:
        try:
            written = _path(self._folder, kid).read_bytes()
        except FileNotFoundError:
            return None
        key = serialization.load_pem_private_key(written, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{_path(self._folder, kid)} is not an Ed25519 key")
        return key


def add_key(folder: Path) -> str:
    """Make a new key, readable by its owner alone, and return its name. It appears whole or not at all."""
    kid = f"{utc_now():%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    written = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = folder / f".{kid}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(written)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(_path(folder, kid))
    return kid


def retire_key(folder: Path, kid: str) -> None:
    """Remove a key: what it signed is good no more. Raises KeyError for a name that no key has."""
    if _KID.fullmatch(kid) is None:
        raise KeyError(kid)
    try:
        _path(folder, kid).unlink()
    except FileNotFoundError as error:
        raise KeyError(kid) from error


def made_at(kid: str) -> datetime:
    """When a key was made: its name says it."""
    return datetime.strptime(kid[:22], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def _path(folder: Path, kid: str) -> Path:
    return folder / f"{kid}.pem"


def _kids(folder: Path) -> list[str]:
    """Names of the keys, oldest first: a name begins with the instant at which the key was made."""
    return sorted(path.stem for path in folder.glob("*.pem") if _KID.fullmatch(path.stem))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
