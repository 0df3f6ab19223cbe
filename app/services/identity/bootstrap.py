"""The first people of a registry: whoever has the command line and the database lets them in."""

from __future__ import annotations

from sqlalchemy import Connection

from app.kernel.vocabulary import Role
from app.services.identity.invitations import invite
from app.services.identity.principals import Caller, Grant, Principal
from app.services.identity.roles import HOLDERS, grant_roles
from app.services.identity.users import add_user
from app.services.organisations import NewOrganisation, ensure_organisation
from app.sql import now

FIRST_ROLES = frozenset({Role.REGISTRAR, Role.SECURITY_ADMIN})
"""With one of each everybody else can be let in as it should be, by two persons."""

PRINCIPAL_ID = "cli"


def bootstrap(
    tx: Connection,
    *,
    organisation: NewOrganisation,
    login: str,
    name: str,
    role: Role,
    region_code: str,
    invitation_ttl_s: int,
) -> tuple[str, str]:
    """Let the first registrar or security administrator in: the user's id and the secret of an invitation.

    The organisation is written down where it is not there yet. Audit events name the command line.
    Raises `login_taken`, `validation_failed`.
    """
    assert role in FIRST_ROLES, f"the command line lets in {FIRST_ROLES}"
    assert organisation.kind in HOLDERS[role], f"{role} is no role of {organisation.kind}"
    unknown = Principal(PRINCIPAL_ID, PRINCIPAL_ID, organisation.region_code, ())
    registered, _ = ensure_organisation(tx, caller=Caller(unknown, PRINCIPAL_ID), new=organisation)
    caller = Caller(Principal(PRINCIPAL_ID, registered.id, registered.region_code, ()), PRINCIPAL_ID)
    user_id = add_user(tx, caller=caller, login=login, name=name, organisation=registered)
    grant_roles(
        tx,
        caller=caller,
        subject_id=user_id,
        roles=[Grant(role, region_code)],
        region_code=registered.region_code,
        at=now(tx),
    )
    invited = invite(tx, caller=caller, user_id=user_id, region_code=registered.region_code, ttl_s=invitation_ttl_s)
    return user_id, invited.secret
