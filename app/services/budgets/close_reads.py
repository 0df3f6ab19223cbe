"""Reading what was closed, and what that did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.models import YearClose
from app.services.identity.principals import Caller
from app.services.reach import within_reach


@dataclass(frozen=True, slots=True)
class YearCloseRecord:
    """A close as it is read; `effect` is canonical JSON."""

    region_code: str
    id: str
    programme_id: str
    fiscal_year: int
    approval_id: str
    document_no: str
    effect: str
    closed_at: datetime
    made_by: str
    decided_by: str


def list_year_closes(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, programme_id: str | None = None
) -> list[YearCloseRecord]:
    """Closes within the caller's reach (finance, auditor), newest first."""
    query = _query(caller).order_by(YearClose.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(YearClose.id < before_id)
    if programme_id is not None:
        query = query.where(YearClose.programme_id == programme_id)
    return [_record(row) for row in tx.execute(query)]


def read_year_close(tx: Connection, *, caller: Caller, year_close_id: str) -> YearCloseRecord:
    """One close within the caller's reach. Raises `not_found`."""
    query = _query(caller).where(YearClose.region_code == region_of(year_close_id), YearClose.id == year_close_id)
    row = tx.execute(query).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="year_close")
    return _record(row)


def _query(caller: Caller) -> Select[Any]:
    return select(YearClose).where(within_reach(caller, region=YearClose.region_code))


def _record(row: Row[Any]) -> YearCloseRecord:
    return YearCloseRecord(**{name: getattr(row, name) for name in YearCloseRecord.__slots__})
