"""Submitting a batch: all is checked as if it were issued now, then a checker is asked. No voucher exists yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from app.database import BulkInsert, now
from app.kernel.clock import SHANGHAI
from app.kernel.ids import new_id
from app.kernel.money import format_yuan
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, BatchStatus, ProgrammeStatus, Role
from app.models import IssuanceBatch, IssuanceRow
from app.services.approvals.requests import request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools, rules_in_force
from app.services.issuance.plans import Draw, Firm, PlannedRow, draws, plan_rows, rows_sha256
from app.services.issuance.rows import CellProblem, Field, GrantRow, Layout
from app.services.programmes.programmes import ProgrammeRecord, lock_programme

_FIRMS = text(
    "SELECT id, name, identifier_type, identifier_value FROM organisations WHERE kind = 'firm'"
    " AND (id = ANY(CAST(:ids AS text[]))"
    " OR identifier_type = 'uscc' AND identifier_value = ANY(CAST(:usccs AS text[])))"
)
_USED_REFERENCES = text(
    "SELECT reference_no, batch_id FROM issuance_rows WHERE region_code = :region_code"
    " AND programme_id = :programme_id AND rejected_at IS NULL AND reference_no = ANY(CAST(:references AS text[]))"
)
_ROWS = BulkInsert(
    IssuanceRow.__table__,
    (
        "region_code",
        "batch_id",
        "row_no",
        "programme_id",
        "reference_no",
        "firm_id",
        "face_value_fen",
        "valid_from",
        "valid_until",
        "note",
        "terms",
    ),
)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a maker sends: the rows, the figures he declares for them, and the file they came from."""

    programme_id: str
    rows: tuple[GrantRow, ...]
    layout: Layout
    declared_count: int
    declared_total_fen: int
    file_name: str | None = None
    file_sha256: str | None = None

    @property
    def total_fen(self) -> int:
        """The sum of the face values."""
        return sum(row.face_value_fen for row in self.rows)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a submitted batch will do once approved. A rehearsal has no ids: nothing was kept."""

    batch_id: str | None
    approval_id: str | None
    region_code: str
    programme_id: str
    row_count: int
    total_fen: int
    firm_count: int
    file_name: str | None
    file_sha256: str | None
    draws: tuple[Draw, ...]
    rows: tuple[PlannedRow, ...]
    at: datetime


def submit_batch(tx: Connection, *, caller: Caller, submission: Submission, dry_run: bool) -> BatchReport:
    """Write the batch down and ask a checker to issue it; with `dry_run`, check the same and keep nothing.

    Raises AppError: `forbidden`, `not_found`; `wrong_state` where the programme is not published or not open;
    `declaration_mismatch`; `file_already_submitted`; `sheet_invalid` (JSON: `validation_failed`) with every complaint
    about a row; `reference_already_used`; `budget_exhausted`.
    """
    if not dry_run:
        return _submit(tx, caller, submission)
    rehearsal = tx.begin_nested()
    try:
        report = _submit(tx, caller, submission)
    finally:
        rehearsal.rollback()
    return replace(report, batch_id=None, approval_id=None)


def _submit(tx: Connection, caller: Caller, submission: Submission) -> BatchReport:
    # The programme's lock makes what is looked up here (the file, the reference numbers) stay true until COMMIT.
    programme = lock_programme(tx, caller=caller, programme_id=submission.programme_id, role=Role.MAKER)
    at = now(tx)
    _check_open(programme, at)
    _check_declaration(submission)
    _check_file(tx, programme, submission.file_sha256)
    rules = rules_in_force(tx, programme.region_code, programme.id, at).rules
    rows = plan_rows(submission.rows, _firms(tx, submission.rows), rules, submission.layout, at=at)
    _check_references(tx, programme, submission)
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year)
    taken = draws((row.face_value_fen for row in rows), rules.fund_sources, pools)
    batch_id = new_id("bat", programme.region_code)
    report = BatchReport(
        batch_id=batch_id,
        approval_id=None,
        region_code=programme.region_code,
        programme_id=programme.id,
        row_count=len(rows),
        total_fen=submission.total_fen,
        firm_count=len({row.firm_id for row in rows}),
        file_name=submission.file_name,
        file_sha256=submission.file_sha256,
        draws=taken,
        rows=rows,
        at=at,
    )
    _write(tx, caller, report, batch_id)
    return replace(report, approval_id=_ask(tx, caller, programme, report, batch_id))


def _check_open(programme: ProgrammeRecord, at: datetime) -> None:
    if programme.status != ProgrammeStatus.PUBLISHED:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)
    if not programme.opens_at <= at < programme.closes_at:
        opens, closes, today = (
            f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
            for instant in (programme.opens_at, programme.closes_at, at)
        )
        raise AppError(Code.WRONG_STATE, actual=today, expected=f"{opens} – {closes}")


def _check_declaration(submission: Submission) -> None:
    declared = (submission.declared_count, submission.declared_total_fen)
    counted = (len(submission.rows), submission.total_fen)
    if declared != counted:
        places = ("/declared_count", "/declared_total_fen")
        raise AppError(
            Code.DECLARATION_MISMATCH,
            limit=f"{declared[0]} / {format_yuan(declared[1])}",
            actual=f"{counted[0]} / {format_yuan(counted[1])}",
            errors=[
                FieldError(place, Code.DECLARATION_MISMATCH, limit=said, actual=found)
                for place, said, found in zip(places, declared, counted, strict=True)
                if said != found
            ],
        )


def _check_file(tx: Connection, programme: ProgrammeRecord, file_sha256: str | None) -> None:
    if file_sha256 is None:
        return
    batch_id = tx.execute(
        select(IssuanceBatch.id).where(
            IssuanceBatch.region_code == programme.region_code,
            IssuanceBatch.programme_id == programme.id,
            IssuanceBatch.file_sha256 == file_sha256,
            IssuanceBatch.status != BatchStatus.REJECTED,
        )
    ).scalar_one_or_none()
    if batch_id is not None:
        raise AppError(Code.FILE_ALREADY_SUBMITTED, batch_id=batch_id, extra={"batch_id": batch_id})


def _firms(tx: Connection, rows: Sequence[GrantRow]) -> dict[str, Firm]:
    usccs = sorted({row.uscc for row in rows if row.uscc})
    ids = sorted({row.firm_id for row in rows if row.firm_id})
    firms: dict[str, Firm] = {}
    for found in tx.execute(_FIRMS, {"usccs": usccs, "ids": ids}):
        firms[found.id] = Firm(found.id, found.name)
        if found.identifier_type == "uscc":
            firms[found.identifier_value] = firms[found.id]
    return firms


def _check_references(tx: Connection, programme: ProgrammeRecord, submission: Submission) -> None:
    asked = {
        "region_code": programme.region_code,
        "programme_id": programme.id,
        "references": [row.reference_no for row in submission.rows],
    }
    used = {found.reference_no: found.batch_id for found in tx.execute(_USED_REFERENCES, asked)}
    if used:
        errors = [
            submission.layout.complaint(
                row.row_no,
                Field.REFERENCE_NO,
                CellProblem("reference_already_used", limit=used[row.reference_no], actual=row.reference_no),
            )
            for row in submission.rows
            if row.reference_no in used
        ]
        raise AppError(Code.REFERENCE_ALREADY_USED, count=len(errors), errors=errors)


def _write(tx: Connection, caller: Caller, report: BatchReport, batch_id: str) -> None:
    tx.execute(
        insert(IssuanceBatch).values(
            region_code=report.region_code,
            id=batch_id,
            programme_id=report.programme_id,
            status=BatchStatus.SUBMITTED,
            row_count=report.row_count,
            total_fen=report.total_fen,
            file_name=report.file_name,
            file_sha256=report.file_sha256,
            created_at=report.at,
            created_by=caller.principal_id,
        )
    )
    _ROWS(
        tx,
        [
            {
                "region_code": report.region_code,
                "batch_id": batch_id,
                "row_no": row.row_no,
                "programme_id": report.programme_id,
                "reference_no": row.reference_no,
                "firm_id": row.firm_id,
                "face_value_fen": row.face_value_fen,
                "valid_from": row.valid_from,
                "valid_until": row.valid_until,
                "note": row.note,
                "terms": row.terms,
            }
            for row in report.rows
        ],
    )


def _ask(tx: Connection, caller: Caller, programme: ProgrammeRecord, report: BatchReport, batch_id: str) -> str:
    effect: dict[str, Any] = {
        "programme": programme.title,
        "count": report.row_count,
        "total_fen": report.total_fen,
        "firms": report.firm_count,
        "pools": [
            {
                "pool_id": draw.pool_id,
                "fund_source": draw.fund_source,
                "amount_fen": draw.amount_fen,
                "available_before_fen": draw.available_before_fen,
                "available_after_fen": draw.available_after_fen,
            }
            for draw in report.draws
        ],
    }
    if with_terms := sum(row.terms is not None for row in report.rows):
        effect["rows_with_terms"] = with_terms
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.ISSUE_BATCH,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=batch_id,
        command={
            "batch_id": batch_id,
            "row_count": report.row_count,
            "total_fen": report.total_fen,
            "rows_sha256": rows_sha256(batch_id, report.rows),
        },
        effect=effect,
        amount_fen=report.total_fen,
    )
