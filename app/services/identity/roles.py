"""Roles: a registrar asks for them, a security administrator grants them, and which may go to whom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import is_id, new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import covers, is_region
from app.kernel.vocabulary import ApprovalKind, OrganisationKind, Role
from app.models import RoleGrant
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.accounts import accounts_of
from app.services.identity.incompatible import first_clash
from app.services.identity.principals import Caller, Grant
from app.services.organisations import OrganisationRecord

_PUBLIC_BODIES = frozenset(
    {OrganisationKind.AUTHORITY, OrganisationKind.FINANCE, OrganisationKind.AUDIT, OrganisationKind.REGISTRY}
)
HOLDERS: Mapping[Role, frozenset[OrganisationKind]] = {
    Role.FIRM: frozenset({OrganisationKind.FIRM}),
    Role.PROVIDER: frozenset({OrganisationKind.PROVIDER}),
    Role.MAKER: frozenset({OrganisationKind.AUTHORITY}),
    Role.CHECKER: frozenset({OrganisationKind.AUTHORITY}),
    Role.FINANCE: frozenset({OrganisationKind.FINANCE}),
    Role.REGISTRAR: _PUBLIC_BODIES,
    Role.AUDITOR: _PUBLIC_BODIES,
    Role.SYSTEM_ADMIN: _PUBLIC_BODIES,
    Role.SECURITY_ADMIN: _PUBLIC_BODIES,
    Role.AUDIT_ADMIN: _PUBLIC_BODIES,
}
"""Whose people and machines may hold a role."""
assert set(HOLDERS) == set(Role), "every role has its holders"

MACHINE_ROLES = frozenset({Role.PROVIDER, Role.AUDITOR})
"""Compute centres, and city systems, which only read. Officials act as persons."""
FOR_ONE_AUTHORITY = frozenset({Role.MAKER, Role.CHECKER})
IN_OWN_REGION = frozenset({Role.MAKER, Role.CHECKER, Role.FINANCE})
"""Held in the region of one's own authority or bureau, or below it."""


def checked_roles(
    roles: Sequence[Grant],
    *,
    caller: Caller,
    organisation: OrganisationRecord,
    machine: bool,
    held: Sequence[Grant] = (),
) -> tuple[Grant, ...]:
    """The roles as they will be stored, with the authority filled in where one is needed.

    `held` is what the natural person holds already. Raises `validation_failed` with a pointer into `/roles` for each
    that this organisation's person or machine cannot hold, that lies beyond the registrar's reach, or that does not
    go with another role of the same person.
    """
    wanted = tuple(
        Grant(role.role, role.region_code, organisation.id if role.role in FOR_ONE_AUTHORITY else None)
        for role in roles
    )
    errors = [
        FieldError(f"/roles/{index}/{field}", code, actual=getattr(role, field))
        for index, role in enumerate(roles)
        for field, code in _faults(role, caller, organisation, machine=machine)
    ]
    wrong = {error.pointer.split("/")[2] for error in errors}
    possible = [(index, role) for index, role in enumerate(wanted) if str(index) not in wrong]
    errors += [
        FieldError(f"/roles/{index}/role", "incompatible_roles", limit=found[1].role, actual=role.role)
        for place, (index, role) in enumerate(possible)
        if (found := first_clash([role], (*held, *(earlier for _, earlier in possible[:place]))))
    ]
    if len({(role.role, role.region_code) for role in roles}) < len(roles):
        errors.append(FieldError("/roles", "duplicate"))
    if roles and common_region([role.region_code for role in roles]) is None:
        errors.append(FieldError("/roles", "several_provinces"))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    return wanted


def request_roles(
    tx: Connection,
    *,
    caller: Caller,
    organisation: OrganisationRecord,
    subject_id: str,
    name: str,
    roles: Sequence[Grant],
) -> str:
    """Ask a security administrator for checked roles and return the approval's id.

    The approval belongs to the smallest region that covers them all. Raises `approval_pending`.
    """
    region_code = common_region([role.region_code for role in roles])
    assert region_code is not None, "checked_roles has looked"
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.GRANT_ROLES,
        region_code=region_code,
        authority_id=None,
        required_role=Role.SECURITY_ADMIN,
        subject_id=subject_id,
        command={
            "subject_id": subject_id,
            "roles": [
                {"role": role.role, "region_code": role.region_code, "authority_id": role.authority_id}
                for role in roles
            ],
        },
        effect={"name": name, "organisation": organisation.name, "roles": shown_roles(roles)},
        barred_ids=[subject_id],
        steps=(Role.SECURITY_ADMIN,),
    )


