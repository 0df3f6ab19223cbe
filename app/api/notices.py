"""What everybody may see of public notices, as JSON and .xlsx: no token, and nothing once they are no longer shown."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant
from app.api.paging import Cursor, Limit, Page, RowCursor, page_of
from app.api.public_notices import ObjectionReceived
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.vocabulary import NoticeStatus
from app.reach import PUBLISHED
from app.services.notices.objections import read_received
from app.services.notices.reads import list_shown, read_items, read_shown
from app.services.notices.sheet import write_notice
from app.services.notices.subjects import MAX_ITEMS

router = APIRouter(prefix="/v1/notices", tags=["public notices"])


class ShownNotice(Read):
    """A notice as it is shown to everybody. Objections are taken to the end of `ends_on`."""

    id: str
    region_code: str
    authority_name: str
    programme_title: str
    title: str
    document_no: str
    contact: str
    basis: str | None
    working_days: int
    item_count: int
    total_fen: int
    status: NoticeStatus
    published_at: ShownInstant
    ends_on: date


class ShownItem(Read):
    """One line."""

    item_no: int
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None


class ShownItemPage(Read):
    """Lines in their order."""

    data: tuple[ShownItem, ...]
    next_cursor: str | None


@router.get("")
def read_shown_notices(
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    region_code: Annotated[RegionCode | None, Query(description="With the regions below it")] = None,
) -> Page[ShownNotice]:
    """The notices that are shown now, newest first."""
    records = service.database.reaching(PUBLISHED).transact(
        lambda tx: list_shown(tx, limit=limit + 1, before_id=cursor, region_code=region_code)
    )
    return page_of([ShownNotice.model_validate(record) for record in records], limit)


@router.get("/{notice_id}")
def read_shown_notice(notice_id: AnyId, service: ServiceDep) -> ShownNotice:
    """One notice; 410 `notice_removed` once it is no longer shown."""
    return ShownNotice.model_validate(
        service.database.reaching(PUBLISHED).transact(lambda tx: read_shown(tx, notice_id=notice_id))
    )


@router.get("/{notice_id}/items")
def read_shown_items(
    notice_id: AnyId,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: RowCursor = 0,
) -> ShownItemPage:
    """Its lines in their order."""

    def work(tx: Connection) -> tuple[ShownItem, ...]:
        notice = read_shown(tx, notice_id=notice_id)
        items = read_items(tx, notice, limit=limit + 1, after_no=cursor, public=True)
        return tuple(ShownItem.model_validate(item) for item in items)

    found = service.database.reaching(PUBLISHED).transact(work)
    shown = found[:limit]
    return ShownItemPage(data=shown, next_cursor=str(shown[-1].item_no) if len(found) > limit else None)


@router.get("/{notice_id}/sheet", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_shown_sheet(notice_id: AnyId, service: ServiceDep) -> Response:
    """The list in the official layout, as .xlsx."""

    def work(tx: Connection) -> bytes:
        notice = read_shown(tx, notice_id=notice_id)
        return write_notice(notice, read_items(tx, notice, limit=MAX_ITEMS, public=True))

    return xlsx_response(service.database.reaching(PUBLISHED).transact(work), f"{notice_id}.xlsx")


@router.get("/{notice_id}/objections/{objection_id}")
def read_received_objection(notice_id: AnyId, objection_id: AnyId, service: ServiceDep) -> ObjectionReceived:
    """What became of an objection, for whoever knows its id; also after the notice is no longer shown."""
    return ObjectionReceived.model_validate(
        service.database.reaching(PUBLISHED).transact(
            lambda tx: read_received(tx, notice_id=notice_id, objection_id=objection_id)
        )
    )
