from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind, Role
from app.services.identity.principals import Grant
from app.services.identity.roles import checked_roles, common_region
from app.services.organisations import OrganisationRecord
from tests.identity.registry import HANGZHOU, NINGBO, PROVINCE, SHANGHAI_CITY, XIHU, caller

OWN, OTHER = "org_0000000000000000000000000a", "org_0000000000000000000000000b"


def organisation(kind: OrganisationKind, region_code: str = HANGZHOU) -> OrganisationRecord:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return OrganisationRecord(OWN, kind, "uscc", "x", "x", region_code, {}, 1, at, "test")


def wanted(
    kind: OrganisationKind, *roles: Grant, machine: bool = False, registrar_region: str = PROVINCE
) -> tuple[Grant, ...]:
    return checked_roles(
        roles, caller=caller(Role.REGISTRAR, registrar_region), organisation=organisation(kind), machine=machine
    )


def faults(kind: OrganisationKind, *roles: Grant, **how: bool | str) -> set[tuple[str, str]]:
    with pytest.raises(AppError) as refusal:
        wanted(kind, *roles, **how)  # type: ignore[arg-type]
    assert refusal.value.code is Code.VALIDATION_FAILED
    return {(error.pointer, error.code) for error in refusal.value.errors}


@pytest.mark.parametrize(
    ("regions", "common"),
    [
        ([XIHU], XIHU),
        ([XIHU, XIHU], XIHU),
        ([XIHU, "330110"], HANGZHOU),
        ([XIHU, HANGZHOU], HANGZHOU),
        ([HANGZHOU, NINGBO], PROVINCE),
        ([XIHU, PROVINCE], PROVINCE),
        ([HANGZHOU, SHANGHAI_CITY], None),
    ],
)
def test_the_approval_belongs_to_the_smallest_region_that_covers_all(regions: list[str], common: str | None) -> None:
    assert common_region(regions) == common


def test_makers_and_checkers_get_their_own_authority_without_saying_so() -> None:
    assert wanted(OrganisationKind.AUTHORITY, Grant(Role.MAKER, HANGZHOU)) == (Grant(Role.MAKER, HANGZHOU, OWN),)
    assert wanted(OrganisationKind.AUTHORITY, Grant(Role.CHECKER, HANGZHOU, OWN)) == (
        Grant(Role.CHECKER, HANGZHOU, OWN),
    )


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (OrganisationKind.FIRM, Role.PROVIDER),
        (OrganisationKind.PROVIDER, Role.FIRM),
        (OrganisationKind.FIRM, Role.FINANCE),
        (OrganisationKind.FIRM, Role.REGISTRAR),
        (OrganisationKind.PROVIDER, Role.SECURITY_ADMIN),
        (OrganisationKind.FINANCE, Role.MAKER),
        (OrganisationKind.AUTHORITY, Role.FINANCE),
    ],
)
def test_a_role_goes_only_to_the_kind_of_organisation_it_is_for(kind: OrganisationKind, role: Role) -> None:
    assert ("/roles/0/role", "not_for_this_organisation") in faults(kind, Grant(role, HANGZHOU))


@pytest.mark.parametrize("role", [Role.MAKER, Role.CHECKER])
def test_nobody_acts_for_an_authority_that_is_not_his(role: Role) -> None:
    assert faults(OrganisationKind.AUTHORITY, Grant(role, HANGZHOU, OTHER)) == {
        ("/roles/0/authority_id", "not_the_own_authority")
    }


def test_other_roles_are_held_for_no_authority() -> None:
    assert faults(OrganisationKind.FINANCE, Grant(Role.FINANCE, HANGZHOU, OWN)) == {
        ("/roles/0/authority_id", "not_the_own_authority")
    }


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (OrganisationKind.AUTHORITY, Role.MAKER),
        (OrganisationKind.AUTHORITY, Role.CHECKER),
        (OrganisationKind.FINANCE, Role.FINANCE),
        (OrganisationKind.REGISTRY, Role.REGISTRAR),
        (OrganisationKind.REGISTRY, Role.SECURITY_ADMIN),
        (OrganisationKind.FIRM, Role.FIRM),
    ],
)
def test_machines_act_in_no_official_role(kind: OrganisationKind, role: Role) -> None:
    assert faults(kind, Grant(role, HANGZHOU), machine=True) == {("/roles/0/role", "not_for_machines")}


def test_machines_of_providers_redeem_and_machines_of_cities_read() -> None:
    assert wanted(OrganisationKind.PROVIDER, Grant(Role.PROVIDER, NINGBO), machine=True)
    assert wanted(OrganisationKind.AUTHORITY, Grant(Role.AUDITOR, HANGZHOU), machine=True)


def test_a_registrar_gives_roles_only_within_reach() -> None:
    assert faults(OrganisationKind.PROVIDER, Grant(Role.PROVIDER, NINGBO), registrar_region=HANGZHOU) == {
        ("/roles/0/region_code", "beyond_your_reach")
    }


def test_officials_act_in_the_region_of_their_own_bureau_or_below() -> None:
    assert wanted(OrganisationKind.AUTHORITY, Grant(Role.MAKER, XIHU))
    assert faults(OrganisationKind.AUTHORITY, Grant(Role.MAKER, NINGBO)) == {
        ("/roles/0/region_code", "outside_the_organisation")
    }


def test_every_fault_is_named_in_its_place() -> None:
    found = faults(
        OrganisationKind.PROVIDER,
        Grant(Role.PROVIDER, HANGZHOU),
        Grant(Role.FINANCE, "339999"),
        Grant(Role.PROVIDER, HANGZHOU),
    )
    assert found == {
        ("/roles/1/role", "not_for_this_organisation"),
        ("/roles/1/region_code", "unknown_region"),
        ("/roles", "duplicate"),
    }


def test_asking_for_nothing_is_no_fault() -> None:
    assert wanted(OrganisationKind.FIRM) == ()
