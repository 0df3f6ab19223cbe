"""The three rounds: strangers first, who change nothing; then ids swapped; then whoever may, which changes things.

Everything is asked once and kept; the tests look at what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import text

from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.models import Organisation
from app.services.identity.tokens import Tokens
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from tests.allocation.rounds import wait_until
from tests.conftest import everywhere, serving, settings_of
from tests.identity.authenticator import with_password
from tests.matrix.across import KEY, Handed, Kept, cursors, replays
from tests.matrix.asking import (
    EMPTY,
    MAY,
    OWN,
    STRANGERS,
    UNASKED,
    UNKNOWN,
    Answer,
    Asker,
    Line,
    Owners,
    Wire,
    askers,
    changes,
    read_table,
    routes,
    sign_of,
    strange_in,
)
from tests.matrix.forms import Sent
from tests.matrix.requests import request_of
from tests.matrix.tenants import Tenant, founded
from tests.notices.showing import load_years
from tests.world import World

BY_OTHER_MEANS = frozenset(
    {
        "POST /oauth/token",
        "POST /oauth/revoke",
        "POST /v1/personal-tokens",
        "POST /v1/personal-tokens/by-code",
        "POST /v1/second-factors",
        "POST /v1/second-factors/confirm",
        "POST /portal/sign-in",
        "POST /portal/invitations/{secret}",
    }
)
"""Look at no bearer token and no session: asked once, by nobody."""
GIVES_BACK = frozenset({"DELETE /v1/personal-tokens/current", "POST /portal/sign-out"})
ENDS_ALL = "DELETE /v1/personal-tokens/all", "POST /portal/account/sign-out-everywhere"
"""After each its asker is nobody: asked when all else has been, with a token and a session of their own."""
OWN_ACCOUNT = "POST /portal/account/second-factor"
"""What he does to his own account; somebody who gave wrong codes has to wait."""

UNTOUCHED = "audit_events", "idempotency_keys", "jobs", "answer_passes"
"""Tables in which an attempt may leave its trace, or the service's own sweeping by the way."""


ACROSS: Mapping[str, str] = {
    "PUT /v1/programmes/{programme_id}/providers/{provider_id} provider_id": "A provider is admitted in many cities.",
    "POST /v1/issuance-batches firm_id": "The rules say whose firms are eligible, and may let another city's be.",
    "POST /v1/vouchers firm_id": "The rules say whose firms are eligible, and may let another city's be.",
    "POST /v1/programmes/{programme_id}/allocation-rounds firm_id": "The rules say whose firms are eligible.",
    "POST /v1/programmes/{programme_id}/allocation-rounds firm2_id": "The rules say whose firms are eligible.",
    "POST /v1/applications programme_id": "Whoever the rules let apply: the conditions judge where he is registered.",
    "POST /v1/uploads region_code": "A document for an application in the region of the programme.",
    "POST /v1/public-notices/{notice_id}/objections notice_id": "Anybody may object to what is shown to everybody.",
    "POST /notices/{notice_id}/objections notice_id": "Anybody may object to what is shown to everybody.",
    "POST /portal/applications programme_id": "Whoever the rules let apply, as over the API.",
    "POST /portal/calculator programme_id": "Published rules may be reckoned with by everybody.",
}
"""What one city's people may do with another's things, and why. Everything else is refused."""

PUBLIC: Mapping[str, frozenset[str]] = {
    "GET /v1/organisations region_code": frozenset({"org", "provider", "provider2"}),
    "POST /v1/payee-accounts provider2_id": frozenset({"provider2"}),
}
"""What a swapped id shows all the same, beside what the table says of the route: providers are known everywhere."""


@dataclass(frozen=True)
class Swap:
    """Somebody's own right request in which one id is another tenant's."""

    route: str
    role: str
    name: str
    status: int
    strange: frozenset[str]
    text: str = field(repr=False)

    @property
    def place(self) -> str:
        return f"{self.route} {self.name}"


@dataclass(frozen=True)
class Asked:
    """What came of it all."""

    signs: Mapping[str, Mapping[str, str]]
    shown: Mapping[str, Mapping[str, frozenset[str]]]
    answers: Mapping[tuple[str, str], Answer]
    swaps: tuple[Swap, ...]
    touched_by_strangers: frozenset[str]
    touched_by_swaps: frozenset[str]
    succeeded: frozenset[str]
    differences: tuple[str, ...]
    handed: tuple[Handed, ...]
    """Keys and cursors that were handed on to another tenant."""
    amiss: Mapping[str, str]
    """What a person is answered by the API for his session, and by a page for his token."""


