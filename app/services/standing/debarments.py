"""Putting legal persons on the debarment list, and taking them off: asked for by a maker, done by a checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, Checkpoint, Role
from app.models import Debarment, Organisation
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.reach import region_within
from app.services.standing.facts import identifier_of
from app.sql import any_of, now

READERS = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR, Role.REGISTRAR)
DEFAULT_CHECKPOINTS = (Checkpoint.APPLY, Checkpoint.ISSUE, Checkpoint.REDEEM)
"""What was earned before is paid, unless the decision says otherwise."""

_INSERT = insert(Debarment).on_conflict_do_nothing(
    index_elements=["region_code", "person", "document_no"], index_where=Debarment.lifted_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One legal person to be debarred. `until_on` is the last day; None until it is lifted."""

    person: str
    name: str
    reason: str
    document_no: str
    from_on: date
    until_on: date | None
    checkpoints: tuple[Checkpoint, ...] = DEFAULT_CHECKPOINTS

    def written(self) -> dict[str, Any]:
        """As it stands in the command that a checker approves."""
        return asdict(self) | {
            "from_on": self.from_on.isoformat(),
            "until_on": self.until_on.isoformat() if self.until_on else None,
            "checkpoints": [one.value for one in Checkpoint if one in self.checkpoints],
        }


@dataclass(frozen=True, slots=True)
class DebarmentRecord:
    """An entry as it is read."""

    region_code: str
    id: str
    authority_id: str
    person: str
    name: str
    reason: str
    document_no: str
    checkpoints: Sequence[str]
    from_on: date
    until_on: date | None
    debarred_at: datetime
    made_by: str
    decided_by: str
    lifted_at: datetime | None
    lift_document_no: str | None
    lift_reason: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: the approval, or None where every entry is on the list already, and how many there are."""

    approval_id: str | None
    entry_count: int
    known_count: int
    """Of them on the list already, by the same document; nothing is asked for them."""


def request_debarment(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    authority_id: str,
    entries: Sequence[Entry],
    dry_run: bool = False,
) -> Asked:
    """Ask a checker of the authority to put these on the list of the region, which binds all regions below it too.

    An entry that is there already, of the same person and document, is left as it is. Raises `forbidden`, `not_found`
    for an authority that is not the caller's, `validation_failed` for a last day before the first or in the past,
    `approval_pending` where the very same list waits already.
    """
    caller.require(Role.MAKER)
    if not caller.holds_in(Role.MAKER, region_code, authority_id):
        raise AppError(Code.NOT_FOUND, what="region")
    _check_days(entries, today=civil_date(now(tx)))
    known = _known(tx, region_code, entries)
    new = [one for one in entries if (one.person, one.document_no) not in known]
    if dry_run or not new:
        return Asked(None, len(entries), len(entries) - len(new))
    written = [one.written() for one in new]
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.DEBAR,
        region_code=region_code,
        authority_id=authority_id,
        required_role=Role.CHECKER,
        subject_id=sha256_hex(canonical({"authority": authority_id, "entries": written})),
        command={"region_code": region_code, "authority_id": authority_id, "entries": written},
        effect=_effect(tx, new),
        reason=new[0].reason if len(new) == 1 else None,
    )
    return Asked(approval_id, len(entries), len(entries) - len(new))


def execute_debar(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Put on the list what is not there yet."""
    rows = [
        {
            **entry,
            "region_code": decision.region_code,
            "id": new_id("dbr", decision.region_code),
            "authority_id": command["authority_id"],
            "from_on": date.fromisoformat(entry["from_on"]),
            "until_on": date.fromisoformat(entry["until_on"]) if entry["until_on"] else None,
            "approval_id": decision.approval_id,
            "debarred_at": decision.at,
            "made_by": decision.maker_id,
            "decided_by": decision.checker.principal_id,
        }
        for entry in command["entries"]
    ]
    tx.execute(_INSERT, rows)


def request_lift(tx: Connection, *, caller: Caller, debarment_id: str, document_no: str, reason: str) -> str:
    """Ask a checker to take an entry off the list; returns the approval's id.

    Raises `forbidden`, `not_found`, `wrong_state` for one that was lifted.
    """
    caller.require(Role.MAKER)
    row = read_debarment(tx, caller=caller, debarment_id=debarment_id)
    if not caller.holds_in(Role.MAKER, row.region_code, row.authority_id):
        raise AppError(Code.FORBIDDEN, role=f"{Role.MAKER} {row.region_code}")
    _require_live(row)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.LIFT_DEBARMENT,
        region_code=row.region_code,
        authority_id=row.authority_id,
        required_role=Role.CHECKER,
        subject_id=row.id,
        command={"debarment_id": row.id, "document_no": document_no, "reason": reason},
        effect={"name": row.name, "person": row.person, "debarred_by": row.document_no, "lifted_by": document_no},
        reason=reason,
    )


