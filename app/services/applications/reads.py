"""Queues of applications: who sees which, by stage, district, day, firm and amount, with counts and overdue ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from app.kernel.clock import civil_date, end_of_day, start_of_day
from app.kernel.ids import region_of
from app.kernel.vocabulary import ApplicationLevel, ApplicationStatus, ProgrammeStatus
from app.kernel.working_days import WorkingCalendar
from app.models import Application, ApplicationEvent, Organisation, Programme
from app.services.applications.access import read, visible_to
from app.services.applications.clocks import overdue_since
from app.services.applications.judging import DocumentRecord, load_documents
from app.services.applications.records import ApplicationRecord, record_of, records
from app.services.applications.writing import EVENT_COLUMNS, ApplicationEventRecord
from app.services.calendars import load_calendar
from app.services.identity.principals import Caller
from app.sql import now


class Stage(StrEnum):
    """Where an application lies, as queues are cut: 区县审核中, 市审核中, 待补正, 候补, 通过, 不通过, 已撤回, 草稿."""

    COUNTY = "county"
    CITY = "city"
    CORRECTION = "correction"
    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    DRAFT = "draft"


_OF_STATUS: Mapping[ApplicationStatus, Stage] = {
    ApplicationStatus.DRAFT: Stage.DRAFT,
    ApplicationStatus.CORRECTION: Stage.CORRECTION,
    ApplicationStatus.WAITLISTED: Stage.WAITING,
    ApplicationStatus.APPROVED: Stage.PASSED,
    ApplicationStatus.REJECTED: Stage.FAILED,
    ApplicationStatus.WITHDRAWN: Stage.WITHDRAWN,
}
_ON_A_DESK = (ApplicationStatus.SUBMITTED, ApplicationStatus.ACCEPTED, ApplicationStatus.REVIEWED)
assert set(_OF_STATUS) | set(_ON_A_DESK) == set(ApplicationStatus), "every status lies in a stage"


def stage_of(status: str, level: str) -> Stage:
    """The stage of an application."""
    desk = Stage.COUNTY if level == ApplicationLevel.COUNTY else Stage.CITY
    return _OF_STATUS.get(ApplicationStatus(status), desk)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What is looked for; days are Shanghai's, both included, amounts fen."""

    status: ApplicationStatus | None = None
    stage: Stage | None = None
    programme_id: str | None = None
    district_code: str | None = None
    firm_id: str | None = None
    firm_name: str | None = None
    submitted_from: date | None = None
    submitted_until: date | None = None
    least_fen: int | None = None
    most_fen: int | None = None
    overdue: bool | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An application with what follows from today: its stage, the last day in time, whether that has passed."""

    record: ApplicationRecord
    stage: Stage
    due_on: date | None
    overdue: bool
    documents: Sequence[DocumentRecord] = ()


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many applications lie where."""

    stages: Mapping[Stage, int]
    statuses: Mapping[ApplicationStatus, int]
    districts: Mapping[str, Mapping[Stage, int]]
    overdue: int


def list_applications(
    tx: Connection, *, caller: Caller, wanted: QueueFilter, limit: int, before_id: str | None = None
) -> list[Shown]:
    """Applications within the caller's reach, newest first. Raises `forbidden`."""
    today, calendar = civil_date(now(tx)), load_calendar(tx)
    query = records().where(*_conditions(tx, caller, wanted, calendar, today=today))
    if before_id is not None:
        query = query.where(Application.id < before_id)
    rows = tx.execute(query.order_by(Application.id.desc()).limit(limit))
    return [shown(record_of(row), calendar, today=today) for row in rows]


def read_application(tx: Connection, *, caller: Caller, application_id: str) -> Shown:
    """One application with its papers. Raises `not_found`, `forbidden`."""
    record = read(tx, caller=caller, application_id=application_id)
    return show(tx, record)


def show(tx: Connection, record: ApplicationRecord) -> Shown:
    """An application as of today, with its papers."""
    papers = load_documents(tx, record.region_code, [record.id]).get(record.id, ())
    return shown(record, load_calendar(tx), today=civil_date(now(tx)), documents=papers)


def shown(
    record: ApplicationRecord, calendar: WorkingCalendar, *, today: date, documents: Sequence[DocumentRecord] = ()
) -> Shown:
    """An application as of a day. Pure. One that is with the firm is overdue once its day has passed too."""
    stage = stage_of(record.status, record.level)
    if record.status == ApplicationStatus.CORRECTION:
        due_on = record.correction_due_on
    else:
        due_on = record.clock.due_on(calendar) if record.clock is not None else None
    return Shown(record, stage, due_on, due_on is not None and due_on < today, tuple(documents))


