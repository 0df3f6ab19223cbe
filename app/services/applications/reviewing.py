"""What an official does with an application by himself: accept, return, first review, assess."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import canonical
from app.kernel.clock import civil_date
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus
from app.kernel.wording import Language
from app.services.applications.access import lock_as_official
from app.services.applications.judging import Judged, judge_application, load_grounds, refuse_ineligible
from app.services.applications.records import ApplicationRecord
from app.services.applications.writing import act_on
from app.services.calendars import load_calendar
from app.services.identity.principals import Caller
from app.services.issuance.batches import rules_in_force
from app.services.issuance.terms import Terms
from app.services.issuance.terms_checks import terms_problems
from app.services.rules.model import Rules
from app.sql import now


@dataclass(frozen=True, slots=True)
class Exemption:
    """Conditions that an application may fail: why, and by which document. It counts once the grant is approved."""

    reason: str
    document_no: str


def accept_application(tx: Connection, *, caller: Caller, application_id: str) -> ApplicationRecord:
    """Accept (受理): the papers are complete, and the time for the decision begins.

    Raises `forbidden`, `not_found`, `wrong_state`, and `approval_pending` while a checker is asked to reject it or to
    let it wait; so do all acts here.
    """
    application = lock_as_official(tx, caller=caller, application_id=application_id)
    at = now(tx)
    rules = rules_in_force(tx, application.region_code, application.programme_id, at).rules
    changes = {
        "accepted_at": at,
        "clock_from_on": civil_date(at),
        "clock_days": rules.applying.decide_working_days,
    }
    return act_on(tx, application, ApplicationAct.ACCEPT, caller=caller, at=at, changes=changes)


def return_application(
    tx: Connection,
    *,
    caller: Caller,
    application_id: str,
    reason: str,
    items: Sequence[str],
    working_days: int | None = None,
) -> ApplicationRecord:
    """Return it for correction (补正) with all that is missing; the officials' clock stands until it comes again.

    The firm has `working_days`, by default those of the rules, after today. Returning once more what is with the firm
    gives it a new list and a new day. Raises `calendar_not_loaded` too.
    """
    application = lock_as_official(tx, caller=caller, application_id=application_id)
    at = now(tx)
    today = civil_date(at)
    rules = rules_in_force(tx, application.region_code, application.programme_id, at).rules
    days = working_days or rules.applying.correct_working_days
    due_on = load_calendar(tx).add_working_days(today, days)
    clock = application.clock.stopped(today) if application.clock else None
    changes = {
        "clock_stopped_on": clock.stopped_on if clock else today,
        "correction_due_on": due_on,
        "correction": canonical(list(items)).decode(),
    }
    told = {"items": list(items), "due_on": due_on.isoformat(), "working_days": days}
    return act_on(
        tx, application, ApplicationAct.RETURN, caller=caller, at=at, changes=changes, reason=reason, details=told
    )


def first_review(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> ApplicationRecord:
    """The county's official passes it on to the city (初审); from then on it lies on the city's desk."""
    application = lock_as_official(tx, caller=caller, application_id=application_id)
    if application.level != ApplicationLevel.COUNTY:
        raise AppError(Code.WRONG_STATE, actual=application.level, expected=ApplicationLevel.COUNTY)
    return act_on(
        tx,
        application,
        ApplicationAct.FIRST_REVIEW,
        caller=caller,
        at=now(tx),
        changes={"level": ApplicationLevel.CITY},
        reason=reason,
        details={"district_code": application.district_code},
    )


def assess_application(
    tx: Connection,
    *,
    caller: Caller,
    application_id: str,
    assessed_fen: int,
    reason: str,
    language: Language,
    terms: Terms | None = None,
    exemption: Exemption | None = None,
) -> tuple[ApplicationRecord, Judged]:
    """Fix the amount (核定), at most the computed maximum, with what officials state of the claim.

    Judged as at issue; what stands against it needs an exemption, which a checker approves with the grant. Assessing
    again replaces the assessment as long as nothing is proposed. Raises `approval_pending` where it is,
    `applicant_not_eligible`, `amount_out_of_range`, `validation_failed` for terms that the rules do not know.
    """
    application = lock_as_official(tx, caller=caller, application_id=application_id)
    if application.level != ApplicationLevel.CITY:
        raise AppError(Code.WRONG_STATE, actual=application.level, expected=ApplicationLevel.CITY)
    if application.batch_id is not None and application.status == ApplicationStatus.REVIEWED:
        raise AppError(Code.APPROVAL_PENDING)
    at = now(tx)
    grounds = load_grounds(tx, [application], at=at)
    _check_terms(grounds.version.rules, terms, language)
    judged = judge_application(application, grounds, step="issue", terms=terms)
    excepted = [finding.name for finding in judged.eligibility.stopping] if exemption else []
    refuse_ineligible(judged.eligibility, except_for=excepted)
    require_within(judged, assessed_fen)
    exception = (
        canonical({"conditions": excepted, "reason": exemption.reason, "document_no": exemption.document_no}).decode()
        if exemption is not None and excepted
        else None
    )
    changes = {
        "assessed_fen": assessed_fen,
        "terms": terms.canonical() if terms is not None else None,
        "exception": exception,
    }
    told: dict[str, Any] = {"assessed_fen": assessed_fen, "maximum_fen": judged.maximum.amount_fen}
    if terms is not None:
        told["terms"] = terms.model_dump(mode="json")
    if exception is not None:
        told["exception"] = json.loads(exception)
    assessed = act_on(
        tx,
        application,
        ApplicationAct.ASSESS,
        caller=caller,
        at=at,
        changes=changes,
        reason=reason,
        details=told,
        frozen=judged.frozen,
    )
    return assessed, judged


def require_within(judged: Judged, assessed_fen: int) -> None:
    """Raise `amount_out_of_range` where the amount is above the computed maximum, naming the limit that binds."""
    most = judged.maximum
    if not 1 <= assessed_fen <= most.amount_fen:
        raise AppError(
            Code.AMOUNT_OUT_OF_RANGE,
            pointer="/assessed_fen",
            least_fen=1,
            limit_fen=most.amount_fen,
            limit=most.amount_fen,
            actual=assessed_fen,
            actual_fen=assessed_fen,
            name=most.binding.name,
        )


def _check_terms(rules: Rules, terms: Terms | None, language: Language) -> None:
    problems = list(terms_problems(rules, terms)) if terms is not None else []
    if problems:
        errors = [
            FieldError("/terms", problem.code, problem.sentence(language), limit=problem.limit, actual=problem.actual)
            for problem in problems
        ]
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
