"""Applications as they are read: the row with the names of programme and firm, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.models import Application, Organisation, Programme
from app.services.applications.clocks import Clock


@dataclass(frozen=True, slots=True)
class ApplicationRecord:
    """An application as it stands. Amounts are fen; `claim`, `plan`, `correction` and `terms` are canonical JSON."""

    region_code: str
    id: str
    programme_id: str
    programme_title: str
    authority_id: str
    firm_id: str
    firm_name: str
    firm_identifier: str
    district_code: str
    status: str
    level: str
    amount_fen: int
    purpose: str
    valid_until_on: date | None
    claim: str
    plan: str
    version: int
    event_count: int
    created_at: datetime
    created_by: str
    submitted_at: datetime | None
    accepted_at: datetime | None
    clock_from_on: date | None
    clock_days: int | None
    clock_stopped_on: date | None
    correction_due_on: date | None
    correction: str | None
    assessed_fen: int | None
    terms: str | None
    exception: str | None
    batch_id: str | None
    voucher_id: str | None
    decided_at: datetime | None
    decision_reason: str | None

    @property
    def clock(self) -> Clock | None:
        """The officials' time, None while nothing is due of them."""
        if self.clock_from_on is None or self.clock_days is None:
            return None
        return Clock(self.clock_from_on, self.clock_days, self.clock_stopped_on)


def records() -> Select[Any]:
    """The query of them all, to be narrowed."""
    return (
        select(
            *Application.__table__.columns,
            Programme.title.label("programme_title"),
            Organisation.name.label("firm_name"),
            Organisation.identifier_value.label("firm_identifier"),
        )
        .join(
            Programme,
            (Programme.region_code == Application.region_code) & (Programme.id == Application.programme_id),
        )
        .join(Organisation, Organisation.id == Application.firm_id)
    )


def record_of(row: Row[Any]) -> ApplicationRecord:
    """A row of that query."""
    return ApplicationRecord(**{name: getattr(row, name) for name in ApplicationRecord.__slots__})


def load(
    tx: Connection, region_code: str | None, application_id: str, *, lock: bool = False
) -> ApplicationRecord | None:
    """One application whoever asks; with `lock`, locked against everybody who would change it."""
    query = records().where(Application.region_code == region_code, Application.id == application_id)
    if lock:
        query = query.with_for_update(key_share=True, of=Application)
    row = tx.execute(query).one_or_none()
    return record_of(row) if row is not None else None
