"""Reconciliations: check the books of a region, hold them against other sides, and read what earlier checks found."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import model_validator
from sqlalchemy import Connection

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Read, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.vocabulary import DifferenceGroup, Sides
from app.services import audit
from app.services.reconciliation.comparing import Period
from app.services.reconciliation.reconcile import (
    ReconciliationRecord,
    list_reconciliations,
    read_reconciliation,
    reconcile,
)
from app.services.reconciliation.report_sheet import write_report
from app.sql import now

router = APIRouter(prefix="/v1/reconciliations", tags=["reconciliations"])


class ReconciliationCreate(Wire):
    """Which region; a city's or province's check covers the regions below it.

    With a period (both days included, Asia/Shanghai) its redemptions are held against providers' statements, and its
    payment orders and receipts of recovered money against the bank's lists.
    """

    region_code: RegionCode
    period_from: Day | None = None
    period_until: Day | None = None

    @model_validator(mode="after")
    def _whole_period(self) -> ReconciliationCreate:
        if (self.period_from is None) != (self.period_until is None):
            raise ValueError("give both period_from and period_until, or neither (期间须同时给出起止日)")
        if self.period_from and self.period_until and self.period_from > self.period_until:
            raise ValueError("the period ends before it begins (期间止日早于起日)")
        return self

    @property
    def period(self) -> Period | None:
        """The days that are compared."""
        return Period(self.period_from, self.period_until) if self.period_from and self.period_until else None


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


class TallyRead(Read):
    """One party's share of one group; amounts are in fen, as this side and that side have them."""

    region_code: str
    party_id: str
    kind: Literal["matched"] | DifferenceGroup
    count: int
    here_fen: int
    there_fen: int


class UnheldRead(Read):
    """What happened here on days of which there is nothing to hold it against: no statement, or no list of the bank."""

    region_code: str
    party_id: str
    count: int
    here_fen: int


class MismatchRead(Read):
    """One difference, its evidence, and its case (null where a later check had come first)."""

    region_code: str
    party_id: str
    kind: DifferenceGroup
    subject: str
    happened_on: date
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    case_id: str | None


class ComparisonRead(Read):
    """Two sides of a period: `difference_count` is exact, the first 1,000 are listed, every one has a case."""

    sides: Sides
    period_from: date
    period_until: date
    difference_count: int
    tallies: list[TallyRead]
    unheld: list[UnheldRead]
    differences: list[MismatchRead]


class ReconciliationRead(Read):
    """A check over one snapshot. `difference_count` 0 means that the books are right in themselves.

    What the other sides say of them stands in `comparisons`, each with a `difference_count` of its own.
    """

    id: str
    region_code: str
    started_at: ShownInstant
    finished_at: ShownInstant
    run_by: str
    difference_count: int
    findings: list[FindingRead]
    comparisons: list[ComparisonRead]


def _shown(record: ReconciliationRecord) -> ReconciliationRead:
    values: dict[str, Any] = {name: getattr(record, name) for name in ReconciliationRecord.__slots__}
    findings = [FindingRead.model_validate(finding) for finding in record.report["findings"]]
    comparisons = [ComparisonRead.model_validate(made) for made in record.report.get("comparisons", ())]
    return ReconciliationRead(**values | {"findings": findings, "comparisons": comparisons})


@router.post("", status_code=201)
def create_reconciliation(body: ReconciliationCreate, caller: CallerDep, service: ServiceDep) -> ReconciliationRead:
    """Check every invariant now, over one consistent snapshot; redemptions go on meanwhile.

    With a period, each difference with a statement or with the bank is one case of `/v1/reconciliation-cases`, however
    often it is found.
    """
    return _shown(reconcile(service.database, caller=caller, region_code=body.region_code, period=body.period))


@router.get("")
def read_reconciliations(
    caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReconciliationRead]:
    """Earlier checks, newest first."""
    records = service.database.transact(
        lambda tx: list_reconciliations(tx, caller=caller, limit=limit + 1, before_id=cursor)
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/{reconciliation_id}", response_model=ReconciliationRead, responses={200: {"content": {XLSX: {}}}})
def read_one_reconciliation(
    reconciliation_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    format: Annotated[  # noqa: A002 - the name on the wire
        Literal["json", "xlsx"] | None, Query(description="Default: by the Accept header")
    ] = None,
) -> ReconciliationRead | Response:
    """One check with its findings and comparisons; amounts of the sheet are in 元."""
    as_sheet = format == "xlsx" or (format is None and XLSX in request.headers.get("accept", ""))

    def work(tx: Connection) -> ReconciliationRecord:
        record = read_reconciliation(tx, caller=caller, reconciliation_id=reconciliation_id)
        if as_sheet:
            audit.record_export(
                tx, caller=caller, what="reconciliation", object_id=reconciliation_id, rows=1, at=now(tx)
            )
        return record

    record = service.database.transact(work)
    if as_sheet:
        return xlsx_response(write_report(record), "reconciliation.xlsx")
    return _shown(record)
