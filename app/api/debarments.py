"""The debarment list (失信名单): entries under four eyes, read by all whom they bind."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Read, Reason, RegionCode, ShownInstant, Title, Wire, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.api.organisations import Identifier
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import require_region
from app.kernel.vocabulary import Checkpoint, IdentifierType, Role
from app.services.approvals.decisions import read_approval
from app.services.idempotency import Answer
from app.services.identity.principals import Caller
from app.services.organisations import stored_identifier
from app.services.standing import debarments as services
from app.services.standing.debarments import DEFAULT_CHECKPOINTS, Asked, DebarmentRecord, Entry
from app.services.standing.facts import identifier_of, person_of

router = APIRouter(prefix="/v1/debarments", tags=["organisations"])

MAX_ENTRIES = 1_000


class DebarmentEntry(Wire):
    """One legal person, registered here or not."""

    identifier: Identifier
    name: Title
    reason: Reason
    document_no: Title
    from_on: Day
    until_on: Annotated[Day | None, Field(description="The last day; left out where it goes on until it is lifted")] = (
        None
    )
    checkpoints: Annotated[
        tuple[Checkpoint, ...],
        Field(
            min_length=1, max_length=4, description="What it rules out: apply, issue, redeem (new bills and holds), pay"
        ),
    ] = DEFAULT_CHECKPOINTS

    @model_validator(mode="after")
    def _days_in_order(self) -> DebarmentEntry:
        if self.until_on is not None and self.until_on < self.from_on:
            raise wrong(
                "ends_before_it_begins_on", "until_on", limit=self.from_on.isoformat(), actual=self.until_on.isoformat()
            )
        return self


class DebarmentCreate(Wire):
    """Entries that one approval puts on the list of a region. They bind it and all regions below it."""

    region_code: RegionCode
    authority_id: AnyId
    entries: Annotated[tuple[DebarmentEntry, ...], Field(min_length=1, max_length=MAX_ENTRIES)]


class DebarmentLift(Wire):
    """By which document an entry is taken off the list, and why."""

    document_no: Title
    reason: Reason


class DebarmentAsked(Read):
    """What was asked for. `approval` is none where all entries are on the list already."""

    approval: ApprovalRead | None
    entry_count: int
    known_count: int


class DebarmentRead(Read):
    """An entry; `until_on` is the last day."""

    id: str
    region_code: str
    authority_id: str
    identifier: Identifier
    name: str
    reason: str
    document_no: str
    checkpoints: tuple[Checkpoint, ...]
    from_on: date
    until_on: date | None
    debarred_at: ShownInstant
    made_by: str
    decided_by: str
    lifted_at: ShownInstant | None
    lift_document_no: str | None
    lift_reason: str | None


def _shown(record: DebarmentRecord) -> DebarmentRead:
    kind, value = identifier_of(record.person)
    values = {name: getattr(record, name) for name in DebarmentRecord.__slots__ if name != "person"}
    return DebarmentRead(**values | {"identifier": Identifier(type=IdentifierType(kind), value=value)})


def _entry(place: int, given: DebarmentEntry) -> Entry:
    pointer = f"/entries/{place}/identifier/value"
    code = stored_identifier(given.identifier.type, given.identifier.value, pointer=pointer)
    return Entry(
        person=person_of(given.identifier.type, code),
        name=given.name,
        reason=given.reason,
        document_no=given.document_no,
        from_on=given.from_on,
        until_on=given.until_on,
        checkpoints=given.checkpoints,
    )


def asked_for(tx: Connection, caller: Caller, asked: Asked) -> DebarmentAsked:
    """What was asked for, with its approval."""
    approval = read_approval(tx, caller=caller, approval_id=asked.approval_id) if asked.approval_id else None
    return DebarmentAsked(
        approval=shown_approval(approval) if approval else None,
        entry_count=asked.entry_count,
        known_count=asked.known_count,
    )


def _answer(asked: DebarmentAsked) -> Answer:
    status = 202 if asked.approval else 200
    return Answer(status, asked.model_dump_json().encode(), asked.approval.id if asked.approval else None)


@router.post("", status_code=202, response_model=DebarmentAsked)
def create_debarments(
    body: DebarmentCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to put legal persons on the debarment list. One by the same document twice is there once.

    What is redeemed before stays, and open holds may be used up; freeze the vouchers where they must not be.
    """
    caller.require(Role.MAKER)
    entries = [_entry(place, given) for place, given in enumerate(body.entries)]

    def work(tx: Connection) -> DebarmentAsked:
        asked = services.request_debarment(
            tx, caller=caller, region_code=body.region_code, authority_id=body.authority_id, entries=entries
        )
        return asked_for(tx, caller, asked)

    return do_once(
        service,
        request,
        caller=caller,
        region_code=body.region_code,
        route="POST /v1/debarments",
        key=key,
        command={
            "region_code": body.region_code,
            "authority_id": body.authority_id,
            "entries": [entry.written() for entry in entries],
        },
        work=work,
        render=_answer,
    )


@router.get("")
def read_debarments(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    identifier: Annotated[str | None, Query(description="统一社会信用代码, however it is typed", max_length=64)] = None,
    organisation_id: Annotated[AnyId | None, Query()] = None,
    live: Annotated[bool | None, Query(description="Those that bind or will, or those that are over or lifted")] = None,
) -> Page[DebarmentRead]:
    """Entries of your regions, of those above that bind them, and below, newest first. A firm sees its own."""
    person = (
        person_of(IdentifierType.USCC, stored_identifier(IdentifierType.USCC, identifier, pointer="/identifier"))
        if identifier is not None
        else None
    )
    records = service.database.transact(
        lambda tx: services.list_debarments(
            tx,
            caller=caller,
            limit=limit + 1,
            before_id=cursor,
            person=person,
            organisation_id=organisation_id,
            live=live,
        )
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/{debarment_id}")
def read_one_debarment(debarment_id: AnyId, caller: CallerDep, service: ServiceDep) -> DebarmentRead:
    """One entry."""
    return _shown(
        service.database.transact(lambda tx: services.read_debarment(tx, caller=caller, debarment_id=debarment_id))
    )


@router.post("/{debarment_id}/lift", status_code=202, response_model=ApprovalRead)
def lift_debarment(
    debarment_id: AnyId,
    body: DebarmentLift,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker of the authority that decided it to take an entry off the list."""
    caller.require(Role.MAKER)
    region_code = require_region(debarment_id, what="debarment")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/debarments/{id}/lift",
        key=key,
        command={"debarment_id": debarment_id, "document_no": body.document_no, "reason": body.reason},
        work=lambda tx: read_approval(
            tx,
            caller=caller,
            approval_id=services.request_lift(
                tx, caller=caller, debarment_id=debarment_id, document_no=body.document_no, reason=body.reason
            ),
        ),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )
