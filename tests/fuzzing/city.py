"""A city with one of everything for a fuzzer, and those who ask: an official of every office, a machine, a firm.

An official of this kind does not exist: the service keeps the offices apart. Here he shall reach every route.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.kernel.ids import new_id
from app.kernel.vocabulary import Role
from app.models import Client, RoleGrant, User
from app.services.identity.tokens import Tokens
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from tests.conftest import everywhere, serving, settings_of
from tests.matrix.tenants import Tenant, founded
from tests.notices.showing import load_years
from tests.world import HANGZHOU, LONG_AGO, World, fresh_proof

OFFICES = (
    Role.REGISTRAR,
    Role.MAKER,
    Role.CHECKER,
    Role.FINANCE,
    Role.AUDITOR,
    Role.SYSTEM_ADMIN,
    Role.SECURITY_ADMIN,
    Role.AUDIT_ADMIN,
)
UNLIMITED = {"limit_client": "", "limit_source": "", "limit_voucher": ""}
"""What the limits do is told in `tests/edges`; here they would hide everything behind a 429."""


@contextmanager
def standing_city(server: Server, template: str, folder: Path, *, database: str) -> Iterator[Tenant]:
    """A city with one of everything, its books sealed, on a service of its own."""
    urls = databases.clone(server, template=template, database=database)
    settings = settings_of(urls, folder).model_copy(update=UNLIMITED)
    own, sealing = everywhere(urls), Database(urls.sealer_url, pool_size=2)
    with serving(settings) as base_url:
        world = World(base_url, own, Tokens.from_settings(settings))
        load_years(world)
        tenant = founded(world, HANGZHOU)
        keys = LogKeys.from_settings(settings)
        while sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys)):
            pass
        size = int(world.anonymous().get(f"/v1/logs/{HANGZHOU}/checkpoint").text.splitlines()[1])
        tenant.ids["tile"] = "000" if size >= 256 else f"000.p/{size}"
        yield tenant
        world.close()
    own.dispose()
    sealing.dispose()
    databases.drop(server, database=database)


def official(tenant: Tenant) -> str:
    """A person of the authority with every office: the bearer token of a fresh one."""
    return _signed_in(tenant, "usr", tenant.ids["authority_id"], OFFICES)


def machine(tenant: Tenant) -> str:
    """A machine client of the provider."""
    return _signed_in(tenant, "cli", tenant.ids["provider_id"], (Role.PROVIDER,))


def firm(tenant: Tenant) -> str:
    """A manager of the firm."""
    return _signed_in(tenant, "usr", tenant.ids["firm_id"], (Role.FIRM,))


ASKERS: dict[str, Callable[[Tenant], str] | None] = {
    "official": official,
    "machine": machine,
    "firm": firm,
    "nobody": None,
}
"""Who asks: three roles, and whoever has no token."""


def _signed_in(tenant: Tenant, prefix: str, organisation_id: str, roles: tuple[Role, ...]) -> str:
    world, principal_id = tenant.world, new_id(prefix)
    person = prefix == "usr"
    row: dict[str, Any] = {"id": principal_id, "name": "试", "organisation_id": organisation_id}
    row |= {"login": principal_id} if person else {"secret_sha256": bytes(32)}
    bound = frozenset({Role.MAKER, Role.CHECKER})
    grants = [
        {
            "id": new_id("grn"),
            "user_id": principal_id if person else None,
            "client_id": None if person else principal_id,
            "role": role,
            "region_code": tenant.region_code,
            "authority_id": organisation_id if role in bound else None,
            "granted_at": LONG_AGO,
            "granted_by": "test",
        }
        for role in roles
    ]

    def work(tx: Any) -> None:
        tx.execute(insert(User if person else Client).values(row | {"created_at": LONG_AGO, "created_by": "test"}))
        tx.execute(insert(RoleGrant), grants)

    world.database.transact(work)
    proof = fresh_proof() if person else None
    return world.tokens.issue(principal_id, organisation_id=organisation_id, ttl_s=3600, proof=proof).token
