"""The invariants of the books, each a query that must return no row.

The numbers are those of `docs/architecture.md`, section 4. Every query gives `region_code`, `subject` (the row that is
wrong), `expected` and `actual` (fen or counts as text), so that a difference can be followed up.
"""

from app.services.reconciliation.invariants import (
    allocation,
    applications,
    boundaries,
    capacity,
    causes,
    closed_years,
    consents,
    counters,
    decisions,
    holds,
    invoices,
    payments,
    pools,
    positions,
    records,
    redemptions,
    registry,
    uploaded,
    validity,
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
            *capacity.INVARIANTS,
            *invoices.INVARIANTS,
            *redemptions.INVARIANTS,
            *holds.INVARIANTS,
            *payments.INVARIANTS,
            *closed_years.INVARIANTS,
            *causes.INVARIANTS,
            *applications.INVARIANTS,
            *allocation.INVARIANTS,
            *validity.INVARIANTS,
            *records.INVARIANTS,
            *consents.INVARIANTS,
            *decisions.INVARIANTS,
            *registry.INVARIANTS,
            *uploaded.INVARIANTS,
            *boundaries.INVARIANTS,
        ),
        key=lambda invariant: invariant.number,
    )
)
"""By number. 10, the sealed log, stands in `sealed`; 9 is no query alone and stands in `caps`."""

__all__ = ["INVARIANTS", "Invariant"]
