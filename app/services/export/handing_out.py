"""A pack for an auditor over HTTP: who may have it, that it is written down, and that not too many are made at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import BoundedSemaphore

from app.database import Database
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Role
from app.reach import Reach
from app.services import audit
from app.services.export.archive import PackStream, stream
from app.services.export.export import Request
from app.services.identity.principals import Caller
from app.services.reach import region_prefix
from app.services.sealing.keys import LogKeys
from app.sql import now

AT_ONCE = 2
"""Packs that one process makes at the same time: each takes a connection while it reads, and room on the disk."""
_places = BoundedSemaphore(AT_ONCE)


def hand_out(
    database: Database,
    keys: LogKeys,
    *,
    caller: Caller,
    region_code: str,
    purpose: str,
    tree_size: int = 0,
    every_head: bool = False,
    witnesses: str = "",
) -> PackStream:
    """Begin the pack of a region and of those below it, and record the audit event `export` with its purpose.

    `tree_size` is how long the region's log must be at least: what the auditor's own newest head says. Raises
    `forbidden`, `not_found` outside an auditor's reach, `validation_failed` for a log that is shorter, `busy`.
    """
    caller.require(Role.AUDITOR)
    if not caller.holds_in(Role.AUDITOR, region_code):
        raise AppError(Code.NOT_FOUND, what="log")

    def begun(sizes: Mapping[str, int]) -> None:
        size = sizes.get(region_code, 0)
        if size < tree_size:
            told = f"there are {size} leaves / 仅有 {size} 条"
            place = FieldError("/query/tree_size", "beyond_the_log", detail=told, limit=size, actual=tree_size)
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[place])

    request = Request(
        Path(tempfile.gettempdir()),
        region_code,
        every_head,
        lambda origin: [signer.verifier.vkey for signer in keys.signers(origin)],
        tuple(dict.fromkeys(pinned_keys(witnesses))),
        begun=begun,
    )
    database = database.reaching(Reach((f"{region_prefix(region_code)}%",)))  # it is read beside the request
    at = database.transact(now)
    if not _places.acquire(blocking=False):
        raise AppError(Code.BUSY, retry_after_s=30)
    try:
        pack = stream(database, request, name=f"voucher-pack-{region_code}", at=at, ended=_places.release)
    except OSError:
        _places.release()
        raise
    sizes = [f"{region} {size}" for region, size in pack.sizes.items()]
    database.transact(
        lambda tx: audit.record(
            tx,
            caller=caller,
            region_code=region_code,
            action="export",
            object_id=region_code,
            at=now(tx),
            details={"purpose": purpose, "sizes": sizes},
        )
    )
    return pack


def pinned_keys(witnesses: str) -> list[str]:
    """The witnesses' keys that the setting of that name pins (`URL#VKEY`, spaces between)."""
    return [address.partition("#")[2] for address in witnesses.split() if "#" in address]
