"""Applying in the portal: a draft is saved, papers are added to it, it is sent in, corrected or taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, UploadFile
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from app.api.context import Service, ServiceDep
from app.api.portal.application_form import (
    LONGEST_PURPOSE,
    ApplicationForm,
    Asked,
    asked_by,
    form_of,
    read_application,
)
from app.api.portal.guard import PortalRoute, SignedIn, SignedInForm, Typed
from app.api.portal.pages import see_other, show, words_of
from app.api.portal.texts import Words
from app.api.problems import http_status
from app.api.uploads import document_response
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApplicationStatus
from app.kernel.widths import is_printable
from app.services.allocation.waitlist import WaitingRecord, list_waiting
from app.services.applications import applying
from app.services.applications import reads as application_reads
from app.services.applications.applying import OTHER, ApplicationDraft
from app.services.applications.judging import values_of
from app.services.applications.reads import QueueFilter, Shown
from app.services.applications.records import ApplicationRecord
from app.services.identity.principals import Caller
from app.services.quotes import QuotableProgramme, quotable_programmes
from app.services.uploads.store import store_in
from app.services.uploads.uploads import open_upload, take_in

APPLICATIONS_SHOWN = 50
SHORTEST, LONGEST = 2, 500
"""Characters of a reason."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_FIELD = 10_000

EDITABLE = frozenset({ApplicationStatus.DRAFT, ApplicationStatus.CORRECTION})
WITHDRAWABLE = frozenset(ApplicationStatus) - {
    ApplicationStatus.APPROVED,
    ApplicationStatus.REJECTED,
    ApplicationStatus.WITHDRAWN,
}

