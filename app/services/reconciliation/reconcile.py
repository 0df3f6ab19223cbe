"""Reconciliation: all invariants, and this side against the other, over one consistent snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from app.database import Database
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Reconciliation
from app.reach import EVERYWHERE, Reach
from app.services import audit
from app.services.identity.principals import Caller
from app.services.reach import region_prefix, within_reach
from app.services.reconciliation.cases import Run, follow
from app.services.reconciliation.checking import Report, check
from app.services.reconciliation.comparing import Comparison, Period
from app.sql import now

SHOWN_MISMATCHES = 1_000
"""Differences of a comparison that its report lists; all are counted, and all have a case."""


@dataclass(frozen=True, slots=True)
class ReconciliationRecord:
    """A stored run."""

    region_code: str
    id: str
    started_at: datetime
    finished_at: datetime
    run_by: str
    difference_count: int
    report: dict[str, Any]


def check_invariants(
    database: Database, region_code: str | None = None, *, below: bool = True, period: Period | None = None
) -> Report:
    """Evaluate every invariant over one snapshot: for a region, with `below` for those within it too, or for all.

    With a period, what providers and the bank state about it is compared as well. Nothing is stored.
    """
    prefix = "" if region_code is None else region_prefix(region_code) if below else region_code
    found = database.snapshot(lambda tx: check(database, tx, prefix, period))
    return found.report(region_code, lambda _: True)


def reconcile(
    database: Database, *, caller: Caller, region_code: str, period: Period | None = None
) -> ReconciliationRecord:
    """Check a region's books and store the report: finance its own, an auditor those of the regions below it too.

    With a period, its redemptions are held against providers' statements and its payments against the bank's lists, and
    the cases follow what was found. Raises `forbidden`; `not_found` for a region that is not the caller's.
    """
    caller.require(Role.FINANCE, Role.AUDITOR)
    if not _may_read(caller, region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    below = caller.holds_in(Role.AUDITOR, region_code)
    prefix = region_prefix(region_code) if below else region_code
    # What is counted once in the whole country is recounted from all regions, whoever asks; shown is what he may see.
    report = check_invariants(database.reaching(EVERYWHERE), region_code, below=below, period=period)
    return database.reaching(Reach((f"{prefix}%",))).transact(
        lambda tx: _store(tx, caller, region_code, prefix, report)
    )


def reconcile_regions(database: Database, regions: Sequence[str], *, caller: Caller, period: Period) -> int:
    """Check the books of all regions over one snapshot and store a report for each of these; how many were stored.

    For what runs by the clock: a region whose report cannot be stored does not keep the others from it; the failure is
    raised when all have had their turn.
    """
    found = database.snapshot(lambda tx: check(database, tx, "", period))
    failure: Exception | None = None
    for region_code in regions:
        report = found.report(region_code, region_code.__eq__)
        try:
            database.transact(
                partial(_store, caller=caller, region_code=region_code, prefix=region_code, report=report)
            )
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
    if failure is not None:
        raise failure
    return len(regions)


def list_reconciliations(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None
) -> list[ReconciliationRecord]:
    """Stored runs within the caller's reach, newest first."""
    caller.require(Role.FINANCE, Role.AUDITOR)
    within = within_reach(caller, region=Reconciliation.region_code)
    query = select(Reconciliation).where(within).order_by(Reconciliation.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Reconciliation.id < before_id)
    return [_record(row) for row in tx.execute(query)]


def read_reconciliation(tx: Connection, *, caller: Caller, reconciliation_id: str) -> ReconciliationRecord:
    """One stored run within the caller's reach. Raises `not_found`."""
    caller.require(Role.FINANCE, Role.AUDITOR)
    region_code = region_of(reconciliation_id)
    row = tx.execute(
        select(Reconciliation).where(Reconciliation.region_code == region_code, Reconciliation.id == reconciliation_id)
    ).one_or_none()
    if row is None or not _may_read(caller, row.region_code):
        raise AppError(Code.NOT_FOUND, what="reconciliation")
    return _record(row)


def _may_read(caller: Caller, region_code: str) -> bool:
    return any(caller.holds_in(role, region_code) for role in (Role.FINANCE, Role.AUDITOR))


def _store(tx: Connection, caller: Caller, region_code: str, prefix: str, report: Report) -> ReconciliationRecord:
    run = Run(region_code, prefix, new_id("rcn", region_code), report.started_at, caller)
    comparisons = []
    for comparison in report.comparisons:
        outcome = follow(tx, run=run, comparison=comparison)
        comparisons.append(shown_comparison(comparison, outcome.ids if outcome else {}))
        audit.record(
            tx,
            caller=caller,
            region_code=region_code,
            action="cases.followed" if outcome else "cases.left",
            object_id=run.id,
            at=now(tx),
            details={
                "sides": comparison.sides,
                "opened": outcome.opened if outcome else 0,
                "reopened": outcome.reopened if outcome else 0,
                "resolved": outcome.resolved if outcome else 0,
            },
        )
    record = ReconciliationRecord(
        region_code=region_code,
        id=run.id,
        started_at=report.started_at,
        finished_at=report.finished_at,
        run_by=caller.principal_id,
        difference_count=report.difference_count,
        report={"findings": [asdict(finding) for finding in report.findings], "comparisons": comparisons},
    )
    tx.execute(insert(Reconciliation).values(**asdict(record)))
    return record


def shown_comparison(comparison: Comparison, ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A comparison as its report keeps it."""
    return {
        "sides": comparison.sides,
        "period_from": comparison.period.first.isoformat(),
        "period_until": comparison.period.last.isoformat(),
        "difference_count": len(comparison.mismatches),
        "tallies": [asdict(row) for row in comparison.tallies],
        "unheld": [asdict(row) for row in comparison.unheld],
        "differences": [
            asdict(found)
            | {
                "happened_on": found.happened_on.isoformat(),
                "case_id": ids.get((found.region_code, found.subject)),
            }
            for found in comparison.mismatches[:SHOWN_MISMATCHES]
        ],
    }


def _record(row: Row[Any]) -> ReconciliationRecord:
    return ReconciliationRecord(**{name: getattr(row, name) for name in ReconciliationRecord.__slots__})
