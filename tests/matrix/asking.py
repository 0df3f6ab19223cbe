"""Every route asked by everybody for one tenant's things, and the answers held against what is declared.

`python -m tests.matrix.record` writes `permissions.txt` anew from what the service does. It is a help for whoever adds
a route, who then reads the difference: what the table says is what was meant, and the test holds the service to it.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.kernel.codes import CODE_LENGTH, format_code
from app.kernel.vocabulary import OrganisationKind, Role
from app.main import ROUTERS
from app.models import Organisation
from tests.matrix.browsers import STRANGERS_COOKIE, Session, page_status, session_of, with_tokens
from tests.matrix.forms import CHANGES, Sent
from tests.matrix.pages import page_routes
from tests.matrix.tenants import COUNTIES, MARK, OFFICE, Tenant
from tests.world import Actor, World

TABLE = Path(__file__).with_name("permissions.txt")

OWN = (
    "registrar",
    "maker",
    "checker",
    "finance",
    "auditor",
    "provider",
    "machine",
    "firm",
    "system_admin",
    "security_admin",
    "audit_admin",
)
SAME_CITY = ("maker_2", "checker_2", "provider2", "machine2", "firm2")
COUNTY = ("maker", "checker", "finance", "auditor")
PROVINCE = ("registrar", "auditor", "security_admin", "system_admin", "audit_admin")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "own": OWN,
    "same_city": SAME_CITY,
    "other_city": OWN,
    "county": COUNTY,
    "province": PROVINCE,
    "nobody": ("nobody",),
}
"""Who asks, as seen from the tenant: his own people; another authority, provider and firm of his city; the people of
another city; the officials of a county below him; those of the province above; and whoever has no token."""

MAY, EMPTY, REFUSED, MISSING, FORBIDDEN, UNKNOWN, UNASKED = "+", "~", "-", "0", "x", "!", "."
WRONG = "?"
STRANGERS = frozenset({"same_city", "other_city", "county", "nobody"})
ID = re.compile(r"\b[a-z]{3}_(?:(\d{6})_)?[0-9a-hjkmnp-tv-z]{26}\b")


@dataclass(frozen=True)
class Asker:
    """One column of the table."""

    group: str
    name: str
    actor: Actor | None

    @property
    def column(self) -> str:
        return f"{self.group}.{self.name}"

    def fresh(self, world: World) -> Asker:
        """The same one with another token, to give that one back."""
        if self.actor is None:
            return self
        token = world.tokens.issue(self.actor.id, organisation_id=self.actor.organisation_id, ttl_s=60).token
        http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False, verify=False)  # noqa: S501
        return Asker(self.group, self.name, Actor(self.actor.id, self.actor.organisation_id, http))

    @property
    def in_city(self) -> bool:
        """A firm or a provider of the tenant's own city, to whom what is only the city's is no secret."""
        return self.group == "same_city" and self.name in {"firm2", "provider2", "machine2"}


@dataclass(frozen=True)
class Answer:
    """What came back, to the byte."""

    status: int
    text: str


def sign_of(answer: Answer, asker: Asker, strange: AbstractSet[str]) -> str:
    """One letter of the table.

    Who belongs there has got past the door with a refusal of the state as well. A stranger who is answered sees either
    something of the tenant or nothing; and where what refuses him is neither his role nor his reach, that is a letter
    of its own, which wants a reason.
    """
    if answer.status in REFUSALS:
        return REFUSALS[answer.status]
    if answer.status >= 500 or answer.status == 400:
        return WRONG
    if asker.group not in STRANGERS:
        return MAY
    if answer.status >= 400:
        return REFUSED
    return MAY if strange else EMPTY


REFUSALS = {404: MISSING, 403: FORBIDDEN, 401: UNKNOWN}


def routes() -> list[str]:
    """All routes, of the API and of the portal."""
    return api_routes() + page_routes()


def api_routes() -> list[str]:
    """All routes of the API: where a new one is mounted, it is here."""
    return [
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def changes(route: str) -> bool:
    return route.split(" ", 1)[0] in CHANGES


def askers(tenant: Tenant, other: Tenant) -> list[Asker]:
    world, county = tenant.world, COUNTIES[tenant.region_code]
    province = "330000"
    authority = world.organisation(OrganisationKind.AUTHORITY, county)
    above = world.organisation(OrganisationKind.REGISTRY, province)
    return [
        *(Asker("own", name, tenant.people[name]) for name in OWN),
        *(Asker("same_city", name, tenant.people[name]) for name in SAME_CITY),
        *(Asker("other_city", name, other.people[name]) for name in OWN),
        *(Asker("county", name, world.person(Role(name), authority, county)) for name in COUNTY),
        *(Asker("province", name, world.person(Role(name), above, province)) for name in PROVINCE),
        Asker("nobody", "nobody", None),
    ]


class Wire:
    """One connection, kept open, on which whoever it is asks: thousands of requests within seconds.

    A page is asked as by a browser, with a session; a route of the API with a token; or each as the other is (`amiss`).
    """

    def __init__(self, world: World) -> None:
        self._world, self._sessions = world, dict[str, Session | None]()
        address = urlsplit(world.base_url)
        host, port = str(address.hostname), address.port
        self._connection = http.client.HTTPConnection(host, port, timeout=60)
        self._browser = http.client.HTTPConnection(host, port, timeout=60, source_address=("127.0.0.2", 0))
        """From another address of this machine: what is bounded by address is bounded for each."""

    def ask(self, sent: Sent, asker: Asker, *, amiss: bool = False) -> Answer:
        session = self._session(asker) if sent.is_page is not amiss else None
        headers = dict(sent.headers) | {"Accept-Language": "en", "Origin": self._world.base_url}
        headers |= session.headers() if session else {"Cookie": f"voucher_stranger={STRANGERS_COOKIE}"}
        if asker.actor and session is None:
            headers["Authorization"] = asker.actor.http.headers["Authorization"]
        content = with_tokens(sent.content, session) if sent.is_page else sent.content
        connection, idle = self._connection, self._browser
        if sent.is_page:
            connection, idle = idle, connection
        idle.close()  # the service hangs up on who says nothing for some seconds; it opens again by itself
        connection.request(sent.method, sent.path, content or None, headers)
        response = connection.getresponse()
        body = response.read()
        head = "\n".join(f"{name}: {value}" for name, value in response.getheaders())
        status = page_status(response.status, head) if sent.is_page else response.status
        return Answer(status, f"{head}\n\n{body.decode(errors='replace')}")

    def _session(self, asker: Asker) -> Session | None:
        if asker.actor is None:
            return None
        token = asker.actor.http.headers["Authorization"]
        if token not in self._sessions:
            self._sessions[token] = session_of(self._world, asker.actor)
        return self._sessions[token]

    def close(self) -> None:
        self._connection.close()
        self._browser.close()


class Owners:
    """Whose an id is: read from the tables, so that an id nobody thought of is known too."""

    def __init__(self, world: World) -> None:
        self._organisations: dict[str, frozenset[str]] = {}
        self._regions: dict[str, str] = {}
        with world.database.engine.connect() as tx:
            for organisation_id, region_code in tx.execute(text("SELECT id, region_code FROM organisations")):
                self._regions[organisation_id] = region_code
                self._organisations[organisation_id] = frozenset({organisation_id})
            for table in Organisation.metadata.sorted_tables:
                named = [name for name in BELONGS_TO if name in table.c]
                if "id" not in table.c or table.name == "organisations" or not named:
                    continue
                for id_, *owners in tx.execute(text(f"SELECT id, {', '.join(named)} FROM {table.name}")):
                    self._organisations[str(id_)] = frozenset(owner for owner in owners if owner)
                    self._regions.setdefault(str(id_), self._regions.get(str(owners[0]), ""))

    def region(self, id_: str) -> str:
        """The region that an id names, or that of its organisation."""
        found = ID.fullmatch(id_)
        return (found and found[1]) or self._regions.get(id_, "")

    def is_persons(self, id_: str, person_id: str) -> bool:
        """Whether it is something of his own, a session."""
        return person_id in self.organisations(id_)

    def organisations(self, id_: str) -> frozenset[str]:
        """The firms and providers that it is about; empty for what is only the city's."""
        return self._organisations.get(id_, frozenset())


