"""Candidates that applied (申领): reviewed applications become a list, and follow what is decided about it.

Applications are locked before the programme and the round, as everywhere else where both are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, and_, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApplicationAct, ApplicationStatus
from app.models import AllocationCandidate, Application, Waiting
from app.services.allocation.listing import ListedRow
from app.services.applications.granting import (
    GRANTABLE,
    give_back,
    grant_row,
    judge_grant,
    lock_applications,
    vouchers_of,
)
from app.services.applications.judging import Judged, load_grounds
from app.services.applications.records import ApplicationRecord
from app.services.applications.writing import act_on
from app.services.approvals.requests import Decision
from app.services.identity.principals import Caller
from app.services.issuance.rows import GrantRow
from app.services.rules.model import Rules

Applications = Mapping[str, ApplicationRecord]
"""By their ids, locked."""


def lock_reviewed(
    tx: Connection, region_code: str, programme_id: str, *, since: datetime | None, until: datetime | None
) -> list[ApplicationRecord]:
    """Applications that are assessed and wait for a decision, in the order in which they were first submitted.

    `since` and `until` (exclusive) bound that instant.
    """
    query = (
        select(Application.id)
        .where(
            Application.region_code == region_code,
            Application.programme_id == programme_id,
            Application.status.in_(GRANTABLE),
            Application.batch_id.is_(None),
        )
        .order_by(Application.submitted_at, Application.id)
    )
    if since is not None:
        query = query.where(Application.submitted_at >= since)
    if until is not None:
        query = query.where(Application.submitted_at < until)
    locked = lock_applications(tx, region_code, list(tx.execute(query).scalars()))
    return [one for one in locked if can_be_granted(one)]


def lock_of_round(tx: Connection, region_code: str, round_id: str) -> Applications:
    """The applications on a round's list."""
    ids = tx.execute(
        select(AllocationCandidate.application_id).where(
            AllocationCandidate.region_code == region_code,
            AllocationCandidate.round_id == round_id,
            AllocationCandidate.application_id.is_not(None),
        )
    ).scalars()
    return _by_id(lock_applications(tx, region_code, [one for one in ids if one is not None]))


def lock_of_line(tx: Connection, region_code: str, programme_id: str) -> Applications:
    """The applications of those who wait in a programme."""
    ids = tx.execute(
        select(AllocationCandidate.application_id)
        .join(
            Waiting,
            and_(
                Waiting.region_code == AllocationCandidate.region_code,
                Waiting.round_id == AllocationCandidate.round_id,
                Waiting.place == AllocationCandidate.place,
            ),
        )
        .where(
            Waiting.region_code == region_code,
            Waiting.programme_id == programme_id,
            Waiting.ended_at.is_(None),
            AllocationCandidate.application_id.is_not(None),
        )
    ).scalars()
    return _by_id(lock_applications(tx, region_code, [one for one in ids if one is not None]))


def can_be_granted(application: ApplicationRecord) -> bool:
    """Whether it is neither decided, nor taken back, nor about to be granted otherwise."""
    return application.status in GRANTABLE and application.batch_id is None


def listed(applications: Iterable[ApplicationRecord], rules: Rules) -> tuple[ListedRow, ...]:
    """The list: each asks for what was assessed; what officials fixed of the claim says its score, tier and project."""
    rows = []
    for place, one in enumerate(applications, start=1):
        grant = grant_row(place, one, rules)
        claim = grant.terms.claim if grant.terms is not None else {}
        marks = {
            name: str(claim[name]) if isinstance(claim.get(name), str | int) else None
            for name in ("score", "tier", "project", "project_level")
        }
        if marks["project_level"] is not None and marks["project"] is None:
            marks["project"] = one.id  # an application that names no project is about one of its own
        rows.append(ListedRow(grant, **marks))
    return tuple(rows)


def granting_row(row: GrantRow, application: ApplicationRecord, rules: Rules) -> GrantRow:
    """The row as the application grants it, with the amount and number that it has."""
    own = grant_row(row.row_no, application, rules)
    return replace(own, face_value_fen=row.face_value_fen)


