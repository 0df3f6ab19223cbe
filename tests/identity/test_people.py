"""Users, clients and their roles: asked for by a registrar, granted by a security administrator."""

from __future__ import annotations

import hashlib
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind, Role
from app.models import Client, RoleGrant, User
from app.services.approvals.decisions import approve
from app.services.identity.clients import NewClient, ask_client_roles, authenticate_client, create_client, list_clients
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller, Grant
from app.services.identity.users import UserRecord, ask_user_roles, create_user, list_users, read_user
from app.services.organisations import OrganisationRecord
from tests.identity.registry import CIXI, HANGZHOU, NINGBO, PROVINCE, caller, registered

REGISTRAR = caller(Role.REGISTRAR)
SECURITY = caller(Role.SECURITY_ADMIN)


@pytest.fixture
def authority(database: Database) -> OrganisationRecord:
    return registered(database, OrganisationKind.AUTHORITY)


@pytest.fixture
def provider(database: Database) -> OrganisationRecord:
    return registered(database, OrganisationKind.PROVIDER, region_code=CIXI)


def person(
    database: Database,
    organisation: OrganisationRecord,
    *roles: Grant,
    login: str = "Maker.One",
    by: Caller = REGISTRAR,
) -> tuple[UserRecord, str | None]:
    return database.transact(
        lambda tx: create_user(
            tx, caller=by, login=login, name="钟怀南", organisation_id=organisation.id, roles=list(roles)
        )
    )


def machine(database: Database, organisation: OrganisationRecord, *roles: Grant) -> NewClient:
    return database.transact(
        lambda tx: create_client(
            tx, caller=REGISTRAR, name="计费系统", organisation_id=organisation.id, roles=list(roles)
        )
    )


def grants_of(database: Database, principal_id: str) -> tuple[Grant, ...]:
    principal = database.transact(lambda tx: load_principal(tx, principal_id))
    assert principal is not None
    return principal.grants


def granted(database: Database, approval_id: str | None, by: Caller = SECURITY) -> None:
    assert approval_id is not None
    database.transact(lambda tx: approve(tx, caller=by, approval_id=approval_id))


def refused(database: Database, work: Any) -> Code:
    with pytest.raises(AppError) as refusal:
        database.transact(work)
    return refusal.value.code


def test_a_new_person_holds_nothing_until_a_security_administrator_agrees(
    database: Database, authority: OrganisationRecord
) -> None:
    user, approval_id = person(database, authority, Grant(Role.MAKER, HANGZHOU))
    assert (user.login, user.roles, user.has_password) == ("maker.one", (), False)
    assert grants_of(database, user.id) == ()
    granted(database, approval_id)
    assert grants_of(database, user.id) == (Grant(Role.MAKER, HANGZHOU, authority.id),)
    shown = database.transact(lambda tx: read_user(tx, caller=REGISTRAR, user_id=user.id))
    assert shown.roles == (Grant(Role.MAKER, HANGZHOU, authority.id),)


def test_the_principal_names_its_organisation_and_region(database: Database, authority: OrganisationRecord) -> None:
    user, _ = person(database, authority)
    principal = database.transact(lambda tx: load_principal(tx, user.id))
    assert principal is not None
    assert (principal.organisation_id, principal.organisation_region) == (authority.id, HANGZHOU)


def test_roles_in_two_cities_wait_for_somebody_who_reaches_both(
    database: Database, provider: OrganisationRecord
) -> None:
    made = machine(database, provider, Grant(Role.PROVIDER, HANGZHOU), Grant(Role.PROVIDER, NINGBO))
    of_city = caller(Role.SECURITY_ADMIN, HANGZHOU)
    with pytest.raises(AppError) as refusal:
        granted(database, made.approval_id, by=of_city)
    assert refusal.value.code is Code.NOT_FOUND
    granted(database, made.approval_id)
    assert set(grants_of(database, made.client.id)) == {
        Grant(Role.PROVIDER, HANGZHOU),
        Grant(Role.PROVIDER, NINGBO),
    }


