"""Rejecting applications, and letting them wait for money: asked for by a maker, done when a checker approves.

One or many at once: many are one command and one approval, all or nothing, each told its own reason. Until it is
decided nobody but officials knows of it: a firm's history gets its event, and the reason, with the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus, ApprovalKind, Role
from app.kernel.wording import detail
from app.services.applications.access import asked_already, lock_as_official, lock_many_as_official
from app.services.applications.granting import lock_applications
from app.services.applications.records import ApplicationRecord
from app.services.applications.shortage import Shortage, load_shortage
from app.services.applications.states import next_status
from app.services.applications.writing import act_on
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller

MOST = 1_000
"""Applications of one command."""
MAX_ERRORS = 200

KINDS: Mapping[ApplicationAct, ApprovalKind] = {
    ApplicationAct.REJECT: ApprovalKind.REJECT_APPLICATION,
    ApplicationAct.WAITLIST: ApprovalKind.WAITLIST_APPLICATION,
}


@dataclass(frozen=True, slots=True)
class Reasoned:
    """An application, and why it is decided so."""

    application_id: str
    reason: str


def request_rejection(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> str:
    """Ask a checker to refuse it, with the reason that the firm will read; returns the approval's id.

    The officials' time runs on until it is decided. Raises `forbidden`, `not_found`, `wrong_state`, `approval_pending`
    while its grant, its rejection or its waiting is asked for already.
    """
    return _request_one(tx, caller, ApplicationAct.REJECT, Reasoned(application_id, reason))


def request_waiting(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> str:
    """Ask a checker to put a reviewed one on the waiting list (候补), where it keeps the place of its first submission.

    Only where the pool cannot carry it beside what is proposed already and those that have waited longer; else
    `pool_suffices`. Returns the approval's id; raises besides what `request_rejection` does.
    """
    return _request_one(tx, caller, ApplicationAct.WAITLIST, Reasoned(application_id, reason))


def request_many(tx: Connection, *, caller: Caller, act: ApplicationAct, asked: Sequence[Reasoned]) -> str:
    """Ask a checker to refuse many of one programme, or to let them wait, as one command; returns the approval's id.

    Raises `forbidden`; `not_found` with each that is not within reach; `validation_failed` where they are of several
    programmes or lie on several desks; `applications_unfit` with each that does not allow it.
    """
    applications = lock_many_as_official(tx, caller=caller, application_ids=[one.application_id for one in asked])
    _require_together(applications)
    first = applications[0]
    pending = asked_already(tx, first.region_code, [one.id for one in applications])
    shortage = _shortage_for(tx, act, first)

    def judge(application: ApplicationRecord) -> dict[str, Any]:
        if application.id in pending:
            raise AppError(Code.APPROVAL_PENDING)
        return _told(application, act, shortage)

    places = {one.application_id: place for place, one in enumerate(asked)}
    effects = _each(applications, judge, places)
    listed = [
        {"application_id": one.application_id, **effects[one.application_id], "reason": one.reason} for one in asked
    ]
    versions = {one.id: one.version for one in applications}
    return _ask(
        tx,
        caller,
        first,
        KINDS[act],
        subject_id=new_id("act", first.region_code),
        command={
            "applications": [
                {"application_id": one.application_id, "version": versions[one.application_id], "reason": one.reason}
                for one in asked
            ]
        },
        effect={
            "programme": first.programme_title,
            "count": len(applications),
            "amount_fen": sum(one.amount_fen for one in applications),
            "applications": listed,
        },
        amount_fen=sum(one.assessed_fen or one.amount_fen for one in applications),
        reason=asked[0].reason if len({one.reason for one in asked}) == 1 else None,
    )


def execute_rejection(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Refuse it, or all of them. Raises `application_changed` where it is not as the maker saw it, `approval_pending`
    if proposed; of many, `applications_unfit` with each of which that is so: then none is refused.
    """
    _execute(tx, command, decision, ApplicationAct.REJECT)


