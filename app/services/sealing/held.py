"""Whether a region may be sealed: after a restoration only once somebody has seen that its log is the published one."""

from __future__ import annotations

from sqlalchemy import Connection, text

_HOLDING = text(
    "SELECT r.id FROM restorations r WHERE r.settled_at IS NULL AND NOT EXISTS ("
    " SELECT FROM restoration_releases x WHERE x.region_code = :region_code AND x.restoration_id = r.id)"
    " ORDER BY r.restored_at LIMIT 1"
)


def held_by(tx: Connection, region_code: str) -> str | None:
    """The restoration because of which this region must not be sealed now; None where it may be.

    The sealer asks in its own transaction, behind the lock of the region's head. What is not sealed stays in the queue.
    """
    found: str | None = tx.execute(_HOLDING, {"region_code": region_code}).scalar_one_or_none()
    return found
