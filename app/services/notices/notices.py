"""Public notices (公示): drawn up by a maker, shown to everybody once a second person approves, withdrawn likewise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date, end_of_day
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import (
    ApprovalKind,
    NoticeItemStatus,
    NoticeState,
    NoticeSubject,
    ObjectionStatus,
    Role,
)
from app.models import Admission, IssuanceBatch, NoticeItem, Objection, PublicNotice
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.calendars import load_calendar
from app.services.identity.principals import Caller
from app.services.issuance.batches import rules_in_force
from app.services.notices.reads import NoticeRecord, find_notice, is_official_of, read_notice
from app.services.notices.subjects import MAX_ITEMS, SUBJECTS, Chosen, Item, ProgrammeShown, missing_fields
from app.services.programmes.programmes import Issuer, ProgrammeRecord, lock_programme, lock_programme_to_issue
from app.sql import now

WORKING_DAYS = 5
"""What is usual: five to seven."""


_DECIDED_IN: Mapping[NoticeSubject, Callable[[Row[Any]], Select[Any]]] = {
    NoticeSubject.BATCH: lambda notice: select(IssuanceBatch.id).where(
        IssuanceBatch.region_code == notice.region_code, IssuanceBatch.id == notice.batch_id
    ),
    NoticeSubject.ADMISSIONS: lambda notice: (
        select(Admission.provider_id)
        .where(Admission.region_code == notice.region_code, Admission.programme_id == notice.programme_id)
        .order_by(Admission.provider_id)
    ),
}
"""The rows under whose lock what is shown beforehand gets decided."""


@dataclass(frozen=True, slots=True)
class NoticeDraft:
    """What a maker writes down; the items are taken from what `chosen` names."""

    programme_id: str
    chosen: Chosen
    title: str
    document_no: str
    contact: str
    basis: str | None
    working_days: int
    retention_days: int


def draw_up(tx: Connection, *, caller: Caller, draft: NoticeDraft) -> NoticeRecord:
    """Take down the items as they stand, each as it will be shown. Nobody sees them yet but officials.

    A county's officials show batches of their own. Raises `forbidden`, `not_found`, `validation_failed`, `wrong_state`
    for a batch that is decided, `nothing_to_show`.
    """
    programme, issuer = _lock_programme(tx, caller, draft)
    errors = [FieldError(f"/subject/{name}", code) for name, code in missing_fields(draft.chosen)]
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    shown = ProgrammeShown(programme.region_code, programme.id, programme.title)
    items = SUBJECTS[draft.chosen.kind].choose(tx, shown, draft.chosen)
    if not items:
        raise AppError(Code.NOTHING_TO_SHOW)
    if len(items) > MAX_ITEMS:
        error = FieldError("/subject", "too_large", limit=MAX_ITEMS)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    at = now(tx)
    if draft.chosen.kind is NoticeSubject.BATCH:
        _require_long_enough(tx, programme, draft.working_days, at)
    notice_id = new_id("ntc", programme.region_code)
    key = {"region_code": programme.region_code, "notice_id": notice_id}
    tx.execute(
        insert(PublicNotice).values(
            region_code=programme.region_code,
            id=notice_id,
            programme_id=programme.id,
            authority_id=issuer.authority_id,
            subject_kind=draft.chosen.kind,
            subject=canonical({name: str(value) for name, value in asdict(draft.chosen).items() if value}).decode(),
            batch_id=draft.chosen.batch_id,
            title=draft.title,
            document_no=draft.document_no,
            contact=draft.contact,
            basis=draft.basis,
            working_days=draft.working_days,
            retention_days=draft.retention_days,
            item_count=len(items),
            total_fen=sum(item.amount_fen or 0 for item in items),
            state=NoticeState.DRAFT,
            created_at=at,
            created_by=caller.principal_id,
        )
    )
    tx.execute(
        insert(NoticeItem),
        [
            key | asdict(item) | {"item_no": item_no, "status": NoticeItemStatus.LISTED, "froze_subject": False}
            for item_no, item in enumerate(items, start=1)
        ],
    )
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action="public_notice.drawn_up",
        object_id=notice_id,
        at=at,
        details={"subject": draft.chosen.kind, "items": len(items), "items_sha256": items_sha256(items)},
    )
    return read_notice(tx, caller=caller, notice_id=notice_id)


def _require_long_enough(tx: Connection, programme: ProgrammeRecord, working_days: int, at: datetime) -> None:
    """A list that the rules want shown before it is issued runs as long as they say; else `validation_failed`."""
    least = rules_in_force(tx, programme.region_code, programme.id, at).rules.notice_before_issue_days
    if least is not None and working_days < least:
        error = FieldError("/working_days", "shorter_than_the_rules", limit=least, actual=working_days)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])


def submit(tx: Connection, *, caller: Caller, notice_id: str) -> tuple[NoticeRecord, str]:
    """Ask a checker to publish a draft; the notice and the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state`, `calendar_not_loaded` where its end could not be told.
    """
    notice, county_code = _locked_own(tx, caller, notice_id)
    _require(notice, NoticeState.DRAFT)
    items = _items(tx, notice)
    ends_on = load_calendar(tx).add_working_days(civil_date(now(tx)), notice.working_days)
    _change(tx, notice, state=NoticeState.SUBMITTED)
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.PUBLISH_NOTICE,
        region_code=notice.region_code,
        authority_id=notice.authority_id,
        required_role=Role.CHECKER,
        subject_id=notice.id,
        command={"notice_id": notice.id, "items_sha256": items_sha256(items)},
        effect={
            "title": notice.title,
            "subject": notice.subject_kind,
            "count": notice.item_count,
            "total_fen": notice.total_fen,
            "working_days": notice.working_days,
            "retention_days": notice.retention_days,
            "ends_on_if_published_today": ends_on.isoformat(),
        },
        county_code=county_code,
    )
    return read_notice(tx, caller=caller, notice_id=notice_id), approval_id


def execute_publish_notice(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Show the list to everybody from now on, to the end of the last working day; today does not count.

    Raises `wrong_state` where its batch or an admission has been decided since, `calendar_not_loaded`.
    """
    notice = lock_notice(tx, decision.region_code, str(command["notice_id"]))
    _require(notice, NoticeState.SUBMITTED)
    items = _items(tx, notice)
    assert items_sha256(items) == command["items_sha256"], "the items are those that were submitted"
    _require_undecided(tx, notice, items)
    at = now(tx)
    ends_on = load_calendar(tx).add_working_days(civil_date(at), notice.working_days)
    _change(
        tx,
        notice,
        state=NoticeState.PUBLISHED,
        published_at=at,
        ends_on=ends_on,
        ends_at=end_of_day(ends_on),
        shown_until=end_of_day(ends_on + timedelta(days=notice.retention_days)),
    )


def reject_publish_notice(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """The notice is a draft again."""
    _change(tx, lock_notice(tx, decision.region_code, str(command["notice_id"])), state=NoticeState.DRAFT)


def withdraw(tx: Connection, *, caller: Caller, notice_id: str, reason: str) -> tuple[NoticeRecord, str | None]:
    """Give a draft up at once, or ask a checker to withdraw what is published; the notice and the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state`, `objections_open` while one is undecided.
    """
    notice, county_code = _locked_own(tx, caller, notice_id)
    if notice.state == NoticeState.DRAFT:
        at = now(tx)
        _change(tx, notice, state=NoticeState.WITHDRAWN, withdrawn_at=at, withdrawal_reason=reason)
        audit.record(
            tx,
            caller=caller,
            region_code=notice.region_code,
            action="public_notice.given_up",
            object_id=notice.id,
            at=at,
            details={"reason": reason},
        )
        return read_notice(tx, caller=caller, notice_id=notice_id), None
    _require(notice, NoticeState.PUBLISHED)
    _require_no_open_objection(tx, notice)
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.WITHDRAW_NOTICE,
        region_code=notice.region_code,
        authority_id=notice.authority_id,
        required_role=Role.CHECKER,
        subject_id=notice.id,
        command={"notice_id": notice.id, "reason": reason},
        effect={"title": notice.title, "count": notice.item_count, "total_fen": notice.total_fen},
        reason=reason,
        county_code=county_code,
    )
    return read_notice(tx, caller=caller, notice_id=notice_id), approval_id


def execute_withdraw_notice(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Show the list no longer. Raises `wrong_state`, `objections_open` where somebody has objected since."""
    notice = lock_notice(tx, decision.region_code, str(command["notice_id"]))
    _require(notice, NoticeState.PUBLISHED)
    _require_no_open_objection(tx, notice)
    _change(tx, notice, state=NoticeState.WITHDRAWN, withdrawn_at=now(tx), withdrawal_reason=str(command["reason"]))


