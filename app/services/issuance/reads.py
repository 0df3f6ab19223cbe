"""Reading issuance batches: what was asked for, what became of it, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind
from app.models import Approval, IssuanceBatch, IssuanceRow, Organisation, Programme
from app.services.identity.principals import Caller
from app.services.reach import issued_by, within_reach

GRANTING = (
    ApprovalKind.ISSUE_BATCH,
    ApprovalKind.GRANT_APPLICATIONS,
    ApprovalKind.ALLOCATE,
    ApprovalKind.PROMOTE_WAITING,
)
"""Approvals under which a batch is issued: it is their subject."""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as it is read. The amount is fen."""

    region_code: str
    id: str
    programme_id: str
    programme_title: str
    status: str
    row_count: int
    total_fen: int
    file_name: str | None
    file_sha256: str | None
    created_at: datetime
    created_by: str
    decided_at: datetime | None
    approval_id: str


@dataclass(frozen=True, slots=True)
class RowRecord:
    """One row of a batch; the voucher is known once the batch is issued."""

    row_no: int
    reference_no: str
    firm_id: str
    firm_name: str
    face_value_fen: int
    valid_from: datetime | None
    valid_until: datetime | None
    note: str | None
    terms: str | None
    voucher_id: str | None


def list_batches(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, programme_id: str | None = None
) -> list[BatchRecord]:
    """Batches within the caller's reach, newest first."""
    query = _query().where(_visible_to(caller)).order_by(IssuanceBatch.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(IssuanceBatch.id < before_id)
    if programme_id is not None:
        query = query.where(IssuanceBatch.programme_id == programme_id)
    return [_record(row) for row in tx.execute(query)]


def read_batch(tx: Connection, *, caller: Caller, batch_id: str) -> BatchRecord:
    """One batch within the caller's reach. Raises `not_found`."""
    row = tx.execute(
        _query().where(
            IssuanceBatch.region_code == region_of(batch_id), IssuanceBatch.id == batch_id, _visible_to(caller)
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="batch")
    return _record(row)


def list_rows(tx: Connection, *, caller: Caller, batch_id: str, limit: int, after_row: int = 0) -> list[RowRecord]:
    """The rows of a batch within the caller's reach, in their order. Raises `not_found`."""
    batch = read_batch(tx, caller=caller, batch_id=batch_id)
    found = tx.execute(
        select(IssuanceRow, Organisation.name.label("firm_name"))
        .join(Organisation, Organisation.id == IssuanceRow.firm_id)
        .where(
            IssuanceRow.region_code == batch.region_code,
            IssuanceRow.batch_id == batch.id,
            IssuanceRow.row_no > after_row,
        )
        .order_by(IssuanceRow.row_no)
        .limit(limit)
    )
    return [RowRecord(**{name: getattr(row, name) for name in RowRecord.__slots__}) for row in found]


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(
        within_reach(caller, region=IssuanceBatch.region_code, authority=Programme.authority_id),
        issued_by(caller, county=IssuanceBatch.county_code, authority=IssuanceBatch.authority_id),
    )


def _query() -> Select[IssuanceBatch, str, str]:
    return (
        select(IssuanceBatch, Programme.title.label("programme_title"), Approval.id.label("approval_id"))
        .join(
            Programme,
            and_(Programme.region_code == IssuanceBatch.region_code, Programme.id == IssuanceBatch.programme_id),
        )
        .join(
            Approval,
            and_(
                Approval.region_code == IssuanceBatch.region_code,
                Approval.kind.in_(GRANTING),
                Approval.subject_id == IssuanceBatch.id,
            ),
        )
    )


def _record(row: Row[*tuple[Any, ...]]) -> BatchRecord:
    return BatchRecord(**{name: getattr(row, name) for name in BatchRecord.__slots__})