@contextmanager
def standing_province(server: Server, template: str, folder: Path) -> Iterator[tuple[Tenant, Tenant]]:
    """Two cities with one of everything, their books sealed, on a service of their own."""
    urls = databases.clone(server, template=template, database="matrix")
    unlimited = {"limit_client": "", "limit_source": "", "limit_voucher": ""}
    settings = settings_of(urls, folder).model_copy(update=unlimited)
    database, sealing = everywhere(urls), Database(urls.sealer_url, pool_size=2)
    with serving(settings) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        load_years(world)
        one, other = founded(world, "330100"), founded(world, "330200")
        for tenant in (one, other):
            _seal(tenant, sealing, LogKeys.from_settings(settings))
        wait_until(other.bodies["draws_at"])
        yield one, other
        world.close()
    database.dispose()
    sealing.dispose()
    databases.drop(server, database="matrix")


def _seal(tenant: Tenant, sealing: Database, keys: LogKeys) -> None:
    while sealing.transact(lambda tx: seal(tx, region_code=tenant.region_code, keys=keys)):
        pass
    checkpoint = tenant.world.anonymous().get(f"/v1/logs/{tenant.region_code}/checkpoint").text
    size = int(checkpoint.splitlines()[1])
    tenant.ids["tile"] = "000" if size >= 256 else f"000.p/{size}"


def ask_everything(one: Tenant, other: Tenant, table: Mapping[str, Line] | None = None) -> Asked:
    """Ask everything. What the table lets a stranger do is done after everything else."""
    table = read_table() if table is None else table
    asking = _Asking(one, askers(one, other))
    earlier = [route for route in routes() if route not in ENDS_ALL]
    for actor in [asker.actor for asker in asking.who if asker.actor and asker.actor.id.startswith("usr_")]:
        with_password(one.world, actor)
    before = footprint(one)
    assert all(before[name][0] for name in ("vouchers", "postings", "payee_accounts")), "the tests look at all rows"
    for route in earlier:
        for asker in asking.who:
            if not _is_late(route, asker, table):
                asking.ask(route, asker)
    between = footprint(one)
    swaps = tuple(asking.swapped(other, table))
    closed = [route for route, line in table.items() if line.signs["nobody.nobody"] == UNKNOWN]
    closed = [route for route in closed if route not in BY_OTHER_MEANS]
    amiss = {route: asking.amiss(route) for route in closed}
    after = footprint(one)
    for route in earlier:
        for asker in asking.who:
            if _is_late(route, asker, table):
                asking.ask(route, asker)
    handed = tuple(asking.handed_on(other, table))
    for asker in asking.who:
        for route in ENDS_ALL:
            asking.ask(route, asker)
    asking.close()
    return Asked(
        asking.signs,
        asking.shown,
        asking.answers,
        swaps,
        _changed(before, between),
        _changed(between, after),
        frozenset(asking.succeeded),
        tuple(one.world.differences()),
        handed,
        amiss,
    )


def _is_late(route: str, asker: Asker, table: Mapping[str, Line]) -> bool:
    if not changes(route):
        return False
    if route.startswith(OWN_ACCOUNT):
        return True
    if asker.group not in STRANGERS:
        return True
    return route in table and table[route].signs[asker.column] in {MAY, EMPTY}


OWN_TOKENS = GIVES_BACK | {ENDS_ALL[1]}