def test_nobody_approves_his_own_roles_although_another_asked(
    database: Database, authority: OrganisationRecord
) -> None:
    user, approval_id = person(database, authority, Grant(Role.SECURITY_ADMIN, HANGZHOU))
    granted(database, approval_id)
    wanted = [Grant(Role.REGISTRAR, HANGZHOU)]
    asked = database.transact(lambda tx: ask_user_roles(tx, caller=REGISTRAR, user_id=user.id, roles=wanted))
    principal = database.transact(lambda tx: load_principal(tx, user.id))
    assert principal is not None
    with pytest.raises(AppError) as refusal:
        granted(database, asked, by=Caller(principal, "test"))
    assert refusal.value.code is Code.SAME_PERSON
    granted(database, asked)
    assert Grant(Role.REGISTRAR, HANGZHOU) in grants_of(database, user.id)


def test_granting_again_changes_nothing_and_revives_what_was_revoked(
    database: Database, authority: OrganisationRecord
) -> None:
    wanted = [Grant(Role.MAKER, HANGZHOU), Grant(Role.REGISTRAR, HANGZHOU)]
    user, approval_id = person(database, authority, *wanted)
    granted(database, approval_id)
    revoke_maker = (
        update(RoleGrant)
        .where(RoleGrant.user_id == user.id, RoleGrant.role == Role.MAKER)
        .values(revoked_at=user.created_at)
    )
    database.transact(lambda tx: tx.execute(revoke_maker))
    assert [grant.role for grant in grants_of(database, user.id)] == [Role.REGISTRAR]
    rows = select(RoleGrant).where(RoleGrant.user_id == user.id).order_by(RoleGrant.role)
    before = database.transact(lambda tx: tx.execute(rows).all())
    granted(
        database,
        database.transact(lambda tx: ask_user_roles(tx, caller=REGISTRAR, user_id=user.id, roles=wanted)),
    )
    after = database.transact(lambda tx: tx.execute(rows).all())
    assert {grant.role for grant in grants_of(database, user.id)} == {Role.MAKER, Role.REGISTRAR}
    assert after[1] == before[1], "the registrar's grant was live and stays as it was"
    assert after[0].granted_at > before[0].granted_at


def test_the_same_roles_are_not_asked_for_twice_at_once(database: Database, authority: OrganisationRecord) -> None:
    user, _ = person(database, authority, Grant(Role.MAKER, HANGZHOU))
    again = [Grant(Role.MAKER, HANGZHOU)]
    assert refused(database, lambda tx: ask_user_roles(tx, caller=REGISTRAR, user_id=user.id, roles=again)) is (
        Code.APPROVAL_PENDING
    )


def test_a_login_is_given_once_whatever_its_case(database: Database, authority: OrganisationRecord) -> None:
    person(database, authority, login="maker.one")
    with pytest.raises(AppError) as refusal:
        person(database, authority, login="MAKER.ONE")
    assert refusal.value.code is Code.LOGIN_TAKEN


def test_a_login_is_one_plain_word(database: Database, authority: OrganisationRecord) -> None:
    for login in ("", "a", "has space", "名字", "x\x00y", "-dash", "x" * 65):
        with pytest.raises(AppError) as refusal:
            person(database, authority, login=login)
        assert [error.pointer for error in refusal.value.errors] == ["/login"]


def test_an_impossible_role_leaves_nobody_behind(database: Database, authority: OrganisationRecord) -> None:
    with pytest.raises(AppError) as refusal:
        person(database, authority, Grant(Role.PROVIDER, HANGZHOU))
    assert refusal.value.code is Code.VALIDATION_FAILED
    assert database.transact(lambda tx: tx.execute(select(User.id)).all()) == []


def test_only_registrars_within_reach_create_people(database: Database, authority: OrganisationRecord) -> None:
    with pytest.raises(AppError) as refusal:
        person(database, authority, by=SECURITY)
    assert refusal.value.code is Code.FORBIDDEN
    with pytest.raises(AppError) as refusal:
        person(database, authority, by=caller(Role.REGISTRAR, NINGBO))
    assert [error.pointer for error in refusal.value.errors] == ["/organisation_id"]


