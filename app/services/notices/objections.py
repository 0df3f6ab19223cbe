"""Objections (异议): made by anybody while a notice runs, and each freezes the item that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.canonical import sha256_hex
from app.kernel.ids import is_id, new_id, region_of, require_region
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import NoticeItemStatus, NoticeState, NoticeSubject, ObjectionStatus
from app.models import NoticeItem, Objection, ObjectionContact
from app.reach import enter
from app.services import audit
from app.services.encrypted_fields.columns import OBJECTION_CONTACT, OBJECTION_NAME
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.principals import Caller, Principal
from app.services.ledger.fences import try_fences
from app.services.notices.notices import lock_notice
from app.services.notices.subjects import SUBJECTS
from app.sql import now

MOST_OPEN = 500
"""Undecided objections of one notice."""
WAIT_MINUTES = 60


@dataclass(frozen=True, slots=True)
class NewObjection:
    """What somebody sends. Name and contact are his to give or not."""

    item_no: int
    text: str
    name: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What the sender is told; with the id he may ask what became of it."""

    objection_id: str
    item_no: int
    status: str
    received_at: datetime
    decided_at: datetime | None
    reason: str | None


def object_to(tx: Connection, *, keys: FieldKeys, request_id: str, notice_id: str, new: NewObjection) -> Received:
    """Take an objection in, and freeze its item alone. The same text to the same item counts once.

    Raises `not_found`, `notice_removed`, `notice_over`, `too_many_objections` where hundreds are undecided.
    """
    region_code = require_region(notice_id, what="notice")
    enter(tx, [region_code])
    try_fences(tx, {region_code}, wait=True)
    notice = lock_notice(tx, region_code, notice_id)
    at = now(tx)
    _require_running(notice, at)
    item = find_item(tx, region_code, notice_id, new.item_no)
    if item is None or item.status == NoticeItemStatus.REMOVED:
        raise AppError(Code.NOT_FOUND, what="notice item", pointer="/item_no")
    if count_open(tx, region_code, notice_id) >= MOST_OPEN:
        raise AppError(Code.TOO_MANY_OBJECTIONS, minutes=WAIT_MINUTES, retry_after_s=WAIT_MINUTES * 60)
    objection_id = new_id("obj", region_code)
    row = tx.execute(
        insert(Objection)
        .values(
            region_code=region_code,
            id=objection_id,
            notice_id=notice_id,
            item_no=new.item_no,
            text=new.text,
            text_sha256=sha256_hex(new.text.encode()),
            status=ObjectionStatus.OPEN,
            received_at=at,
        )
        .on_conflict_do_nothing(index_elements=["region_code", "notice_id", "item_no", "text_sha256"])
        .returning(Objection)
    ).one_or_none()
    if row is None:
        return _received(_same(tx, region_code, notice_id, new))
    if new.name or new.contact:
        _keep_sender(tx, keys, region_code, objection_id, new)
    if item.status == NoticeItemStatus.LISTED:
        freeze = SUBJECTS[NoticeSubject(notice.subject_kind)].freeze
        froze = freeze is not None and freeze(tx, region_code=region_code, subject_id=item.subject_id)
        change_item(tx, item, status=NoticeItemStatus.FROZEN, froze_subject=froze)
    audit.record(
        tx,
        caller=_anybody(region_code, request_id=request_id),
        region_code=region_code,
        action="objection.received",
        object_id=objection_id,
        at=at,
        details={"notice": notice_id, "item_no": new.item_no, "subject": item.subject_id},
    )
    return _received(row)


def _require_running(notice: Row[Any], at: datetime) -> None:
    if notice.published_at is None:
        raise AppError(Code.NOT_FOUND, what="notice")
    if notice.state == NoticeState.WITHDRAWN or at >= notice.shown_until:
        raise AppError(Code.NOTICE_REMOVED)
    if at >= notice.ends_at:
        raise AppError(Code.NOTICE_OVER, limit=notice.ends_on.isoformat())


def _keep_sender(tx: Connection, keys: FieldKeys, region_code: str, objection_id: str, new: NewObjection) -> None:
    tx.execute(
        insert(ObjectionContact).values(
            region_code=region_code,
            objection_id=objection_id,
            **OBJECTION_NAME.values(keys, new.name or None, region_code, objection_id),
            **OBJECTION_CONTACT.values(keys, new.contact or None, region_code, objection_id),
        )
    )


def _anybody(region_code: str, *, request_id: str) -> Caller:
    """Somebody who has not signed in, as the cause that an audit event names; from where is not written down."""
    return Caller(Principal("public", "public", region_code, ()), request_id, source="public")


def read_received(tx: Connection, *, notice_id: str, objection_id: str) -> Received:
    """What became of an objection, for whoever knows its id. Raises `not_found`."""
    if not (is_id(notice_id, "ntc") and is_id(objection_id, "obj")):
        raise AppError(Code.NOT_FOUND, what="objection")
    enter(tx, [region_of(notice_id)])
    row = tx.execute(
        select(Objection).where(
            Objection.region_code == region_of(notice_id),
            Objection.id == objection_id,
            Objection.notice_id == notice_id,
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="objection")
    return _received(row)


def find_objection(tx: Connection, notice: Row[Any], objection_id: str) -> Row[Any]:
    """The objection to this notice. Raises `not_found`."""
    row = tx.execute(
        select(Objection).where(
            Objection.region_code == notice.region_code,
            Objection.id == objection_id,
            Objection.notice_id == notice.id,
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="objection")
    return row


def find_item(tx: Connection, region_code: str, notice_id: str, item_no: int, *, lock: bool = False) -> Row[Any] | None:
    """The item of a notice with this number, if there is one; with `lock` until the transaction ends."""
    query = select(NoticeItem).where(
        NoticeItem.region_code == region_code, NoticeItem.notice_id == notice_id, NoticeItem.item_no == item_no
    )
    return tx.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()


def change_item(tx: Connection, item: Row[Any], **values: Any) -> None:
    """Give columns of an item these values."""
    tx.execute(
        update(NoticeItem)
        .where(
            NoticeItem.region_code == item.region_code,
            NoticeItem.notice_id == item.notice_id,
            NoticeItem.item_no == item.item_no,
        )
        .values(**values)
    )


def count_open(tx: Connection, region_code: str, notice_id: str, item_no: int | None = None) -> int:
    """How many objections to a notice are undecided, or to one item of it."""
    query = select(func.count()).where(
        Objection.region_code == region_code,
        Objection.notice_id == notice_id,
        Objection.status == ObjectionStatus.OPEN,
    )
    count: int = tx.execute(query if item_no is None else query.where(Objection.item_no == item_no)).scalar_one()
    return count


def _same(tx: Connection, region_code: str, notice_id: str, new: NewObjection) -> Row[Any]:
    return tx.execute(
        select(Objection).where(
            Objection.region_code == region_code,
            Objection.notice_id == notice_id,
            Objection.item_no == new.item_no,
            Objection.text_sha256 == sha256_hex(new.text.encode()),
        )
    ).one()


def _received(row: Row[Any]) -> Received:
    return Received(row.id, row.item_no, row.status, row.received_at, row.decided_at, row.reason)
