"""The keys and names of the logs: Ed25519 keys in a folder of their own, used under the name of each region's log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from app.services.identity.signing_keys import SigningKeys
from app.settings import Settings
from app.tlog.keys import Ed25519Signer

_NAME = re.compile(r"[A-Za-z0-9._~:/\[\]-]{1,200}")
"""No spaces and no plus signs (C2SP signed-note), and nothing that JSON or a path would write otherwise."""


class LogKeys:
    """Signs the logs of one installation. One key serves all regions; what tells the logs apart is the key's name.

    The newest key signs receipts, and every key signs checkpoints: while a key is being replaced, auditors who know
    only the old one or only the new one can both read them. An old key's file goes when nobody needs it any more.
    """

    def __init__(self, keys: SigningKeys, *, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a log: letters, digits and . _ ~ : / [ ] - only")
        self._keys = keys
        self._name = name
        self.signers = lru_cache(maxsize=4096)(self._signers)
        self.key_id = lru_cache(maxsize=4096)(self._key_id)

    @classmethod
    def from_settings(cls, settings: Settings) -> LogKeys:
        """Those of this installation; the first key is made where there is none."""
        name = settings.log_name or urlsplit(settings.public_url).netloc.rpartition("@")[2]
        return cls(SigningKeys.load_or_create(settings.state_dir / "log-keys"), name=name)

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
