"""Objections (异议): made by anybody while a notice runs, answered by a maker with a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.canonical import sha256_hex
from app.kernel.ids import is_id, new_id, region_of
from app.kernel.masking import masked
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import (
    ApprovalKind,
    NoticeItemStatus,
    NoticeState,
    NoticeSubject,
    ObjectionStatus,
    Role,
)
from app.models import NoticeItem, Objection, ObjectionContact, PublicNotice, Voucher
from app.reach import enter
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.encrypted_fields.columns import OBJECTION_CONTACT, OBJECTION_NAME
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.principals import Caller, Principal
from app.services.ledger.fences import try_fences
from app.services.notices.notices import lock_notice
from app.services.notices.reads import find_notice, is_official_of
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


def anybody(region_code: str, *, request_id: str) -> Caller:
    """Somebody who has not signed in, as the cause that an audit event names; from where is not written down."""
    return Caller(Principal("public", "public", region_code, ()), request_id, source="public")


def object_to(tx: Connection, *, keys: FieldKeys, request_id: str, notice_id: str, new: NewObjection) -> Received:
    """Take an objection in, and freeze its item alone. The same text to the same item counts once.

    Raises `not_found`, `notice_removed`, `notice_over`, `too_many_objections` where hundreds are undecided.
    """
    region_code = region_of(notice_id)
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what="notice")
    enter(tx, [region_code])
    try_fences(tx, {region_code}, wait=True)
    notice = lock_notice(tx, region_code, notice_id)
    at = now(tx)
    if notice.published_at is None:
        raise AppError(Code.NOT_FOUND, what="notice")
    if notice.state == NoticeState.WITHDRAWN or at >= notice.shown_until:
        raise AppError(Code.NOTICE_REMOVED)
    if at >= notice.ends_at:
        raise AppError(Code.NOTICE_OVER, limit=notice.ends_on.isoformat())
    item = _item(tx, region_code, notice_id, new.item_no)
    if item is None or item.status == NoticeItemStatus.REMOVED:
        raise AppError(Code.NOT_FOUND, what="notice item", pointer="/item_no")
    if _count_open(tx, region_code, notice_id) >= MOST_OPEN:
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
        tx.execute(
            insert(ObjectionContact).values(
                region_code=region_code,
                objection_id=objection_id,
                **OBJECTION_NAME.values(keys, new.name or None, region_code, objection_id),
                **OBJECTION_CONTACT.values(keys, new.contact or None, region_code, objection_id),
            )
        )
    if item.status == NoticeItemStatus.LISTED:
        freeze = SUBJECTS[NoticeSubject(notice.subject_kind)].freeze
        froze = freeze is not None and freeze(tx, region_code=region_code, subject_id=item.subject_id)
        _change_item(tx, item, status=NoticeItemStatus.FROZEN, froze_subject=froze)
    audit.record(
        tx,
        caller=anybody(region_code, request_id=request_id),
        region_code=region_code,
        action="objection.received",
        object_id=objection_id,
        at=at,
        details={"notice": notice_id, "item_no": new.item_no, "subject": item.subject_id},
    )
    return _received(row)


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
    objection = _objection(tx, notice, objection_id)
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


def request_decision(
    tx: Connection, *, caller: Caller, notice_id: str, objection_id: str, outcome: ObjectionStatus, reason: str
) -> str:
    """Ask a checker to uphold or dismiss an objection with this answer; the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state`, `approval_pending`.
    """
    caller.require(Role.MAKER)
    found = find_notice(tx, caller=caller, notice_id=notice_id)
    if not is_official_of(caller, found, Role.MAKER):
        raise AppError(Code.NOT_FOUND, what="notice")
    objection = _objection(tx, found, objection_id)
    _require_open(objection)
    item = _item(tx, found.region_code, notice_id, objection.item_no)
    assert item is not None, "an objection is about an item"
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.DECIDE_OBJECTION,
        region_code=found.region_code,
        authority_id=found.authority_id,
        required_role=Role.CHECKER,
        subject_id=objection_id,
        command={"notice_id": notice_id, "objection_id": objection_id, "outcome": outcome, "reason": reason},
        effect={
            "outcome": outcome,
            "notice": found.title,
            "item_no": item.item_no,
            "name": item.name,
            "amount_fen": item.amount_fen,
            "subject": item.subject_id,
        },
        amount_fen=_freed_fen(tx, found, item) if outcome is ObjectionStatus.UPHELD else None,
        reason=reason,
        county_code=found.county_code,
    )


def execute_decide_objection(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Answer the objection. Upheld, its item is removed for good (a voucher is voided); dismissed, it goes on again,
    unless another objection to it is undecided, be it to another notice that shows it. Raises `wrong_state`.
    """
    notice = lock_notice(tx, decision.region_code, str(command["notice_id"]))
    objection = _objection(tx, notice, str(command["objection_id"]))
    _require_open(objection)
    outcome, reason = ObjectionStatus(command["outcome"]), str(command["reason"])
    tx.execute(
        update(Objection)
        .where(Objection.region_code == notice.region_code, Objection.id == objection.id)
        .values(status=outcome, decided_at=decision.at, reason=reason, approval_id=decision.approval_id)
    )
    item = _item(tx, notice.region_code, notice.id, objection.item_no, lock=True)
    assert item is not None, "an objection is about an item"
    if item.status != NoticeItemStatus.FROZEN:
        return  # removed by another objection already
    subject = SUBJECTS[NoticeSubject(notice.subject_kind)]
    if outcome is ObjectionStatus.UPHELD:
        _change_item(tx, item, status=NoticeItemStatus.REMOVED)
        subject.remove(tx, subject_id=item.subject_id, reason=reason, decision=decision)
    elif not _count_open(tx, notice.region_code, notice.id, item.item_no):
        _change_item(tx, item, status=NoticeItemStatus.LISTED, froze_subject=False)
        if item.froze_subject and not _hand_on(tx, item):
            subject.release(tx, subject_id=item.subject_id, decision=decision)


def _freed_fen(tx: Connection, notice: Row[Any], item: Row[Any]) -> int | None:
    """What voiding the voucher gives back; for whatever has not happened yet, what it would have come to."""
    if notice.subject_kind != NoticeSubject.VOUCHERS:
        amount_fen: int | None = item.amount_fen
        return amount_fen
    free_fen: int | None = tx.execute(
        select(Voucher.balance_fen + Voucher.held_fen).where(
            Voucher.region_code == notice.region_code, Voucher.id == item.subject_id
        )
    ).scalar_one()
    return free_fen


def _as_official(tx: Connection, caller: Caller, notice_id: str) -> Row[Any]:
    caller.require(Role.MAKER, Role.CHECKER)
    notice = find_notice(tx, caller=caller, notice_id=notice_id)
    if not is_official_of(caller, notice, Role.MAKER, Role.CHECKER):
        raise AppError(Code.NOT_FOUND, what="notice")
    return notice


def _objection(tx: Connection, notice: Row[Any], objection_id: str) -> Row[Any]:
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


def _require_open(objection: Row[Any]) -> None:
    if objection.status != ObjectionStatus.OPEN:
        raise AppError(Code.WRONG_STATE, actual=objection.status, expected=ObjectionStatus.OPEN)


def _item(tx: Connection, region_code: str, notice_id: str, item_no: int, *, lock: bool = False) -> Row[Any] | None:
    query = select(NoticeItem).where(
        NoticeItem.region_code == region_code, NoticeItem.notice_id == notice_id, NoticeItem.item_no == item_no
    )
    return tx.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()


def _hand_on(tx: Connection, item: Row[Any]) -> bool:
    """Leave it frozen where an objection to another notice freezes the same: whose answer then releases it."""
    handed = tx.execute(
        update(NoticeItem)
        .where(
            NoticeItem.region_code == item.region_code,
            NoticeItem.subject_id == item.subject_id,
            NoticeItem.notice_id != item.notice_id,
            NoticeItem.status == NoticeItemStatus.FROZEN,
        )
        .values(froze_subject=True)
        .returning(NoticeItem.item_no)
    ).all()
    return bool(handed)


def _change_item(tx: Connection, item: Row[Any], **values: Any) -> None:
    tx.execute(
        update(NoticeItem)
        .where(
            NoticeItem.region_code == item.region_code,
            NoticeItem.notice_id == item.notice_id,
            NoticeItem.item_no == item.item_no,
        )
        .values(**values)
    )


def _count_open(tx: Connection, region_code: str, notice_id: str, item_no: int | None = None) -> int:
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
