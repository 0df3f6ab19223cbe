"""Who can take a step by a role of his own."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.kernel.vocabulary import Role
from app.models import RoleGrant, User
from app.services.identity.principals import REACHES_DOWN


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may take a step."""

    id: str
    name: str


def people_with(tx: Connection, role: Role, region_code: str, authority_id: str | None) -> list[Person]:
    """The people who hold a role in a region, for this authority where the role is bound to one, by id."""
    above = {region_code, f"{region_code[:4]}00", f"{region_code[:2]}0000"}
    bound = [RoleGrant.authority_id == authority_id] if role is Role.CHECKER and authority_id else []
    found = tx.execute(
        select(User.id, User.name)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(
            RoleGrant.role == role,
            RoleGrant.region_code.in_(above if role in REACHES_DOWN else {region_code}),
            RoleGrant.revoked_at.is_(None),
            User.disabled_at.is_(None),
            *bound,
        )
        .distinct()
        .order_by(User.id)
    )
    return [Person(row.id, row.name) for row in found]