def execute_lift(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Take the entry off the list from now on. Raises `wrong_state` where somebody was faster."""
    key = (Debarment.region_code == decision.region_code, Debarment.id == str(command["debarment_id"]))
    row = tx.execute(select(Debarment).where(*key).with_for_update(key_share=True)).one()
    _require_live(row)
    tx.execute(
        update(Debarment)
        .where(*key)
        .values(
            lifted_at=decision.at,
            lift_approval_id=decision.approval_id,
            lift_document_no=command["document_no"],
            lift_reason=command["reason"],
        )
    )


def read_debarment(tx: Connection, *, caller: Caller, debarment_id: str) -> DebarmentRecord:
    """One entry within the caller's reach. Raises `not_found`."""
    row = tx.execute(
        select(Debarment).where(
            Debarment.region_code == (region_of(debarment_id) or ""),
            Debarment.id == debarment_id,
            _visible_to(caller),
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="debarment")
    return _record(row)


def list_debarments(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    person: str | None = None,
    organisation_id: str | None = None,
    live: bool | None = None,
) -> list[DebarmentRecord]:
    """Entries within the caller's reach, newest first: what binds or lies in his regions; a firm's own.

    `live`: those that were not lifted and whose last day is not over, or the others.
    """
    query = select(Debarment).where(_visible_to(caller)).order_by(Debarment.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Debarment.id < before_id)
    if person is not None:
        query = query.where(Debarment.person == person)
    if organisation_id is not None:
        query = query.where(Debarment.person.in_(_person(organisation_id)))
    if live is not None:
        holds = Debarment.lifted_at.is_(None) & (
            Debarment.until_on.is_(None) | (Debarment.until_on >= civil_date(now(tx)))
        )
        query = query.where(holds if live else ~holds)
    return [_record(row) for row in tx.execute(query)]


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """A region's officials see their own list, those above, which bind them, and those below."""
    seen: list[ColumnElement[bool]] = [Debarment.person.in_(_person(caller.organisation_id))]
    for grant in caller.regions(*READERS):
        above = {grant.region_code, f"{grant.region_code[:4]}00", f"{grant.region_code[:2]}0000"}
        seen += [Debarment.region_code.in_(above), region_within(Debarment.region_code, grant.region_code)]
    return or_(*seen)


def _person(organisation_id: str) -> Any:
    return select(Organisation.identifier_type + ":" + Organisation.identifier_value).where(
        Organisation.id == organisation_id
    )


def _known(tx: Connection, region_code: str, entries: Sequence[Entry]) -> set[tuple[str, str]]:
    rows = tx.execute(
        select(Debarment.person, Debarment.document_no).where(
            Debarment.region_code == region_code,
            Debarment.lifted_at.is_(None),
            Debarment.person == any_of([one.person for one in entries]),
        )
    )
    return {(row.person, row.document_no) for row in rows}


def _effect(tx: Connection, entries: Sequence[Entry]) -> dict[str, Any]:
    """Whom it hits: how many there are, which of them are registered, and under what name."""
    codes = [identifier_of(one.person)[1] for one in entries]
    rows = tx.execute(
        select(Organisation.id, Organisation.kind, Organisation.name, Organisation.identifier_value)
        .where(Organisation.kind.in_(("firm", "provider")), Organisation.identifier_value == any_of(codes))
        .order_by(Organisation.id)
    )
    registered = [
        {"organisation_id": row.id, "kind": row.kind, "name": row.name, "identifier": row.identifier_value}
        for row in rows
    ]
    return {"count": len(entries), "names": [one.name for one in entries], "registered": registered}


def _check_days(entries: Sequence[Entry], *, today: date) -> None:
    errors = []
    for place, one in enumerate(entries):
        if one.until_on is not None and one.until_on < max(one.from_on, today):
            told = "must be no earlier than from_on and today / 不得早于起始日和今天"
            limit = max(one.from_on, today).isoformat()
            pointer = f"/entries/{place}/until_on"
            errors.append(FieldError(pointer, "out_of_range", told, limit=limit, actual=one.until_on.isoformat()))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)


def _require_live(row: Row[Any] | DebarmentRecord) -> None:
    if row.lifted_at is not None:
        raise AppError(Code.WRONG_STATE, actual="lifted", expected="live")


def _record(row: Row[Any]) -> DebarmentRecord:
    return DebarmentRecord(**{name: getattr(row, name) for name in DebarmentRecord.__slots__})
