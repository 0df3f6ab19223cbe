"""Reconciliation: all invariants over one consistent snapshot, while redemptions go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from app.database import Database, now
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Reconciliation
from app.services.identity.principals import Caller
from app.services.reach import region_prefix, within_reach
from app.services.reconciliation.invariants import INVARIANTS, Invariant
from app.services.reconciliation.sealed import SEALED, TREE, recomputed

SHOWN = 100
"""Differences listed per invariant; all are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that breaks an invariant."""

    region_code: str
    subject: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what broke it; `count` is exact, `differences` the first of them."""

    number: int
    name: str
    title_en: str
    title_zh: str
    count: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation found, over one snapshot."""

    region_code: str | None
    started_at: datetime
    finished_at: datetime
    findings: tuple[Finding, ...]

    @property
    def difference_count(self) -> int:
        """How many rows break an invariant; 0 means the books are right."""
        return sum(finding.count for finding in self.findings)


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


def check_invariants(database: Database, region_code: str | None = None, *, below: bool = True) -> Report:
    """Evaluate every invariant over one snapshot: for a region, with `below` for those within it too, or for all."""
    prefix = "" if region_code is None else region_prefix(region_code) if below else region_code
    return database.snapshot(lambda tx: _check(tx, region_code, prefix))


def reconcile(database: Database, *, caller: Caller, region_code: str) -> ReconciliationRecord:
    """Check a region's books and store the report: finance its own, an auditor those of the regions below it too.

    Raises `forbidden`; `not_found` for a region that is not the caller's.
    """
    caller.require(Role.FINANCE, Role.AUDITOR)
    if not _may_read(caller, region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    report = check_invariants(database, region_code, below=caller.holds_in(Role.AUDITOR, region_code))
    record = ReconciliationRecord(
        region_code=region_code,
        id=new_id("rcn", region_code),
        started_at=report.started_at,
        finished_at=report.finished_at,
        run_by=caller.principal_id,
        difference_count=report.difference_count,
        report={"findings": [asdict(finding) for finding in report.findings]},
    )

    def store(tx: Connection) -> None:
        tx.execute(insert(Reconciliation).values(**asdict(record)))

    database.transact(store)
    return record


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


def _check(tx: Connection, region_code: str | None, prefix: str) -> Report:
    started_at = now(tx)
    findings = (*(_find(tx, invariant, prefix) for invariant in (*INVARIANTS, *SEALED)), _trees(tx, prefix))
    return Report(region_code, started_at, now(tx), findings)


def _find(tx: Connection, invariant: Invariant, prefix: str) -> Finding:
    rows: Sequence[Any] = tx.execute(
        text(
            f"SELECT region_code, subject, expected, actual, count(*) OVER () AS found "
            f"FROM ({invariant.query}) AS wrong"
            " WHERE starts_with(region_code, :prefix) ORDER BY region_code, subject LIMIT :shown"
        ),
        {"prefix": prefix, "shown": SHOWN},
    ).all()
    return Finding(
        invariant.number,
        invariant.name,
        invariant.title_en,
        invariant.title_zh,
        rows[0].found if rows else 0,
        tuple(Difference(row.region_code, row.subject, str(row.expected), str(row.actual)) for row in rows),
    )


def _trees(tx: Connection, prefix: str) -> Finding:
    wrong = [Difference(*row) for row in recomputed(tx, prefix)]
    return Finding(*TREE, len(wrong), tuple(wrong[:SHOWN]))


def _record(row: Any) -> ReconciliationRecord:
    return ReconciliationRecord(**{name: getattr(row, name) for name in ReconciliationRecord.__slots__})