BELONGS_TO = ("organisation_id", "firm_id", "provider_id", "payee_id", "party_id", "recipient_id", "user_id")


def strange_in(answer: Answer, sent: Sent, asker: Asker, tenant: Tenant, owners: Owners) -> set[str]:
    """What an answer shows of the tenant to somebody to whom it should show nothing, and that he did not say himself:
    whose word it is, what kind of id, or which secret."""
    if asker.group not in STRANGERS:
        return set()
    said, told = sent.text, answer.text
    if sent.is_page and asker.group == "same_city":
        told = told.replace(f"机构{tenant.mark(OFFICE)}", "")  # at the head of the page: whose person he is
    words = {found[2] for found in MARK.finditer(told) if _is_strange_word(found, asker, tenant)}
    words = {owner for owner in words if tenant.mark(owner) not in said}
    ids = {found[0] for found in ID.finditer(told)}
    kinds = {id_[:3] for id_ in ids if id_ not in said and _is_strange_id(id_, asker, tenant, owners)}
    secrets = {value for name, value in tenant.ids.items() if name in SECRETS and value not in said}
    secrets |= {format_code(value) for value in secrets if len(value) == CODE_LENGTH}
    if asker.actor and asker.actor.organisation_id == tenant.ids["provider2_id"]:
        secrets.discard(tenant.ids["account_no"])  # it is its own account
    return words | kinds | {f"secret {secret}" for secret in secrets if secret in told}


