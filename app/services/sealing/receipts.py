"""Receipts: a signed promise that an entry will be in the log by an instant.

A receipt names the leaf by its hash. When the promised instant has passed and the log has no such leaf, receipt and
log together prove the omission: both are signed with keys of the same log. Ed25519 signs the same bytes the same way,
so a receipt is never stored; it is derived anew wherever its entry is shown.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, func, literal_column, select

from app.kernel.clock import rfc3339
from app.models import Entry, Log
from app.services.sealing.keys import LogKeys
from app.settings import Settings

_ZERO_BYTE: Any = literal_column("'\\x00'::bytea")


class RecordedLeaf(NamedTuple):
    """What a receipt says of an entry: its leaf's hash (RFC 6962), and the name of its log, where that has begun."""

    hash: bytes
    log: str | None


class Receipts:
    """Gives receipts in the name of the logs of one installation. Pure but for its keys' folder."""

    def __init__(self, keys: LogKeys, *, promise_s: int) -> None:
        self._keys = keys
        self._promise = timedelta(seconds=promise_s)

    @classmethod
    def from_settings(cls, settings: Settings, keys: LogKeys) -> Receipts:
        """Those of this installation."""
        return cls(keys, promise_s=settings.seal_promise_s)

    def receipt(
        self, *, region_code: str, entry_id: str | None, leaf: RecordedLeaf | None, at: datetime
    ) -> dict[str, str] | None:
        """The receipt of an entry made at `at`, or None where nothing was posted. About 50 µs, the signature's."""
        if entry_id is None or leaf is None:
            return None
        log = leaf.log or self._keys.origin(region_code)
        signer = self._keys.signers(log)[0]
        told = {
            "log": log,
            "entry_id": entry_id,
            "leaf_sha256": leaf.hash.hex(),
            "at": rfc3339(at),
            "promised_by": rfc3339(at + self._promise),
            "key_id": self._keys.key_id(log),
        }
        signature = signer.sign(signed_bytes(**told))
        return told | {"signature": base64.b64encode(signature).decode()}


def signed_bytes(*, log: str, entry_id: str, leaf_sha256: str, at: str, promised_by: str, key_id: str) -> bytes:
    """What a receipt's signature is over: the canonical JSON (RFC 8785) of its other members.

    None of these texts has a character that JSON would escape (names of logs are checked where they are made), so
    putting them between the names, in order, writes the same bytes.
    """
    return (
        f'{{"at":"{at}","entry_id":"{entry_id}","key_id":"{key_id}","leaf_sha256":"{leaf_sha256}",'
        f'"log":"{log}","promised_by":"{promised_by}"}}'
    ).encode()


def leaf_columns(region_code: Any, entry_id: Any) -> tuple[Any, Any]:
    """Two columns for a query: the leaf hash of the entry that a row names, and the name of its region's log."""
    of_entry = (
        select(func.sha256(_ZERO_BYTE.op("||")(Entry.leaf)))
        .where(Entry.region_code == region_code, Entry.id == entry_id)
        .scalar_subquery()
    )
    of_region = select(Log.origin).where(Log.region_code == region_code).scalar_subquery()
    return of_entry.label("leaf_hash"), of_region.label("log_origin")


def recorded_leaf(row: Row[Any]) -> RecordedLeaf | None:
    """The leaf from a row with `leaf_columns`; None where it names no entry."""
    return None if row.leaf_hash is None else RecordedLeaf(bytes(row.leaf_hash), row.log_origin)
