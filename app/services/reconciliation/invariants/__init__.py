"""The invariants of the books, each a query that must return no row.

The numbers are those of `docs/architecture.md`, section 4. Every query gives `region_code`, `subject` (the row that is
wrong), `expected` and `actual` (fen or counts as text), so that a difference can be followed up.
"""

from app.services.reconciliation.invariants import (
    boundaries,
    causes,
    counters,
    holds,
    payments,
    pools,
    positions,
    redemptions,
    vouchers,
)
from app.services.reconciliation.invariants.invariant import Invariant

INVARIANTS: tuple[Invariant, ...] = tuple(
    sorted(
        (
            *pools.INVARIANTS,
            *vouchers.INVARIANTS,
            *counters.INVARIANTS,
            *positions.INVARIANTS,
            *redemptions.INVARIANTS,
            *holds.INVARIANTS,
            *payments.INVARIANTS,
            *causes.INVARIANTS,
            *boundaries.INVARIANTS,
        ),
        key=lambda invariant: invariant.number,
    )
)
"""By number. 8 to 10 need what later parts bring: closed years, caps of a period, the sealed log."""

__all__ = ["INVARIANTS", "Invariant"]
