"""Callers and organisations for the tests of this folder."""

from __future__ import annotations

from itertools import count
from typing import Any

from app.database import Database
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.services.identity.principals import Caller, Grant, Principal
from app.services.organisations import NewOrganisation, OrganisationRecord, ensure_organisation
from tests.world import uscc_of

PROVINCE, HANGZHOU, XIHU, NINGBO = "330000", "330100", "330106", "330200"
CIXI, SHANGHAI_CITY = "330282", "310000"

_numbers = count(1)


def caller(
    role: Role, region_code: str = PROVINCE, *, organisation_id: str = "org_0", authority_id: str | None = None
) -> Caller:
    principal = Principal(
        f"usr_{next(_numbers):026}", organisation_id, region_code, (Grant(role, region_code, authority_id),)
    )
    return Caller(principal, request_id="test", source="192.0.2.1")


def new_organisation(kind: OrganisationKind = OrganisationKind.FIRM, **changes: Any) -> NewOrganisation:
    """A firm of Hangzhou unless said otherwise, with an identifier of its own."""
    profile = {"provider_kind": "compute"} if kind is OrganisationKind.PROVIDER else {}
    values: dict[str, Any] = {
        "kind": kind,
        "identifier_type": IdentifierType.USCC,
        "identifier_value": uscc_of(next(_numbers)),
        "name": "测试机构",
        "region_code": HANGZHOU,
        "profile": profile,
    }
    return NewOrganisation(**values | changes)


def registered(
    database: Database, kind: OrganisationKind = OrganisationKind.FIRM, **changes: Any
) -> OrganisationRecord:
    new = new_organisation(kind, **changes)
    return database.transact(lambda tx: ensure_organisation(tx, caller=caller(Role.REGISTRAR), new=new)[0])
