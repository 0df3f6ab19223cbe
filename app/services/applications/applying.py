"""What a firm does: write its application, send it in, correct it, take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from app.kernel.canonical import canonical
from app.kernel.clock import civil_date, end_of_day
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import covers
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus, Checkpoint, ProgrammeStatus, Role
from app.models import Application, ApplicationDocument, Organisation, Upload
from app.reach import enter
from app.services.applications.access import lock_own
from app.services.applications.eligibility import Step
from app.services.applications.judging import Judged, judge_application, load_documents, load_grounds, refuse_ineligible
from app.services.applications.maximum import ASKED, PLAN
from app.services.applications.records import ApplicationRecord, load
from app.services.applications.states import UNDER_WAY
from app.services.applications.writing import act_on, write_event
from app.services.calendars import load_calendar
from app.services.identity.principals import Caller
from app.services.issuance.batches import rules_in_force
from app.services.programmes.programmes import ProgrammeRecord, read_programme
from app.services.redemption.decisions import refuse_asked
from app.services.rules.facts import Value
from app.services.rules.model import Rules
from app.services.standing.loading import require_not_debarred
from app.sql import now

OTHER = "other"
"""A paper that the rules do not list."""
MAX_DOCUMENTS = 50

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('apply ' || :programme_id || ' ' || :firm_id, 0))")
"""Two applications of one firm to one programme are submitted one after the other."""


@dataclass(frozen=True, slots=True)
class ApplicationDraft:
    """What a firm writes down. Amounts are fen; `plan` are lines of a bill to come, as plain values."""

    programme_id: str
    amount_fen: int
    purpose: str
    valid_until_on: date | None = None
    claim: Mapping[str, Value] = field(default_factory=dict)
    plan: Sequence[Mapping[str, Any]] = ()
    documents: Sequence[tuple[str, str]] = ()
    """(kind of paper, id of the upload)."""


def create_application(tx: Connection, *, caller: Caller, draft: ApplicationDraft) -> ApplicationRecord:
    """Write an application down as a draft of the caller's firm; nobody else sees it.

    Raises `forbidden`, `not_found` (programme, upload), `wrong_state` where the programme takes none any more,
    `validation_failed` for facts, papers and days that its rules do not know.
    """
    caller.require(Role.FIRM)
    programme = read_programme(tx, caller=caller, programme_id=draft.programme_id)
    enter(tx, [programme.region_code])
    _require_running(programme)
    at = now(tx)
    rules = _rules_of(tx, programme, at=at)
    _check(tx, caller, programme, rules, draft)
    application_id = new_id("apl", programme.region_code)
    district = _district(tx, caller.organisation_id)
    tx.execute(
        insert(Application).values(
            region_code=programme.region_code,
            id=application_id,
            programme_id=programme.id,
            authority_id=programme.authority_id,
            firm_id=caller.organisation_id,
            district_code=district,
            status=ApplicationStatus.DRAFT,
            level=_first_level(rules, programme, district),
            created_at=at,
            created_by=caller.principal_id,
            event_count=1,
            **_values(draft),
        )
    )
    _write_documents(tx, programme.region_code, application_id, draft.documents, at=at)
    write_event(
        tx,
        programme.region_code,
        application_id,
        1,
        ApplicationAct.CREATE,
        caller=caller,
        at=at,
        from_status=None,
        to_status=ApplicationStatus.DRAFT,
    )
    created = load(tx, programme.region_code, application_id)
    assert created is not None, "it was inserted"
    return created


def change_application(
    tx: Connection, *, caller: Caller, application_id: str, version: int, draft: ApplicationDraft
) -> ApplicationRecord:
    """Rewrite a draft, or an application that was returned for correction.

    Raises what creating raises, and `etag_stale`, `wrong_state`. The programme cannot change.
    """
    application = lock_own(tx, caller=caller, application_id=application_id)
    if application.version != version:
        raise AppError(Code.ETAG_STALE)
    if draft.programme_id != application.programme_id:
        error = FieldError("/programme_id", "cannot_change", limit=application.programme_id, actual=draft.programme_id)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    programme = read_programme(tx, caller=caller, programme_id=application.programme_id)
    at = now(tx)
    rules = rules_in_force(tx, programme.region_code, programme.id, at).rules
    _check(tx, caller, programme, rules, draft)
    _write_documents(tx, application.region_code, application.id, draft.documents, at=at)
    return act_on(tx, application, ApplicationAct.CHANGE, caller=caller, at=at, changes=_values(draft))


def submit_application(tx: Connection, *, caller: Caller, application_id: str) -> tuple[ApplicationRecord, Judged]:
    """Send a draft in, or a correction; judged at once by the programme's rules, and refused with every reason.

    Raises `forbidden`, `not_found`, `wrong_state`; `application_window_closed`, `debarred`,
    `application_limit_reached`, `evidence_missing`, `applicant_not_eligible`, `amount_out_of_range`;
    `correction_overdue`. A correction is bound to no window: the application came in time.
    """
    application = lock_own(tx, caller=caller, application_id=application_id)
    programme = read_programme(tx, caller=caller, programme_id=application.programme_id)
    _require_running(programme)
    if application.status == ApplicationStatus.CORRECTION:
        return _resubmit(tx, caller, application)
    if application.status != ApplicationStatus.DRAFT:
        raise AppError(Code.WRONG_STATE, actual=application.status, expected="draft / correction")
    tx.execute(_ALONE, {"programme_id": application.programme_id, "firm_id": application.firm_id})
    at = now(tx)
    _require_window(programme, at=at)
    _require_not_debarred(tx, application, at=at)
    judged = _judge(tx, application, at=at, applied_at=at)
    _require_within_limits(tx, application, judged.version.rules)
    _require_sound(tx, application, judged)
    district = _district(tx, application.firm_id)
    rules = judged.version.rules
    changes = {
        "submitted_at": at,
        "district_code": district,
        "level": _first_level(rules, programme, district),
        "clock_from_on": civil_date(at),
        "clock_days": rules.applying.accept_working_days,
    }
    submitted = act_on(
        tx, application, ApplicationAct.SUBMIT, caller=caller, at=at, changes=changes, frozen=judged.frozen
    )
    return submitted, judged


def _resubmit(tx: Connection, caller: Caller, application: ApplicationRecord) -> tuple[ApplicationRecord, Judged]:
    at = now(tx)
    today = civil_date(at)
    assert application.correction_due_on is not None and application.clock is not None, "a CHECK holds it"
    if today > application.correction_due_on:
        raise AppError(
            Code.CORRECTION_OVERDUE, limit=application.correction_due_on.isoformat(), actual=today.isoformat()
        )
    _require_not_debarred(tx, application, at=at)
    judged = _judge(tx, application, at=at, applied_at=None)
    _require_sound(tx, application, judged)
    clock = application.clock.resumed(today, load_calendar(tx))
    resubmitted = act_on(
        tx,
        application,
        ApplicationAct.RESUBMIT,
        caller=caller,
        at=at,
        changes={"clock_days": clock.days},
        frozen=judged.frozen,
    )
    return resubmitted, judged


def withdraw_application(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> ApplicationRecord:
    """Take an application back, whatever the officials are doing with it. Raises `wrong_state` once it is decided."""
    application = lock_own(tx, caller=caller, application_id=application_id)
    return act_on(
        tx,
        application,
        ApplicationAct.WITHDRAW,
        caller=caller,
        at=now(tx),
        changes={"batch_id": None},
        reason=reason,
    )


def _judge(tx: Connection, application: ApplicationRecord, *, at: datetime, applied_at: datetime | None) -> Judged:
    step: Step = "apply"
    grounds = load_grounds(tx, [application], at=at)
    return judge_application(application, grounds, step=step, applied_at=applied_at)


def rules_for(tx: Connection, application: ApplicationRecord) -> Rules:
    """The rules of today, by which an application is judged when it is sent in. Raises `wrong_state` without any."""
    return rules_in_force(tx, application.region_code, application.programme_id, now(tx)).rules


def _rules_of(tx: Connection, programme: ProgrammeRecord, *, at: datetime) -> Rules:
    """The rules of the day. Before the first ones take effect the programme is not open yet."""
    try:
        return rules_in_force(tx, programme.region_code, programme.id, at).rules
    except AppError:
        _require_window(programme, at=at)
        raise


def _require_window(programme: ProgrammeRecord, *, at: datetime) -> None:
    if not programme.opens_at <= at < programme.closes_at:
        raise AppError(
            Code.APPLICATION_WINDOW_CLOSED, opens_at=programme.opens_at, closes_at=programme.closes_at, at=at
        )


def _require_running(programme: ProgrammeRecord) -> None:
    if programme.status == ProgrammeStatus.PAUSED:
        raise AppError(Code.PROGRAMME_PAUSED)
    if programme.status != ProgrammeStatus.PUBLISHED:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)


def _require_not_debarred(tx: Connection, application: ApplicationRecord, *, at: datetime) -> None:
    """At issue the batch asks for itself."""
    require_not_debarred(
        tx, application.firm_id, region_code=application.region_code, checkpoint=Checkpoint.APPLY, at=at
    )


def _require_within_limits(tx: Connection, application: ApplicationRecord, rules: Rules) -> None:
    rows = tx.execute(
        select(Application.id, Application.status)
        .where(
            Application.region_code == application.region_code,
            Application.programme_id == application.programme_id,
            Application.firm_id == application.firm_id,
            Application.status.in_([*UNDER_WAY, ApplicationStatus.APPROVED]),
        )
        .order_by(Application.id.desc())
    ).all()
    under_way = [row.id for row in rows if row.status != ApplicationStatus.APPROVED]
    limits: list[tuple[int | None, list[str]]] = [
        (rules.applying.at_once, under_way),
        (rules.applying.in_all, [row.id for row in rows]),
    ]
    for limit, found in limits:
        if limit is not None and len(found) >= limit:
            raise AppError(
                Code.APPLICATION_LIMIT_REACHED,
                limit=limit,
                actual=len(found),
                application_id=found[0],
                extra={"application_id": found[0]},
            )


def _require_sound(tx: Connection, application: ApplicationRecord, judged: Judged) -> None:
    """Papers, conditions, amount: in this order, each with all that is wrong."""
    rules = judged.version.rules
    brought = {
        one.document for one in load_documents(tx, application.region_code, [application.id]).get(application.id, ())
    }
    missing = [
        one for one in rules.evidence if "apply" in one.checkpoints and one.mandatory and one.document not in brought
    ]
    if missing:
        errors = [
            FieldError("/documents", "evidence_missing", _two(one.en, one.zh, one.document), limit=one.document)
            for one in missing
        ]
        names = ", ".join(one.document for one in missing)
        raise AppError(Code.EVIDENCE_MISSING, count=len(missing), names=names, errors=errors)
    refuse_ineligible(judged.eligibility)
    limits = [limit for limit in judged.maximum.limits if limit.name not in (ASKED, PLAN)]
    lowest = min(limits, key=lambda limit: limit.left_fen, default=None)
    least_fen = rules.applying.minimum_fen or 1
    if application.amount_fen < least_fen or (lowest is not None and application.amount_fen > lowest.left_fen):
        raise AppError(
            Code.AMOUNT_OUT_OF_RANGE,
            pointer="/amount_fen",
            least_fen=least_fen,
            limit_fen=lowest.left_fen if lowest else application.amount_fen,
            limit=lowest.left_fen if lowest else least_fen,
            actual=application.amount_fen,
            actual_fen=application.amount_fen,
            name=lowest.name if lowest else "minimum_fen",
        )


def _check(tx: Connection, caller: Caller, programme: ProgrammeRecord, rules: Rules, draft: ApplicationDraft) -> None:
    """What a draft says must be possible under the rules, whether or not it is complete."""
    if refused := refuse_asked(rules, None, draft.claim):
        raise refused.problem()
    errors: list[FieldError] = []
    known = [one.document for one in rules.evidence]
    for place, (document, _) in enumerate(draft.documents):
        if document != OTHER and document not in known:
            limit = ", ".join([*known, OTHER])
            errors.append(FieldError(f"/documents/{place}/document", "unknown_value", limit=limit, actual=document))
    if draft.valid_until_on is not None:
        latest = rules.valid_until(now(tx))
        if not rules.applying.firm_names_validity:
            sentence = "The rules say how long the voucher is valid. / 有效期由项目规则确定，不可自行申请。"
            errors.append(FieldError("/valid_until_on", "cannot_change", sentence))
        elif not now(tx) < end_of_day(draft.valid_until_on) <= latest:
            limit = civil_date(latest).isoformat()
            errors.append(
                FieldError(
                    "/valid_until_on",
                    "out_of_range",
                    "must be a day to come, within the validity that the rules give / 须为今后且在规则有效期之内的日期",
                    limit=limit,
                    actual=draft.valid_until_on.isoformat(),
                )
            )
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    _require_own_uploads(tx, caller, programme, draft.documents)


def _require_own_uploads(
    tx: Connection, caller: Caller, programme: ProgrammeRecord, documents: Sequence[tuple[str, str]]
) -> None:
    asked = {upload_id for _, upload_id in documents}
    found = set(
        tx.execute(
            select(Upload.id).where(
                Upload.region_code == programme.region_code,
                Upload.organisation_id == caller.organisation_id,
                Upload.id.in_(asked),
            )
        ).scalars()
    )
    if asked - found:
        raise AppError(Code.NOT_FOUND, what="upload")


def _values(draft: ApplicationDraft) -> dict[str, Any]:
    claim = {name: list(value) if isinstance(value, tuple) else value for name, value in draft.claim.items()}
    return {
        "amount_fen": draft.amount_fen,
        "purpose": draft.purpose,
        "valid_until_on": draft.valid_until_on,
        "claim": canonical(claim).decode(),
        "plan": canonical([dict(line) for line in draft.plan]).decode(),
    }


def says_the_same(application: ApplicationRecord, draft: ApplicationDraft) -> bool:
    """Whether a draft, its papers apart, says what the application says already."""
    return all(getattr(application, name) == value for name, value in _values(draft).items())


def _write_documents(
    tx: Connection, region_code: str, application_id: str, documents: Sequence[tuple[str, str]], *, at: datetime
) -> None:
    """The papers as they are to be: what is no longer among them is kept as removed."""
    wanted = dict.fromkeys(documents)
    live, last = {}, 0
    for row in tx.execute(
        select(ApplicationDocument).where(
            ApplicationDocument.region_code == region_code, ApplicationDocument.application_id == application_id
        )
    ):
        last = max(last, row.line)
        if row.removed_at is None:
            live[row.document, row.upload_id] = row.line
    gone = [line for paper, line in live.items() if paper not in wanted]
    if gone:
        tx.execute(
            update(ApplicationDocument)
            .where(
                ApplicationDocument.region_code == region_code,
                ApplicationDocument.application_id == application_id,
                ApplicationDocument.line.in_(gone),
            )
            .values(removed_at=at)
        )
    added = [paper for paper in wanted if paper not in live]
    if added:
        tx.execute(
            insert(ApplicationDocument),
            [
                {
                    "region_code": region_code,
                    "application_id": application_id,
                    "line": line,
                    "document": document,
                    "upload_id": upload_id,
                    "added_at": at,
                    "removed_at": None,
                }
                for line, (document, upload_id) in enumerate(added, start=last + 1)
            ],
        )


def _district(tx: Connection, firm_id: str) -> str:
    return str(tx.execute(select(Organisation.region_code).where(Organisation.id == firm_id)).scalar_one())


def _first_level(rules: Rules, programme: ProgrammeRecord, district: str) -> ApplicationLevel:
    """The county's, where the rules want its review and the firm lies in a county below the programme's region."""
    below = district != programme.region_code and covers(programme.region_code, district) and district[4:] != "00"
    return ApplicationLevel.COUNTY if rules.applying.first_review == "county" and below else ApplicationLevel.CITY


def _two(en: str | None, zh: str | None, name: str) -> str:
    return f"{en} / {zh}" if en and zh else en or zh or name
