"""Public notices (公示) for officials: drawn up, submitted, withdrawn; and the objections that anybody may send."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep, source_of
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Printable, Purpose, Read, Reason, ShownInstant, Title, Wire
from app.api.paging import Cursor, Limit, Page, RowCursor, page_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.vocabulary import NoticeItemStatus, NoticeStatus, NoticeSubject, ObjectionStatus
from app.kernel.widths import is_printable
from app.services.approvals.decisions import read_approval
from app.services.notices import answering, notices, objections, senders
from app.services.notices.notices import WORKING_DAYS, NoticeDraft
from app.services.notices.objections import NewObjection
from app.services.notices.reads import NoticeRecord, list_notices, read_items, read_notice
from app.services.notices.sheet import write_notice
from app.services.notices.subjects import MAX_ITEMS, Chosen

router = APIRouter(prefix="/v1/public-notices", tags=["public notices"])

MOST_TEXT, LEAST_TEXT = 2_000, 5
MOST_FOUND = 200


def _plain_lines(text: str) -> str:
    if not all(is_printable(character) or character in "\n\t" for character in text):
        raise ValueError("has characters that cannot be printed / 包含不可打印的字符")
    return text


Paragraphs = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=LEAST_TEXT, max_length=MOST_TEXT),
    AfterValidator(lambda text: text.replace("\r\n", "\n").replace("\r", "\n")),
    AfterValidator(_plain_lines),
]
Contact = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Printable]


class NoticeSubjectWrite(Wire):
    """What is shown: rows of a submitted batch (`batch_id`), vouchers issued or redemptions made from `first` to `last`
    (both included), or the admissions that wait for approval.
    """

    kind: NoticeSubject
    batch_id: AnyId | None = None
    first: Day | None = None
    last: Day | None = None


class NoticeWrite(Wire):
    """A notice to be. `contact` is published: how the authority takes objections."""

    programme_id: AnyId
    subject: NoticeSubjectWrite
    title: Title
    document_no: Title
    contact: Title
    basis: Reason | None = None
    working_days: Annotated[int, Field(strict=True, ge=1, le=60, description="Five to seven are usual")] = WORKING_DAYS
    retention_days: Annotated[
        int, Field(strict=True, ge=0, le=366, description="Days after the last one on which the page still shows it")
    ] = 0

    def draft(self) -> NoticeDraft:
        """The notice as the domain's value."""
        subject = self.subject
        return NoticeDraft(
            programme_id=self.programme_id,
            chosen=Chosen(subject.kind, subject.batch_id, subject.first, subject.last),
            title=self.title,
            document_no=self.document_no,
            contact=self.contact,
            basis=self.basis,
            working_days=self.working_days,
            retention_days=self.retention_days,
        )


class NoticeRead(Read):
    """A notice. `ends_on` is its last working day, included; until `shown_until` everybody sees it.

    `removed_…` is of items that an objection has removed; `total_fen` is of all.
    """

    region_code: str
    id: str
    programme_id: str
    programme_title: str
    authority_id: str
    authority_name: str
    subject: dict[str, Any]
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
    status: NoticeStatus
    open_objections: int
    created_at: ShownInstant
    created_by: str
    published_at: ShownInstant | None
    ends_on: date | None
    ends_at: ShownInstant | None
    shown_until: ShownInstant | None
    withdrawn_at: ShownInstant | None
    withdrawal_reason: str | None


class NoticeItemRead(Read):
    """One line as it is shown; `frozen` while an objection to it is undecided, `removed` once one was upheld."""

    item_no: int
    subject_id: str
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None
    status: NoticeItemStatus


class NoticeItemPage(Read):
    """Items in their order."""

    data: tuple[NoticeItemRead, ...]
    next_cursor: str | None


class NoticeSubmitted(Read):
    """The notice, and what a second person decides; a draft is given up without one."""

    notice: NoticeRead
    approval: ApprovalRead | None


class ReasonWrite(Wire):
    """Why."""

    reason: Reason


class ObjectionWrite(Wire):
    """An objection to one item. Name and contact are yours to give; they are shown to the authority only."""

    item_no: Annotated[int, Field(strict=True, ge=1, le=MAX_ITEMS)]
    text: Paragraphs
    name: Contact | None = None
    contact: Contact | None = None


