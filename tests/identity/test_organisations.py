from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import AuditEvent, Organisation
from app.services.identity.principals import Caller
from app.services.organisations import (
    change_organisation,
    list_organisations,
    read_organisation,
    register_organisation,
)
from tests.identity.registry import CIXI, HANGZHOU, NINGBO, PROVINCE, XIHU, caller, new_organisation, registered
from tests.world import uscc_of

REGISTRAR = caller(Role.REGISTRAR)


def refused(database: Database, work: Any) -> AppError:
    with pytest.raises(AppError) as refusal:
        database.transact(work)
    return refusal.value


def seen(database: Database, by: Caller, **filters: Any) -> list[str]:
    found = database.transact(lambda tx: list_organisations(tx, caller=by, limit=100, **filters))
    return [organisation.id for organisation in found]


def test_a_registered_organisation_can_be_read_and_its_code_is_stored_in_one_form(database: Database) -> None:
    code = uscc_of(1)
    new = new_organisation(identifier_value=f" {code[:8].lower()}-{code[8:]} ")
    record = database.transact(lambda tx: register_organisation(tx, caller=REGISTRAR, new=new))
    assert record.identifier_value == code
    assert database.transact(lambda tx: read_organisation(tx, caller=REGISTRAR, organisation_id=record.id)) == record
    event = database.transact(lambda tx: tx.execute(select(AuditEvent).where(AuditEvent.object_id == record.id)).one())
    assert (event.action, event.region_code, event.principal_id, event.source) == (
        "organisation.registered",
        HANGZHOU,
        REGISTRAR.principal_id,
        "192.0.2.1",
    )


def test_the_same_identifier_is_registered_once_and_the_refusal_names_it(database: Database) -> None:
    first = registered(database, identifier_value=uscc_of(2))
    again = new_organisation(identifier_value=uscc_of(2).lower())
    refusal = refused(database, lambda tx: register_organisation(tx, caller=REGISTRAR, new=again))
    assert (refusal.code, refusal.extra) == (Code.ORGANISATION_EXISTS, {"organisation_id": first.id})


def test_twins_that_register_at_once_make_one_organisation(database: Database) -> None:
    new = new_organisation()

    def register(_: int) -> str:
        try:
            return database.transact(lambda tx: register_organisation(tx, caller=REGISTRAR, new=new)).id
        except AppError as refusal:
            return str(refusal.extra["organisation_id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(register, range(8)))) == 1
    assert len(database.transact(lambda tx: tx.execute(select(Organisation.id)).all())) == 1


def test_one_legal_person_may_be_firm_and_provider(database: Database) -> None:
    code = uscc_of(3)
    firm = registered(database, identifier_value=code)
    provider = registered(database, OrganisationKind.PROVIDER, identifier_value=code)
    assert firm.id != provider.id


def test_a_wrong_field_is_named_and_nothing_is_written(database: Database) -> None:
    maker = {"identifier_type": IdentifierType.MAKER, "identifier_value": "M-1"}
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"identifier_value": "91330106MA0000015X"}, "/identifier/value", "uscc_not_valid"),
        ({"identifier_value": "123"}, "/identifier/value", "uscc_not_valid"),
        (maker | {"identifier_value": "创客"}, "/identifier/value", "identifier_not_valid"),
        (maker | {"kind": OrganisationKind.AUTHORITY}, "/identifier/type", "not_for_this_kind"),
        ({"region_code": "339999"}, "/region_code", "unknown_region"),
        ({"profile": {"sise": "small"}}, "/profile/sise", "extra_forbidden"),
    ]
    for changes, pointer, code in cases:
        new = new_organisation(**changes)
        refusal = refused(database, lambda tx, new=new: register_organisation(tx, caller=REGISTRAR, new=new))
        assert refusal.code is Code.VALIDATION_FAILED
        assert [(error.pointer, error.code) for error in refusal.errors] == [(pointer, code)]
    assert database.transact(lambda tx: tx.execute(select(Organisation.id)).all()) == []


def test_a_maker_team_without_legal_personality_can_be_registered(database: Database) -> None:
    new = new_organisation(identifier_type=IdentifierType.MAKER, identifier_value="HZ-2026-0007")
    assert database.transact(lambda tx: register_organisation(tx, caller=REGISTRAR, new=new)).profile["size"] is None


def test_only_registrars_register(database: Database) -> None:
    new = new_organisation()
    for role in set(Role) - {Role.REGISTRAR}:
        by = caller(role)
        assert refused(database, lambda tx, by=by: register_organisation(tx, caller=by, new=new)).code is (
            Code.FORBIDDEN
        )


def test_a_citys_registrar_registers_in_its_districts_and_nowhere_else(database: Database) -> None:
    of_city = caller(Role.REGISTRAR, HANGZHOU)
    database.transact(lambda tx: register_organisation(tx, caller=of_city, new=new_organisation(region_code=XIHU)))
    for elsewhere in (NINGBO, PROVINCE):
        new = new_organisation(region_code=elsewhere)
        assert refused(database, lambda tx, new=new: register_organisation(tx, caller=of_city, new=new)).code is (
            Code.FORBIDDEN
        )