def test_people_are_seen_within_reach_and_by_themselves(database: Database, authority: OrganisationRecord) -> None:
    user, approval_id = person(database, authority, Grant(Role.MAKER, HANGZHOU))
    granted(database, approval_id)
    principal = database.transact(lambda tx: load_principal(tx, user.id))
    assert principal is not None
    himself = Caller(principal, "test")

    def seen(by: Caller) -> list[str]:
        return [found.id for found in database.transact(lambda tx: list_users(tx, caller=by, limit=10))]

    assert seen(REGISTRAR) == seen(SECURITY) == seen(caller(Role.AUDITOR, HANGZHOU)) == seen(himself) == [user.id]
    assert seen(caller(Role.REGISTRAR, NINGBO)) == seen(caller(Role.MAKER, HANGZHOU)) == []


def test_a_clients_secret_is_kept_as_its_hash_and_lets_it_in(database: Database, provider: OrganisationRecord) -> None:
    made = machine(database, provider, Grant(Role.PROVIDER, HANGZHOU))
    stored = database.transact(lambda tx: tx.execute(select(Client.secret_sha256)).scalar_one())
    assert made.secret is not None and stored is not None
    assert bytes(stored) == hashlib.sha256(made.secret.encode()).digest()
    assert len(made.secret) >= 43

    def entered(client_id: str, secret: str) -> str | None:
        return database.transact(lambda tx: authenticate_client(tx, client_id=client_id, secret=secret))

    assert entered(made.client.id, made.secret) == provider.id
    for client_id, secret in (
        (made.client.id, ""),
        (made.client.id, made.secret + "x"),
        (new_id("cli"), made.secret),
        ("cli_\x00", made.secret),
        ("", ""),
    ):
        assert entered(client_id, secret) is None
    disable = update(Client).values(disabled_at=made.client.created_at)
    database.transact(lambda tx: tx.execute(disable))
    assert entered(made.client.id, made.secret) is None
    assert database.transact(lambda tx: load_principal(tx, made.client.id)) is None


def test_a_disabled_person_is_nobody(database: Database, authority: OrganisationRecord) -> None:
    user, _ = person(database, authority)
    database.transact(lambda tx: tx.execute(update(User).values(disabled_at=user.created_at)))
    assert database.transact(lambda tx: load_principal(tx, user.id)) is None


def test_what_is_no_principals_id_is_nobody(database: Database) -> None:
    for principal_id in ("", "usr_", "cli_x", "org_00000000000000000000000000", "usr_\x00"):
        assert database.transact(partial(load_principal, principal_id=principal_id)) is None


def test_further_roles_of_a_machine_are_asked_for_likewise(database: Database, provider: OrganisationRecord) -> None:
    made = machine(database, provider)
    assert made.approval_id is None
    wanted = [Grant(Role.PROVIDER, HANGZHOU)]
    granted(
        database,
        database.transact(lambda tx: ask_client_roles(tx, caller=REGISTRAR, client_id=made.client.id, roles=wanted)),
    )
    shown = database.transact(lambda tx: list_clients(tx, caller=REGISTRAR, limit=10, organisation_id=provider.id))
    assert [client.roles for client in shown] == [tuple(wanted)]
    official = [Grant(Role.FINANCE, HANGZHOU)]
    assert (
        refused(
            database,
            lambda tx: ask_client_roles(tx, caller=REGISTRAR, client_id=made.client.id, roles=official),
        )
        is Code.VALIDATION_FAILED
    )


def test_the_database_too_refuses_a_machine_as_an_official(database: Database, provider: OrganisationRecord) -> None:
    made = machine(database, provider)
    for role in (Role.MAKER, Role.CHECKER, Role.FINANCE):
        row = {
            "id": new_id("grn"),
            "client_id": made.client.id,
            "role": role,
            "region_code": PROVINCE,
            "authority_id": provider.id,
            "granted_at": made.client.created_at,
            "granted_by": "test",
        }
        grant = insert(RoleGrant).values(row)
        with pytest.raises(IntegrityError, match="officials_are_persons"):
            database.transact(methodcaller("execute", grant))
