"""Founding the demonstration's province through the services: registrars register, makers make, checkers approve.

Every step is one transaction and is known by a natural key (identifier, login, document number), so that a founding
that was cut short is continued and a second one changes nothing. Two persons' acts share a transaction; each is
still decided, recorded and audited as that person's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, select

from app.cli.cast import caller, find_organisation, find_user
from app.cli.output import Failure, step
from app.cli.province import Admitted, Person, Principal, Programme, Province
from app.cli.state import DemoState, Machine
from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import Client
from app.models import Programme as ProgrammeTable
from app.services.approvals.decisions import approve
from app.services.budgets.appropriations import request_appropriation
from app.services.identity.bootstrap import bootstrap
from app.services.identity.clients import create_client
from app.services.identity.principals import Caller, Grant
from app.services.identity.users import create_user
from app.services.organisations import NewOrganisation, register_organisation
from app.services.programmes.admissions import propose_admission
from app.services.programmes.programmes import ProgrammeDraft, create_programme, submit_programme

FIRST_ROLES = (Role.REGISTRAR, Role.SECURITY_ADMIN)
UNUSED_INVITATION_S = 60
"""The first two are invited again when they are to sign in; this invitation is nobody's."""


@dataclass(frozen=True, slots=True)
class Funding:
    """What the finance bureau grants from one source. The amount is fen."""

    fund_source: str
    amount_fen: int
    document_no: str


def found(database: Database, province: Province, state: DemoState) -> None:
    """Everything but the vouchers: organisations, people, machines, published and funded programmes."""
    with step("机构、人员与机器账号", "organisations, people, machines"):
        _let_in_first(database, province)
        database.transact(lambda tx: _register(tx, province))
        database.transact(lambda tx: _write_down_people(tx, province))
        for machine in province.clients:
            _ensure_machine(database, province, machine, state)
    with step("项目、规则、预算与入围机构", "programmes, rules, budgets, admitted providers"):
        for programme in province.programmes:
            database.transact(partial(_ensure_programme, province=province, programme=programme, year=state.year))


def draft_of(
    tx: Connection, province: Province, programme: Programme, year: int, *, title: str, document_no: str
) -> ProgrammeDraft:
    """A programme of this kind for that year, as its maker writes it down."""
    uscc = province.organisation(programme.authority).identifier.value
    return ProgrammeDraft(
        region_code=programme.region_code,
        authority_id=find_organisation(tx, OrganisationKind.AUTHORITY, uscc),
        title=title,
        voucher_kind=programme.voucher_kind,
        fiscal_year=year,
        opens_at=programme.opens_at(year),
        closes_at=programme.closes_at(year),
        document_no=document_no,
        rules=programme.rules,
    )


def publish_and_fund(
    tx: Connection,
    province: Province,
    draft: ProgrammeDraft,
    fundings: Sequence[Funding],
    providers: Sequence[Admitted],
) -> str:
    """Make a programme, publish it, fund it and admit its providers, each by two persons; returns its id."""
    maker = caller(tx, province.person_with(Role.MAKER, draft.region_code).login)
    checker = caller(tx, province.person_with(Role.CHECKER, draft.region_code).login)
    treasurer, controller = (
        caller(tx, person.login) for person in province.people_with(Role.FINANCE, draft.region_code)
    )
    programme_id = create_programme(tx, caller=maker, draft=draft).id
    _, asked = submit_programme(tx, caller=maker, programme_id=programme_id)
    approve(tx, caller=checker, approval_id=asked)
    for funding in fundings:
        asked = request_appropriation(
            tx,
            caller=treasurer,
            programme_id=programme_id,
            document_no=funding.document_no,
            amount_fen=funding.amount_fen,
            fund_source=funding.fund_source,
        )
        approve(tx, caller=controller, approval_id=asked)
    for admitted in providers:
        _, asked = propose_admission(
            tx,
            caller=maker,
            programme_id=programme_id,
            provider_id=provider_id(tx, province, admitted.organisation),
            categories=admitted.categories,
        )
        approve(tx, caller=checker, approval_id=asked)
    return programme_id


def find_programme(tx: Connection, region_code: str, document_no: str) -> str | None:
    """The id of the programme with this document number, or None."""
    return tx.execute(
        select(ProgrammeTable.id).where(
            ProgrammeTable.region_code == region_code, ProgrammeTable.document_no == document_no
        )
    ).scalar_one_or_none()


def programme_id_of(tx: Connection, programme: Programme, year: int) -> str:
    """The id of a programme of the province, which has been founded."""
    programme_id = find_programme(tx, programme.region_code, programme.document_no.format(year=year))
    assert programme_id is not None, "the province is founded"
    return programme_id


