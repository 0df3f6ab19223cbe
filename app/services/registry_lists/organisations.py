"""Taking in a list of firms or providers: read outside the transaction, written in one, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, text, tuple_

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.names import same_name
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.kernel.wording import Language
from app.models import Organisation
from app.services import audit
from app.services.identity.principals import Caller
from app.services.profiles import checked_profile
from app.services.registry_lists.lines import OrganisationFile, OrganisationLine, read_organisations
from app.services.registry_lists.words import PROVIDER_KINDS, CellProblem, Field, ListKind
from app.sql import Statement, now

KINDS = {ListKind.FIRMS: OrganisationKind.FIRM, ListKind.PROVIDERS: OrganisationKind.PROVIDER}

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('organisation lists', 0))")
"""Two lists are taken in one after the other: what is looked up stays true until COMMIT."""

_NEW = ("id", "kind", "identifier_type", "identifier_value", "name", "region_code", "created_by", "profile")
_INSERT = Statement(
    "INSERT INTO organisations"
    " (id, kind, identifier_type, identifier_value, name, region_code, created_by, profile, version, created_at)"
    " SELECT given.*, 1, :created_at FROM (SELECT id, kind, identifier_type, identifier_value, name, region_code,"
    " created_by, CAST(profile AS jsonb) FROM unnest(CAST(:id AS text[]), CAST(:kind AS text[]),"
    " CAST(:identifier_type AS text[]), CAST(:identifier_value AS text[]), CAST(:name AS text[]),"
    " CAST(:region_code AS text[]), CAST(:created_by AS text[]), CAST(:profile AS text[]))"
    " AS asked(id, kind, identifier_type, identifier_value, name, region_code, created_by, profile)) AS given"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_UPDATE = Statement(
    "UPDATE organisations o SET name = given.name, region_code = given.region_code,"
    " profile = CAST(given.profile AS jsonb), version = o.version + 1"
    " FROM unnest(CAST(:id AS text[]), CAST(:name AS text[]), CAST(:region_code AS text[]), CAST(:profile AS text[]))"
    " AS given(id, name, region_code, profile) WHERE o.id = given.id"
)

Key = tuple[str, str]
"""Type and value of an identifier."""


@dataclass(frozen=True, slots=True)
class OrganisationUpload:
    """A list with what its sender says about it: where he keeps the registry, and whether what is there may change."""

    kind: ListKind
    region_code: str
    data: bytes
    update: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an organisation, as it is there and as the list says it."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Named:
    """An organisation of the list. A dry run makes none, so a new one has no id then."""

    row_no: int
    organisation_id: str | None
    identifier_value: str
    name: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a list did or, in a dry run, would do. `differing` were left as they are, for no update was asked."""

    dry_run: bool
    file_sha256: str
    created: tuple[Named, ...]
    changed: tuple[Named, ...]
    differing: tuple[Named, ...]
    unchanged_count: int
    ignored_columns: tuple[str, ...]


@dataclass(slots=True)
class _Wanted:
    """What all lines of the list say of one organisation."""

    first: OrganisationLine
    name: str
    region_code: str | None
    profile: dict[str, Any]
    sites: dict[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    created: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[Any, dict[str, Any], Named]] = field(default_factory=list)
    differing: list[Named] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    unchanged: int = 0


