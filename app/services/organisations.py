"""The registry of organisations. Registrars keep it, each within the reach of their grant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, false, func, not_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import is_id, new_id
from app.kernel.names import name_core
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import is_region
from app.kernel.uscc import UsccError, parse_uscc
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import Organisation
from app.services import audit
from app.services.identity.principals import Caller
from app.services.profiles import checked_profile
from app.services.reach import region_within
from app.sql import now

OFFICIALS = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)
"""They see the organisations of their regions, districts included, and the providers of all others."""
KEEPERS = (Role.REGISTRAR, Role.SECURITY_ADMIN)
"""They see the organisations of their regions."""

_EVEN_NAME = func.regexp_replace(func.lower(func.normalize(Organisation.name, text("NFKC"))), r"\s+", "", "g")
"""A name as `comparable_name` evens it out, but for its ending."""
_MAKER_IDENTIFIER = re.compile("[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """What a registrar writes down; `profile` has the shape of its kind."""

    kind: OrganisationKind
    identifier_type: IdentifierType
    identifier_value: str
    name: str
    region_code: str
    profile: object


@dataclass(frozen=True, slots=True)
class OrganisationRecord:
    """An organisation as it is read; `version` is its ETag."""

    id: str
    kind: str
    identifier_type: str
    identifier_value: str
    name: str
    region_code: str
    profile: Mapping[str, Any]
    version: int
    created_at: datetime
    created_by: str


def register_organisation(tx: Connection, *, caller: Caller, new: NewOrganisation) -> OrganisationRecord:
    """Write down an organisation in a region that the registrar reaches.

    Raises `forbidden`, `validation_failed`, and `organisation_exists`, which names the one that is there.
    """
    caller.require(Role.REGISTRAR)
    _require_known_region(new.region_code)
    _require_reach(caller, new.region_code)
    organisation, is_new = ensure_organisation(tx, caller=caller, new=new)
    if not is_new:
        raise AppError(
            Code.ORGANISATION_EXISTS, organisation_id=organisation.id, extra={"organisation_id": organisation.id}
        )
    return organisation


def ensure_organisation(tx: Connection, *, caller: Caller, new: NewOrganisation) -> tuple[OrganisationRecord, bool]:
    """The organisation with this kind and identifier, written down where it is not there yet, and whether it is new.

    Whether the caller may is not asked here. Raises `validation_failed`.
    """
    _require_known_region(new.region_code)
    identifier = _checked_identifier(new)
    profile = checked_profile(new.kind, new.profile)
    at = now(tx)
    row = tx.execute(
        insert(Organisation)
        .values(
            id=new_id("org"),
            kind=new.kind,
            identifier_type=new.identifier_type,
            identifier_value=identifier,
            name=new.name,
            region_code=new.region_code,
            profile=profile,
            version=1,
            created_at=at,
            created_by=caller.principal_id,
        )
        .on_conflict_do_nothing(index_elements=["kind", "identifier_type", "identifier_value"])
        .returning(Organisation)
    ).one_or_none()
    if row is None:
        same = (
            Organisation.kind == new.kind,
            Organisation.identifier_type == new.identifier_type,
            Organisation.identifier_value == identifier,
        )
        return _record(tx.execute(select(Organisation).where(*same)).one()), False
    audit.record(
        tx,
        caller=caller,
        region_code=row.region_code,
        action="organisation.registered",
        object_id=row.id,
        at=at,
        details={"kind": row.kind},
    )
    return _record(row), True


def change_organisation(
    tx: Connection,
    *,
    caller: Caller,
    organisation_id: str,
    version: int,
    name: str | None = None,
    region_code: str | None = None,
    profile: object = None,
) -> OrganisationRecord:
    """Change what may change; what is None stays, a profile is replaced as a whole.

    Raises `forbidden`, `not_found`, `etag_stale` where somebody was faster, `validation_failed`.
    """
    caller.require(Role.REGISTRAR)
    row = tx.execute(
        select(Organisation)
        .where(_is(organisation_id), registered_within(caller, Role.REGISTRAR))
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="organisation")
    if row.version != version:
        raise AppError(Code.ETAG_STALE)
    wanted: dict[str, Any] = {}
    if name is not None:
        wanted["name"] = name
    if region_code is not None:
        _require_known_region(region_code)
        _require_reach(caller, region_code)
        wanted["region_code"] = region_code
    if profile is not None:
        wanted["profile"] = checked_profile(OrganisationKind(row.kind), profile)
    changed = {field: value for field, value in wanted.items() if getattr(row, field) != value}
    if not changed:
        return _record(row)
    written = tx.execute(
        update(Organisation)
        .where(Organisation.id == row.id)
        .values(**changed, version=Organisation.version + 1)
        .returning(Organisation)
    ).one()
    audit.record(
        tx,
        caller=caller,
        region_code=written.region_code,
        action="organisation.changed",
        object_id=written.id,
        at=now(tx),
        details={"fields": sorted(changed), "version": written.version},
    )
    return _record(written)


def read_organisation(tx: Connection, *, caller: Caller, organisation_id: str) -> OrganisationRecord:
    """One organisation within the caller's reach. Raises `not_found`."""
    row = tx.execute(select(Organisation).where(_is(organisation_id), _visible_to(caller))).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="organisation")
    return _record(row)


