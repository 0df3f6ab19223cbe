"""Recording how legal persons are linked, and that a link has ended. A registrar does it for whom he keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, text, update

from app.kernel.canonical import sha256_hex
from app.kernel.ids import new_id
from app.kernel.names import same_name
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import RelationKind, Role
from app.models import Organisation, OrganisationRelation
from app.services import audit
from app.services.identity.principals import Caller
from app.services.organisations import OrganisationRecord, read_organisation, registered_within
from app.services.standing.facts import person_of
from app.sql import now

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('relations ' || :person, 0))")
"""Two links of one party are recorded one after the other: what is looked up stays true until COMMIT."""


_Party = tuple[str | None, str | None]
"""Legal person and name."""


@dataclass(frozen=True, slots=True)
class NewRelation:
    """What a registrar writes down. Of a group the name; else the other party, and of a holding the share.

    `held` says that the other one is the holder.
    """

    kind: RelationKind
    from_on: date
    until_on: date | None
    evidence: str
    other_person: str | None = None
    other_name: str | None = None
    share: Decimal | None = None
    held: bool = False
    group_name: str | None = None


@dataclass(frozen=True, slots=True)
class RelationRecord:
    """A link as it is read; `person` and `other_person` as in the table."""

    id: str
    kind: str
    person: str
    name: str
    other_person: str | None
    other_name: str | None
    group_name: str | None
    share: Decimal | None
    from_on: date
    until_on: date | None
    evidence: str
    recorded_at: datetime
    recorded_by: str
    ended_on: date | None
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


def record_relation(
    tx: Connection, *, caller: Caller, organisation_id: str, new: NewRelation
) -> tuple[str, RelationRecord]:
    """Write down a link of an organisation that the registrar keeps; returns its legal person too.

    It counts for what is decided from now on.
    A group is called as it was first: spaces, widths and brackets make no other one. Raises `forbidden`, `not_found`,
    `validation_failed`, and `relation_exists` where one of the same kind covers some of the days.
    """
    caller.require(Role.REGISTRAR)
    whose = _kept(tx, caller, organisation_id)
    person = person_of(whose.identifier_type, whose.identifier_value)
    if new.until_on is not None and new.until_on < new.from_on:
        raise _invalid("/until_on", "out_of_range", limit=new.from_on.isoformat(), actual=new.until_on.isoformat())
    if new.other_person == person:
        raise _invalid("/other", "same_party", actual=new.other_person)
    first: _Party = (person, whose.name)
    second: _Party = (new.other_person, new.other_name)
    if new.other_person is not None and (new.held if new.kind is RelationKind.HOLDING else new.other_person < person):
        first, second = second, first
    for one in sorted(one for one in (person, new.other_person) if one):
        tx.execute(_ALONE, {"person": one})
    _require_no_other(tx, first[0], second[0], new)
    at = now(tx)
    row = tx.execute(
        insert(OrganisationRelation)
        .values(
            id=new_id("rel"),
            kind=new.kind,
            person=first[0],
            name=first[1],
            other_person=second[0],
            other_name=second[1],
            group_name=_known_group(tx, new.group_name) if new.group_name else None,
            share=new.share,
            from_on=new.from_on,
            until_on=new.until_on,
            evidence=new.evidence,
            recorded_at=at,
            recorded_by=caller.principal_id,
        )
        .returning(OrganisationRelation)
    ).one()
    _tell(tx, caller, whose, "organisation.relation_recorded", row, at)
    return person, _record(row)


def end_relation(
    tx: Connection, *, caller: Caller, organisation_id: str, relation_id: str, ended_on: date, reason: str
) -> tuple[str, RelationRecord]:
    """Say which day was the last of a link; the day before its first says that it never was. Once, and for good.

    What was decided under it stays. Raises `forbidden`, `not_found`, `wrong_state`, `validation_failed`.
    """
    caller.require(Role.REGISTRAR)
    whose = _kept(tx, caller, organisation_id)
    person = person_of(whose.identifier_type, whose.identifier_value)
    row = tx.execute(
        select(OrganisationRelation).where(OrganisationRelation.id == relation_id, _of(person)).with_for_update()
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="relation")
    if row.ended_at is not None:
        raise AppError(Code.WRONG_STATE, actual="ended", expected="open")
    at = now(tx)
    first, last = row.from_on - timedelta(days=1), row.until_on or date.max
    if not first <= ended_on <= last:
        raise _invalid("/ended_on", "out_of_range", limit=f"{first} – {last}", actual=ended_on.isoformat())
    row = tx.execute(
        update(OrganisationRelation)
        .where(OrganisationRelation.id == relation_id)
        .values(ended_on=ended_on, ended_at=at, ended_by=caller.principal_id, end_reason=reason)
        .returning(OrganisationRelation)
    ).one()
    _tell(tx, caller, whose, "organisation.relation_ended", row, at)
    return person, _record(row)


def list_relations(
    tx: Connection, *, caller: Caller, organisation_id: str, on: date | None = None
) -> tuple[str, list[RelationRecord]]:
    """The legal person of an organisation that the caller sees, and its links, newest first.

    With `on` those that hold on that day. Raises `not_found`.
    """
    whose = read_organisation(tx, caller=caller, organisation_id=organisation_id)
    person = person_of(whose.identifier_type, whose.identifier_value)
    query = select(OrganisationRelation).where(_of(person)).order_by(OrganisationRelation.id.desc())
    if on is not None:
        query = query.where(
            OrganisationRelation.from_on <= on,
            or_(OrganisationRelation.until_on.is_(None), OrganisationRelation.until_on >= on),
            or_(OrganisationRelation.ended_on.is_(None), OrganisationRelation.ended_on >= on),
        )
    return person, [_record(row) for row in tx.execute(query)]


def _kept(tx: Connection, caller: Caller, organisation_id: str) -> OrganisationRecord:
    whose = read_organisation(tx, caller=caller, organisation_id=organisation_id)
    kept = tx.execute(
        select(Organisation.id).where(Organisation.id == whose.id, registered_within(caller, Role.REGISTRAR))
    ).one_or_none()
    if kept is None:
        raise AppError(Code.NOT_FOUND, what="organisation")
    return whose


def _of(person: str) -> ColumnElement[bool]:
    return or_(OrganisationRelation.person == person, OrganisationRelation.other_person == person)


def _require_no_other(tx: Connection, holder: str | None, other: str | None, new: NewRelation) -> None:
    """One link of a kind between two at a time, and one group of a firm: else a share would count twice."""
    same = [OrganisationRelation.kind == new.kind, OrganisationRelation.person == holder]
    if other is not None:
        same.append(OrganisationRelation.other_person == other)
    for row in tx.execute(select(OrganisationRelation).where(*same)):
        ends = [day for day in (row.until_on, row.ended_on) if day is not None]
        last = min(ends, default=date.max)
        if last >= row.from_on and row.from_on <= (new.until_on or date.max) and new.from_on <= last:
            raise AppError(Code.RELATION_EXISTS, relation_id=row.id, extra={"relation_id": row.id})


def _known_group(tx: Connection, name: str) -> str:
    """The group's name as it stands on record, or in a firm's profile, where it does."""
    for column in (OrganisationRelation.group_name, Organisation.profile["group"].astext):
        for known in tx.execute(select(column).where(column.is_not(None)).distinct().order_by(column)).scalars():
            if same_name(known, name):
                return str(known)
    return name


def _tell(tx: Connection, caller: Caller, whose: OrganisationRecord, action: str, row: Row[Any], at: datetime) -> None:
    audit.record(
        tx,
        caller=caller,
        region_code=whose.region_code,
        action=action,
        object_id=whose.id,
        at=at,
        details={
            "relation": row.id,
            "kind": row.kind,
            "from_on": row.from_on.isoformat(),
            "record_sha256": sha256_hex(_words(row).encode()),
        },
    )


def _words(row: Any) -> str:
    """What is hashed of a link, as reconciliation writes it again in SQL (`invariants.registry`)."""
    said = (row.kind, row.person, row.other_person, row.group_name, row.share, row.from_on, row.until_on, row.ended_on)
    return "|".join("" if one is None else str(one) for one in said)


def _invalid(pointer: str, code: str, *, limit: str | None = None, actual: str | None = None) -> AppError:
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, limit=limit, actual=actual)])


def _record(row: Row[Any]) -> RelationRecord:
    return RelationRecord(**{name: getattr(row, name) for name in RelationRecord.__slots__})
