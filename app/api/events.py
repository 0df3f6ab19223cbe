"""Events: what an organisation may want to know at once, pulled in order."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import Read, ShownInstant
from app.api.paging import Limit
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import EventKind
from app.kernel.wording import NOT_A_CURSOR
from app.services.events import START, Mark, pull

router = APIRouter(prefix="/v1/events", tags=["events"])


def _mark(cursor: str) -> Mark:
    """The mark within a cursor. Raises `malformed_request` for what no page of ours has given."""
    try:
        number, event_id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").split(".")
        mark = (int(number), event_id)
    except ValueError as error:
        raise AppError(Code.MALFORMED_REQUEST, why=NOT_A_CURSOR) from error
    if _cursor(mark) != cursor or not is_id(event_id, "evn") or not 0 < mark[0] < 2**63:
        raise AppError(Code.MALFORMED_REQUEST, why=NOT_A_CURSOR)
    return mark


def _cursor(mark: Mark) -> str:
    return urlsafe_b64encode(f"{mark[0]}.{mark[1]}".encode()).decode().rstrip("=")


class EventRead(Read):
    """Something that happened. `hold.nearly_used`: 80 % of a hold are drawn. `hold.expired`: its rest went back.

    `voucher.expiring`, to the firm: `days_before` days are left of a balance (the rules' `reminder_days`), told once.
    """

    id: str
    kind: EventKind
    subject_id: Annotated[str, Field(description="What it is about, such as the hold.")]
    at: ShownInstant
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events, oldest first. Send `next_cursor` as `cursor` for what comes after them, now or later."""

    data: list[EventRead]
    next_cursor: Annotated[str | None, Field(description="Null as long as nothing was ever told.")]


@router.get("")
def read_events(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the last answer; left out the first time, and while that is null"),
    ] = None,
) -> EventPage:
    """What was told to your organisation, oldest first. Ask again with `next_cursor`: nothing is missed or repeated."""
    after = START if cursor is None else _mark(cursor)
    records = service.database.transact(lambda tx: pull(tx, caller=caller, after=after, limit=limit))
    shown = [
        EventRead(id=one.id, kind=one.kind, subject_id=one.subject_id, at=one.at, data=orjson.loads(one.data))
        for one in records
    ]
    return EventPage(data=shown, next_cursor=_cursor(records[-1].mark) if records else cursor)
