"""Submitting a batch: all is checked as if it were issued now, then a checker is asked. No voucher exists yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.regions import region_name
from app.kernel.vocabulary import ApprovalKind, BatchStatus, JobStage, Role
from app.models import IssuanceBatch, IssuanceRow
from app.services.allocation.stored import beside_rounds
from app.services.approvals.requests import request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools
from app.services.issuance.checks import Submission, check
from app.services.issuance.plans import Draw, PlannedRow, draws, rows_sha256
from app.services.jobs.progress import tell
from app.services.programmes.programmes import Issuer, ProgrammeRecord, lock_programme_to_issue
from app.sql import BulkInsert, now

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
        "application_id",
    ),
)


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
    programme, issuer = lock_programme_to_issue(tx, caller=caller, programme_id=submission.programme_id)
    at = now(tx)
    _check_file(tx, programme, submission.file_sha256, issuer)
    tell(JobStage.CHECKING, 0, len(submission.rows))
    checked = check(tx, programme, submission, issuer=issuer, at=at)
    checked.require_sound(submission)
    rows = checked.rows
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year, county_code=issuer.county_code)
    taken = draws((row.face_value_fen for row in rows), checked.rules.fund_sources, pools)
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
    tell(JobStage.WRITING, 0, len(rows))
    write_batch(tx, caller, report, batch_id, issuer=issuer)
    effect = dict(submission.effect) | beside_rounds(tx, programme, checked.rules)
    if checked.rules.notice_before_issue_days is not None:
        effect["notice_working_days"] = checked.rules.notice_before_issue_days
    submission = replace(submission, effect=effect)
    return replace(report, approval_id=_ask(tx, caller, programme, issuer, report, batch_id, submission))


def _check_file(tx: Connection, programme: ProgrammeRecord, file_sha256: str | None, issuer: Issuer) -> None:
    """Raise where the issuer sent this file before. Another's is refused for its reference numbers, row by row."""
    if file_sha256 is None:
        return
    batch = tx.execute(
        select(IssuanceBatch.id, IssuanceBatch.county_code, IssuanceBatch.authority_id).where(
            IssuanceBatch.region_code == programme.region_code,
            IssuanceBatch.programme_id == programme.id,
            IssuanceBatch.file_sha256 == file_sha256,
            IssuanceBatch.status != BatchStatus.REJECTED,
        )
    ).one_or_none()
    if batch is not None and issuer.sees(batch.county_code, batch.authority_id):
        raise AppError(Code.FILE_ALREADY_SUBMITTED, batch_id=batch.id, extra={"batch_id": batch.id})


def write_batch(
    tx: Connection, caller: Caller, report: BatchReport, batch_id: str, *, issuer: Issuer | None = None
) -> None:
    """Write down what a checker is asked to issue, by the programme's own authority where no issuer is named.

    The caller has checked it, and asks.
    """
    county_code = None if issuer is None else issuer.county_code
    tx.execute(
        insert(IssuanceBatch).values(
            region_code=report.region_code,
            id=batch_id,
            programme_id=report.programme_id,
            county_code=county_code,
            authority_id=issuer.authority_id if issuer is not None and county_code else None,
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
                "application_id": row.application_id,
            }
            for row in report.rows
        ],
    )


def _ask(
    tx: Connection,
    caller: Caller,
    programme: ProgrammeRecord,
    issuer: Issuer,
    report: BatchReport,
    batch_id: str,
    submission: Submission,
) -> str:
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
    if issuer.county_code is not None:
        effect["county"] = region_name(issuer.county_code)
    if with_terms := sum(row.terms is not None for row in report.rows):
        effect["rows_with_terms"] = with_terms
    granted = list(submission.application_ids)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.GRANT_APPLICATIONS if granted else ApprovalKind.ISSUE_BATCH,
        region_code=programme.region_code,
        authority_id=issuer.authority_id,
        county_code=issuer.county_code,
        required_role=Role.CHECKER,
        subject_id=batch_id,
        command={
            "batch_id": batch_id,
            "row_count": report.row_count,
            "total_fen": report.total_fen,
            "rows_sha256": rows_sha256(batch_id, report.rows),
            **({"application_ids": granted} if granted else {}),
        },
        effect=effect | dict(submission.effect),
        amount_fen=report.total_fen,
        within_id=programme.id,
    )
