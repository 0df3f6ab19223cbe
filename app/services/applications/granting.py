"""Granting: reviewed applications become a batch that a checker approves, and then vouchers, one each.

It is the issuing of every batch, so budget, entries and leaves are the same; each row names its application.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, select

from app.kernel.clock import civil_date
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus, Role
from app.kernel.wording import Language
from app.models import AllocationCandidate, Application, IssuanceRow, Waiting
from app.services.applications.access import read, require_undecided
from app.services.applications.judging import Grounds, Judged, judge_application, load_grounds, refuse_ineligible
from app.services.applications.records import ApplicationRecord, record_of, records
from app.services.applications.reviewing import require_within
from app.services.applications.writing import act_on
from app.services.approvals.requests import Decision
from app.services.identity.principals import Caller
from app.services.issuance.batches import issue_rows, reject_issue_batch
from app.services.issuance.checks import Submission
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import BatchReport, submit_batch
from app.services.issuance.terms import Terms
from app.services.programmes.programmes import lock_for_decision
from app.services.rules.model import Rules
from app.sql import now

MAX_GRANTS = 1_000
"""Applications of one proposal."""
GRANTABLE = (ApplicationStatus.REVIEWED, ApplicationStatus.WAITLISTED)


def propose_grants(
    tx: Connection, *, caller: Caller, application_ids: Sequence[str], language: Language
) -> tuple[BatchReport, list[ApplicationRecord]]:
    """Ask a checker to grant reviewed applications of one programme, each with its assessed amount.

    Each is judged as at issue now, and again when it is approved. Raises `forbidden`, `not_found`, `wrong_state`,
    `approval_pending`; `waitlist_order` where the rules serve the waiting list in its order and another has waited
    longer; `applicant_not_eligible`, `amount_out_of_range`, `budget_exhausted`.
    """
    caller.require(Role.MAKER)
    for application_id in application_ids:
        read(tx, caller=caller, application_id=application_id)
    applications = lock_applications(tx, region_of(application_ids[0]), application_ids)
    programme_id = applications[0].programme_id
    strangers = [one for one in applications if one.programme_id != programme_id]
    if strangers:
        error = FieldError("/application_ids", "of_another_programme", limit=programme_id, actual=strangers[0].id)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    for one in applications:
        if not caller.holds_in(Role.MAKER, one.region_code, one.authority_id):
            raise AppError(Code.FORBIDDEN, role=f"maker {one.region_code}")
        _require_grantable(one)
    require_undecided(tx, applications[0].region_code, application_ids)
    _require_not_in_line(tx, applications)
    grounds = load_grounds(tx, applications, at=now(tx))
    judged = [judge_grant(one, grounds) for one in applications]
    _require_order(tx, applications, grounds.version.rules)
    rows = tuple(grant_row(place, one, grounds.version.rules) for place, one in enumerate(applications, start=1))
    submission = Submission(
        programme_id,
        rows,
        Layout(language),
        len(rows),
        sum(row.face_value_fen for row in rows),
        effect=_effect(applications, judged),
    )
    report = submit_batch(tx, caller=caller, submission=submission, dry_run=False)
    proposed = [
        act_on(
            tx,
            one,
            ApplicationAct.PROPOSE,
            caller=caller,
            at=report.at,
            changes={"batch_id": report.batch_id},
            details={"approval": report.approval_id, "batch": report.batch_id, "amount_fen": one.assessed_fen},
        )
        for one in applications
    ]
    return report, proposed


def execute_grant(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Issue a voucher for each application, as a checker approved it; the facts of this moment are kept with it.

    Whom an objection to the batch's public notice keeps back goes back to the maker as he was. Raises what issuing a
    batch raises, and `wrong_state`, `applicant_not_eligible`, `amount_out_of_range` where an application has moved on
    or no longer fits. Then nothing is issued and the approval still waits.
    """
    applications = lock_applications(tx, decision.region_code, command["application_ids"])
    batch_id = str(command["batch_id"])
    for one in applications:
        if one.status not in GRANTABLE or one.batch_id != batch_id:
            raise AppError(Code.WRONG_STATE, actual=f"{one.id}: {one.status}", expected=" / ".join(GRANTABLE))
    lock_for_decision(tx, region_code=decision.region_code, programme_id=applications[0].programme_id)
    grounds = load_grounds(tx, applications, at=now(tx))
    judged = [judge_grant(one, grounds) for one in applications]
    issue_rows(tx, command=command, decision=decision)
    vouchers = vouchers_of(tx, decision.region_code, batch_id)
    for one, came_to in zip(applications, judged, strict=True):
        if one.id not in vouchers:
            give_back(tx, one, decision=decision, batch_id=batch_id)
            continue
        act_on(
            tx,
            one,
            ApplicationAct.APPROVE,
            caller=decision.checker,
            at=decision.at,
            changes={"voucher_id": vouchers[one.id]},
            details={
                "approval": decision.approval_id,
                "maker": decision.maker_id,
                "batch": batch_id,
                "voucher": vouchers[one.id],
                "amount_fen": one.assessed_fen,
            },
            frozen=came_to.frozen,
        )


