"""Whether a region may be sealed: after a restoration only once somebody has seen that its log is the published one."""

from __future__ import annotations

from sqlalchemy import Connection

from app.sql import Statement

_HOLDING = Statement(
    "SELECT r.id FROM restorations r WHERE r.settled_at IS NULL AND NOT EXISTS ("
    " SELECT FROM restoration_releases x WHERE x.region_code = :region_code AND x.restoration_id = r.id)"
    " ORDER BY r.restored_at LIMIT 1"
)


class SealingHeld(Exception):
    """The region must not be sealed before somebody has looked at its log: the database was restored."""

    def __init__(self, restoration_id: str) -> None:
        super().__init__(f"sealing is held since restoration {restoration_id}; see voucher after-restore")
        self.restoration_id = restoration_id


def require_not_held(tx: Connection, region_code: str) -> None:
    """Return where the region may be sealed now. Raises SealingHeld: what waits stays in the queue."""
    for holding in _HOLDING(tx, {"region_code": region_code}):
        raise SealingHeld(holding.id)
