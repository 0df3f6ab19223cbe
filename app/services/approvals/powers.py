"""Powers to decide: a person's own roles, and those that a colleague has lent him for a time. Never two hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, exists, func, select

from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import Delegation, RoleGrant, User
from app.reach import enter
from app.services.identity.principals import Caller, Grant

DECIDERS = (Role.CHECKER, Role.FINANCE, Role.SECURITY_ADMIN)


@dataclass(frozen=True, slots=True)
class Power:
    """One role with which steps are decided: one's own, or a colleague's whom one stands in for."""

    grant: Grant
    on_behalf_of: str | None = None
    delegation_id: str | None = None

    def reaches(self, role: Role, region_code: str, authority_id: str | None) -> bool:
        """Whether it decides a step of this role in this region, for this authority where there is one."""
        held = self.grant
        bound = held.authority_id is not None and authority_id is not None and held.authority_id != authority_id
        return held.role is role and held.reaches(region_code) and not bound


def powers_of(tx: Connection, caller: Caller) -> tuple[Power, ...]:
    """What the caller may decide with at this instant, his own first. Only persons decide: a machine has none.

    A lent power lives only as long as the lender still holds it himself.
    """
    if not is_id(caller.principal_id, "usr"):
        return ()
    own = tuple(Power(grant) for grant in caller.regions(*DECIDERS))
    lent = tx.execute(
        select(Delegation)
        .join(User, and_(User.id == Delegation.delegator_id, User.disabled_at.is_(None)))
        .where(
            Delegation.delegate_id == caller.principal_id,
            Delegation.starts_at <= func.clock_timestamp(),
            Delegation.ends_at > func.clock_timestamp(),
            Delegation.revoked_at.is_(None),
            exists().where(
                RoleGrant.user_id == Delegation.delegator_id,
                RoleGrant.role == Delegation.role,
                RoleGrant.region_code == Delegation.region_code,
                RoleGrant.authority_id.is_not_distinct_from(Delegation.authority_id),
                RoleGrant.revoked_at.is_(None),
            ),
        )
        .order_by(Delegation.id)
    )
    powers = tuple(
        Power(Grant(Role(row.role), row.region_code, row.authority_id), row.delegator_id, row.id) for row in lent
    )
    if powers:
        enter(tx, [power.grant.region_code for power in powers])
    return own + powers


def require_any(powers: Sequence[Power]) -> None:
    """Raise `forbidden` for who can decide nothing anywhere."""
    if not powers:
        raise AppError(Code.FORBIDDEN, role=" / ".join(DECIDERS))
