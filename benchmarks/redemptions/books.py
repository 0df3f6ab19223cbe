"""Books to redeem from: cities with programmes, money, providers and vouchers, made by the service's own services.

Organisations, people and machines are rows; whatever moves money goes through the services that move it in earnest, ten
thousand vouchers a batch, so that the ledger is as right as if officials had worked for a year. Mandates are one
statement for all, with their audit events: a consent posts nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, insert, text

from app.database import Database
from app.kernel.clock import fiscal_year, rfc3339, utc_now
from app.kernel.ids import new_id
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role, VoucherKind
from app.models import Client, Organisation, RoleGrant, User
from app.services import audit
from app.services.approvals.decisions import approve
from app.services.budgets.appropriations import request_appropriation
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller, Principal
from app.services.issuance.checks import Submission
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import submit_batch
from app.services.programmes.admissions import propose_admission
from app.services.programmes.programmes import ProgrammeDraft, create_programme, submit_programme
from app.services.rules.model import Rules

FACE_FEN = 500_000_000
"""Large enough that no voucher runs dry in a run: refusals would be measured otherwise."""
HOT_FACE_FEN = 10**12
BATCH = 10_000
MOST_FIRMS = 5_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2126, 1, 1, tzinfo=UTC)
RULES = Rules.model_validate({"categories": ["training"], "rate": {"kind": "flat", "rate": "0.30"}})
"""Thirty per cent of a bill: the simple case of most schemes."""

_MANDATES = text(
    "INSERT INTO mandates (region_code, id, voucher_id, provider_id, limit_fen, used_fen, valid_until, granted_at,"
    " granted_by) SELECT v.region_code, 'mdt' || substr(v.id, 4), v.id,"
    " (CAST(:providers AS text[]))[1 + row_number() OVER (ORDER BY v.id) % :count], v.face_fen, 0, v.valid_until,"
    " v.issued_at, 'benchmark' FROM vouchers v WHERE v.region_code = :region_code AND v.programme_id = :programme_id"
    " RETURNING region_code, id, voucher_id, provider_id, limit_fen, valid_until, granted_at"
)
_TARGETS = text(
    "SELECT v.code, m.provider_id FROM vouchers v JOIN mandates m ON m.region_code = v.region_code"
    " AND m.voucher_id = v.id WHERE v.region_code = :region_code AND v.programme_id = :programme_id"
    " ORDER BY md5(v.id) LIMIT :most"
)

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Providers:
    """Compute centres that work in every city, each with one machine client."""

    organisations: tuple[str, ...]
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A programme with its vouchers."""

    region_code: str
    programme_id: str


def city_codes(number: int) -> list[str]:
    """Region codes of prefecture-level cities of GB/T 2260."""
    known = [f"{province}{city:02d}00" for province in (33, 32, 44, 37) for city in range(1, 12)]
    assert number <= len(known)
    return known[:number]


def providers(database: Database, regions: Sequence[str], *, machines: int = 8) -> Providers:
    """Providers whose machines may redeem in all of these regions."""
    organisations = tuple(new_id("org") for _ in range(machines))
    clients = tuple(new_id("cli") for _ in range(machines))

    def work(tx: Connection) -> None:
        _organisations(tx, OrganisationKind.PROVIDER, organisations, regions[0])
        tx.execute(
            insert(Client),
            [
                {
                    "id": client_id,
                    "name": "benchmark",
                    "organisation_id": organisation_id,
                    "secret_sha256": bytes(32),
                    "created_at": LONG_AGO,
                    "created_by": "benchmark",
                }
                for client_id, organisation_id in zip(clients, organisations, strict=True)
            ],
        )
        _grants(tx, [(Role.PROVIDER, region, None, None, client_id) for client_id in clients for region in regions])

    database.transact(work)
    return Providers(organisations, clients)