class ObjectionReceived(Read):
    """What the sender is told. Keep the id: with it one may ask what became of it."""

    objection_id: str
    item_no: int
    status: ObjectionStatus
    received_at: ShownInstant
    decided_at: ShownInstant | None
    reason: str | None


class ObjectionRead(Read):
    """An objection as officials read it; `sender` and `contact` are masked."""

    id: str
    notice_id: str
    item_no: int
    item_name: str
    text: str
    status: ObjectionStatus
    received_at: ShownInstant
    sender: str | None
    contact: str | None
    decided_at: ShownInstant | None
    reason: str | None
    approval_id: str | None


class SenderSearch(Wire):
    """A phone number or address as somebody gives it, and what it is searched for."""

    contact: Contact
    purpose: Reason


class SenderRead(Read):
    """Who sent it, as he wrote it."""

    name: str | None
    contact: str | None


class DecisionWrite(Wire):
    """The answer: `upheld` removes the item for good, `dismissed` lets it go on."""

    outcome: Literal[ObjectionStatus.UPHELD, ObjectionStatus.DISMISSED]
    reason: Reason


def shown_notice(record: NoticeRecord) -> NoticeRead:
    """A notice on the wire."""
    values = {name: getattr(record, name) for name in NoticeRecord.__slots__ if name not in {"subject", "subject_kind"}}
    return NoticeRead(**values, subject=json.loads(record.subject))


@router.post("", status_code=201)
def create_public_notice(body: NoticeWrite, caller: CallerDep, service: ServiceDep) -> NoticeRead:
    """Draw up a notice: its items are taken down as they stand. Nobody but officials sees it yet."""
    return shown_notice(service.database.transact(lambda tx: notices.draw_up(tx, caller=caller, draft=body.draft())))


@router.get("")
def read_public_notices(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
) -> Page[NoticeRead]:
    """Notices within your reach, newest first; also those that are no longer shown to everybody."""
    records = service.database.transact(
        lambda tx: list_notices(tx, caller=caller, limit=limit + 1, before_id=cursor, programme_id=programme_id)
    )
    return page_of([shown_notice(record) for record in records], limit)


@router.get("/{notice_id}")
def read_public_notice(notice_id: AnyId, caller: CallerDep, service: ServiceDep) -> NoticeRead:
    """One notice."""
    return shown_notice(service.database.transact(lambda tx: read_notice(tx, caller=caller, notice_id=notice_id)))


@router.get("/{notice_id}/items")
def read_public_notice_items(
    notice_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: RowCursor = 0,
) -> NoticeItemPage:
    """Its items in their order, with what each stands for and whether an objection holds it back."""

    def work(tx: Connection) -> tuple[NoticeItemRead, ...]:
        notice = read_notice(tx, caller=caller, notice_id=notice_id)
        items = read_items(tx, notice, limit=limit + 1, after_no=cursor)
        return tuple(NoticeItemRead.model_validate(item) for item in items)

    found = service.database.transact(work)
    shown = found[:limit]
    return NoticeItemPage(data=shown, next_cursor=str(shown[-1].item_no) if len(found) > limit else None)