def provider_id(tx: Connection, province: Province, key: str) -> str:
    """The id of the provider with this key."""
    return find_organisation(tx, OrganisationKind.PROVIDER, province.organisation(key).identifier.value)


def _ensure_programme(tx: Connection, *, province: Province, programme: Programme, year: int) -> None:
    document_no = programme.document_no.format(year=year)
    if find_programme(tx, programme.region_code, document_no) is None:
        draft = draft_of(tx, province, programme, year, title=programme.title, document_no=document_no)
        fundings = [
            Funding(granted.source, granted.amount, granted.document_no.format(year=year))
            for granted in programme.appropriations
        ]
        publish_and_fund(tx, province, draft, fundings, programme.providers)


def _let_in_first(database: Database, province: Province) -> None:
    for role in FIRST_ROLES:
        person = province.person_with(role)

        def let_in(tx: Connection, person: Person = person, role: Role = role) -> None:
            if find_user(tx, person.login) is None:
                bootstrap(
                    tx,
                    organisation=_new_organisation(province, person.organisation),
                    login=person.login,
                    name=person.name,
                    role=role,
                    region_code=province.region_code,
                    invitation_ttl_s=UNUSED_INVITATION_S,
                )

        database.transact(let_in)


def _register(tx: Connection, province: Province) -> None:
    registrar = caller(tx, province.person_with(Role.REGISTRAR).login)
    firms = (
        NewOrganisation(
            kind=OrganisationKind.FIRM,
            identifier_type=IdentifierType.USCC,
            identifier_value=firm.uscc,
            name=firm.name,
            region_code=firm.region_code,
            profile={"size": firm.size, "industry": firm.industry},
        )
        for firm in province.firms
    )
    for new in (*(_new_organisation(province, known.key) for known in province.organisations), *firms):
        try:
            register_organisation(tx, caller=registrar, new=new)
        except AppError as refusal:
            if refusal.code is not Code.ORGANISATION_EXISTS:
                raise


def _new_organisation(province: Province, key: str) -> NewOrganisation:
    known = province.organisation(key)
    return NewOrganisation(
        kind=known.kind,
        identifier_type=known.identifier.type,
        identifier_value=known.identifier.value,
        name=known.name,
        region_code=known.region_code,
        profile=known.profile,
    )


def _write_down_people(tx: Connection, province: Province) -> None:
    for person in province.people:
        known = province.organisation(person.organisation)
        _ensure_person(tx, province, person.login, person.name, known.kind, known.identifier.value, _grants(person))
    for firm in province.firms:
        grants = [Grant(Role.FIRM, firm.region_code)]
        _ensure_person(tx, province, firm.login, firm.contact, OrganisationKind.FIRM, firm.uscc, grants)


def _ensure_person(
    tx: Connection,
    province: Province,
    login: str,
    name: str,
    kind: OrganisationKind,
    uscc: str,
    grants: Iterable[Grant],
) -> None:
    if find_user(tx, login) is not None:
        return
    _, asked = create_user(
        tx,
        caller=caller(tx, province.person_with(Role.REGISTRAR).login),
        login=login,
        name=name,
        organisation_id=find_organisation(tx, kind, uscc),
        roles=list(grants),
    )
    _approve_roles(tx, province, asked)


def _ensure_machine(database: Database, province: Province, machine: Principal, state: DemoState) -> None:
    kept = state.machines.get(machine.organisation)

    def ensure(tx: Connection) -> None:
        if kept and tx.execute(select(Client.id).where(Client.id == kept.client_id)).first():
            return
        made = create_client(
            tx,
            caller=caller(tx, province.person_with(Role.REGISTRAR).login),
            name=machine.name,
            organisation_id=provider_id(tx, province, machine.organisation),
            roles=_grants(machine),
        )
        _approve_roles(tx, province, made.approval_id)
        assert made.secret is not None, "without a key it has one"
        # Written before COMMIT: a secret that is lost is lost for ever, one that was never committed is made anew.
        state.machines[machine.organisation] = Machine(machine.organisation, made.client.id, made.secret)
        state.save()

    database.transact(ensure)


def _approve_roles(tx: Connection, province: Province, asked: str | None) -> None:
    if asked is None:
        raise Failure("演示数据中有人没有任何角色。", "everybody in the examples has a role")
    security_admin: Caller = caller(tx, province.person_with(Role.SECURITY_ADMIN).login)
    approve(tx, caller=security_admin, approval_id=asked)


def _grants(principal: Principal) -> list[Grant]:
    return [Grant(role, region_code) for role in principal.roles for region_code in principal.regions]
