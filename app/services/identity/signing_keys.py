"""The keys that sign tokens and payment codes: one Ed25519 key a file, `<kid>.pem`, in a folder of the service's own.

Several may be there: the newest signs, all verify. To rotate, add one (`add_key`) and restart the processes one by
one: those still running find the new key by its name. Once the tokens of an old key have run out its file may go.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import OKPAlgorithm

from app.kernel.clock import utc_now

_KID = re.compile("[0-9]{8}T[0-9]{12}Z-[0-9a-f]{8}")


class SigningKeys:
    """The keys of one folder. Read once; a key that appears later is read when its name is met."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, Ed25519PrivateKey] = {}
        kids = _kids(folder)
        if not kids:
            raise FileNotFoundError(f"No signing key in {folder}")
        for kid in kids:
            self._find(kid)
        self.current_kid = kids[-1]

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
    def current(self) -> Ed25519PrivateKey:
        """The key that signs."""
        return self._keys[self.current_kid]

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
        return {"keys": [self._jwk(kid) for kid in self.kids()]}

    def _jwk(self, kid: str) -> dict[str, Any]:
        public = self.public(kid)
        assert public is not None, "its file was listed"
        return {**OKPAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig", "alg": "EdDSA"}

    def _find(self, kid: str) -> Ed25519PrivateKey | None:
        known = self._keys.get(kid)
        if known is not None:
            return known
        if _KID.fullmatch(kid) is None:  # also keeps a stranger's `kid` from naming another file
            return None
        try:
            written = _path(self._folder, kid).read_bytes()
        except FileNotFoundError:
            return None
        key = serialization.load_pem_private_key(written, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{_path(self._folder, kid)} is not an Ed25519 key")
        self._keys[kid] = key
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