SECRETS = frozenset({"voucher_code", "frozen_code", "payment_code", "account_no"})


def _is_strange_word(found: re.Match[str], asker: Asker, tenant: Tenant) -> bool:
    if found[1] != tenant.region_code:
        return False
    return not asker.in_city or found[2] not in {OFFICE, asker.name.replace("machine", "provider")}


def _is_strange_id(id_: str, asker: Asker, tenant: Tenant, owners: Owners) -> bool:
    if owners.region(id_) != tenant.region_code:
        return False
    if asker.actor and (id_ in (asker.actor.id, asker.actor.organisation_id) or owners.is_persons(id_, asker.actor.id)):
        return False
    if not asker.in_city or asker.actor is None:
        return True
    theirs = owners.organisations(id_)
    return bool(theirs) and asker.actor.organisation_id not in theirs


# -- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """What is declared of a route: a letter for each column, what strangers are shown all the same, and why."""

    signs: Mapping[str, str]
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    why: str = ""


def columns() -> list[str]:
    return [f"{group}.{name}" for group, names in GROUPS.items() for name in names]


def read_table(path: Path = TABLE) -> dict[str, Line]:
    """Route → what is declared of it."""
    table: dict[str, Line] = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        declared, _, note = line.partition("#")
        method, path_, *groups = declared.split()
        signs = dict(zip(columns(), "".join(groups), strict=True))
        shown = {group: frozenset(kinds.split()) for group, kinds in _SHOWN.findall(note)}
        route = f"{method} {path_}"
        assert route not in table, f"{route} is declared twice"
        table[route] = Line(signs, shown, _SHOWN.sub("", note).strip())
    return table


_SHOWN = re.compile(r"(\w+)\[([^\]]*)\]")


def written(table: Mapping[str, Line]) -> Iterator[str]:
    """The lines of the file."""
    width = max(len(route) for route in table) + 1
    for route, line in table.items():
        groups = ("".join(line.signs[f"{group}.{name}"] for name in names) for group, names in GROUPS.items())
        shown = [f"{group}[{' '.join(sorted(kinds))}]" for group, kinds in line.shown.items() if kinds]
        note = " ".join([*shown, line.why]).strip()
        yield f"{route:<{width}} {' '.join(groups)}{'  # ' + note if note else ''}".rstrip()
