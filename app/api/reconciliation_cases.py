"""Reconciliation cases: each difference between two sides, its owner, age, evidence, notes, and what resolves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Read, Reason, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import CaseState, DifferenceGroup, Sides
from app.services.identity.principals import Caller
from app.services.reconciliation import case_acts
from app.services.reconciliation.case_reads import CaseRecord, NoteRecord, Wanted, list_cases, read_case

router = APIRouter(prefix="/v1/reconciliation-cases", tags=["reconciliations"])


class CaseRead(Read):
    """A difference. `here_fen` is the amount in the books, `there_fen` what the other side states; null: not there.

    `evidence` holds, from the last check, the line of the statement or of the bank, what the books have of it, and what
    differs.
    """

    id: str
    region_code: str
    sides: Sides
    subject: str
    kind: DifferenceGroup
    party_id: str
    happened_on: date
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    state: CaseState
    owner_id: str | None
    age_days: int
    opened_at: ShownInstant
    opened_in_id: str
    found_at: ShownInstant
    found_in_id: str
    resolved_at: ShownInstant | None
    resolved_by: str | None
    resolved_in_id: str | None
    resolving_entry_id: str | None
    resolving_statement_id: str | None
    resolving_bank_list_id: str | None


class NoteRead(Read):
    """What was said or done; notes are never changed."""

    id: str
    at: ShownInstant
    by: str
    organisation_id: str
    act: str
    words: str


class CaseWithNotes(CaseRead):
    """A case and its notes in order."""

    notes: list[NoteRead]


class CaseAssign(Wire):
    """Whose work it is: a person of finance, audit or an authority of the region."""

    owner_id: AnyId


class CaseNoteCreate(Wire):
    """What there is to say."""

    words: Reason


class CaseResolve(Wire):
    """The entry of the journal that settles the difference, and why."""

    entry_id: AnyId
    words: Reason


@router.get("")
def read_cases(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
    sides: Annotated[Sides | None, Query()] = None,
    state: Annotated[CaseState | None, Query()] = None,
    kind: Annotated[DifferenceGroup | None, Query()] = None,
    party_id: Annotated[AnyId | None, Query()] = None,
    owner_id: Annotated[AnyId | None, Query()] = None,
    found_in_id: Annotated[AnyId | None, Query(description="The check that found it last")] = None,
) -> Page[CaseRead]:
    """Cases within your reach, newest first. A provider sees its own."""
    wanted = Wanted(region_code, sides, state, kind, party_id, owner_id, found_in_id)
    records = service.database.transact(
        lambda tx: list_cases(tx, caller=caller, wanted=wanted, limit=limit + 1, before_id=cursor)
    )
    return page_of([CaseRead.model_validate(record) for record in records], limit)


@router.get("/{case_id}")
def read_one_case(case_id: AnyId, caller: CallerDep, service: ServiceDep) -> CaseWithNotes:
    """One case with its notes."""
    return _shown(service.database.transact(lambda tx: read_case(tx, caller=caller, case_id=case_id)))


@router.post("/{case_id}/assign")
def assign_case(case_id: AnyId, body: CaseAssign, caller: CallerDep, service: ServiceDep) -> CaseWithNotes:
    """Give the case to a person. Finance of the region."""
    return _after(
        service,
        caller,
        case_id,
        lambda tx: case_acts.assign(tx, caller=caller, case_id=case_id, owner_id=body.owner_id),
    )


@router.post("/{case_id}/notes", status_code=201)
def create_case_note(case_id: AnyId, body: CaseNoteCreate, caller: CallerDep, service: ServiceDep) -> CaseWithNotes:
    """Add a note. Whoever can read the case, the provider too."""
    return _after(
        service,
        caller,
        case_id,
        lambda tx: case_acts.write_note(tx, caller=caller, case_id=case_id, words=body.words),
    )


@router.post("/{case_id}/explain")
def explain_case(case_id: AnyId, body: CaseNoteCreate, caller: CallerDep, service: ServiceDep) -> CaseWithNotes:
    """Say why the sides differ. It is open again when the figures change. Finance of the region."""
    return _after(
        service,
        caller,
        case_id,
        lambda tx: case_acts.explain(tx, caller=caller, case_id=case_id, words=body.words),
    )


@router.post("/{case_id}/resolve")
def resolve_case(case_id: AnyId, body: CaseResolve, caller: CallerDep, service: ServiceDep) -> CaseWithNotes:
    """Settle the case by an entry of the journal. Finance of the region."""
    return _after(
        service,
        caller,
        case_id,
        lambda tx: case_acts.resolve(tx, caller=caller, case_id=case_id, entry_id=body.entry_id, words=body.words),
    )


def _after(service: Service, caller: Caller, case_id: str, act: Callable[[Connection], None]) -> CaseWithNotes:
    """Do it, and show the case as it is then."""

    def work(tx: Connection) -> tuple[CaseRecord, list[NoteRecord]]:
        act(tx)
        return read_case(tx, caller=caller, case_id=case_id)

    return _shown(service.database.transact(work))


def _shown(found: tuple[CaseRecord, list[NoteRecord]]) -> CaseWithNotes:
    record, notes = found
    values = CaseRead.model_validate(record).model_dump()
    return CaseWithNotes(**values, notes=[NoteRead.model_validate(note) for note in notes])