def judge_granted(
    tx: Connection, applications: Applications, amounts_fen: Mapping[str, int], *, at: datetime
) -> dict[str, Judged]:
    """Judge those who are granted as at issue, each for his amount (by application). Raises what granting raises."""
    chosen = [applications[one] for one in amounts_fen]
    if not chosen:
        return {}
    grounds = load_grounds(tx, chosen, at=at)
    return {one.id: judge_grant(one, grounds, amounts_fen[one.id]) for one in chosen}


def propose(
    tx: Connection,
    caller: Caller,
    applications: Applications,
    amounts_fen: Mapping[str, int],
    *,
    batch_id: str,
    approval_id: str,
    at: datetime,
) -> None:
    """Write down that a checker is asked to grant them."""
    for one, fen in amounts_fen.items():
        act_on(
            tx,
            applications[one],
            ApplicationAct.PROPOSE,
            caller=caller,
            at=at,
            changes={"batch_id": batch_id},
            details={"approval": approval_id, "batch": batch_id, "amount_fen": fen},
        )


def require_proposed(applications: Applications, amounts_fen: Mapping[str, int], batch_id: str) -> None:
    """Raise `wrong_state` where one has moved on since it was proposed with this batch."""
    for one in (applications[application_id] for application_id in amounts_fen):
        if one.status not in GRANTABLE or one.batch_id != batch_id:
            raise AppError(Code.WRONG_STATE, actual=f"{one.id}: {one.status}", expected=" / ".join(GRANTABLE))


def approve(
    tx: Connection,
    decision: Decision,
    applications: Applications,
    amounts_fen: Mapping[str, int],
    judged: Mapping[str, Judged],
    *,
    batch_id: str,
) -> None:
    """Write down that they were granted, with their vouchers and the facts of this moment.

    Who was left out of the batch is given back as he was.
    """
    if not amounts_fen:
        return
    vouchers = vouchers_of(tx, decision.region_code, batch_id)
    for one, fen in amounts_fen.items():
        if one not in vouchers:
            give_back(tx, applications[one], decision=decision, batch_id=batch_id)
            continue
        act_on(
            tx,
            applications[one],
            ApplicationAct.APPROVE,
            caller=decision.checker,
            at=decision.at,
            changes={"voucher_id": vouchers[one]},
            details={
                "approval": decision.approval_id,
                "maker": decision.maker_id,
                "batch": batch_id,
                "voucher": vouchers[one],
                "amount_fen": fen,
            },
            frozen=judged[one].frozen,
        )


def decline(tx: Connection, decision: Decision, applications: Applications, *, batch_id: str) -> None:
    """Give back those that were proposed with this batch, as they were."""
    for one in applications.values():
        if one.batch_id == batch_id and one.status in GRANTABLE:
            give_back(tx, one, decision=decision, batch_id=batch_id)


def put_on_list(tx: Connection, decision: Decision, waiting: Iterable[ApplicationRecord], *, reason: str) -> None:
    """Write down that they wait. Raises `wrong_state` where one cannot (any more)."""
    for one in waiting:
        if one.status == ApplicationStatus.WAITLISTED:
            continue
        act_on(
            tx,
            one,
            ApplicationAct.WAITLIST,
            caller=decision.checker,
            at=decision.at,
            changes={"clock_from_on": None, "clock_days": None},
            reason=reason,
            details={"approval": decision.approval_id},
        )


def take_off_list(tx: Connection, decision: Decision, ended: Iterable[ApplicationRecord]) -> None:
    """Write down that they wait no more: reviewed again, to be granted, listed anew or rejected."""
    for one in ended:
        if one.status == ApplicationStatus.WAITLISTED:
            details = {"approval": decision.approval_id, "maker": decision.maker_id}
            act_on(tx, one, ApplicationAct.END_WAITING, caller=decision.checker, at=decision.at, details=details)


def _by_id(applications: Iterable[ApplicationRecord]) -> dict[str, ApplicationRecord]:
    return {one.id: one for one in applications}
