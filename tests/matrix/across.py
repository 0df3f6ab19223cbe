"""What one tenant was given, handed on to another: the key of a request that was answered, and the cursor of a list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from fastapi.routing import APIRoute

from app.api.paging import cursor_of
from app.main import ROUTERS
from tests.matrix.asking import ID, MAY, OWN, STRANGERS, Answer, Asker, Line, Owners, Wire, sign_of, strange_in
from tests.matrix.forms import Sent
from tests.matrix.requests import request_of
from tests.matrix.tenants import Tenant

KEY = "Idempotency-Key"
MOST = 200
"""How many things a page of a list has at most."""


@dataclass(frozen=True)
class Kept:
    """A request of the tenant's own people that succeeded under its key."""

    route: str
    sent: Sent
    answer: Answer
    asker: Asker


@dataclass(frozen=True)
class Handed:
    """What somebody was answered to whom another tenant's key or cursor was handed."""

    place: str
    sign: str
    declared: str
    shown: frozenset[str]
    status: int
    text: str = field(repr=False)


def replays(kept: Mapping[str, Kept], who: list[Asker], wire: Wire, table: Mapping[str, Line]) -> Iterator[Handed]:
    """The same bytes under the same key, by strangers of the same role: nothing of what was answered is theirs."""
    for route, one in kept.items():
        made = {found[0] for found in ID.finditer(one.answer.text)} - {found[0] for found in ID.finditer(one.sent.text)}
        for asker in who:
            if asker.group not in STRANGERS or asker.name.rstrip("_2") != one.asker.name:
                continue
            answer = wire.ask(one.sent, asker)
            open_to_him = table[route].shown.get(asker.group, frozenset())
            shown = frozenset(
                found[0] for found in ID.finditer(answer.text) if found[0] in made and found[0][:3] not in open_to_him
            )
            sign, declared = sign_of(answer, asker, shown), table[route].signs[asker.column]
            yield Handed(f"{route} {asker.column} {KEY}", sign, declared, shown, answer.status, answer.text)


def with_cursor() -> list[str]:
    """Lists that are read page by page."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [
        f"GET {route.path}"
        for route in routes
        if "GET" in (route.methods or ()) and any(one.alias == "cursor" for one in route.dependant.query_params)
    ]


def cursors(tenant: Tenant, other: Tenant, wire: Wire, owners: Owners, table: Mapping[str, Line]) -> Iterator[Handed]:
    """Another city's own lists, read on from a cursor of this tenant's."""
    for route in with_cursor():
        for role in [role for role in OWN if route in table and table[route].signs[f"own.{role}"] == MAY]:
            cursor = _cursor(wire, tenant, route, role)
            if cursor is None:
                continue
            asker = Asker("other_city", role, other.people[role])
            sent = _on(request_of(route, other), cursor, MOST)
            answer = wire.ask(sent, asker)
            shown = strange_in(answer, sent, asker, tenant, owners) - table[route].shown.get("other_city", frozenset())
            sign = sign_of(answer, asker, shown)
            yield Handed(f"{route} {role} cursor", sign, sign, frozenset(shown), answer.status, answer.text)


def _cursor(wire: Wire, tenant: Tenant, route: str, role: str) -> str | None:
    """A cursor of the tenant's own list, which a page of one gives, or which its one row would give."""
    answer = wire.ask(_on(request_of(route, tenant), None, 1), Asker("own", role, tenant.people[role]))
    page = json.loads(answer.text.split("\n\n", 1)[1])
    last = next((found[0] for row in page.get("data", ()) for found in ID.finditer(json.dumps(row))), None)
    given: str | None = page.get("next_cursor")
    return given or (cursor_of(last) if last else None)


def _on(sent: Sent, cursor: str | None, limit: int) -> Sent:
    more = f"limit={limit}" + (f"&cursor={quote(cursor)}" if cursor else "")
    return replace(sent, path=sent.path + ("&" if "?" in sent.path else "?") + more)
