"""The keys and names of the logs: Ed25519 keys in a folder of their own, used under the name of each region's log."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from app.services.identity.signing_keys import SigningKeys
from app.settings import Settings
from app.tlog.keys import Ed25519Signer

_NAME = re.compile(r"[A-Za-z0-9._~:/\[\]-]{1,200}")
"""No spaces and no plus signs (C2SP signed-note), and nothing that JSON or a path would write otherwise."""

KEPT = "name"
"""The file beside the keys that holds the logs' name, written once."""

log = structlog.get_logger(__name__)


class LogKeys:
    """Signs the logs of one installation. One key serves all regions; what tells the logs apart is the key's name.

    The newest key signs receipts, and every key signs checkpoints: while a key is being replaced, auditors who know
    only the old one or only the new one can both read them. An old key's file goes when nobody needs it any more.
    """

    def __init__(self, keys: SigningKeys, *, name: str) -> None:
        _require_name(name)
        self._keys = keys
        self._name = name
        self.signers = lru_cache(maxsize=4096)(self._signers)
        self.key_id = lru_cache(maxsize=4096)(self._key_id)

    @classmethod
    def from_settings(cls, settings: Settings) -> LogKeys:
        """Those of this installation; the first key is made where there is none.

        The name is written down beside the keys by whoever comes first and holds for all: a receipt promises a log by
        name before it has begun, and the sealer, with other settings, must not begin another one.
        """
        folder = settings.state_dir / "log-keys"
        asked = settings.log_name or urlsplit(settings.public_url).netloc.rpartition("@")[2]
        _require_name(asked)
        keys = SigningKeys.load_or_create(folder)
        name = _kept_name(folder, asked)
        if settings.log_name and settings.log_name != name:
            log.warning("logs.name_kept", name=name, not_taken=settings.log_name, written_in=str(folder / KEPT))
        return cls(keys, name=name)

    def origin(self, region_code: str) -> str:
        """What the log of a region would be called if it began now."""
        return f"{self._name}/{region_code}"

    def _signers(self, origin: str) -> Sequence[Ed25519Signer]:
        """Who signs under this name, the newest key first."""
        private = [self._keys.private(kid) for kid in self._keys.kids()]
        return tuple(Ed25519Signer(origin, key) for key in private if key is not None)

    def _key_id(self, origin: str) -> str:
        """The key id of the newest key under this name, in hexadecimal as it stands in its public text form."""
        return self.signers(origin)[0].key_id.hex()


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a log: letters, digits and . _ ~ : / [ ] - only")


def _kept_name(folder: Path, asked: str) -> str:
    """The name that is written down; `asked` where none was. It appears whole, and one of those who race writes it."""
    kept = folder / KEPT
    if not kept.exists():
        draft = folder / f".{KEPT}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{asked}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, kept)
        draft.unlink()
    return kept.read_text(encoding="ascii").strip()