def open_programmes(tx: Connection) -> set[str]:
    """The ids of the programmes that take applications now."""
    at = now(tx)
    query = select(Programme.id).where(
        Programme.status == ProgrammeStatus.PUBLISHED, Programme.opens_at <= at, Programme.closes_at > at
    )
    return set(tx.execute(query).scalars())


def list_events(tx: Connection, *, caller: Caller, application_id: str) -> list[ApplicationEventRecord]:
    """The history of an application, oldest first. Raises `not_found`, `forbidden`."""
    read(tx, caller=caller, application_id=application_id)
    rows = tx.execute(
        select(*(getattr(ApplicationEvent, name) for name in EVENT_COLUMNS))
        .where(
            ApplicationEvent.region_code == region_of(application_id),
            ApplicationEvent.application_id == application_id,
        )
        .order_by(ApplicationEvent.seq)
    )
    return [ApplicationEventRecord(*row) for row in rows]


def count_applications(tx: Connection, *, caller: Caller, wanted: QueueFilter) -> QueueCounts:
    """How many applications within the caller's reach lie at each stage, in all and per district; how many are late."""
    today, calendar = civil_date(now(tx)), load_calendar(tx)
    conditions = _conditions(tx, caller, wanted, calendar, today=today)
    rows = tx.execute(
        select(Application.status, Application.level, Application.district_code, func.count())
        .join(Organisation, Organisation.id == Application.firm_id)
        .where(*conditions)
        .group_by(Application.status, Application.level, Application.district_code)
    ).all()
    late = tx.execute(
        select(func.count())
        .select_from(Application)
        .join(Organisation, Organisation.id == Application.firm_id)
        .where(*conditions, _overdue(tx, calendar, today=today))
    ).scalar_one()
    stages: Counter[Stage] = Counter()
    statuses: Counter[ApplicationStatus] = Counter()
    districts: dict[str, Counter[Stage]] = {}
    for status, level, district_code, number in rows:
        stage = stage_of(status, level)
        stages[stage] += number
        statuses[ApplicationStatus(status)] += number
        districts.setdefault(district_code, Counter())[stage] += number
    return QueueCounts(stages, statuses, dict(sorted(districts.items())), late)


def _conditions(
    tx: Connection, caller: Caller, wanted: QueueFilter, calendar: WorkingCalendar, *, today: date
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [visible_to(caller)]
    if wanted.status is not None:
        found.append(Application.status == wanted.status)
    if wanted.stage is not None:
        found.append(_at_stage(wanted.stage))
    for column, value in (
        (Application.programme_id, wanted.programme_id),
        (Application.district_code, wanted.district_code),
        (Application.firm_id, wanted.firm_id),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.firm_name is not None:
        found.append(Organisation.name.contains(wanted.firm_name, autoescape=True))
    if wanted.submitted_from is not None:
        found.append(Application.submitted_at >= start_of_day(wanted.submitted_from))
    if wanted.submitted_until is not None:
        found.append(Application.submitted_at < end_of_day(wanted.submitted_until))
    if wanted.least_fen is not None:
        found.append(Application.amount_fen >= wanted.least_fen)
    if wanted.most_fen is not None:
        found.append(Application.amount_fen <= wanted.most_fen)
    if wanted.overdue is not None:
        late = _overdue(tx, calendar, today=today)
        found.append(late if wanted.overdue else ~late)
    return found


def _at_stage(stage: Stage) -> ColumnElement[bool]:
    if stage in (Stage.COUNTY, Stage.CITY):
        level = ApplicationLevel.COUNTY if stage is Stage.COUNTY else ApplicationLevel.CITY
        return and_(Application.status.in_(_ON_A_DESK), Application.level == level)
    return Application.status.in_([status for status, one in _OF_STATUS.items() if one is stage])


def _overdue(tx: Connection, calendar: WorkingCalendar, *, today: date) -> ColumnElement[bool]:
    """What `shown` says of one application, as a condition on all. Never NULL."""
    allowed = tx.execute(select(Application.clock_days).where(Application.clock_days.is_not(None)).distinct()).scalars()
    since = overdue_since(calendar, (days for days in allowed if days is not None), today=today)
    running = and_(Application.clock_from_on.is_not(None), Application.clock_stopped_on.is_(None))
    late = [and_(Application.clock_days == days, Application.clock_from_on <= newest) for days, newest in since.items()]
    with_firm = and_(Application.status == ApplicationStatus.CORRECTION, Application.correction_due_on < today)
    return func.coalesce(or_(and_(running, or_(*late)) if late else false(), with_firm), false())
