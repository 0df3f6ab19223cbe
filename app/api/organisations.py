"""Organisations: the registry of authorities, finance bureaus, firms and providers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, SkipValidation

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.etags import IfMatch, etag
from app.api.fields import AnyId, Read, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import IdentifierType, OrganisationKind
from app.services import organisations as registry
from app.services.organisations import NewOrganisation, OrganisationRecord
from app.services.profiles import Line, Profile

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])

KindOfProfile = Annotated[
    SkipValidation[Profile],  # the registry checks it: its shape follows from the organisation's kind
    Field(description="By kind: firms (size, industry, tags, group), providers (sites, capacity); others have none"),
]


class Identifier(Wire):
    """A 统一社会信用代码 (`uscc`), or another number for makers without legal personality (`maker`, firms only)."""

    type: IdentifierType
    value: Line


class OrganisationCreate(Wire):
    """An organisation as a registrar writes it down."""

    kind: OrganisationKind
    identifier: Identifier
    name: Line
    region_code: RegionCode
    profile: KindOfProfile | None = None


class OrganisationChange(Wire):
    """What may change; what is left out stays. A profile is replaced as a whole."""

    name: Line | None = None
    region_code: RegionCode | None = None
    profile: KindOfProfile | None = None


class OrganisationRead(Read):
    """An organisation; `version` is also its ETag."""

    id: str
    kind: OrganisationKind
    identifier: Identifier
    name: str
    region_code: str
    profile: dict[str, Any]
    version: int
    created_at: ShownInstant
    created_by: str


def shown_organisation(record: OrganisationRecord) -> OrganisationRead:
    """An organisation on the wire."""
    return OrganisationRead(
        id=record.id,
        kind=OrganisationKind(record.kind),
        identifier=Identifier(type=IdentifierType(record.identifier_type), value=record.identifier_value),
        name=record.name,
        region_code=record.region_code,
        profile=dict(record.profile),
        version=record.version,
        created_at=record.created_at,
        created_by=record.created_by,
    )


@router.post("", status_code=201)
def register_organisation(
    body: OrganisationCreate, caller: CallerDep, service: ServiceDep, response: Response
) -> OrganisationRead:
    """Write down an organisation. One that is there already is named in the refusal."""
    new = NewOrganisation(
        kind=body.kind,
        identifier_type=body.identifier.type,
        identifier_value=body.identifier.value,
        name=body.name,
        region_code=body.region_code,
        profile={} if body.profile is None else body.profile,
    )
    record = service.database.transact(lambda tx: registry.register_organisation(tx, caller=caller, new=new))
    response.headers["ETag"] = etag(record.version)
    return shown_organisation(record)


@router.get("")
def read_organisations(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    kind: Annotated[OrganisationKind | None, Query()] = None,
    region_code: Annotated[RegionCode | None, Query(description="This region and those below it")] = None,
    identifier: Annotated[Line | None, Query(description="统一社会信用代码, however it is typed")] = None,
    name: Annotated[Line | None, Query(description="Part of a name, whatever its widths, brackets and spaces")] = None,
) -> Page[OrganisationRead]:
    """Organisations within your reach, newest first. A firm or provider sees itself."""
    records = service.database.transact(
        lambda tx: registry.list_organisations(
            tx,
            caller=caller,
            limit=limit + 1,
            before_id=cursor,
            kind=kind,
            region_code=region_code,
            identifier=identifier,
            name=name,
        )
    )
    return page_of([shown_organisation(record) for record in records], limit)


@router.get("/{organisation_id}")
def read_one_organisation(
    organisation_id: AnyId, caller: CallerDep, service: ServiceDep, response: Response
) -> OrganisationRead:
    """One organisation; its ETag is what a change needs."""
    record = service.database.transact(
        lambda tx: registry.read_organisation(tx, caller=caller, organisation_id=organisation_id)
    )
    response.headers["ETag"] = etag(record.version)
    return shown_organisation(record)


@router.patch("/{organisation_id}")
def change_organisation(
    organisation_id: AnyId,
    body: OrganisationChange,
    version: IfMatch,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> OrganisationRead:
    """Change name, region or profile."""
    record = service.database.transact(
        lambda tx: registry.change_organisation(
            tx,
            caller=caller,
            organisation_id=organisation_id,
            version=version,
            name=body.name,
            region_code=body.region_code,
            profile=body.profile,
        )
    )
    response.headers["ETag"] = etag(record.version)
    return shown_organisation(record)
