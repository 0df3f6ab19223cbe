"""Suspending a provider in a programme, taking that back, and delisting it: asked for by a maker, done by a checker.

A provider that is not listed makes no new hold and redeems nothing in one step. What it holds and what it is owed
follows the programme's rules (`suspension`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from app.kernel.clock import civil_date
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import AdmissionStatus, ApprovalKind, HoldStatus, RedemptionStatus, Role
from app.models import Admission, Hold, Organisation, Programme, Redemption
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.programmes.programmes import ProgrammeRecord, lock_for_decision, lock_programme
from app.services.redemption.loading import load_terms
from app.sql import now


class Step(StrEnum):
    """What is done to a provider's place in a programme."""

    SUSPEND = "suspend"
    RESUME = "resume"
    DELIST = "delist"


KINDS: Mapping[Step, ApprovalKind] = {
    Step.SUSPEND: ApprovalKind.SUSPEND_PROVIDER,
    Step.RESUME: ApprovalKind.RESUME_PROVIDER,
    Step.DELIST: ApprovalKind.DELIST_PROVIDER,
}
FROM: Mapping[Step, frozenset[AdmissionStatus]] = {
    Step.SUSPEND: frozenset({AdmissionStatus.LISTED}),
    Step.RESUME: frozenset({AdmissionStatus.SUSPENDED}),
    Step.DELIST: frozenset({AdmissionStatus.LISTED, AdmissionStatus.SUSPENDED}),
}
TO: Mapping[Step, AdmissionStatus] = {
    Step.SUSPEND: AdmissionStatus.SUSPENDED,
    Step.RESUME: AdmissionStatus.LISTED,
    Step.DELIST: AdmissionStatus.DELISTED,
}


def request_step(
    tx: Connection, *, caller: Caller, programme_id: str, provider_id: str, step: Step, reason: str
) -> str:
    """Ask a checker for it; returns the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state` where the provider's place does not allow it.
    """
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    status = _status(tx, programme, provider_id)
    _check(step, status)
    provider = tx.execute(select(Organisation.name).where(Organisation.id == provider_id)).scalar_one()
    return request_approval(
        tx,
        caller=caller,
        kind=KINDS[step],
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=f"{programme.id}/{provider_id}",
        command={"programme_id": programme.id, "provider_id": provider_id, "step": step, "reason": reason},
        effect={
            "programme": programme.title,
            "provider": provider,
            "status_before": status,
            "status": TO[step],
            **_open_business(tx, programme, provider_id),
        },
        reason=reason,
    )


def _execute(tx: Connection, *, step: Step, command: Mapping[str, Any], decision: Decision) -> None:
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=str(command["programme_id"]))
    provider_id = str(command["provider_id"])
    _check(step, _status(tx, programme, provider_id))
    tx.execute(
        update(Admission)
        .where(*_here(programme, provider_id))
        .values(
            status=TO[step],
            version=Admission.version + 1,
            updated_at=decision.at,
            updated_by=decision.checker.principal_id,
        )
    )


execute_suspend = partial(_execute, step=Step.SUSPEND)
execute_resume = partial(_execute, step=Step.RESUME)
execute_delist = partial(_execute, step=Step.DELIST)


def refuse_standing(tx: Connection, region_code: str, redemption_ids: Collection[str]) -> None:
    """Raise `payee_suspended` where one of these is owed to a provider whose payments stand by the rules."""
    rows = tx.execute(
        select(Programme.id, Programme.title, Admission.status)
        .select_from(Redemption)
        .join(Programme, and_(Programme.region_code == Redemption.region_code, Programme.id == Redemption.programme_id))
        .join(
            Admission,
            and_(
                Admission.region_code == Redemption.region_code,
                Admission.programme_id == Redemption.programme_id,
                Admission.provider_id == Redemption.provider_id,
            ),
        )
        .where(
            Redemption.region_code == region_code,
            Redemption.id.in_(redemption_ids),
            Admission.status.in_([AdmissionStatus.SUSPENDED, AdmissionStatus.DELISTED]),
        )
        .distinct()
        .order_by(Programme.id)
    ).all()
    today = civil_date(now(tx))
    terms = load_terms(tx, {(region_code, row.id) for row in rows}) if rows else {}
    for row in rows:
        version = terms[region_code, row.id].rules_on(today)
        if version is not None and version.rules.suspension.payments == "stand":
            raise AppError(Code.PAYEE_SUSPENDED, status=row.status, programme=row.title)


def _check(step: Step, status: str) -> None:
    if status not in FROM[step]:
        raise AppError(Code.WRONG_STATE, actual=status, expected=min(FROM[step]))


def _here(programme: ProgrammeRecord, provider_id: str) -> tuple[Any, ...]:
    return (
        Admission.region_code == programme.region_code,
        Admission.programme_id == programme.id,
        Admission.provider_id == provider_id,
    )


def _status(tx: Connection, programme: ProgrammeRecord, provider_id: str) -> str:
    status = tx.execute(select(Admission.status).where(*_here(programme, provider_id))).scalar_one_or_none()
    if status is None:
        raise AppError(Code.NOT_FOUND, what="admission")
    return str(status)


def _open_business(tx: Connection, programme: ProgrammeRecord, provider_id: str) -> dict[str, int]:
    """What the provider holds and is owed under the programme, in fen."""
    held = tx.execute(
        select(func.count(), func.coalesce(func.sum(Hold.held_fen), 0)).where(
            Hold.region_code == programme.region_code,
            Hold.programme_id == programme.id,
            Hold.provider_id == provider_id,
            Hold.status == HoldStatus.OPEN,
        )
    ).one()
    owed_fen = tx.execute(
        select(
            func.coalesce(func.sum(Redemption.subsidy_fen - Redemption.refunded_fen - Redemption.recovered_fen), 0)
        ).where(
            Redemption.region_code == programme.region_code,
            Redemption.programme_id == programme.id,
            Redemption.provider_id == provider_id,
            Redemption.status == RedemptionStatus.POSTED,
        )
    ).scalar_one()
    return {"open_holds": held[0], "held_fen": int(held[1]), "owed_fen": int(owed_fen)}
