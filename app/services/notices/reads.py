"""Reading public notices: officials and auditors for good, everybody else while they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, and_, cast, func, or_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import NoticeItemStatus, NoticeState, NoticeStatus, ObjectionStatus, Role
from app.models import IssuanceBatch, NoticeItem, Objection, Organisation, Programme, PublicNotice
from app.services.identity.principals import Caller
from app.services.reach import issued_by, region_within, within_reach
from app.sql import now


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """A notice as officials read it. Amounts are fen; `ends_on` is the last working day, included."""

    region_code: str
    id: str
    programme_id: str
    programme_title: str
    authority_id: str
    authority_name: str
    subject_kind: str
    subject: str
    title: str
    document_no: str
    contact: str
    basis: str | None
    working_days: int
    retention_days: int
    item_count: int
    total_fen: int
    removed_count: int
    removed_fen: int
    """Of items that an objection has removed."""
    status: NoticeStatus
    open_objections: int
    created_at: datetime
    created_by: str
    published_at: datetime | None
    ends_on: date | None
    ends_at: datetime | None
    shown_until: datetime | None
    withdrawn_at: datetime | None
    withdrawal_reason: str | None


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One line as it is shown, with what it stands for and whether an objection holds it back."""

    item_no: int
    subject_id: str
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None
    status: str


def status_of(state: str, ends_at: datetime | None, *, at: datetime) -> NoticeStatus:
    """What a notice is at that instant. Pure."""
    if state == NoticeState.PUBLISHED and ends_at is not None and at >= ends_at:
        return NoticeStatus.ENDED
    return NoticeStatus(state)


def list_notices(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, programme_id: str | None = None
) -> list[NoticeRecord]:
    """Notices within the caller's reach, newest first."""
    query = _query().where(_visible_to(caller)).order_by(PublicNotice.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(PublicNotice.id < before_id)
    if programme_id is not None:
        query = query.where(PublicNotice.programme_id == programme_id)
    at = now(tx)
    return [_record(row, at) for row in tx.execute(query)]


def find_notice(tx: Connection, *, caller: Caller, notice_id: str) -> Row[Any]:
    """The row of a notice that exists for the caller. Raises `not_found`."""
    return _one(tx, notice_id, _visible_to(caller))


def is_official_of(caller: Caller, notice: Row[Any], *roles: Role) -> bool:
    """Whether the caller holds one of these roles where the notice was drawn up: in the city, or in the county."""
    place = notice.county_code or notice.region_code
    return any(caller.holds_in(role, place, notice.authority_id) for role in roles)


def read_notice(tx: Connection, *, caller: Caller, notice_id: str) -> NoticeRecord:
    """One notice within the caller's reach. Raises `not_found`."""
    return _record(find_notice(tx, caller=caller, notice_id=notice_id), now(tx))


def read_items(
    tx: Connection, notice: NoticeRecord, *, limit: int, after_no: int = 0, public: bool = False
) -> list[ItemRecord]:
    """Items in their order; `public` leaves out those that an objection has removed."""
    query = (
        select(*(getattr(NoticeItem, name) for name in ItemRecord.__slots__))
        .where(
            NoticeItem.region_code == notice.region_code,
            NoticeItem.notice_id == notice.id,
            NoticeItem.item_no > after_no,
        )
        .order_by(NoticeItem.item_no)
        .limit(limit)
    )
    if public:
        query = query.where(NoticeItem.status != NoticeItemStatus.REMOVED)
    return [ItemRecord(*row) for row in tx.execute(query)]


def list_shown(
    tx: Connection, *, limit: int, before_id: str | None = None, region_code: str | None = None
) -> list[NoticeRecord]:
    """What everybody may see now, newest first; `region_code` takes in the regions below it."""
    at = now(tx)
    query = _query().where(_shown_at(at)).order_by(PublicNotice.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(PublicNotice.id < before_id)
    if region_code is not None:
        query = query.where(region_within(PublicNotice.region_code, region_code))
    return [_without_removed(_record(row, at)) for row in tx.execute(query)]


def read_shown(tx: Connection, *, notice_id: str) -> NoticeRecord:
    """A notice that everybody may see. Raises `not_found`, and `notice_removed` for one that was shown once."""
    row = _one(tx, notice_id, PublicNotice.published_at.is_not(None))
    at = now(tx)
    if row.state != NoticeState.PUBLISHED or at >= row.shown_until:
        raise AppError(Code.NOTICE_REMOVED)
    return _without_removed(_record(row, at))


def _without_removed(notice: NoticeRecord) -> NoticeRecord:
    """What everybody sees no longer counts."""
    return replace(
        notice,
        item_count=notice.item_count - notice.removed_count,
        total_fen=notice.total_fen - notice.removed_fen,
        removed_count=0,
        removed_fen=0,
    )


def _shown_at(at: datetime) -> ColumnElement[bool]:
    return and_(PublicNotice.state == NoticeState.PUBLISHED, PublicNotice.shown_until > at)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(
        within_reach(caller, region=PublicNotice.region_code, authority=Programme.authority_id),
        issued_by(caller, county=IssuanceBatch.county_code, authority=PublicNotice.authority_id),
    )


def _one(tx: Connection, notice_id: str, condition: ColumnElement[bool]) -> Row[Any]:
    row = None
    if (region_code := region_of(notice_id)) is not None:
        found = _query().where(PublicNotice.region_code == region_code, PublicNotice.id == notice_id, condition)
        row = tx.execute(found).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="notice")
    return row


def _query() -> Select[Any]:
    removed = (
        NoticeItem.region_code == PublicNotice.region_code,
        NoticeItem.notice_id == PublicNotice.id,
        NoticeItem.status == NoticeItemStatus.REMOVED,
    )
    removed_fen = select(cast(func.coalesce(func.sum(NoticeItem.amount_fen), 0), BigInteger)).where(*removed)
    undecided = (
        select(func.count())
        .where(
            Objection.region_code == PublicNotice.region_code,
            Objection.notice_id == PublicNotice.id,
            Objection.status == ObjectionStatus.OPEN,
        )
        .scalar_subquery()
    )
    return (
        select(
            PublicNotice,
            Programme.title.label("programme_title"),
            IssuanceBatch.county_code,
            Organisation.name.label("authority_name"),
            undecided.label("open_objections"),
            select(func.count()).where(*removed).scalar_subquery().label("removed_count"),
            removed_fen.scalar_subquery().label("removed_fen"),
        )
        .join(
            Programme,
            and_(Programme.region_code == PublicNotice.region_code, Programme.id == PublicNotice.programme_id),
        )
        .join(Organisation, Organisation.id == PublicNotice.authority_id)
        # A county's own notice: of a batch of its own. A city's notice of the same batch is the city's.
        .outerjoin(
            IssuanceBatch,
            and_(
                IssuanceBatch.region_code == PublicNotice.region_code,
                IssuanceBatch.id == PublicNotice.batch_id,
                IssuanceBatch.authority_id == PublicNotice.authority_id,
            ),
        )
    )


_FIELDS: Sequence[str] = [name for name in NoticeRecord.__slots__ if name != "status"]


def _record(row: Row[Any], at: datetime) -> NoticeRecord:
    status = status_of(row.state, row.ends_at, at=at)
    return NoticeRecord(status=status, **{name: getattr(row, name) for name in _FIELDS})
