"""What officials read of objections, and who sent them: shown whole to who says what for, erased once answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, or_, select

from app.kernel.masking import masked
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ObjectionStatus, Role
from app.models import NoticeItem, Objection, ObjectionContact, PublicNotice
from app.services import audit
from app.services.encrypted_fields.columns import OBJECTION_CONTACT, OBJECTION_NAME
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.principals import Caller
from app.services.notices.objections import find_objection
from app.services.notices.reads import find_notice, is_official_of
from app.sql import now


@dataclass(frozen=True, slots=True)
class ObjectionRecord:
    """An objection as officials read it; who sent it is masked."""

    id: str
    notice_id: str
    item_no: int
    item_name: str
    text: str
    status: str
    received_at: datetime
    sender: str | None
    contact: str | None
    decided_at: datetime | None
    reason: str | None
    approval_id: str | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an objection, as he wrote it."""

    name: str | None
    contact: str | None


def list_objections(
    tx: Connection, *, caller: Caller, keys: FieldKeys, notice_id: str, limit: int, before_id: str | None = None
) -> list[ObjectionRecord]:
    """The objections to a notice within the caller's reach, newest first. Raises `not_found`."""
    notice = find_notice(tx, caller=caller, notice_id=notice_id)
    query = (
        _with_contacts()
        .where(Objection.region_code == notice.region_code, Objection.notice_id == notice_id)
        .order_by(Objection.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(Objection.id < before_id)
    return [_shown(keys, row) for row in tx.execute(query)]


def _shown(keys: FieldKeys, row: Row[Any]) -> ObjectionRecord:
    sender = _sender(keys, row)
    return ObjectionRecord(
        id=row.id,
        notice_id=row.notice_id,
        item_no=row.item_no,
        item_name=row.item_name,
        text=row.text,
        status=row.status,
        received_at=row.received_at,
        sender=sender.name and sender.name[:1] + "*" * (len(sender.name) - 1),
        contact=sender.contact and masked(sender.contact),
        decided_at=row.decided_at,
        reason=row.reason,
        approval_id=row.approval_id,
    )


def _sender(keys: FieldKeys, row: Row[*tuple[Any, ...]]) -> Sender:
    """Who sent the objection of a row with its key and contact; nobody where nobody said so."""
    return Sender(
        OBJECTION_NAME.read(keys, row.name, row.region_code, row.id),
        OBJECTION_CONTACT.read(keys, row.contact, row.region_code, row.id),
    )


def read_sender(
    tx: Connection, *, caller: Caller, keys: FieldKeys, notice_id: str, objection_id: str, purpose: str
) -> Sender:
    """Who sent an objection; an official of the authority may ask, and that he did, and what for, is written down.

    Raises `forbidden`, `not_found`, also where nobody said who he is or it was erased.
    """
    notice, at = _as_official(tx, caller, notice_id), now(tx)
    row = tx.execute(
        select(ObjectionContact.region_code, Objection.id, ObjectionContact.name, ObjectionContact.contact)
        .join(
            Objection,
            and_(Objection.region_code == ObjectionContact.region_code, Objection.id == ObjectionContact.objection_id),
        )
        .where(
            Objection.region_code == notice.region_code,
            Objection.id == objection_id,
            Objection.notice_id == notice_id,
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="sender")
    audit.record_read(
        tx,
        caller=caller,
        region_code=notice.region_code,
        action="objection.sender_read",
        object_id=objection_id,
        fields=("name", "contact"),
        purpose=purpose,
        at=at,
    )
    return _sender(keys, row)


def find_by_contact(
    tx: Connection, *, caller: Caller, keys: FieldKeys, contact: str, purpose: str, limit: int
) -> list[ObjectionRecord]:
    """Objections to notices of the caller's authorities that were sent with exactly this contact, newest first.

    So whoever asks what is held of him can be answered. Spaces, hyphens and case do not count. That it was asked is
    written down, without the contact. Raises `forbidden`.
    """
    caller.require(Role.MAKER, Role.CHECKER)
    grants = caller.regions(Role.MAKER, Role.CHECKER)
    mine = or_(
        *(
            and_(PublicNotice.region_code == grant.region_code, PublicNotice.authority_id == grant.authority_id)
            for grant in grants
        )
    )
    query = _with_contacts().join(
        PublicNotice,
        and_(PublicNotice.region_code == Objection.region_code, PublicNotice.id == Objection.notice_id),
    )
    found = tx.execute(
        query.where(mine, ObjectionContact.contact_tag.in_(OBJECTION_CONTACT.tags(keys, contact)))
        .order_by(Objection.id.desc())
        .limit(limit)
    ).all()
    audit.record_read(
        tx,
        caller=caller,
        region_code=caller.home_region,
        action="objection.sender_searched",
        object_id=caller.organisation_id,
        fields=("contact",),
        purpose=purpose,
        at=now(tx),
        details={"found": [row.id for row in found]},
    )
    return [_shown(keys, row) for row in found]


def _with_contacts() -> Select[*tuple[Any, ...]]:
    return (
        select(Objection, NoticeItem.name.label("item_name"), ObjectionContact.name, ObjectionContact.contact)
        .join(
            NoticeItem,
            and_(
                NoticeItem.region_code == Objection.region_code,
                NoticeItem.notice_id == Objection.notice_id,
                NoticeItem.item_no == Objection.item_no,
            ),
        )
        .outerjoin(
            ObjectionContact,
            and_(ObjectionContact.region_code == Objection.region_code, ObjectionContact.objection_id == Objection.id),
        )
    )


def erase_sender(tx: Connection, *, caller: Caller, notice_id: str, objection_id: str) -> None:
    """Erase who sent an objection that has been answered; what it says and its answer stay.

    Raises `forbidden`, `not_found`, `wrong_state` while it is undecided.
    """
    notice = _as_official(tx, caller, notice_id)
    objection = find_objection(tx, notice, objection_id)
    if objection.status == ObjectionStatus.OPEN:
        raise AppError(Code.WRONG_STATE, actual=ObjectionStatus.OPEN, expected=ObjectionStatus.DISMISSED)
    tx.execute(
        delete(ObjectionContact).where(
            ObjectionContact.region_code == notice.region_code, ObjectionContact.objection_id == objection_id
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=notice.region_code,
        action="objection.sender_erased",
        object_id=objection_id,
        at=now(tx),
    )


def _as_official(tx: Connection, caller: Caller, notice_id: str) -> Row[Any]:
    caller.require(Role.MAKER, Role.CHECKER)
    notice = find_notice(tx, caller=caller, notice_id=notice_id)
    if not is_official_of(caller, notice, Role.MAKER, Role.CHECKER):
        raise AppError(Code.NOT_FOUND, what="notice")
    return notice