def reject_grant(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Give the applications back to their maker as they were; they may be proposed again."""
    batch_id = str(command["batch_id"])
    for one in lock_applications(tx, decision.region_code, command["application_ids"]):
        if one.batch_id == batch_id and one.status in GRANTABLE:
            give_back(tx, one, decision=decision, batch_id=batch_id)
    reject_issue_batch(tx, command=command, decision=decision)


def give_back(tx: Connection, application: ApplicationRecord, *, decision: Decision, batch_id: str) -> None:
    """Write down that it was proposed with this batch and not granted: it may be proposed again."""
    act_on(
        tx,
        application,
        ApplicationAct.DECLINE,
        caller=decision.checker,
        at=decision.at,
        changes={"batch_id": None},
        details={"approval": decision.approval_id, "batch": batch_id},
    )


def lock_applications(
    tx: Connection, region_code: str | None, application_ids: Sequence[str]
) -> list[ApplicationRecord]:
    """Applications of a region in the order asked for, locked in sorted order. Raises `not_found`."""
    rows = tx.execute(
        records()
        .where(Application.region_code == region_code, Application.id.in_(application_ids))
        .order_by(Application.id)
        .with_for_update(key_share=True, of=Application)
    )
    found = {row.id: record_of(row) for row in rows}
    if set(found) != set(application_ids):
        raise AppError(Code.NOT_FOUND, what="application")
    return [found[one] for one in application_ids]


def _require_grantable(application: ApplicationRecord) -> None:
    if application.status not in GRANTABLE:
        raise AppError(Code.WRONG_STATE, actual=application.status, expected=" / ".join(GRANTABLE))
    if application.batch_id is not None:
        raise AppError(Code.APPROVAL_PENDING)
    assert application.level == ApplicationLevel.CITY, "only the city assesses"


def judge_grant(application: ApplicationRecord, grounds: Grounds, amount_fen: int | None = None) -> Judged:
    """Judge it as at issue, for what is granted (None: for all that was assessed). Raises what granting raises."""
    terms = Terms.model_validate_json(application.terms) if application.terms is not None else None
    judged = judge_application(application, grounds, step="issue", terms=terms)
    excepted = json.loads(application.exception)["conditions"] if application.exception is not None else []
    refuse_ineligible(judged.eligibility, except_for=excepted)
    assert application.assessed_fen is not None, "a CHECK holds it"
    require_within(judged, application.assessed_fen if amount_fen is None else amount_fen)
    return judged


def _require_not_in_line(tx: Connection, applications: Sequence[ApplicationRecord]) -> None:
    """Whom an allocation round put on the waiting list is promoted from it, in its order."""
    waiting = tx.execute(
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
            AllocationCandidate.region_code == applications[0].region_code,
            AllocationCandidate.application_id.in_([one.id for one in applications]),
            Waiting.ended_at.is_(None),
        )
        .limit(1)
    ).scalar_one_or_none()
    if waiting is not None:
        path = f"POST /v1/programmes/{applications[0].programme_id}/waitlist/promote"
        raise AppError(Code.WRONG_STATE, actual=f"{waiting}: {ApplicationStatus.WAITLISTED}", expected=path)


def _require_order(tx: Connection, applications: Sequence[ApplicationRecord], rules: Rules) -> None:
    """First come, first served: who has waited longer goes first, unless the rules pass over what does not fit."""
    if rules.allocation.method != "first_come" or rules.allocation.on_exhaustion == "skip":
        return
    latest = max(one.submitted_at for one in applications if one.submitted_at is not None)
    earlier = tx.execute(
        select(Application.id)
        .where(
            Application.region_code == applications[0].region_code,
            Application.programme_id == applications[0].programme_id,
            Application.status == ApplicationStatus.WAITLISTED,
            Application.batch_id.is_(None),
            Application.submitted_at < latest,
            Application.id.not_in([one.id for one in applications]),
        )
        .order_by(Application.submitted_at)
        .limit(1)
    ).scalar_one_or_none()
    if earlier is not None:
        raise AppError(Code.WAITLIST_ORDER, application_id=earlier, extra={"application_id": earlier})


def grant_row(place: int, application: ApplicationRecord, rules: Rules) -> GrantRow:
    """The row of a batch that grants all that was assessed."""
    terms = Terms.model_validate_json(application.terms) if application.terms is not None else None
    if "claim.applied_on" in rules.looks_at and application.submitted_at is not None:
        applied_on = civil_date(application.submitted_at).isoformat()
        given = terms or Terms()
        terms = given.model_copy(update={"claim": {"applied_on": applied_on, **given.claim}})
    assert application.assessed_fen is not None, "a CHECK holds it"
    return GrantRow(
        row_no=place,
        reference_no=application.id,
        face_value_fen=application.assessed_fen,
        firm_id=application.firm_id,
        valid_until=application.valid_until_on,
        terms=terms,
        application_id=application.id,
    )


def _effect(applications: Sequence[ApplicationRecord], judged: Sequence[Judged]) -> dict[str, Any]:
    """What the checker decides on: who asked for how much, what was assessed, and what is excepted."""
    shown = []
    for one, came_to in zip(applications, judged, strict=True):
        row: dict[str, Any] = {
            "application_id": one.id,
            "firm_id": one.firm_id,
            "firm_name": one.firm_name,
            "amount_fen": one.amount_fen,
            "assessed_fen": one.assessed_fen,
            "maximum_fen": came_to.maximum.amount_fen,
            "facts_sha256": came_to.frozen.facts_sha256,
        }
        if one.exception is not None:
            row["exception"] = json.loads(one.exception)
        shown.append(row)
    return {"applications": shown, "exceptions": sum(one.exception is not None for one in applications)}


def vouchers_of(tx: Connection, region_code: str, batch_id: str) -> dict[str, str]:
    """The vouchers that a batch issued to applications, by their ids. Who was left out is not among them."""
    rows = tx.execute(
        select(IssuanceRow.application_id, IssuanceRow.voucher_id).where(
            IssuanceRow.region_code == region_code,
            IssuanceRow.batch_id == batch_id,
            IssuanceRow.application_id.is_not(None),
            IssuanceRow.voucher_id.is_not(None),
        )
    )
    return {row.application_id: row.voucher_id for row in rows}
