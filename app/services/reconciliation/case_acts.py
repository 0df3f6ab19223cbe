"""What people do with a case: assign it, write about it, explain it, resolve it; each act a note and an audit event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import CaseState, Role
from app.models import CaseNote, Entry, ReconciliationCase
from app.reach import enter
from app.services import audit
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller
from app.services.reconciliation.case_reads import CaseRecord, read_case
from app.sql import now

OWNERS = (Role.FINANCE, Role.AUDITOR, Role.MAKER)
"""Whose work a case may be."""


def assign(tx: Connection, *, caller: Caller, case_id: str, owner_id: str) -> None:
    """Make the case a person's work. Raises `forbidden`, `not_found` for the case or the person, `wrong_state`."""
    case = _locked(tx, caller, case_id)
    _require_unresolved(case)
    principal = load_principal(tx, owner_id) if owner_id.startswith("usr_") else None
    owner = None if principal is None else Caller(principal, caller.request_id)
    if owner is None or not any(owner.holds_in(role, case.region_code) for role in OWNERS):
        raise AppError(Code.NOT_FOUND, what="user")
    _change(tx, case, owner_id=owner_id)
    _note(tx, caller, case, "assigned", owner_id, at=now(tx))


def write_note(tx: Connection, *, caller: Caller, case_id: str, words: str) -> None:
    """Add what there is to say: whoever can read the case, the provider too. Raises `forbidden`, `not_found`."""
    case, _ = read_case(tx, caller=caller, case_id=case_id)
    enter(tx, [case.region_code])
    _note(tx, caller, case, "noted", words, at=now(tx))


def explain(tx: Connection, *, caller: Caller, case_id: str, words: str) -> None:
    """Say why the sides differ; the case stays in sight until it is resolved. It is open again when figures change.

    Raises `forbidden`, `not_found`, `wrong_state` for a resolved one.
    """
    case = _locked(tx, caller, case_id)
    _require_unresolved(case)
    _change(tx, case, state=CaseState.EXPLAINED)
    _note(tx, caller, case, "explained", words, at=now(tx))


def resolve(tx: Connection, *, caller: Caller, case_id: str, entry_id: str, words: str) -> None:
    """Resolve the case by an entry of its region's journal.

    Raises `forbidden`, `not_found` for the case or the entry, `wrong_state` for a resolved one.
    """
    case = _locked(tx, caller, case_id)
    _require_unresolved(case)
    entry = tx.execute(select(Entry.id).where(Entry.region_code == case.region_code, Entry.id == entry_id)).first()
    if entry is None:
        raise AppError(Code.NOT_FOUND, what="entry")
    at = now(tx)
    _change(
        tx,
        case,
        state=CaseState.RESOLVED,
        resolved_at=at,
        resolved_by=caller.principal_id,
        resolving_entry_id=entry_id,
    )
    _note(tx, caller, case, "resolved", f"{entry_id} {words}", at=at)


def _locked(tx: Connection, caller: Caller, case_id: str) -> CaseRecord:
    """The case, which finance of its region may change; nobody else does until the transaction ends."""
    caller.require(Role.FINANCE)
    case, _ = read_case(tx, caller=caller, case_id=case_id)
    if not caller.holds_in(Role.FINANCE, case.region_code):
        raise AppError(Code.NOT_FOUND, what="case")
    tx.execute(
        select(ReconciliationCase.id)
        .where(ReconciliationCase.region_code == case.region_code, ReconciliationCase.id == case.id)
        .with_for_update(key_share=True)
    )
    return read_case(tx, caller=caller, case_id=case_id)[0]


def _require_unresolved(case: CaseRecord) -> None:
    if case.state == CaseState.RESOLVED:
        raise AppError(Code.WRONG_STATE, actual=case.state, expected="unresolved")


def _change(tx: Connection, case: CaseRecord, **values: Any) -> None:
    tx.execute(
        update(ReconciliationCase)
        .where(ReconciliationCase.region_code == case.region_code, ReconciliationCase.id == case.id)
        .values(values)
    )


def _note(tx: Connection, caller: Caller, case: CaseRecord, act: str, words: str, *, at: datetime) -> None:
    tx.execute(
        insert(CaseNote).values(
            region_code=case.region_code,
            case_id=case.id,
            id=new_id("cno", case.region_code),
            at=at,
            by=caller.principal_id,
            organisation_id=caller.organisation_id,
            act=act,
            words=words,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=case.region_code,
        action=f"case.{act}",
        object_id=case.id,
        at=at,
        details={"subject": case.subject, "kind": case.kind},
    )
