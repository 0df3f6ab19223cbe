"""Incompatible roles (不相容岗位): what one natural person may not hold together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from app.kernel.regions import covers
from app.kernel.vocabulary import Role
from app.services.identity.principals import Grant

DECIDES_ON_MONEY = frozenset({Role.MAKER, Role.CHECKER, Role.FINANCE})
ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})
"""三员: three persons, none of whom sees or moves money."""
RECEIVES = frozenset({Role.FIRM, Role.PROVIDER})


def clash(one: Grant, other: Grant) -> bool:
    """Whether one natural person may not hold both.

    Maker and checker of one authority; finance and an authority's official; an administrator and whoever decides on
    money, sees or receives it, or another of the three; who audits a region and who decides there; who receives and who
    decides.
    """
    pair = {one.role, other.role}
    if len(pair) == 2 and pair & ADMINISTRATORS:
        return Role.REGISTRAR not in pair
    if pair == {Role.MAKER, Role.CHECKER}:
        return one.authority_id == other.authority_id
    if len(pair) < 2:
        return False
    if not pair & DECIDES_ON_MONEY:
        return False
    if Role.AUDITOR in pair:
        return covers(one.region_code, other.region_code) or covers(other.region_code, one.region_code)
    return pair <= DECIDES_ON_MONEY or bool(pair & RECEIVES)


def first_clash(wanted: Sequence[Grant], held: Sequence[Grant]) -> tuple[Grant, Grant] | None:
    """The first role wanted that does not go with one that is held or with another that is wanted."""
    for one in wanted:
        for other in held:
            if clash(one, other):
                return one, other
    return next(((one, other) for one, other in combinations(wanted, 2) if clash(one, other)), None)
