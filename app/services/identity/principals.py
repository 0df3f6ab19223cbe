"""Principals: who calls, what they hold, and how far it reaches. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from app.kernel.problems import AppError, Code
from app.kernel.regions import covers
from app.kernel.vocabulary import Role, TokenScope

REACHES_DOWN = frozenset({Role.REGISTRAR, Role.AUDITOR, Role.SECURITY_ADMIN, Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN})
"""Roles that a province or city holds for the regions below it too; makers, checkers and finance act in their own."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one region; officials hold it for one authority."""

    role: Role
    region_code: str
    authority_id: str | None = None

    def reaches(self, region_code: str) -> bool:
        """Whether the grant holds in this region."""
        if self.role in REACHES_DOWN:
            return covers(self.region_code, region_code)
        return self.region_code == region_code


@dataclass(frozen=True, slots=True)
class Proof:
    """When a person last proved who he is, and whether with a second factor."""

    at: datetime
    second_factor: bool


@dataclass(frozen=True)
class Principal:
    """A signed-in person (`usr_…`) or machine (`cli_…`) of one organisation."""

    id: str
    organisation_id: str
    organisation_region: str
    grants: tuple[Grant, ...]
    scopes: frozenset[TokenScope] = frozenset(TokenScope)
    """For what the token that it came with may be used."""
    key_thumbprint: str | None = None
    """Of the key that must prove each request with that token; None where bearing it is enough."""
    proof: Proof | None = None
    """What the token that it came with says of its person's last proof; machines' say nothing."""

    @cached_property
    def roles(self) -> frozenset[Role]:
        """The roles it holds anywhere."""
        return frozenset(grant.role for grant in self.grants)


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal in one request: the cause that entries and audit events name."""

    principal: Principal
    request_id: str
    source: str = field(default="cli")

    @property
    def principal_id(self) -> str:
        """Id of the person or client."""
        return self.principal.id

    @property
    def organisation_id(self) -> str:
        """The caller's own organisation."""
        return self.principal.organisation_id

    @property
    def home_region(self) -> str:
        """The region of the caller's own organisation: whose log tells what concerns no region in particular."""
        return self.principal.organisation_region

    def holds(self, role: Role) -> bool:
        """Whether the caller holds the role anywhere."""
        return role in self.principal.roles

    def holds_in(self, role: Role, region_code: str, authority_id: str | None = None) -> bool:
        """Whether the caller holds the role in this region, and for this authority where the role is bound to one."""
        return any(
            grant.role is role
            and grant.reaches(region_code)
            and (grant.authority_id is None or authority_id is None or grant.authority_id == authority_id)
            for grant in self.principal.grants
        )

    def require_scope(self, scope: TokenScope) -> None:
        """Raise `insufficient_scope` unless the token may be used for this."""
        if scope not in self.principal.scopes:
            raise AppError(Code.INSUFFICIENT_SCOPE, scope=scope)

    def require(self, *roles: Role) -> None:
        """Raise `forbidden` unless one of the roles is held anywhere."""
        if self.principal.roles.isdisjoint(roles):
            raise AppError(Code.FORBIDDEN, role=" / ".join(roles))

    def regions(self, *roles: Role) -> tuple[Grant, ...]:
        """The grants with which the caller holds one of the roles."""
        return tuple(grant for grant in self.principal.grants if grant.role in roles)
