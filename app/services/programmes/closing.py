"""Closing a programme: nothing more is issued, what is out lives on. Asked for by a maker, done by a checker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, BatchStatus, ProgrammeStatus, Role
from app.models import IssuanceBatch, Voucher
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.programmes.programmes import ProgrammeRecord, lock_for_decision, lock_programme, set_status


def request_close(tx: Connection, *, caller: Caller, programme_id: str, reason: str) -> str:
    """Ask a checker to close a programme for good; returns the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state` for one that is not published or paused.
    """
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    _check_open(programme)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.CLOSE_PROGRAMME,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=programme.id,
        command={"programme_id": programme.id, "reason": reason},
        effect={
            "title": programme.title,
            "fiscal_year": programme.fiscal_year,
            "status": ProgrammeStatus.CLOSED,
            **_outstanding(tx, programme),
        },
        reason=reason,
    )


def execute_close_programme(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """From now on nothing is issued; what is out is held, redeemed and paid as before. There is no way back."""
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=command["programme_id"])
    _check_open(programme)
    set_status(tx, programme, ProgrammeStatus.CLOSED)


def _check_open(programme: ProgrammeRecord) -> None:
    if programme.status not in {ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED}:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)


def _outstanding(tx: Connection, programme: ProgrammeRecord) -> dict[str, int]:
    """What goes on living when a programme is closed, and the batches that can no longer be issued."""
    here = (Voucher.region_code == programme.region_code, Voucher.programme_id == programme.id)
    vouchers = tx.execute(
        select(func.count(), func.coalesce(func.sum(Voucher.balance_fen + Voucher.held_fen), 0)).where(
            *here, Voucher.ended_as.is_(None)
        )
    ).one()
    waiting = tx.execute(
        select(func.count())
        .select_from(IssuanceBatch)
        .where(
            IssuanceBatch.region_code == programme.region_code,
            IssuanceBatch.programme_id == programme.id,
            IssuanceBatch.status == BatchStatus.SUBMITTED,
        )
    ).scalar_one()
    return {"vouchers": vouchers[0], "promised_fen": int(vouchers[1]), "waiting_batches": waiting}
