"""Answering an objection: a maker asks, a second person upholds or dismisses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, NoticeItemStatus, NoticeSubject, ObjectionStatus, Role
from app.models import NoticeItem, Objection, Voucher
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.notices.notices import lock_notice
from app.services.notices.objections import change_item, count_open, find_item, find_objection
from app.services.notices.reads import find_notice, is_official_of
from app.services.notices.subjects import SUBJECTS


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
    objection = find_objection(tx, found, objection_id)
    _require_open(objection)
    item = find_item(tx, found.region_code, notice_id, objection.item_no)
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
    objection = find_objection(tx, notice, str(command["objection_id"]))
    _require_open(objection)
    outcome, reason = ObjectionStatus(command["outcome"]), str(command["reason"])
    tx.execute(
        update(Objection)
        .where(Objection.region_code == notice.region_code, Objection.id == objection.id)
        .values(status=outcome, decided_at=decision.at, reason=reason, approval_id=decision.approval_id)
    )
    item = find_item(tx, notice.region_code, notice.id, objection.item_no, lock=True)
    assert item is not None, "an objection is about an item"
    if item.status != NoticeItemStatus.FROZEN:
        return  # removed by another objection already
    subject = SUBJECTS[NoticeSubject(notice.subject_kind)]
    if outcome is ObjectionStatus.UPHELD:
        change_item(tx, item, status=NoticeItemStatus.REMOVED)
        subject.remove(tx, subject_id=item.subject_id, reason=reason, decision=decision)
    elif not count_open(tx, notice.region_code, notice.id, item.item_no):
        change_item(tx, item, status=NoticeItemStatus.LISTED, froze_subject=False)
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


def _require_open(objection: Row[Any]) -> None:
    if objection.status != ObjectionStatus.OPEN:
        raise AppError(Code.WRONG_STATE, actual=objection.status, expected=ObjectionStatus.OPEN)


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
