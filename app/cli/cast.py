"""The people of the demonstration, each acting as himself: nobody's act is done with somebody else's hands."""

from __future__ import annotations

from sqlalchemy import Connection, select

from app.kernel.vocabulary import IdentifierType, OrganisationKind
from app.models import Organisation, User
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller

REQUEST_ID = "demo"


def caller(tx: Connection, login: str) -> Caller:
    """The person with this login, with the roles held now."""
    user_id = find_user(tx, login)
    principal = load_principal(tx, user_id) if user_id else None
    assert principal is not None, f"{login} was written down before"
    return Caller(principal, REQUEST_ID)


def find_user(tx: Connection, login: str) -> str | None:
    """The id of the person with this login, or None."""
    return tx.execute(select(User.id).where(User.login == login)).scalar_one_or_none()


def find_organisation(tx: Connection, kind: OrganisationKind, value: str) -> str:
    """The id of the organisation with this 统一社会信用代码."""
    return tx.execute(
        select(Organisation.id).where(
            Organisation.kind == kind,
            Organisation.identifier_type == IdentifierType.USCC,
            Organisation.identifier_value == value,
        )
    ).scalar_one()