def list_organisations(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    kind: OrganisationKind | None = None,
    region_code: str | None = None,
    identifier: str | None = None,
    name: str | None = None,
) -> list[OrganisationRecord]:
    """Organisations within the caller's reach, newest first, at most `limit`.

    `region_code` takes in the regions below it; `identifier` is read as it was typed; `name` is a part of one,
    and widths, brackets, case, spaces and the form of company do not count.
    """
    query = select(Organisation).where(_visible_to(caller)).order_by(Organisation.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Organisation.id < before_id)
    if kind is not None:
        query = query.where(Organisation.kind == kind)
    if region_code is not None:
        query = query.where(region_within(Organisation.region_code, region_code))
    if identifier is not None:
        query = query.where(Organisation.identifier_value.in_(_readings(identifier)))
    if name is not None:
        query = query.where(_EVEN_NAME.contains(name_core(name), autoescape=True))
    return [_record(row) for row in tx.execute(query)]


def organisation_to_staff(tx: Connection, *, caller: Caller, organisation_id: str) -> OrganisationRecord:
    """The organisation that a registrar gives a person or a machine. Raises `forbidden`, `validation_failed`."""
    caller.require(Role.REGISTRAR)
    row = tx.execute(
        select(Organisation).where(_is(organisation_id), registered_within(caller, Role.REGISTRAR))
    ).one_or_none()
    if row is None:
        raise _invalid("/organisation_id", "unknown_organisation", actual=organisation_id)
    return _record(row)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    seen = or_(Organisation.id == caller.organisation_id, registered_within(caller, *OFFICIALS, *KEEPERS))
    if caller.regions(*OFFICIALS):
        seen = or_(seen, Organisation.kind == OrganisationKind.PROVIDER)
    return seen


def registered_within(caller: Caller, *roles: Role) -> ColumnElement[bool]:
    """Reading the registry, a city's officials reach its districts too: that is where its firms are."""
    grants = caller.regions(*roles)
    return or_(false(), *(region_within(Organisation.region_code, grant.region_code) for grant in grants))


def _is(organisation_id: str) -> ColumnElement[bool]:
    return Organisation.id == organisation_id if is_id(organisation_id, "org") else false()


def _require_reach(caller: Caller, region_code: str) -> None:
    if not caller.holds_in(Role.REGISTRAR, region_code):
        raise AppError(Code.FORBIDDEN, role=f"{Role.REGISTRAR} {region_code}")


def _require_known_region(region_code: str) -> None:
    if not is_region(region_code):
        raise _invalid("/region_code", "unknown_region", actual=region_code)


def stored_identifier(identifier_type: IdentifierType, value: str, *, pointer: str) -> str:
    """An identifier in its one stored form, whatever it was typed like. Raises `validation_failed` at the pointer."""
    if identifier_type is IdentifierType.USCC:
        try:
            return parse_uscc(value)
        except UsccError as error:
            raise _invalid(pointer, "uscc_not_valid", detail=str(error), actual=value) from error
    if _MAKER_IDENTIFIER.fullmatch(value) is None:
        raise _invalid(pointer, "identifier_not_valid", actual=value)
    return value


def _checked_identifier(new: NewOrganisation) -> str:
    if new.identifier_type is not IdentifierType.USCC and new.kind is not OrganisationKind.FIRM:
        raise _invalid("/identifier/type", "not_for_this_kind", actual=new.identifier_type)
    return stored_identifier(new.identifier_type, new.identifier_value, pointer="/identifier/value")


def _readings(identifier: str) -> set[str]:
    """What was typed, and the one stored form if it is a 统一社会信用代码."""
    try:
        return {identifier, parse_uscc(identifier)}
    except UsccError:
        return {identifier}


def _invalid(pointer: str, code: str, *, detail: str | None = None, actual: str | None = None) -> AppError:
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, detail=detail, actual=actual)])


def _record(row: Row[Any]) -> OrganisationRecord:
    return OrganisationRecord(**{name: getattr(row, name) for name in OrganisationRecord.__slots__})


def require_reach_over_all(tx: Connection, caller: Caller, role: Role) -> None:
    """Let nobody change what counts for everybody whose role does not reach every region that takes part.

    Raises `forbidden`, with the role and a region beyond its reach.
    """
    own = [region_within(Organisation.region_code, grant.region_code) for grant in caller.regions(role)]
    beyond = tx.execute(select(Organisation.region_code).where(not_(or_(*own))).limit(1)).scalar_one_or_none()
    if beyond is not None:
        raise AppError(Code.FORBIDDEN, role=f"{role} {beyond}")
