"""Links of organisations: holdings, common control or representatives, and groups. Recorded by registrars."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Read, Reason, ShownInstant, Title, Wire, wrong
from app.api.organisations import Identifier
from app.kernel.vocabulary import IdentifierType, RelationKind
from app.services.organisations import stored_identifier
from app.services.standing import relations as services
from app.services.standing.facts import identifier_of, person_of
from app.services.standing.relations import NewRelation, RelationRecord

router = APIRouter(prefix="/v1/organisations/{organisation_id}/relations", tags=["organisations"])

Kind = Literal["holds", "held_by", "same_controller", "same_legal_representative", "shared_contact", "group"]


def _above_zero(share: str) -> str:
    if not Decimal(share):
        raise ValueError("must be above 0 / 须大于 0")
    return share


Share = Annotated[
    str,
    StringConstraints(pattern=r"^(0\.[0-9]{1,4}|1(\.0{1,4})?)$"),
    AfterValidator(_above_zero),
    Field(description="Above 0 and at most 1, four decimals at most: 0.25"),
]


class RelationCreate(Wire):
    """A link from this organisation's side. `group` names the group it belongs to; any other kind the other party."""

    kind: Kind
    other: Annotated[Identifier | None, Field(description="The other party, registered or not")] = None
    other_name: Title | None = None
    share: Share | None = None
    group: Title | None = None
    from_on: Day
    until_on: Annotated[Day | None, Field(description="The last day; left out where it goes on")] = None
    evidence: Annotated[Reason, Field(description="What shows it: document, its number, its day. 依据")]

    @model_validator(mode="after")
    def _complete(self) -> RelationCreate:
        of_group, of_share = self.kind == "group", self.kind in {"holds", "held_by"}
        for name, needed in (
            ("group", of_group),
            ("other", not of_group),
            ("other_name", not of_group),
            ("share", of_share),
        ):
            if (getattr(self, name) is not None) != needed:
                code = "missing_for_kind" if needed else "not_for_this_kind"
                raise wrong(code, name, limit=self.kind, actual=name)
        return self


class RelationEnd(Wire):
    """Which day was the last, and why. The day before the first says that it was recorded by mistake."""

    ended_on: Day
    reason: Reason


class RelationRead(Read):
    """A link, from the side of the organisation it was asked for."""

    id: str
    kind: Kind
    other: Identifier | None
    other_name: str | None
    share: str | None
    group: str | None
    from_on: date
    until_on: date | None
    evidence: str
    recorded_at: ShownInstant
    recorded_by: str
    ended_on: date | None
    ended_at: ShownInstant | None
    ended_by: str | None
    end_reason: str | None


class Relations(Read):
    """All links on record of one organisation, newest first, ended ones too."""

    data: tuple[RelationRead, ...]


def _shown(record: RelationRecord, *, whose: str) -> RelationRead:
    first = record.person == whose
    other = record.other_person if first else record.person
    values = {name: getattr(record, name) for name in RelationRecord.__slots__ if name in RelationRead.model_fields}
    return RelationRead(
        **values
        | {
            "kind": record.kind if record.kind != RelationKind.HOLDING else "holds" if first else "held_by",
            "other": _identifier(other) if other is not None else None,
            "other_name": record.other_name if first else record.name,
            "share": f"{record.share.normalize():f}" if isinstance(record.share, Decimal) else None,
            "group": record.group_name,
        }
    )


def _identifier(person: str) -> Identifier:
    kind, value = identifier_of(person)
    return Identifier(type=IdentifierType(kind), value=value)


@router.post("", status_code=201)
def record_relation(
    organisation_id: AnyId, body: RelationCreate, caller: CallerDep, service: ServiceDep
) -> RelationRead:
    """Write down a link with its evidence. Related firms and providers get no subsidy where the rules say so.

    It counts for what is decided from now on, for both capacities of one that is firm and provider.
    """
    other = body.other
    code = stored_identifier(other.type, other.value, pointer="/other/value") if other else None
    new = NewRelation(
        kind=RelationKind.HOLDING if body.kind in {"holds", "held_by"} else RelationKind(body.kind),
        from_on=body.from_on,
        until_on=body.until_on,
        evidence=body.evidence,
        other_person=person_of(other.type, code) if other and code else None,
        other_name=body.other_name,
        share=Decimal(body.share) if body.share else None,
        held=body.kind == "held_by",
        group_name=body.group,
    )
    person, record = service.database.transact(
        lambda tx: services.record_relation(tx, caller=caller, organisation_id=organisation_id, new=new)
    )
    return _shown(record, whose=person)


@router.get("")
def read_relations(
    organisation_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    on: Annotated[Day | None, Query(description="Only those that hold on this day")] = None,
) -> Relations:
    """The links on record of an organisation within your reach. A firm or provider sees its own."""
    person, records = service.database.transact(
        lambda tx: services.list_relations(tx, caller=caller, organisation_id=organisation_id, on=on)
    )
    return Relations(data=tuple(_shown(record, whose=person) for record in records))


@router.post("/{relation_id}/end")
def end_relation(
    organisation_id: AnyId, relation_id: AnyId, body: RelationEnd, caller: CallerDep, service: ServiceDep
) -> RelationRead:
    """Say which day was the last. Nothing is deleted, and what was decided under it stays."""
    person, record = service.database.transact(
        lambda tx: services.end_relation(
            tx,
            caller=caller,
            organisation_id=organisation_id,
            relation_id=relation_id,
            ended_on=body.ended_on,
            reason=body.reason,
        )
    )
    return _shown(record, whose=person)
