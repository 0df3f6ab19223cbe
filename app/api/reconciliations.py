"""Reconciliations: check the books of a region, and read what earlier checks found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.services.reconciliation.reconcile import (
    ReconciliationRecord,
    list_reconciliations,
    read_reconciliation,
    reconcile,
)

router = APIRouter(prefix="/v1/reconciliations", tags=["reconciliations"])


class ReconciliationCreate(Wire):
    """Which region; a city's or province's check covers the regions below it."""

    region_code: RegionCode


class DifferenceRead(Read):
    """One row that breaks an invariant."""

    region_code: str
    subject: str
    expected: str
    actual: str


class FindingRead(Read):
    """One invariant: `count` rows break it, the first 100 are listed."""

    number: int
    name: str
    title_en: str
    title_zh: str
    count: int
    differences: list[DifferenceRead]


class ReconciliationRead(Read):
    """A check of the books over one snapshot; `difference_count` 0 means they are right."""

    id: str
    region_code: str
    started_at: ShownInstant
    finished_at: ShownInstant
    run_by: str
    difference_count: int
    findings: list[FindingRead]


def _shown(record: ReconciliationRecord) -> ReconciliationRead:
    values: dict[str, Any] = {name: getattr(record, name) for name in ReconciliationRecord.__slots__}
    findings = [FindingRead.model_validate(finding) for finding in record.report["findings"]]
    return ReconciliationRead(**values | {"findings": findings})


@router.post("", status_code=201)
def create_reconciliation(body: ReconciliationCreate, caller: CallerDep, service: ServiceDep) -> ReconciliationRead:
    """Check every invariant now, over one consistent snapshot; redemptions go on meanwhile."""
    return _shown(reconcile(service.database, caller=caller, region_code=body.region_code))


@router.get("")
def read_reconciliations(
    caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReconciliationRead]:
    """Earlier checks, newest first."""
    records = service.database.transact(
        lambda tx: list_reconciliations(tx, caller=caller, limit=limit + 1, before_id=cursor)
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/{reconciliation_id}")
def read_one_reconciliation(reconciliation_id: AnyId, caller: CallerDep, service: ServiceDep) -> ReconciliationRead:
    """One check with its findings."""
    return _shown(
        service.database.transact(
            lambda tx: read_reconciliation(tx, caller=caller, reconciliation_id=reconciliation_id)
        )
    )
