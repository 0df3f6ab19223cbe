"""Reading lists of the bank's results: finance and auditors those of their regions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.models import BankList, BankListLine
from app.services.identity.principals import Caller
from app.services.reach import within_reach


@dataclass(frozen=True, slots=True)
class BankListRecord:
    """A list as it was taken in; `replaced_by_id` is the later one of the same period."""

    id: str
    region_code: str
    organisation_id: str
    period_from: date
    period_until: date
    line_count: int
    total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: datetime
    uploaded_by: str
    replaced_at: datetime | None
    replaced_by_id: str | None


@dataclass(frozen=True, slots=True)
class BankLineRecord:
    """A line of a list, with its row in the file."""

    row_no: int
    status: str
    bank_reference: str
    order_id: str | None
    amount_fen: int
    settled_on: date
    payee_name: str | None
    account_tail: str | None


def list_bank_lists(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, region_code: str | None = None
) -> list[BankListRecord]:
    """Lists within the caller's reach, newest first. Raises `forbidden`."""
    query = _within(caller).order_by(BankList.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(BankList.id < before_id)
    if region_code is not None:
        query = query.where(BankList.region_code == region_code)
    return [_record(row) for row in tx.execute(query)]


def read_bank_list_record(tx: Connection, *, caller: Caller, bank_list_id: str) -> BankListRecord:
    """One list within the caller's reach. Raises `forbidden`, `not_found`."""
    row = tx.execute(
        _within(caller).where(BankList.region_code == region_of(bank_list_id), BankList.id == bank_list_id)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="bank_list")
    return _record(row)


def list_bank_lines(
    tx: Connection, *, caller: Caller, bank_list_id: str, limit: int, after_row: int = 0
) -> list[BankLineRecord]:
    """The lines of a list in the order of the file. Raises `forbidden`, `not_found`."""
    found = read_bank_list_record(tx, caller=caller, bank_list_id=bank_list_id)
    rows = tx.execute(
        select(*(getattr(BankListLine, name) for name in BankLineRecord.__slots__))
        .where(
            BankListLine.region_code == found.region_code,
            BankListLine.list_id == found.id,
            BankListLine.row_no > after_row,
        )
        .order_by(BankListLine.row_no)
        .limit(limit)
    )
    return [BankLineRecord(*row) for row in rows]


def _within(caller: Caller) -> Select[*tuple[Any, ...]]:
    return select(BankList).where(within_reach(caller, region=BankList.region_code))


def _record(row: Row[Any]) -> BankListRecord:
    return BankListRecord(**{name: getattr(row, name) for name in BankListRecord.__slots__})
