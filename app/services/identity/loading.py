"""From an id to a principal: who it is and what it may do now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, select

from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role, TokenKind
from app.models import Client, Organisation, RoleGrant, User
from app.services.identity.principals import Grant, Principal
from app.services.identity.spending import is_spent
from app.services.identity.staff import must_have_second_factor
from app.services.identity.tokens import Claims, microseconds


def load_bearer(tx: Connection, claims: Claims, *, staff_second_factor: bool) -> Principal | None:
    """The principal of a verified token; None where it was revoked, or its person has set another password since.

    Raises `second_factor_needed` where officials need one (`staff_second_factor`) and the token came without.
    """
    if is_spent(tx, subject_id=claims.subject, kind=TokenKind.ACCESS, jti=claims.jti):
        return None
    if is_id(claims.subject, "usr"):
        set_at = password_at(tx, claims.subject)
        if claims.password_us != (None if set_at is None else microseconds(set_at)):
            return None
    principal = load_principal(tx, claims.subject)
    if principal is None:
        return None
    proof = claims.proof
    if must_have_second_factor(principal, staff=staff_second_factor) and not (proof and proof.second_factor):
        raise AppError(Code.SECOND_FACTOR_NEEDED)
    return replace(principal, scopes=claims.scopes, proof=proof, key_thumbprint=claims.key_thumbprint)


def password_at(tx: Connection, user_id: str) -> datetime | None:
    """When the person's present password was set; tokens of any other are void. None where there never was one."""
    return tx.execute(select(User.tokens_valid_from).where(User.id == user_id)).scalar_one_or_none()


def load_principal(tx: Connection, principal_id: str) -> Principal | None:
    """The person or machine with its live grants, in one statement; None where it is unknown or disabled."""
    subject: type[User | Client]
    granted: ColumnElement[bool]
    if is_id(principal_id, "usr"):
        subject, granted = User, RoleGrant.user_id == User.id
    elif is_id(principal_id, "cli"):
        subject, granted = Client, RoleGrant.client_id == Client.id
    else:
        return None
    rows = tx.execute(
        select(
            subject.organisation_id,
            Organisation.region_code.label("organisation_region"),
            RoleGrant.role,
            RoleGrant.region_code,
            RoleGrant.authority_id,
        )
        .join(Organisation, Organisation.id == subject.organisation_id)
        .outerjoin(RoleGrant, and_(granted, RoleGrant.revoked_at.is_(None)))
        .where(subject.id == principal_id, subject.disabled_at.is_(None))
        .order_by(RoleGrant.id)
    ).all()
    if not rows:
        return None
    return Principal(
        id=principal_id,
        organisation_id=rows[0].organisation_id,
        organisation_region=rows[0].organisation_region,
        grants=tuple(Grant(Role(row.role), row.region_code, row.authority_id) for row in rows if row.role is not None),
    )
