"""The mark that a restoration leaves in the database, what is found of each region's log, and who lets it go on.

All of it as the owner of the schema: the service's own role may read the mark and cannot lift it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, text, update

from app.kernel.ids import Prefix, new_id
from app.kernel.vocabulary import ReleaseGround
from app.models import Restoration, RestorationRelease
from app.services.restoration.verdicts import Head, Region, compare
from app.sql import now


@dataclass(frozen=True, slots=True)
class Mark:
    """A restoration that is not settled: regions are held unless released."""

    id: str
    restored_at: datetime
    backup: str
    released: frozenset[str]


def leave_mark(tx: Connection, *, backup: str, restored_to: datetime | None, last_commit_at: datetime | None) -> str:
    """Hold the sealing of every region from now on. Gives the restoration's id."""
    restoration_id = new_id(Prefix.RESTORATION)
    tx.execute(
        insert(Restoration).values(
            id=restoration_id,
            restored_at=now(tx),
            backup=backup,
            restored_to=restored_to,
            last_commit_at=last_commit_at,
        )
    )
    return restoration_id


def open_marks(tx: Connection) -> list[Mark]:
    """The restorations that are not settled, oldest first."""
    query = select(Restoration.id, Restoration.restored_at, Restoration.backup)
    rows = tx.execute(query.where(Restoration.settled_at.is_(None)).order_by(Restoration.restored_at)).all()
    released = select(RestorationRelease.region_code)
    return [
        Mark(
            row.id,
            row.restored_at,
            row.backup,
            frozenset(tx.execute(released.where(RestorationRelease.restoration_id == row.id)).scalars()),
        )
        for row in rows
    ]


def compare_logs(tx: Connection, published: Sequence[Head]) -> list[Region]:
    """Hold the logs in this database against published heads. A database from before there were logs has none."""
    if not tx.execute(text("SELECT to_regclass('public.log_batches') IS NOT NULL")).scalar_one():
        return compare((), published, {})
    logs = [
        Head(row.region_code, row.origin, row.size, bytes(row.root))
        for row in tx.execute(text("SELECT region_code, origin, size, root FROM logs ORDER BY region_code"))
    ]
    signed = tx.execute(
        text(
            "SELECT b.region_code, b.size, b.root FROM log_batches b"
            " JOIN unnest(cast(:regions AS text[]), cast(:sizes AS bigint[])) AS p (region_code, size)"
            " ON p.region_code = b.region_code AND p.size = b.size"
        ),
        {"regions": [head.region_code for head in published], "sizes": [head.size for head in published]},
    )
    return compare(logs, published, {(row.region_code, row.size): bytes(row.root) for row in signed})


def release_agreeing(tx: Connection, regions: Sequence[Region]) -> list[str]:
    """Let the regions go on whose log agrees with every head that was given. Gives those newly released."""
    agreeing = [region for region in regions if region.agrees]
    return sorted({r.region_code for mark in open_marks(tx) for r in agreeing if _release(tx, mark, r)})


def release_decided(tx: Connection, region: Region, *, decided_by: str, reason: str) -> bool:
    """Let a region go on by decision, whatever was found; False where nothing held it."""
    marks = open_marks(tx)
    return sum(_release(tx, mark, region, decided_by=decided_by, reason=reason) for mark in marks) > 0


def settle(tx: Connection, *, decided_by: str, reason: str) -> int:
    """Let all regions go on, also those that nothing is known of. Gives how many restorations were open."""
    settled = tx.execute(
        update(Restoration)
        .where(Restoration.settled_at.is_(None))
        .values(settled_at=now(tx), settled_by=decided_by, settled_reason=reason)
        .returning(Restoration.id)
    )
    return len(settled.all())


def _release(
    tx: Connection, mark: Mark, region: Region, *, decided_by: str | None = None, reason: str | None = None
) -> bool:
    if region.region_code in mark.released:
        return False
    largest = region.largest
    tx.execute(
        insert(RestorationRelease).values(
            region_code=region.region_code,
            restoration_id=mark.id,
            released_at=now(tx),
            ground=ReleaseGround.DECIDED if decided_by else ReleaseGround.AGREES,
            log_size=region.log.size if region.log else 0,
            published_size=largest.size if largest else None,
            published_root=largest.root if largest else None,
            decided_by=decided_by,
            reason=reason,
        )
    )
    return True
