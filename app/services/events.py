"""Events: told to organisations in the transaction of what they tell, and pulled by them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, tuple_

from app.kernel.ids import new_id
from app.kernel.vocabulary import EventKind, Role
from app.models import Event
from app.services.identity.principals import Caller
from app.sql import BulkInsert

_INSERT = BulkInsert(Event.__table__, ("region_code", "id", "recipient_id", "kind", "subject_id", "data", "at"))
_COMPLETE = text("events.tx_no < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")

Mark = tuple[int, str]
"""Where a reader has come to: transaction number and id of the last event it got."""

START: Mark = (0, "")


@dataclass(frozen=True, slots=True)
class Told:
    """An event to be written: `data` is canonical JSON."""

    region_code: str
    recipient_id: str
    kind: EventKind
    subject_id: str
    data: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it is pulled."""

    id: str
    tx_no: int
    kind: EventKind
    subject_id: str
    data: str
    at: datetime

    @property
    def mark(self) -> Mark:
        """Where a reader is that has got it."""
        return (self.tx_no, self.id)


def tell(tx: Connection, events: Sequence[Told]) -> None:
    """Write events, in one statement."""
    if events:
        rows: list[dict[str, Any]] = [
            {name: getattr(event, name) for name in Told.__slots__} | {"id": new_id("evn", event.region_code)}
            for event in events
        ]
        _INSERT.send(tx, rows)


def pull(tx: Connection, *, caller: Caller, after: Mark, limit: int) -> list[EventRecord]:
    """What was told to the caller's organisation after a mark, oldest first.

    Events of transactions that began before others ended wait until all of them have: a mark never passes one.
    """
    caller.require(Role.PROVIDER, Role.FIRM)
    rows = tx.execute(
        select(Event)
        .where(
            Event.recipient_id == caller.organisation_id,
            tuple_(Event.tx_no, Event.id) > tuple_(*after),
            _COMPLETE,
        )
        .order_by(Event.tx_no, Event.id)
        .limit(limit)
    )
    return [EventRecord(row.id, row.tx_no, EventKind(row.kind), row.subject_id, row.data, row.at) for row in rows]
