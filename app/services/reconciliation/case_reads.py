"""Reading cases: the provider its own, finance and auditors those of their regions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.kernel.clock import civil_date
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import CaseNote, ReconciliationCase
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.sql import now


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A difference and what became of it; `age_days` counts from the day it was opened to its resolution or today."""

    id: str
    region_code: str
    sides: str
    subject: str
    kind: str
    party_id: str
    happened_on: date
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    state: str
    owner_id: str | None
    age_days: int
    opened_at: datetime
    opened_in_id: str
    found_at: datetime
    found_in_id: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolved_in_id: str | None
    resolving_entry_id: str | None
    resolving_statement_id: str | None
    resolving_bank_list_id: str | None


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """What was said or done about a case."""

    id: str
    at: datetime
    by: str
    organisation_id: str
    act: str
    words: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases of those within reach; None is any."""

    region_code: str | None = None
    sides: str | None = None
    state: str | None = None
    kind: str | None = None
    party_id: str | None = None
    owner_id: str | None = None
    found_in_id: str | None = None


_FILTERS = tuple(Wanted.__slots__)


def list_cases(
    tx: Connection, *, caller: Caller, wanted: Wanted, limit: int, before_id: str | None = None
) -> list[CaseRecord]:
    """Cases within the caller's reach, newest first. Raises `forbidden`."""
    query = _within(caller).order_by(ReconciliationCase.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(ReconciliationCase.id < before_id)
    for name in _FILTERS:
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(getattr(ReconciliationCase, name) == value)
    at = now(tx)
    return [_record(row, at) for row in tx.execute(query)]


def read_case(tx: Connection, *, caller: Caller, case_id: str) -> tuple[CaseRecord, list[NoteRecord]]:
    """One case within the caller's reach, with its notes in order. Raises `forbidden`, `not_found`."""
    row = tx.execute(
        _within(caller).where(ReconciliationCase.region_code == region_of(case_id), ReconciliationCase.id == case_id)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="case")
    notes = tx.execute(
        select(*(getattr(CaseNote, name) for name in NoteRecord.__slots__))
        .where(CaseNote.region_code == row.region_code, CaseNote.case_id == row.id)
        .order_by(CaseNote.at, CaseNote.id)
    )
    return _record(row, now(tx)), [NoteRecord(*note) for note in notes]


def _within(caller: Caller) -> Select[*tuple[Any, ...]]:
    reach = within_reach(
        caller, region=ReconciliationCase.region_code, own={Role.PROVIDER: ReconciliationCase.party_id}
    )
    return select(ReconciliationCase).where(reach)


def _record(row: Row[Any], at: datetime) -> CaseRecord:
    until = row.resolved_at or at
    values = {name: getattr(row, name) for name in CaseRecord.__slots__ if name != "age_days"}
    return CaseRecord(**values, age_days=(civil_date(until) - civil_date(row.opened_at)).days)