@router.get("/{notice_id}/sheet", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_public_notice_sheet(notice_id: AnyId, caller: CallerDep, service: ServiceDep) -> Response:
    """The list in the official layout, as .xlsx."""

    def work(tx: Connection) -> bytes:
        notice = read_notice(tx, caller=caller, notice_id=notice_id)
        return write_notice(notice, read_items(tx, notice, limit=MAX_ITEMS, public=True))

    return xlsx_response(service.database.transact(work), f"{notice_id}.xlsx")


@router.post("/{notice_id}/submit", status_code=202)
def submit_public_notice(notice_id: AnyId, caller: CallerDep, service: ServiceDep) -> NoticeSubmitted:
    """Ask a checker to publish it. The period begins on the day after he has."""

    def work(tx: Connection) -> NoticeSubmitted:
        notice, approval_id = notices.submit(tx, caller=caller, notice_id=notice_id)
        approval = read_approval(tx, caller=caller, approval_id=approval_id)
        return NoticeSubmitted(notice=shown_notice(notice), approval=shown_approval(approval))

    return service.database.transact(work)


@router.post(
    "/{notice_id}/withdraw",
    status_code=202,
    responses={200: {"model": NoticeSubmitted, "description": "A draft was given up"}},
)
def withdraw_public_notice(
    notice_id: AnyId, body: ReasonWrite, caller: CallerDep, service: ServiceDep, response: Response
) -> NoticeSubmitted:
    """Ask a checker to withdraw what is published; a draft is given up at once."""

    def work(tx: Connection) -> NoticeSubmitted:
        notice, approval_id = notices.withdraw(tx, caller=caller, notice_id=notice_id, reason=body.reason)
        approval = read_approval(tx, caller=caller, approval_id=approval_id) if approval_id else None
        shown = shown_approval(approval) if approval is not None else None
        return NoticeSubmitted(notice=shown_notice(notice), approval=shown)

    submitted = service.database.transact(work)
    if submitted.approval is None:
        response.status_code = 200
    return submitted


@router.post("/{notice_id}/objections", status_code=201)
def create_objection(
    notice_id: AnyId, body: ObjectionWrite, service: ServiceDep, request: Request
) -> ObjectionReceived:
    """Object to one item of a notice that is being shown. Anybody may, without signing in; repeating it is harmless.

    The item is frozen until the authority has answered; the others go on.
    """
    service.objections.take(source_of(request))
    new = NewObjection(body.item_no, body.text, body.name, body.contact)
    received = service.database.transact(
        lambda tx: objections.object_to(
            tx, keys=service.field_keys, request_id=request.state.request_id, notice_id=notice_id, new=new
        )
    )
    return ObjectionReceived.model_validate(received)


@router.post("/objections/search")
def search_objections(body: SenderSearch, caller: CallerDep, service: ServiceDep) -> tuple[ObjectionRead, ...]:
    """Objections to your authority's notices that were sent with exactly this contact, newest first, at most 200.

    For whoever asks what is held of them. Spaces, hyphens and case do not count. That you searched is written down.
    """
    found = service.database.transact(
        lambda tx: senders.find_by_contact(
            tx,
            caller=caller,
            keys=service.field_keys,
            contact=body.contact,
            purpose=body.purpose,
            limit=MOST_FOUND,
        )
    )
    return tuple(ObjectionRead.model_validate(record) for record in found)


@router.get("/{notice_id}/objections")
def read_objections(
    notice_id: AnyId, caller: CallerDep, service: ServiceDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[ObjectionRead]:
    """The objections to a notice, newest first."""
    records = service.database.transact(
        lambda tx: senders.list_objections(
            tx, caller=caller, keys=service.field_keys, notice_id=notice_id, limit=limit + 1, before_id=cursor
        )
    )
    return page_of([ObjectionRead.model_validate(record) for record in records], limit)


@router.get("/{notice_id}/objections/{objection_id}/sender")
def read_objection_sender(
    notice_id: AnyId, objection_id: AnyId, purpose: Purpose, caller: CallerDep, service: ServiceDep
) -> SenderRead:
    """Who sent an objection; that you have looked, and what for, is written down."""
    return SenderRead.model_validate(
        service.database.transact(
            lambda tx: senders.read_sender(
                tx,
                caller=caller,
                keys=service.field_keys,
                notice_id=notice_id,
                objection_id=objection_id,
                purpose=purpose,
            )
        )
    )


@router.delete("/{notice_id}/objections/{objection_id}/sender", status_code=204)
def erase_objection_sender(notice_id: AnyId, objection_id: AnyId, caller: CallerDep, service: ServiceDep) -> None:
    """Erase who sent an objection that has been answered. What it says and the answer stay."""
    service.database.transact(
        lambda tx: senders.erase_sender(tx, caller=caller, notice_id=notice_id, objection_id=objection_id)
    )


@router.post("/{notice_id}/objections/{objection_id}/decide", status_code=202)
def decide_objection(
    notice_id: AnyId, objection_id: AnyId, body: DecisionWrite, caller: CallerDep, service: ServiceDep
) -> ApprovalRead:
    """Ask a checker to uphold or dismiss an objection with this answer."""

    def work(tx: Connection) -> ApprovalRead:
        approval_id = answering.request_decision(
            tx,
            caller=caller,
            notice_id=notice_id,
            objection_id=objection_id,
            outcome=ObjectionStatus(body.outcome),
            reason=body.reason,
        )
        return shown_approval(read_approval(tx, caller=caller, approval_id=approval_id))

    return service.database.transact(work)