class _Asking:
    def __init__(self, tenant: Tenant, who: list[Asker]) -> None:
        self.tenant, self.who = tenant, who
        self.signs: dict[str, dict[str, str]] = {route: {} for route in routes()}
        self.shown: dict[str, dict[str, frozenset[str]]] = {route: {} for route in routes()}
        self.answers: dict[tuple[str, str], Answer] = {}
        self.succeeded: set[str] = set()
        self.kept: dict[str, Kept] = {}
        self._wire, self._owners = Wire(tenant.world), Owners(tenant.world)

    def ask(self, route: str, asker: Asker) -> None:
        if route in BY_OTHER_MEANS and asker.actor:
            self.signs[route][asker.column] = UNASKED
            return
        sent = request_of(route, self.tenant)
        answer = self._wire.ask(sent, asker.fresh(self.tenant.world) if route in OWN_TOKENS else asker)
        strange = strange_in(answer, sent, asker, self.tenant, self._owners)
        self.signs[route][asker.column] = sign_of(answer, asker, strange)
        self.answers[route, asker.column] = answer
        if strange:
            self.shown[route][asker.group] = self.shown[route].get(asker.group, frozenset()) | strange
        if answer.status < 400:
            self.succeeded.add(route)
            if asker.group == "own" and KEY in sent.headers and route not in GIVES_BACK:
                self.kept[route] = Kept(route, sent, answer, asker)

    def swapped(self, other: Tenant, table: Mapping[str, Line]) -> Iterator[Swap]:
        """The other tenant's own requests with one of this tenant's ids in the place of his, one after another.

        An id stands in the path, in the query, in the body, in an array or in a header: wherever it was in the right
        request. It is sent by each of his people who may send the right one.
        """
        same = {name: str(value) for name, value in other.ids.items() if name in self.tenant.ids}
        for route in routes():
            if route in BY_OTHER_MEANS:
                continue
            right = request_of(route, other)
            for name in [
                name for name, value in same.items() if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", right.text)
            ]:
                if f"{route} {name}" in ACROSS:
                    continue
                for role in OWN:
                    if route in table and table[route].signs[f"own.{role}"] != MAY:
                        continue
                    yield self._swap(route, role, name, other, same[name])

    def _swap(self, route: str, role: str, name: str, other: Tenant, mine: str) -> Swap:
        theirs = str(self.tenant.ids[name])
        right = request_of(route, other)
        alone = re.compile(rf"(?<!\w){re.escape(mine)}(?!\w)")
        sent = replace(
            right,
            path=alone.sub(theirs, right.path),
            content=_replaced(right.content, alone, theirs),
            headers={key: alone.sub(theirs, value) for key, value in right.headers.items()},
        )
        asker = Asker("other_city", role, other.people[role])
        answer = self._wire.ask(sent, asker)
        strange = strange_in(answer, sent, asker, self.tenant, self._owners)
        return Swap(route, role, name, answer.status, frozenset(strange), answer.text)

    def handed_on(self, other: Tenant, table: Mapping[str, Line]) -> Iterator[Handed]:
        """Keys of what the tenant's own people have done, and cursors of their lists, used by others."""
        kept = {route: one for route, one in self.kept.items() if route in table}
        yield from replays(kept, self.who, self._wire, table)
        yield from cursors(self.tenant, other, self._wire, self._owners, table)

    def amiss(self, route: str) -> str:
        """The letter for a firm's person who asks the API with his session, or a page with his token."""
        sent, nobody = request_of(route, self.tenant), Asker("nobody", "nobody", None)
        answer = self._wire.ask(sent, Asker("own", "firm", self.tenant.people["firm"]), amiss=True)
        return sign_of(answer, nobody, strange_in(answer, sent, nobody, self.tenant, self._owners))

    def close(self) -> None:
        self._wire.close()


def _replaced(content: bytes, alone: re.Pattern[str], theirs: str) -> bytes:
    # What is no text (a document, a workbook) goes through unharmed, byte by byte.
    return alone.sub(theirs, content.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def footprint(tenant: Tenant) -> dict[str, tuple[int, str]]:
    """Every row of the tenant's regional tables, as a count and a sum: an unwanted change shows in it."""
    found: dict[str, tuple[int, str]] = {}
    with tenant.world.database.engine.connect() as tx:
        for table in Organisation.metadata.sorted_tables:
            if "region_code" not in table.c or table.name in UNTOUCHED:
                continue
            statement = (
                f"SELECT count(*), coalesce(sum(hashtext(t::text)), 0)::text FROM {table.name} t"
                " WHERE region_code = :region"
            )
            count, total = tx.execute(text(statement), {"region": tenant.region_code}).one()
            found[table.name] = (count, total)
        alive = "SELECT count(*), '' FROM portal_sessions WHERE id = :id AND ended_at IS NULL"
        count, total = tx.execute(text(alive), {"id": tenant.ids["session_id"]}).one()
        found["portal_sessions"] = (count, total)
    return found


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> frozenset[str]:
    return frozenset(name for name in before if before[name] != after[name])


def declared_anew(asked: Asked, table: Mapping[str, Line]) -> dict[str, Line]:
    """The table as the service answered, with the reasons that were given before."""
    return {
        route: Line(asked.signs[route], asked.shown[route], table[route].why if route in table else "")
        for route in routes()
    }


__all__ = ["Asked", "Sent", "Swap", "ask_everything", "declared_anew", "standing_province"]