router = APIRouter(prefix="/portal/applications", route_class=PortalRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing in the course of an application, in words."""

    act: str
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """An application as its page shows it."""

    shown: Shown
    asked: Asked
    items: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    """(outcome, sentence) of the newest judgement."""
    maximum_fen: int | None
    binding: str
    events: tuple[Told, ...]
    lacking: tuple[str, ...]
    """Papers that have to be there and are not."""
    granted_fen: int | None
    """What its voucher is worth, which a round may have made less than what was assessed."""
    waits: WaitingRecord | None
    """Its place where it waits in a round's order."""

    @property
    def is_editable(self) -> bool:
        """Whether the firm has it in its hands."""
        return self.shown.record.status in EDITABLE

    @property
    def is_withdrawable(self) -> bool:
        """Whether it can be taken back."""
        return self.shown.record.status in WITHDRAWABLE


async def typed_fields(request: Request) -> Mapping[str, str]:
    """The text fields of the form; the purpose may have several lines."""
    form = await request.form()
    typed = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if any(len(value) > _LONGEST_FIELD or _CONTROL.search(value) for value in typed.values()):
        raise HTTPException(400)
    return typed


TypedFields = Annotated[Mapping[str, str], Depends(typed_fields)]


@router.get("")
def my_applications(request: Request, service: ServiceDep, visitor: SignedIn, before: str = "") -> Response:
    """The firm's applications, newest first, and the programmes that it can apply to."""
    cursor = before if is_id(before, "apl") else None

    def read(tx: Connection) -> dict[str, object]:
        found = application_reads.list_applications(
            tx, caller=visitor.caller, wanted=QueueFilter(), limit=APPLICATIONS_SHOWN + 1, before_id=cursor
        )
        shown = found[:APPLICATIONS_SHOWN]
        older = shown[-1].record.id if len(found) > APPLICATIONS_SHOWN else None
        is_open = application_reads.open_programmes(tx)
        return {
            "applications": shown,
            "older": older,
            "programmes": [one for one in quotable_programmes(tx, caller=visitor.caller) if one.id in is_open],
        }

    return show(request, "applications.html", service.database.snapshot(read))


@router.get("/new")
def new_application(request: Request, service: ServiceDep, visitor: SignedIn, programme: str = "") -> Response:
    """The empty form of a programme."""
    return _new_page(request, service, visitor.caller, programme, ApplicationForm())


@router.post("")
def save_application(request: Request, service: ServiceDep, visitor: SignedInForm, typed: TypedFields) -> Response:
    """Save a draft. What has to be corrected is marked, and what was typed stays."""
    words, form = words_of(request), ApplicationForm(typed)
    chosen = service.database.snapshot(lambda tx: _programme(tx, visitor.caller, form.value("programme")))
    asked = asked_by(chosen.rules, words)
    draft = read_application(form, asked, words, programme_id=chosen.id, documents=())
    if isinstance(draft, ApplicationForm):
        return _new_page(request, service, visitor.caller, chosen.id, draft, status=422)
    try:
        created = service.database.transact(
            lambda tx: applying.create_application(tx, caller=visitor.caller, draft=draft)
        )
    except AppError as error:
        refused = form.refused(error, words)
        return _new_page(request, service, visitor.caller, chosen.id, refused, status=http_status(error))
    return see_other(request, f"/portal/applications/{created.id}", notice="application_saved")


@router.get("/{application_id}")
def one_application(request: Request, service: ServiceDep, visitor: SignedIn, application_id: str) -> Response:
    """An application: where it stands, what is missing, its papers, its course."""
    return _page(request, service, visitor.caller, application_id)


@router.post("/{application_id}")
def change_application(
    request: Request, service: ServiceDep, visitor: SignedInForm, typed: TypedFields, application_id: str
) -> Response:
    """Save what was changed in a draft or a correction, and where that was asked for send it in: both or neither."""
    words, form, caller = words_of(request), ApplicationForm(typed), visitor.caller
    submits = form.value("then") == "submit"

    def work(tx: Connection) -> ApplicationForm | None:
        page = _read(tx, caller, application_id, words)
        record, papers = page.shown.record, _papers(page)
        draft = read_application(
            form, page.asked, words, programme_id=record.programme_id, documents=papers, saved=record
        )
        if isinstance(draft, ApplicationForm):
            return draft
        if not applying.says_the_same(record, draft):
            version = record.version
            applying.change_application(tx, caller=caller, application_id=record.id, version=version, draft=draft)
        if submits:
            applying.submit_application(tx, caller=caller, application_id=record.id)
        return None

    notice = "application_submitted" if submits else "application_saved"
    return _saved(request, service, caller, application_id, form, work, notice=notice)


@router.post("/{application_id}/documents")
def add_document(
    request: Request,
    service: ServiceDep,
    visitor: SignedInForm,
    application_id: str,
    file: UploadFile | None = None,
    document: Typed = "",
) -> Response:
    """Add a paper; the same one twice is there once."""
    words, caller, form = words_of(request), visitor.caller, ApplicationForm()
    if file is None or not file.filename or _CONTROL.search(file.filename):
        key = "application.file.unfit_name" if file and file.filename else "application.file.needed"
        problem = ApplicationForm(errors={"file": words(key)})
        return _page(request, service, caller, application_id, form=problem, status=422)
    record = service.database.snapshot(lambda tx: _own(tx, caller, application_id))
    source, name = file.file, file.filename

    def work(tx: Connection) -> None:
        page = _read(tx, caller, application_id, words)
        papers = [*_papers(page), (document or OTHER, upload.id)]
        _rewrite(tx, caller, page.shown.record, papers)

    try:
        upload, _ = take_in(
            service.database,
            store_in(service.settings.state_dir),
            caller=caller,
            region_code=record.region_code,
            source=source,
            file_name=name,
        )
    except AppError as error:
        refused = form.refused(error, words)
        return _page(request, service, caller, application_id, form=refused, status=http_status(error))
    return _saved(request, service, caller, application_id, form, work, notice="document_added")


@router.post("/{application_id}/documents/remove")
def remove_document(
    request: Request,
    service: ServiceDep,
    visitor: SignedInForm,
    application_id: str,
    upload: Typed = "",
    document: Typed = "",
) -> Response:
    """Take a paper out of a draft or a correction; that it was there is kept."""
    words, caller = words_of(request), visitor.caller

    def work(tx: Connection) -> None:
        page = _read(tx, caller, application_id, words)
        papers = [paper for paper in _papers(page) if paper != (document, upload)]
        _rewrite(tx, caller, page.shown.record, papers)

    return _saved(request, service, caller, application_id, ApplicationForm(), work, notice="document_removed")


@router.get("/{application_id}/documents/{upload_id}")
def read_document(service: ServiceDep, visitor: SignedIn, application_id: str, upload_id: str) -> Response:
    """A paper of the firm's own, to be saved."""
    store = store_in(service.settings.state_dir)

    def work(tx: Connection) -> Response:
        _own(tx, visitor.caller, application_id)
        if not is_id(upload_id, "upl"):
            raise AppError(Code.NOT_FOUND, what="upload")
        upload, content = open_upload(tx, store, caller=visitor.caller, upload_id=upload_id)
        return document_response(upload, content)

    return service.database.transact(work)


@router.get("/{application_id}/withdraw")
def confirm_withdrawal(request: Request, service: ServiceDep, visitor: SignedIn, application_id: str) -> Response:
    """Ask once more, and why."""
    return _withdraw_page(request, service, visitor.caller, application_id)


@router.post("/{application_id}/withdraw")
def withdraw_application(
    request: Request, service: ServiceDep, visitor: SignedInForm, application_id: str, reason: Typed = ""
) -> Response:
    """Take it back."""
    words, given, caller = words_of(request), reason.strip(), visitor.caller
    if not SHORTEST <= len(given) <= LONGEST or not is_printable(given):
        problem = words("application.withdraw.reason_needed", least=SHORTEST, most=LONGEST)
        return _withdraw_page(request, service, caller, application_id, reason=reason, problem=problem, status=422)

    def work(tx: Connection) -> None:
        _own(tx, caller, application_id)
        applying.withdraw_application(tx, caller=caller, application_id=application_id, reason=given)

    return _saved(request, service, caller, application_id, ApplicationForm(), work, notice="application_withdrawn")


def _saved(
    request: Request,
    service: Service,
    caller: Caller,
    application_id: str,
    form: ApplicationForm,
    work: Callable[[Connection], ApplicationForm | None],
    *,
    notice: str,
) -> Response:
    try:
        wrong = service.database.transact(work)
    except AppError as error:
        if error.code in {Code.NOT_FOUND, Code.FORBIDDEN}:
            raise
        refused = form.refused(error, words_of(request))
        return _page(request, service, caller, application_id, form=refused, status=http_status(error))
    if wrong is not None:
        return _page(request, service, caller, application_id, form=wrong, status=422)
    return see_other(request, f"/portal/applications/{application_id}", notice=notice)


def _rewrite(tx: Connection, caller: Caller, record: ApplicationRecord, papers: list[tuple[str, str]]) -> None:
    """The same application with other papers."""
    draft = ApplicationDraft(
        programme_id=record.programme_id,
        amount_fen=record.amount_fen,
        purpose=record.purpose,
        valid_until_on=record.valid_until_on,
        claim=values_of(record.claim),
        plan=json.loads(record.plan),
        documents=papers,
    )
    applying.change_application(tx, caller=caller, application_id=record.id, version=record.version, draft=draft)


def _papers(page: Page) -> list[tuple[str, str]]:
    return [(one.document, one.upload_id) for one in page.shown.documents]


def _own(tx: Connection, caller: Caller, application_id: str) -> ApplicationRecord:
    """The firm's own application. Raises `not_found` for anything else."""
    if not is_id(application_id, "apl"):
        raise AppError(Code.NOT_FOUND, what="application")
    return application_reads.read_application(tx, caller=caller, application_id=application_id).record


def _programme(tx: Connection, caller: Caller, programme_id: str) -> QuotableProgramme:
    for one in quotable_programmes(tx, caller=caller):
        if one.id == programme_id:
            return one
    raise AppError(Code.NOT_FOUND, what="programme")


def _read(tx: Connection, caller: Caller, application_id: str, words: Words) -> Page:
    record = _own(tx, caller, application_id)
    shown = application_reads.show(tx, record)
    asked = asked_by(applying.rules_for(tx, record), words)
    events = application_reads.list_events(tx, caller=caller, application_id=record.id)
    judged = next((json.loads(event.trace) for event in reversed(events) if event.trace is not None), None)
    conditions = judged["eligibility"]["conditions"] if judged else []
    brought = {one.document for one in shown.documents}
    return Page(
        shown=shown,
        asked=asked,
        items=tuple(json.loads(record.correction)) if record.correction is not None else (),
        conditions=tuple((one["outcome"], one["zh"] if words.language == "zh" else one["en"]) for one in conditions),
        maximum_fen=judged["maximum"]["amount_fen"] if judged else None,
        binding=_limit_name(judged["maximum"]["binding"], words) if judged else "",
        events=tuple(Told(event.act, event.at, event.reason) for event in reversed(events)),
        granted_fen=next((json.loads(event.details)["amount_fen"] for event in events if event.act == "approve"), None),
        waits=_place_in_line(tx, caller, record),
        lacking=tuple(note or kind for kind, note, mandatory in asked.papers if mandatory and kind not in brought),
    )


def _place_in_line(tx: Connection, caller: Caller, record: ApplicationRecord) -> WaitingRecord | None:
    if record.status != ApplicationStatus.WAITLISTED:
        return None
    line = list_waiting(tx, caller=caller, programme_id=record.programme_id)
    return next((one for one in line if one.application_id == record.id), None)


def _limit_name(name: str, words: Words) -> str:
    known = {
        "asked": words("application.limit.asked"),
        "application": words("application.limit.application"),
        "plan": words("application.limit.plan"),
    }
    return known.get(name, name)


def _page(
    request: Request,
    service: Service,
    caller: Caller,
    application_id: str,
    *,
    form: ApplicationForm | None = None,
    status: int = 200,
) -> Response:
    words = words_of(request)
    page = service.database.snapshot(lambda tx: _read(tx, caller, application_id, words))
    given = form or ApplicationForm()
    if not given.typed:
        saved = form_of(page.shown.record, page.asked)
        given = ApplicationForm(saved.typed, given.errors, given.problem, given.problems)
    context = {
        "page": page,
        "record": page.shown.record,
        "asked": page.asked,
        "form": given,
        "longest": LONGEST_PURPOSE,
    }
    return show(request, "application.html", context, status=status)


def _new_page(
    request: Request, service: Service, caller: Caller, programme_id: str, form: ApplicationForm, *, status: int = 200
) -> Response:
    words = words_of(request)
    chosen = service.database.snapshot(lambda tx: _programme(tx, caller, programme_id))
    asked = asked_by(chosen.rules, words)
    context = {"programme": chosen, "asked": asked, "form": form, "longest": LONGEST_PURPOSE}
    return show(request, "application_new.html", context, status=status)


def _withdraw_page(
    request: Request,
    service: Service,
    caller: Caller,
    application_id: str,
    *,
    reason: str = "",
    problem: str | None = None,
    status: int = 200,
) -> Response:
    record = service.database.snapshot(lambda tx: _own(tx, caller, application_id))
    context = {
        "record": record,
        "reason": reason,
        "problem": problem,
        "longest": LONGEST,
        "is_withdrawable": record.status in WITHDRAWABLE,
    }
    return show(request, "application_withdraw.html", context, status=status)
