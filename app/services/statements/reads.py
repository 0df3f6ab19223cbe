"""Reading statements: the provider its own, finance and auditors those of their regions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Statement, StatementLine
from app.services.identity.principals import Caller
from app.services.reach import within_reach


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A statement as it was taken in; `replaced_by_id` is the later one of the same period."""

    id: str
    region_code: str
    provider_id: str
    period_from: date
    period_until: date
    line_count: int
    subsidy_total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: datetime
    uploaded_by: str
    replaced_at: datetime | None
    replaced_by_id: str | None


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line of a statement, with its row in the file."""

    row_no: int
    order_no: str | None
    redemption_id: str | None
    redeemed_on: date | None
    bill_total_fen: int | None
    subsidy_fen: int
    refunded_fen: int | None
    voucher_code: str | None


def list_statements(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    region_code: str | None = None,
    provider_id: str | None = None,
) -> list[StatementRecord]:
    """Statements within the caller's reach, newest first. Raises `forbidden`."""
    query = select(Statement).where(_reach(caller)).order_by(Statement.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Statement.id < before_id)
    if region_code is not None:
        query = query.where(Statement.region_code == region_code)
    if provider_id is not None:
        query = query.where(Statement.provider_id == provider_id)
    return [_record(row) for row in tx.execute(query)]


def read_one(tx: Connection, *, caller: Caller, statement_id: str) -> StatementRecord:
    """One statement within the caller's reach. Raises `forbidden`, `not_found`."""
    row = tx.execute(
        select(Statement).where(
            Statement.region_code == region_of(statement_id), Statement.id == statement_id, _reach(caller)
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="statement")
    return _record(row)


def list_lines(
    tx: Connection, *, caller: Caller, statement_id: str, limit: int, after_row: int = 0
) -> list[LineRecord]:
    """The lines of a statement in the order of the file. Raises `forbidden`, `not_found`."""
    statement = read_one(tx, caller=caller, statement_id=statement_id)
    query = (
        select(*(getattr(StatementLine, name) for name in LineRecord.__slots__))
        .where(
            StatementLine.region_code == statement.region_code,
            StatementLine.statement_id == statement.id,
            StatementLine.row_no > after_row,
        )
        .order_by(StatementLine.row_no)
        .limit(limit)
    )
    return [LineRecord(*row) for row in tx.execute(query)]


def _reach(caller: Caller) -> ColumnElement[bool]:
    return within_reach(caller, region=Statement.region_code, own={Role.PROVIDER: Statement.provider_id})


def _record(row: Row[Any]) -> StatementRecord:
    return StatementRecord(**{name: getattr(row, name) for name in StatementRecord.__slots__})