def test_firms_and_providers_see_themselves_and_nobody_else(database: Database) -> None:
    firm, provider = registered(database), registered(database, OrganisationKind.PROVIDER)
    assert seen(database, caller(Role.FIRM, HANGZHOU, organisation_id=firm.id)) == [firm.id]
    assert seen(database, caller(Role.PROVIDER, HANGZHOU, organisation_id=provider.id)) == [provider.id]
    stranger = caller(Role.FIRM, HANGZHOU, organisation_id=firm.id)
    for foreign in (provider.id, "org_00000000000000000000000000", "nonsense", "org_\x00"):
        refusal = refused(
            database, lambda tx, foreign=foreign: read_organisation(tx, caller=stranger, organisation_id=foreign)
        )
        assert refusal.code is Code.NOT_FOUND, "unknown and foreign have one answer"


def test_officials_see_their_region_with_its_districts_and_the_providers_of_all(database: Database) -> None:
    here, district = registered(database), registered(database, region_code=XIHU)
    registered(database, region_code=NINGBO)
    provider = registered(database, OrganisationKind.PROVIDER, region_code=NINGBO)
    for role in (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR):
        assert seen(database, caller(role, HANGZHOU)) == [provider.id, district.id, here.id]


def test_registrars_and_security_administrators_see_what_they_reach(database: Database) -> None:
    here = registered(database, region_code=CIXI)
    registered(database, OrganisationKind.PROVIDER, region_code=HANGZHOU)
    for role in (Role.REGISTRAR, Role.SECURITY_ADMIN):
        assert seen(database, caller(role, NINGBO)) == [here.id]
    assert seen(database, caller(Role.AUDIT_ADMIN)) == []


def test_lists_can_be_filtered_and_paged(database: Database) -> None:
    firms = [registered(database, region_code=XIHU) for _ in range(3)]
    provider = registered(database, OrganisationKind.PROVIDER, region_code=NINGBO)
    newest_first = [firm.id for firm in reversed(firms)]
    assert seen(database, REGISTRAR, kind=OrganisationKind.PROVIDER) == [provider.id]
    assert seen(database, REGISTRAR, region_code=HANGZHOU) == newest_first
    assert seen(database, REGISTRAR, identifier=firms[0].identifier_value.lower()) == [firms[0].id]
    assert seen(database, REGISTRAR, kind=OrganisationKind.FIRM, before_id=newest_first[0]) == newest_first[1:]


def test_a_change_needs_the_version_that_was_read(database: Database) -> None:
    firm = registered(database)
    changed = database.transact(
        lambda tx: change_organisation(
            tx, caller=REGISTRAR, organisation_id=firm.id, version=1, name="新名", profile={"size": "large"}
        )
    )
    assert (changed.version, changed.name, changed.profile["size"]) == (2, "新名", "large")
    refusal = refused(
        database,
        lambda tx: change_organisation(tx, caller=REGISTRAR, organisation_id=firm.id, version=1, name="别名"),
    )
    assert refusal.code is Code.ETAG_STALE
    details = database.transact(
        lambda tx: tx.execute(
            select(AuditEvent.details).where(AuditEvent.action == "organisation.changed")
        ).scalar_one()
    )
    assert details == '{"fields":["name","profile"],"version":2}'


def test_of_two_that_change_at_once_one_is_told_to_read_again(database: Database) -> None:
    firm = registered(database)

    def rename(number: int) -> str:
        try:
            database.transact(
                lambda tx: change_organisation(
                    tx, caller=REGISTRAR, organisation_id=firm.id, version=1, name=f"名{number}"
                )
            )
        except AppError as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(rename, range(6))) == ["done", *[Code.ETAG_STALE] * 5]


def test_changing_nothing_leaves_the_version(database: Database) -> None:
    firm = registered(database)
    same = database.transact(
        lambda tx: change_organisation(
            tx, caller=REGISTRAR, organisation_id=firm.id, version=1, name=firm.name, profile={}
        )
    )
    assert same == firm


def test_an_organisation_is_moved_only_to_where_the_registrar_reaches(database: Database) -> None:
    firm = registered(database, region_code=XIHU)
    of_city = caller(Role.REGISTRAR, HANGZHOU)
    refusal = refused(
        database,
        lambda tx: change_organisation(tx, caller=of_city, organisation_id=firm.id, version=1, region_code=NINGBO),
    )
    assert refusal.code is Code.FORBIDDEN
    of_other_city = caller(Role.REGISTRAR, NINGBO)
    refusal = refused(
        database,
        lambda tx: change_organisation(tx, caller=of_other_city, organisation_id=firm.id, version=1, name="x"),
    )
    assert refusal.code is Code.NOT_FOUND