def import_organisations(
    database: Database, *, caller: Caller, upload: OrganisationUpload, language: Language, dry_run: bool = False
) -> ImportReport:
    """Write down every organisation of a list that is not there yet; all or none, and the same list twice does nothing.

    What is there and differs is told, and changed where `update` asks for it: only fields that the list fills.
    Raises `forbidden`, `not_found` for a region that the registrar does not keep, `file_unreadable`, `sheet_invalid`
    with every complaint.
    """
    caller.require(Role.REGISTRAR)
    if not caller.holds_in(Role.REGISTRAR, upload.region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    read = read_organisations(upload.data, upload.kind, region_code=upload.region_code, language=language)
    return database.transact(lambda tx: _take_in(tx, caller, upload, read, dry_run=dry_run))


def _take_in(
    tx: Connection, caller: Caller, upload: OrganisationUpload, read: OrganisationFile, *, dry_run: bool
) -> ImportReport:
    tx.execute(_ALONE)
    wanted = _gathered(read)
    kind = KINDS[upload.kind]
    plan = _planned(caller, upload, read, wanted, _existing(tx, kind, wanted), kind)
    read.require_sound()
    if not dry_run:
        _write(tx, caller, plan, upload)
    return ImportReport(
        dry_run=dry_run,
        file_sha256=hashlib.sha256(upload.data).hexdigest(),
        created=tuple(
            Named(one.row_no, None if dry_run else row["id"], one.identifier_value, one.name)
            for one, row in zip(plan.named, plan.created, strict=True)
        ),
        changed=tuple(named for _, _, named in plan.changed),
        differing=tuple(plan.differing),
        unchanged_count=plan.unchanged,
        ignored_columns=read.headings.ignored,
    )


def _gathered(read: OrganisationFile) -> dict[Key, _Wanted]:
    """The lines by organisation: of a provider there is one for each site, and they must not contradict each other."""
    wanted: dict[Key, _Wanted] = {}
    for line in read.lines:
        key = (line.identifier_type.value, line.identifier_value)
        one = wanted.setdefault(key, _Wanted(line, line.name, line.region_code, dict(line.profile)))
        if not same_name(line.name, one.name):
            _contradicts(read, line, one, Field.NAME, line.name)
        if line.region_code is not None and line.region_code != (one.region_code or line.region_code):
            _contradicts(read, line, one, Field.REGION, line.region_code)
        one.region_code = one.region_code or line.region_code
        for name, value in line.profile.items():
            if one.profile.setdefault(name, value) != value:
                _contradicts(read, line, one, Field(name), value)
        if line.site is not None:
            one.sites[line.site["code"]] = line.site
    return wanted


def _contradicts(read: OrganisationFile, line: OrganisationLine, one: _Wanted, of: Field, value: Any) -> None:
    read.complain(line.row_no, CellProblem("differs_from_row", limit=one.first.row_no, actual=str(value)), of)


def _existing(tx: Connection, kind: OrganisationKind, wanted: Mapping[Key, _Wanted]) -> dict[Key, Any]:
    rows = tx.execute(
        select(Organisation)
        .where(
            Organisation.kind == kind,
            tuple_(Organisation.identifier_type, Organisation.identifier_value).in_(
                select(text("asked.type"), text("asked.code")).select_from(
                    text("unnest(CAST(:types AS text[]), CAST(:codes AS text[])) AS asked(type, code)")
                )
            ),
        )
        .with_for_update(key_share=True),
        {"types": [key[0] for key in wanted], "codes": [key[1] for key in wanted]},
    )
    return {(row.identifier_type, row.identifier_value): row for row in rows}


def _planned(
    caller: Caller,
    upload: OrganisationUpload,
    read: OrganisationFile,
    wanted: Mapping[Key, _Wanted],
    existing: Mapping[Key, Any],
    kind: OrganisationKind,
) -> _Plan:
    plan = _Plan()
    for key, one in wanted.items():
        row = existing.get(key)
        region_code = one.region_code or (row.region_code if row is not None else upload.region_code)
        here = [region_code] if row is None else [row.region_code, region_code]
        if not all(caller.holds_in(Role.REGISTRAR, code) for code in here):
            problem = CellProblem("region_foreign", limit=upload.region_code, actual=region_code)
            if row is not None and not caller.holds_in(Role.REGISTRAR, row.region_code):
                problem = CellProblem("registered_elsewhere", actual=key[1])
            read.complain(one.first.row_no, problem, Field.REGION if one.region_code else Field.USCC)
            continue
        profile = _profile(read, one, kind, row.profile if row is not None else {})
        if profile is None:
            continue
        if row is None:
            plan.created.append(_new_row(caller, one, kind, key, region_code, profile))
            plan.named.append(Named(one.first.row_no, None, key[1], one.name))
            continue
        changes = _changes(row, one, region_code, profile)
        named = Named(one.first.row_no, row.id, key[1], row.name, changes)
        if not changes:
            plan.unchanged += 1
        elif upload.update:
            plan.changed.append((row, {"name": one.name, "region_code": region_code, "profile": profile}, named))
        else:
            plan.differing.append(named)
    return plan


def _profile(
    read: OrganisationFile, one: _Wanted, kind: OrganisationKind, there: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What is there with what the list says besides; None where it would not be sound, and that is complained of."""
    given = {**there, **one.profile}
    if kind is OrganisationKind.PROVIDER:
        sites = {site["code"]: dict(site) for site in there.get("sites", ())}
        for code, site in one.sites.items():
            sites[code] = {**sites.get(code, {}), **site}
        given["sites"] = list(sites.values())
        if "provider_kind" not in given:
            kinds = "、".join(words[0] for words in PROVIDER_KINDS.values())
            read.complain(one.first.row_no, CellProblem("provider_kind_missing", limit=kinds), Field.PROVIDER_KIND)
            return None
    try:
        return checked_profile(kind, given)
    except AppError as refusal:
        for error in refusal.errors:
            problem = CellProblem("profile_unfit", limit=error.detail or error.code, actual=error.pointer)
            read.complain(one.first.row_no, problem)
        return None


def _changes(row: Row[Any], one: _Wanted, region_code: str, profile: Mapping[str, Any]) -> tuple[Change, ...]:
    """Field by field. A name that is only written in another way is no change."""
    there: dict[str, Any] = {"region_code": row.region_code}
    after: dict[str, Any] = {"region_code": region_code}
    if not same_name(row.name, one.name):
        there["name"], after["name"] = row.name, one.name
    else:
        one.name = row.name
    before = checked_or_stored(row)
    for name in profile:
        there[name], after[name] = before.get(name), profile[name]
    return tuple(Change(name, there[name], after[name]) for name in after if there[name] != after[name])


def checked_or_stored(row: Row[Any]) -> Mapping[str, Any]:
    """The profile that is there, complete, so that a field which did not exist when it was written is no change."""
    try:
        return checked_profile(OrganisationKind(row.kind), row.profile)
    except AppError:
        stored: Mapping[str, Any] = row.profile
        return stored


def _new_row(
    caller: Caller, one: _Wanted, kind: OrganisationKind, key: Key, region_code: str, profile: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "id": new_id("org"),
        "kind": kind,
        "identifier_type": IdentifierType(key[0]),
        "identifier_value": key[1],
        "name": one.name,
        "region_code": region_code,
        "profile": profile,
        "created_by": caller.principal_id,
    }


def rewrite(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put name, region and profile of organisations in place of what is there, in one statement."""
    _UPDATE(
        tx,
        {name: [row[name] for row in rows] for name in ("id", "name", "region_code")}
        | {"profile": [json.dumps(row["profile"]) for row in rows]},
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = {name: [str(row[name]) for row in rows] for name in _NEW}
    return columns | {"profile": [json.dumps(row["profile"]) for row in rows]}


def _write(tx: Connection, caller: Caller, plan: _Plan, upload: OrganisationUpload) -> None:
    at = now(tx)
    file_sha256 = hashlib.sha256(upload.data).hexdigest()
    if len(_INSERT(tx, _columns(plan.created) | {"created_at": at})) < len(plan.created):
        raise AppError(Code.ETAG_STALE)
    rewrite(tx, [values | {"id": row.id} for row, values, _ in plan.changed])
    audit.record_all(
        tx,
        caller=caller,
        action="organisation.registered",
        at=at,
        subjects=[
            (row["region_code"], row["id"], {"kind": str(row["kind"]), "file_sha256": file_sha256})
            for row in plan.created
        ],
    )
    audit.record_all(
        tx,
        caller=caller,
        action="organisation.changed",
        at=at,
        subjects=[
            (
                values["region_code"],
                row.id,
                {
                    "fields": sorted({change.field for change in named.changes}),
                    "version": row.version + 1,
                    "file_sha256": file_sha256,
                },
            )
            for row, values, named in plan.changed
        ],
    )