def lock_notice(tx: Connection, region_code: str, notice_id: str) -> Row[Any]:
    """The notice, locked: nothing happens to its items meanwhile. Raises `not_found`."""
    row = tx.execute(
        select(PublicNotice)
        .where(PublicNotice.region_code == region_code, PublicNotice.id == notice_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="notice")
    return row


def items_sha256(items: Sequence[Item]) -> str:
    """What names the items exactly as they are shown."""
    return sha256_hex(canonical({"items": [list(asdict(item).values()) for item in items]}))


def _lock_programme(tx: Connection, caller: Caller, draft: NoticeDraft) -> tuple[ProgrammeRecord, Issuer]:
    """The programme, locked, and who shows something of it: its authority, or a county's a batch of its own."""
    if draft.chosen.kind is not NoticeSubject.BATCH:
        programme = lock_programme(tx, caller=caller, programme_id=draft.programme_id, role=Role.MAKER)
        return programme, Issuer(programme.authority_id, None)
    programme, issuer = lock_programme_to_issue(tx, caller=caller, programme_id=draft.programme_id)
    if issuer.county_code is not None:
        own = select(IssuanceBatch.id).where(
            IssuanceBatch.region_code == programme.region_code,
            IssuanceBatch.id == draft.chosen.batch_id,
            IssuanceBatch.county_code == issuer.county_code,
            IssuanceBatch.authority_id == issuer.authority_id,
        )
        if tx.execute(own).one_or_none() is None:
            raise AppError(Code.NOT_FOUND, what="batch")
    return programme, issuer


def _locked_own(tx: Connection, caller: Caller, notice_id: str) -> tuple[Row[Any], str | None]:
    """The caller's own notice, locked, and the county that drew it up, where one did."""
    caller.require(Role.MAKER)
    found = find_notice(tx, caller=caller, notice_id=notice_id)
    if not is_official_of(caller, found, Role.MAKER):
        raise AppError(Code.NOT_FOUND, what="notice")
    return lock_notice(tx, found.region_code, notice_id), found.county_code


def _items(tx: Connection, notice: Row[Any]) -> list[Item]:
    columns = [getattr(NoticeItem, name) for name in Item.__slots__]
    rows = tx.execute(
        select(*columns)
        .where(NoticeItem.region_code == notice.region_code, NoticeItem.notice_id == notice.id)
        .order_by(NoticeItem.item_no)
    )
    return [Item(*row) for row in rows]


def _require_undecided(tx: Connection, notice: Row[Any], items: Sequence[Item]) -> None:
    """What is shown before it happens has not happened yet, and will not before this transaction is over."""
    kind = NoticeSubject(notice.subject_kind)
    if kind not in _DECIDED_IN:
        return
    tx.execute(_DECIDED_IN[kind](notice).with_for_update(read=True)).all()
    programme = ProgrammeShown(notice.region_code, notice.programme_id, "")
    pending = {item.subject_id for item in SUBJECTS[kind].choose(tx, programme, Chosen(kind, notice.batch_id))}
    if not {item.subject_id for item in items} <= pending:
        raise AppError(Code.WRONG_STATE, actual="listed", expected="proposed")


def _require_no_open_objection(tx: Connection, notice: Row[Any]) -> None:
    count = tx.execute(
        select(func.count()).where(
            Objection.region_code == notice.region_code,
            Objection.notice_id == notice.id,
            Objection.status == ObjectionStatus.OPEN,
        )
    ).scalar_one()
    if count:
        raise AppError(Code.OBJECTIONS_OPEN, count=count)


def _require(notice: Row[Any], state: NoticeState) -> None:
    if notice.state != state:
        raise AppError(Code.WRONG_STATE, actual=notice.state, expected=state)


def _change(tx: Connection, notice: Row[Any], **values: Any) -> None:
    tx.execute(
        update(PublicNotice)
        .where(PublicNotice.region_code == notice.region_code, PublicNotice.id == notice.id)
        .values(**values)
    )
