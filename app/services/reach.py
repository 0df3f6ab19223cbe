"""How far a caller reaches: which rows of a regional table exist for him. What lies outside does not exist (404)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.reach import Reach
from app.services.identity.principals import REACHES_DOWN, Caller, Grant, Principal

OWN_ONLY = frozenset({Role.FIRM, Role.PROVIDER})
"""Roles that see what is their organisation's, wherever it lies, and nothing of a region for being in it."""


def region_within(column: Any, region_code: str) -> ColumnElement[bool]:
    """Whether a region column lies within a province (33xxxx), a city (3301xx) or is the county itself."""
    prefix = region_prefix(region_code)
    within: ColumnElement[bool] = column.startswith(prefix, autoescape=True) if len(prefix) < 6 else column == prefix
    return within


def region_prefix(region_code: str) -> str:
    """What the codes of a region and of all below it begin with."""
    return region_code.removesuffix("00").removesuffix("00")


def within_reach(
    caller: Caller,
    *,
    region: Any,
    authority: Any = None,
    own: Mapping[Role, Any] | None = None,
    always: ColumnElement[bool] | None = None,
) -> ColumnElement[bool]:
    """The condition under which a row exists for the caller.

    `region` is the row's region column: finance sees its own region, an auditor everything at or below his.
    `authority` is its authority column: makers and checkers see their authority's rows (none without it).
    `own` are columns that hold an organisation's id, by the role that sees its own rows (firm, provider).
    `always` is seen by everybody. Raises `forbidden` where no role of the caller sees any row.
    """
    seen: list[ColumnElement[bool]] = [] if always is None else [always]
    roles: list[Role] = [*(own or {}), Role.FINANCE, Role.AUDITOR]
    seen += [column == caller.organisation_id for role, column in (own or {}).items() if caller.holds(role)]
    if authority is not None:
        roles += [Role.MAKER, Role.CHECKER]
        seen += [
            and_(region == grant.region_code, authority == grant.authority_id)
            for grant in caller.regions(Role.MAKER, Role.CHECKER)
        ]
    seen += [region == grant.region_code for grant in caller.regions(Role.FINANCE)]
    seen += [region_within(region, grant.region_code) for grant in caller.regions(Role.AUDITOR)]
    if not seen:
        raise AppError(Code.FORBIDDEN, role=" / ".join(roles))
    return or_(*seen)


def issued_by(caller: Caller, *, county: Any, authority: Any) -> ColumnElement[bool]:
    """Whether a row is of a county's own issuing, by its columns, and the caller is an official there, or audits it."""
    return or_(
        false(),
        *(
            and_(county == grant.region_code, authority == grant.authority_id)
            for grant in caller.regions(Role.MAKER, Role.CHECKER)
        ),
        *(county == grant.region_code for grant in caller.regions(Role.FINANCE, Role.AUDITOR)),
    )


def reach_of(principal: Principal) -> Reach:
    """What the database lets a principal see before any query asks: his regions, and his organisation's rows. Pure.

    An official's region has those above it with it, for what a county issues of a city's quota lies in the city's; a
    registrar's, auditor's or administrator's those below it, too. The queries say the rest.
    """
    regions = {pattern for grant in principal.grants for pattern in _patterns(grant)}
    return Reach(tuple(sorted(regions)), principal.organisation_id)


def _patterns(grant: Grant) -> set[str]:
    code = grant.region_code
    if grant.role in OWN_ONLY:
        return set()
    own = f"{region_prefix(code)}%" if grant.role in REACHES_DOWN else code
    return {own, f"{code[:4]}00", f"{code[:2]}0000"}