def execute_waiting(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Put it, or all of them, on the list; nothing is due of officials while one waits for money.

    Raises what `execute_rejection` does, and `pool_suffices` where there is enough by now.
    """
    _execute(tx, command, decision, ApplicationAct.WAITLIST)


def _request_one(tx: Connection, caller: Caller, act: ApplicationAct, asked: Reasoned) -> str:
    application = lock_as_official(tx, caller=caller, application_id=asked.application_id)
    effect = _told(application, act, _shortage_for(tx, act, application))
    return _ask(
        tx,
        caller,
        application,
        KINDS[act],
        subject_id=application.id,
        command={"application_id": application.id, "version": application.version, "reason": asked.reason},
        effect={"programme": application.programme_title, **effect},
        amount_fen=application.assessed_fen or application.amount_fen,
        reason=asked.reason,
    )


def _told(application: ApplicationRecord, act: ApplicationAct, shortage: Shortage | None) -> dict[str, Any]:
    """What a checker is to see of one; raises where it may not be decided so."""
    _require_not_proposed(application)
    next_status(act, ApplicationStatus(application.status))
    assessed_fen = application.assessed_fen
    return {
        "firm": application.firm_name,
        "status": application.status,
        "amount_fen": application.amount_fen,
        **({"assessed_fen": assessed_fen} if assessed_fen is not None else {}),
        **({"free_fen": shortage.put_in_line(application)} if shortage is not None else {}),
    }


def _execute(tx: Connection, command: Mapping[str, Any], decision: Decision, act: ApplicationAct) -> None:
    listed = command.get("applications") or [command]
    asked = {str(one["application_id"]): one for one in listed}
    applications = lock_applications(tx, decision.region_code, list(asked))
    shortage = _shortage_for(tx, act, applications[0])

    def judge(application: ApplicationRecord) -> dict[str, Any]:
        _require_not_proposed(application)
        if application.version != asked[application.id]["version"]:
            raise AppError(Code.APPLICATION_CHANGED, application_id=application.id, status=application.status)
        if shortage is None:
            return {}
        next_status(act, ApplicationStatus(application.status))
        return {"assessed_fen": application.assessed_fen, "free_fen": shortage.put_in_line(application)}

    if "applications" in command:
        told = _each(applications, judge, {one: place for place, one in enumerate(asked)})
    else:
        told = {one.id: judge(one) for one in applications}
    for application in applications:
        act_on(
            tx,
            application,
            act,
            caller=decision.checker,
            at=decision.at,
            changes={"clock_from_on": None, "clock_days": None} if act is ApplicationAct.WAITLIST else None,
            reason=str(asked[application.id]["reason"]),
            details={"approval": decision.approval_id, "maker": decision.maker_id, **told[application.id]},
        )


def _shortage_for(tx: Connection, act: ApplicationAct, application: ApplicationRecord) -> Shortage | None:
    if act is not ApplicationAct.WAITLIST:
        return None
    return load_shortage(tx, application.region_code, application.programme_id)


def _require_not_proposed(application: ApplicationRecord) -> None:
    if application.batch_id is not None and application.voucher_id is None:
        raise AppError(Code.APPROVAL_PENDING)


def _require_together(applications: Sequence[ApplicationRecord]) -> None:
    """One approval is one programme's, and one desk's: its checkers are those who decide."""
    first = applications[0]
    for place, one in enumerate(applications):
        pointer = f"/applications/{place}/application_id"
        error = None
        if one.programme_id != first.programme_id:
            error = FieldError(pointer, "of_another_programme", limit=first.programme_id, actual=one.id)
        elif _desk(one) != _desk(first):
            error = FieldError(pointer, "on_another_desk", limit=first.id, actual=one.id)
        if error is not None:
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])


def _desk(application: ApplicationRecord) -> tuple[str | None, str | None]:
    is_county = application.level == ApplicationLevel.COUNTY
    return (None, application.district_code) if is_county else (application.authority_id, None)


def _each(
    applications: Sequence[ApplicationRecord],
    judge: Callable[[ApplicationRecord], dict[str, Any]],
    places: Mapping[str, int],
) -> dict[str, dict[str, Any]]:
    """What is judged of each, the first submitted first; `places` tells where in the command one stands."""
    judged: dict[str, dict[str, Any]] = {}
    errors: list[tuple[int, FieldError]] = []
    for one in sorted(applications, key=lambda one: (one.submitted_at is None, one.submitted_at, one.id)):
        try:
            judged[one.id] = judge(one)
        except AppError as error:
            told = " / ".join(detail(error.code, language, error.context) for language in ("en", "zh"))
            place = places[one.id]
            pointer = f"/applications/{place}/application_id"
            errors.append((place, FieldError(pointer, error.code, f"{one.id}: {told}", actual=one.id)))
    if errors:
        found = [error for _, error in sorted(errors, key=lambda error: error[0])]
        raise AppError(Code.APPLICATIONS_UNFIT, count=len(found), of=len(applications), errors=found[:MAX_ERRORS])
    return judged


def _ask(
    tx: Connection,
    caller: Caller,
    application: ApplicationRecord,
    kind: ApprovalKind,
    *,
    subject_id: str,
    command: Mapping[str, Any],
    effect: Mapping[str, Any],
    amount_fen: int,
    reason: str | None,
) -> str:
    authority_id, county_code = _decided_by(caller, application)
    return request_approval(
        tx,
        caller=caller,
        kind=kind,
        region_code=application.region_code,
        authority_id=authority_id,
        county_code=county_code,
        required_role=Role.CHECKER,
        subject_id=subject_id,
        command=command,
        effect=effect,
        amount_fen=amount_fen,
        reason=reason,
        within_id=application.programme_id,
    )


def _decided_by(caller: Caller, application: ApplicationRecord) -> tuple[str | None, str | None]:
    """Whose checkers decide: the authority's, or those of the county's that has it on its desk."""
    if application.level != ApplicationLevel.COUNTY:
        return application.authority_id, None
    county = application.district_code
    held = next(grant for grant in caller.regions(Role.MAKER) if grant.region_code == county)
    return held.authority_id, county
