"""Nobody becomes somebody else alone: whom a registrar invites, and for whom a second person has to agree first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind, Role
from app.models import AuditEvent, User
from app.services.approvals.decisions import ApprovalRecord, approve, list_approvals, reject
from app.services.identity.invitations import create_invitation
from app.services.identity.principals import Caller, Grant
from app.services.identity.resets import agreed_reset, request_password_reset
from app.services.identity.roles import grant_roles
from app.services.identity.users import create_user
from tests.identity.registry import HANGZHOU, NINGBO, PROVINCE, SHANGHAI_CITY, caller, registered

REGISTRAR = caller(Role.REGISTRAR)
SECURITY = caller(Role.SECURITY_ADMIN)
OFFICIAL = sorted(set(Role) - {Role.FIRM, Role.PROVIDER})


@dataclass(frozen=True)
class Person:
    """Somebody of an organisation of Hangzhou, and what may be done about his password."""

    database: Database
    id: str

    def invite(self, by: Caller = REGISTRAR) -> str:
        return self.database.transact(lambda tx: create_invitation(tx, caller=by, user_id=self.id, ttl_s=3600)).secret

    def ask(self, by: Caller = REGISTRAR) -> str:
        return self.database.transact(
            lambda tx: request_password_reset(tx, caller=by, user_id=self.id, reason="遗忘密码")
        )

    def approve(self, approval_id: str, by: Caller = SECURITY) -> ApprovalRecord:
        return self.database.transact(lambda tx: approve(tx, caller=by, approval_id=approval_id))

    def grant(self, *roles: Grant) -> None:
        at = self.database.transact(lambda tx: tx.execute(select(User.created_at).limit(1)).scalar_one())
        self.database.transact(
            lambda tx: grant_roles(
                tx, caller=SECURITY, subject_id=self.id, roles=list(roles), region_code=HANGZHOU, at=at
            )
        )


@pytest.fixture
def person(database: Database) -> Person:
    organisation = registered(database, OrganisationKind.AUTHORITY)
    user, _ = database.transact(
        lambda tx: create_user(
            tx, caller=REGISTRAR, login="chen", name="陈静", organisation_id=organisation.id, roles=[]
        )
    )
    return Person(database, user.id)


def refused(work: Any) -> Code:
    with pytest.raises(AppError) as refusal:
        work()
    return refusal.value.code


def test_only_a_registrar_within_reach_invites_or_asks(person: Person) -> None:
    for work in (person.invite, person.ask):
        assert refused(lambda work=work: work(by=caller(Role.SECURITY_ADMIN))) is Code.FORBIDDEN
        assert refused(lambda work=work: work(by=caller(Role.REGISTRAR, NINGBO))) is Code.NOT_FOUND


def test_whoever_holds_no_role_or_an_outsiders_is_invited_again_and_again(person: Person) -> None:
    for roles in ([], [Grant(Role.FIRM, HANGZHOU)], [Grant(Role.PROVIDER, HANGZHOU)]):
        if roles:
            person.grant(*roles)
        assert person.invite() != person.invite()


@pytest.mark.parametrize("role", [Role.FIRM, Role.AUDITOR])
def test_roles_beyond_the_registrars_reach_put_a_person_beyond_it(person: Person, role: Role) -> None:
    of_city = caller(Role.REGISTRAR, HANGZHOU)
    person.invite(by=of_city)
    person.grant(Grant(role, HANGZHOU), Grant(role, NINGBO))
    assert refused(lambda: person.invite(by=of_city)) is Code.FORBIDDEN
    assert refused(lambda: person.ask(by=of_city)) is Code.FORBIDDEN


@pytest.mark.parametrize("role", OFFICIAL)
def test_an_official_is_invited_once_after_a_second_person_agreed(person: Person, role: Role) -> None:
    authority_id = registered(person.database, OrganisationKind.AUTHORITY).id
    person.grant(Grant(role, HANGZHOU, authority_id), Grant(Role.FIRM, HANGZHOU))
    assert refused(person.invite) is Code.APPROVAL_NEEDED
    asked = person.ask()
    assert refused(person.invite) is Code.APPROVAL_NEEDED, "asking is not agreeing"
    assert person.approve(asked).region_code == HANGZHOU
    person.invite()
    assert refused(person.invite) is Code.APPROVAL_NEEDED, "one approval, one invitation"
    person.approve(person.ask())
    person.invite()


def test_what_the_second_person_is_shown_names_the_person_and_the_reason(person: Person) -> None:
    person.grant(Grant(Role.FINANCE, HANGZHOU))
    person.ask()
    [asked] = person.database.transact(lambda tx: list_approvals(tx, caller=SECURITY, limit=10))
    assert (asked.kind, asked.required_role, asked.subject_id) == ("reset_password", Role.SECURITY_ADMIN, person.id)
    assert (asked.command, asked.reason) == (f'{{"user_id":"{person.id}"}}', "遗忘密码")
    assert all(shown in asked.effect for shown in ('"chen"', '"陈静"', '"finance 330100"'))
    assert refused(person.ask) is Code.APPROVAL_PENDING


def test_the_agreement_serves_the_registrar_who_asked_and_no_other(person: Person) -> None:
    person.grant(Grant(Role.FINANCE, HANGZHOU))
    person.approve(person.ask())
    assert refused(lambda: person.invite(by=caller(Role.REGISTRAR))) is Code.APPROVAL_NEEDED
    person.invite()


def test_the_agreement_of_another_person_or_a_refusal_is_none(person: Person) -> None:
    person.grant(Grant(Role.FINANCE, HANGZHOU))
    organisation = registered(person.database, OrganisationKind.AUTHORITY)
    other, _ = person.database.transact(
        lambda tx: create_user(tx, caller=REGISTRAR, login="li", name="李明", organisation_id=organisation.id, roles=[])
    )
    person.approve(replace(person, id=other.id).ask())
    asked = person.ask()
    person.database.transact(lambda tx: reject(tx, caller=SECURITY, approval_id=asked, note="未经本人提出"))
    assert refused(person.invite) is Code.APPROVAL_NEEDED


def test_the_agreement_is_good_for_a_day(person: Person) -> None:
    roles = [Grant(Role.FINANCE, HANGZHOU)]
    person.grant(*roles)
    approved = person.approve(person.ask())
    assert approved.decided_at is not None
    until = approved.decided_at + timedelta(hours=24)

    def found(at: datetime) -> str | None:
        return person.database.transact(
            lambda tx: agreed_reset(tx, caller=REGISTRAR, user_id=person.id, region_code=HANGZHOU, roles=roles, at=at)
        )

    assert found(until - timedelta(microseconds=1)) == approved.id
    assert refused(lambda: found(until)) is Code.APPROVAL_NEEDED


def test_roles_that_reach_further_need_an_agreement_from_further_up(person: Person) -> None:
    person.grant(Grant(Role.AUDITOR, HANGZHOU))
    person.approve(person.ask(), by=caller(Role.SECURITY_ADMIN, HANGZHOU))
    person.grant(Grant(Role.AUDITOR, NINGBO))
    assert refused(person.invite) is Code.APPROVAL_NEEDED
    asked = person.ask()
    assert refused(lambda: person.approve(asked, by=caller(Role.SECURITY_ADMIN, HANGZHOU))) is Code.NOT_FOUND
    assert person.approve(asked).region_code == PROVINCE
    person.invite()


def test_roles_that_no_province_covers_are_told_so(person: Person) -> None:
    person.grant(Grant(Role.AUDITOR, HANGZHOU), Grant(Role.AUDITOR, SHANGHAI_CITY))
    both = replace(
        REGISTRAR,
        principal=replace(
            REGISTRAR.principal, grants=(*REGISTRAR.principal.grants, Grant(Role.REGISTRAR, SHANGHAI_CITY))
        ),
    )
    assert refused(lambda: person.ask(by=both)) is Code.WRONG_STATE
    assert refused(lambda: person.invite(by=both)) is Code.WRONG_STATE


def test_nobody_agrees_to_his_own_reset_or_to_what_he_asked_himself(person: Person) -> None:
    person.grant(Grant(Role.SECURITY_ADMIN, HANGZHOU))
    asked = person.ask()
    himself = caller(Role.SECURITY_ADMIN, HANGZHOU)
    himself = replace(himself, principal=replace(himself.principal, id=person.id))
    assert refused(lambda: person.approve(asked, by=himself)) is Code.SAME_PERSON
    both = replace(
        REGISTRAR,
        principal=replace(
            REGISTRAR.principal, grants=(*REGISTRAR.principal.grants, Grant(Role.SECURITY_ADMIN, PROVINCE))
        ),
    )
    assert refused(lambda: person.approve(asked, by=both)) is Code.SAME_PERSON
    person.approve(asked)


def test_nothing_is_agreed_about_somebody_who_is_gone(person: Person) -> None:
    person.grant(Grant(Role.FINANCE, HANGZHOU))
    asked = person.ask()
    person.database.transact(lambda tx: tx.execute(update(User).values(disabled_at=User.created_at)))
    assert refused(lambda: person.approve(asked)) is Code.NOT_FOUND


def test_the_log_names_the_agreement_behind_an_invitation(person: Person) -> None:
    person.grant(Grant(Role.FINANCE, HANGZHOU))
    asked = person.ask()
    person.approve(asked)
    person.invite()
    events = select(AuditEvent.action, AuditEvent.details).where(AuditEvent.object_id == person.id)
    logged = person.database.transact(lambda tx: tx.execute(events.order_by(AuditEvent.id)).all())
    assert [event.action for event in logged[-3:]] == [
        "reset_password.requested",
        "reset_password.approved",
        "user.invited",
    ]
    assert f'"approval":"{asked}"' in logged[-1].details