def execute_grant_roles(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Grant what was approved; a role that is held already stays as it is.

    Raises `same_person`, `roles_incompatible` where the natural person has come to another role since.
    """
    refuse_oneself(decision, command["subject_id"])
    roles = [Grant(Role(role["role"]), role["region_code"], role["authority_id"]) for role in command["roles"]]
    if found := first_clash(roles, roles_of_person(tx, command["subject_id"])):
        raise AppError(Code.ROLES_INCOMPATIBLE, role=found[0].role, other=found[1].role)
    grant_roles(
        tx,
        caller=decision.checker,
        subject_id=command["subject_id"],
        roles=roles,
        region_code=decision.region_code,
        at=decision.at,
    )


def grant_roles(
    tx: Connection, *, caller: Caller, subject_id: str, roles: Sequence[Grant], region_code: str, at: datetime
) -> None:
    """Write down the grants, reviving revoked ones. That two persons wanted it is the caller's to know."""
    assert roles, "granting nothing is a bug of the caller"
    column = "user_id" if is_id(subject_id, "usr") else "client_id"
    tx.execute(
        insert(RoleGrant).on_conflict_do_update(
            index_elements=[column, "role", "region_code"],
            set_={"granted_at": at, "granted_by": caller.principal_id, "revoked_at": None},
            where=RoleGrant.revoked_at.is_not(None),
        ),
        [
            {
                "id": new_id("grn"),
                column: subject_id,
                "role": role.role,
                "region_code": role.region_code,
                "authority_id": role.authority_id,
                "granted_at": at,
                "granted_by": caller.principal_id,
            }
            for role in roles
        ],
    )
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="roles.granted",
        object_id=subject_id,
        at=at,
        details={"roles": shown_roles(roles)},
    )


def refuse_oneself(decision: Decision, subject_id: str) -> None:
    """Nobody decides about himself, whoever asked. Raises `same_person`."""
    if decision.checker.principal_id == subject_id:
        raise AppError(Code.SAME_PERSON)


def live_roles(tx: Connection, subject_ids: Collection[str]) -> dict[str, tuple[Grant, ...]]:
    """The roles that each of these people or machines holds now."""
    rows = tx.execute(
        select(RoleGrant)
        .where(
            or_(RoleGrant.user_id.in_(subject_ids), RoleGrant.client_id.in_(subject_ids)),
            RoleGrant.revoked_at.is_(None),
        )
        .order_by(RoleGrant.id)
    )
    held: dict[str, tuple[Grant, ...]] = dict.fromkeys(subject_ids, ())
    for row in rows:
        held[row.user_id or row.client_id] += (Grant(Role(row.role), row.region_code, row.authority_id),)
    return held


def roles_of_person(tx: Connection, account_id: str) -> tuple[Grant, ...]:
    """The live roles of all accounts of the natural person behind one."""
    held = live_roles(tx, accounts_of(tx, account_id))
    return tuple(grant for grants in held.values() for grant in grants)


def common_region(region_codes: Sequence[str]) -> str | None:
    """The smallest region that covers all of these: a county, its city or its province; None across provinces."""
    first = region_codes[0]
    candidates = (first, f"{first[:4]}00", f"{first[:2]}0000")
    return next((outer for outer in candidates if all(covers(outer, inner) for inner in region_codes)), None)


def shown_roles(roles: Sequence[Grant]) -> list[str]:
    """Roles in words, for an approval's effect and an audit event."""
    return [f"{role.role} {role.region_code}" for role in roles]


def _faults(
    wanted: Grant, caller: Caller, organisation: OrganisationRecord, *, machine: bool
) -> Iterator[tuple[str, str]]:
    if OrganisationKind(organisation.kind) not in HOLDERS[wanted.role]:
        yield "role", "not_for_this_organisation"
    if machine and wanted.role not in MACHINE_ROLES:
        yield "role", "not_for_machines"
    if not is_region(wanted.region_code):
        yield "region_code", "unknown_region"
    elif not caller.holds_in(Role.REGISTRAR, wanted.region_code):
        yield "region_code", "beyond_your_reach"
    elif wanted.role in IN_OWN_REGION and not covers(organisation.region_code, wanted.region_code):
        yield "region_code", "outside_the_organisation"
    if wanted.authority_id is not None and (
        wanted.role not in FOR_ONE_AUTHORITY or wanted.authority_id != organisation.id
    ):
        yield "authority_id", "not_the_own_authority"