def scheme(
    database: Database,
    region_code: str,
    of: Providers,
    *,
    vouchers: int,
    face_fen: int = FACE_FEN,
    rules: Rules = RULES,
    told: Callable[[int], None] = lambda _: None,
) -> Scheme:
    """A published and funded programme of this city, with its vouchers issued and a mandate on each.

    `told` is called with the number of vouchers issued so far.
    """
    people = database.transact(lambda tx: people_of(tx, region_code))

    def act(role: str, work: Callable[..., Any], **given: Any) -> Any:
        return database.transact(lambda tx: work(tx, caller=caller_of(tx, people[role]), **given))

    programme_id = act("maker", create_programme, draft=draft(region_code, people, rules)).id
    _, asked = act("maker", submit_programme, programme_id=programme_id)
    act("checker", approve, approval_id=asked)
    granted = {"document_no": "财字1号", "amount_fen": vouchers * face_fen}
    asked = act("finance", request_appropriation, programme_id=programme_id, **granted)
    act("second_finance", approve, approval_id=asked)
    for provider_id in of.organisations:
        admitted = {"provider_id": provider_id, "categories": ("training",)}
        _, asked = act("maker", propose_admission, programme_id=programme_id, **admitted)
        act("checker", approve, approval_id=asked)
    firms = tuple(new_id("org") for _ in range(max(1, min(MOST_FIRMS, vouchers // 10))))
    database.transact(lambda tx: _organisations(tx, OrganisationKind.FIRM, firms, region_code))
    for first in range(0, vouchers, BATCH):
        rows = tuple(
            GrantRow(place + 1, f"B{first + place}", face_fen, firm_id=firms[(first + place) % len(firms)])
            for place in range(min(BATCH, vouchers - first))
        )
        submission = Submission(programme_id, rows, Layout("en"), len(rows), len(rows) * face_fen)
        asked = act("maker", submit_batch, submission=submission, dry_run=False).approval_id
        act("checker", approve, approval_id=asked)
        told(first + len(rows))
    asked_for = {"region_code": region_code, "programme_id": programme_id}
    consent = {"providers": list(of.organisations), "count": len(of.organisations)} | asked_for
    database.transact(lambda tx: _consent(tx, consent))
    return Scheme(region_code, programme_id)


def targets(database: Database, of: Scheme, providers: Providers, *, most: int) -> list[tuple[str, int]]:
    """Voucher codes in no order, each with the number of the machine that may redeem it."""
    places = {organisation_id: place for place, organisation_id in enumerate(providers.organisations)}
    asked = {"region_code": of.region_code, "programme_id": of.programme_id, "most": most}
    rows = database.transact(lambda tx: tx.execute(_TARGETS, asked).all())
    return [(row.code, places[row.provider_id]) for row in rows]


def redemptions(database: Database) -> int:
    """How many the books have."""
    return int(database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM redemptions")).scalar_one()))


class Progress:
    """A line on standard error that tells how far a long work has come."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._began = what, total, time.monotonic()

    def __call__(self, done: int) -> None:
        """Tell that this many of all are done."""
        passed_s = time.monotonic() - self._began
        left_s = passed_s / done * (self._total - done)
        told = f"· {self._what}: {done:,}/{self._total:,}, {passed_s:.0f} s, about {left_s:.0f} s left"
        if sys.stderr.isatty():
            print(f"\r{told}\033[K", end="\n" if done >= self._total else "", file=sys.stderr, flush=True)
        elif done >= self._total or done * 10 // self._total != (done - BATCH) * 10 // self._total:
            print(told, file=sys.stderr, flush=True)


def draft(region_code: str, people: dict[str, str], rules: Rules = RULES) -> ProgrammeDraft:
    """A programme of that city's authority."""
    return ProgrammeDraft(
        region_code=region_code,
        authority_id=people["authority"],
        title="AI算力券",
        voucher_kind=VoucherKind.COMPUTE,
        fiscal_year=fiscal_year(utc_now()),
        opens_at=LONG_AGO,
        closes_at=FAR_AWAY,
        document_no=f"测{next(_numbers)}号",
        rules=rules,
    )


def people_of(tx: Connection, region_code: str) -> dict[str, str]:
    """A city's authority and finance bureau with their people: ids by what they do."""
    authority, bureau = new_id("org"), new_id("org")
    _organisations(tx, OrganisationKind.AUTHORITY, (authority,), region_code)
    _organisations(tx, OrganisationKind.FINANCE, (bureau,), region_code)
    cast = {
        "maker": (Role.MAKER, authority),
        "checker": (Role.CHECKER, authority),
        "finance": (Role.FINANCE, bureau),
        "second_finance": (Role.FINANCE, bureau),
    }
    people = {name: new_id("usr") for name in cast}
    tx.execute(
        insert(User),
        [
            {
                "id": people[name],
                "login": f"bench-{next(_numbers)}",
                "name": "benchmark",
                "organisation_id": organisation_id,
                "created_at": LONG_AGO,
                "created_by": "benchmark",
            }
            for name, (_, organisation_id) in cast.items()
        ],
    )
    of_authority = {Role.MAKER, Role.CHECKER}
    _grants(
        tx,
        [
            (role, region_code, authority if role in of_authority else None, people[name], None)
            for name, (role, _) in cast.items()
        ],
    )
    return people | {"authority": authority}


def caller_of(tx: Connection, user_id: str) -> Caller:
    """The person as one who calls."""
    principal = load_principal(tx, user_id)
    assert principal is not None, "written down before"
    return Caller(principal, "benchmark")


def _consent(tx: Connection, consent: Mapping[str, Any]) -> None:
    """The mandates of a scheme, each with the event that tells of it; they are given as the vouchers are issued."""
    caller = Caller(Principal("benchmark", "benchmark", str(consent["region_code"]), ()), "benchmark")
    rows = sorted(tx.execute(_MANDATES, consent), key=attrgetter("granted_at"))
    for at, granted in groupby(rows, key=attrgetter("granted_at")):
        subjects: list[tuple[str, str, audit.Details]] = [
            (
                row.region_code,
                row.id,
                {
                    "voucher": row.voucher_id,
                    "provider": row.provider_id,
                    "limit_fen": row.limit_fen,
                    "valid_until": rfc3339(row.valid_until),
                },
            )
            for row in granted
        ]
        audit.record_all(tx, caller=caller, action="mandate.granted", subjects=subjects, at=at)


def _organisations(tx: Connection, kind: OrganisationKind, ids: Sequence[str], region_code: str) -> None:
    tx.execute(
        insert(Organisation),
        [
            {
                "id": organisation_id,
                "kind": kind,
                "identifier_type": IdentifierType.USCC,
                "identifier_value": f"BENCHMARK{next(_numbers):09d}",
                "name": f"{kind} {organisation_id}",
                "region_code": region_code,
                "profile": {},
                "created_at": LONG_AGO,
                "created_by": "benchmark",
            }
            for organisation_id in ids
        ],
    )


def _grants(tx: Connection, held: Sequence[tuple[Role, str, str | None, str | None, str | None]]) -> None:
    tx.execute(
        insert(RoleGrant),
        [
            {
                "id": new_id("grn"),
                "user_id": user_id,
                "client_id": client_id,
                "role": role,
                "region_code": region_code,
                "authority_id": authority_id,
                "granted_at": LONG_AGO,
                "granted_by": "benchmark",
            }
            for role, region_code, authority_id, user_id, client_id in held
        ],
    )
