"""A small world to test in: organisations and people are rows, everything else goes over HTTP as its users would.

Plain factory functions: a test states only the values it cares about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from sqlalchemy import insert

from app.database import Database
from app.kernel.clock import fiscal_year, utc_now
from app.kernel.ids import new_id
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import Client, Organisation, RoleGrant, User
from app.services.identity.principals import Proof
from app.services.identity.tokens import Tokens
from app.services.reconciliation.reconcile import check_invariants

HANGZHOU = "330100"
NINGBO = "330200"
CIXI = "330282"
THIS_YEAR = fiscal_year(utc_now())
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_USCC_CHARS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_numbers = count(1)


def uscc_of(number: int, region_code: str = "330106") -> str:
    """A valid 统一社会信用代码, worked out here by the rule of GB 32100-2015 and not by the code under test."""
    body = f"{number:08d}"
    rest = 11 - sum(int(c) * w for c, w in zip(body, _ORG_WEIGHTS, strict=True)) % 11
    organisation = body + ("X" if rest == 10 else "0" if rest == 11 else str(rest))
    code = "91" + region_code + organisation
    check = (31 - sum(_USCC_CHARS.index(c) * w for c, w in zip(code, _USCC_WEIGHTS, strict=True)) % 31) % 31
    return code + _USCC_CHARS[check]


@dataclass(frozen=True)
class Actor:
    """A signed-in person or machine with its own HTTP client."""

    id: str
    organisation_id: str
    http: httpx.Client

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params)

    def post(self, path: str, json: Any = None, *, key: str | None = None, **extra: Any) -> httpx.Response:
        headers = extra.pop("headers", {})
        headers["Idempotency-Key"] = key or f"test-{next(_numbers)}"
        return self.http.post(path, json=json, headers=headers, **extra)


@dataclass
class World:
    """A running service on its own database."""

    base_url: str
    database: Database
    tokens: Tokens
    _clients: list[httpx.Client] = field(default_factory=list)

    # -- rows -------------------------------------------------------------------------------------------------------

    def organisation(self, kind: OrganisationKind, region_code: str = HANGZHOU, *, name: str | None = None) -> str:
        number = next(_numbers)
        organisation_id = new_id("org")
        row = {
            "id": organisation_id,
            "kind": kind,
            "identifier_type": IdentifierType.USCC,
            "identifier_value": uscc_of(number, region_code if region_code != HANGZHOU else "330106"),
            "name": name or f"测试机构{number}",
            "region_code": region_code,
            "profile": {},
            "created_at": LONG_AGO,
            "created_by": "test",
        }
        self.database.transact(lambda tx: tx.execute(insert(Organisation).values(row)))
        return organisation_id

    def firm(self, region_code: str = HANGZHOU, *, name: str | None = None) -> str:
        return self.organisation(OrganisationKind.FIRM, region_code, name=name)

    def provider(self, region_code: str = HANGZHOU) -> str:
        return self.organisation(OrganisationKind.PROVIDER, region_code)

    def person(self, role: Role, organisation_id: str, region_code: str = HANGZHOU) -> Actor:
        """A person with one role; makers and checkers hold it for their own organisation."""
        user_id = new_id("usr")
        authority = organisation_id if role in {Role.MAKER, Role.CHECKER} else None

        def work(tx: Any) -> None:
            tx.execute(
                insert(User).values(
                    id=user_id,
                    login=f"{role}-{next(_numbers)}",
                    name="测试",
                    organisation_id=organisation_id,
                    created_at=LONG_AGO,
                    created_by="test",
                )
            )
            tx.execute(insert(RoleGrant).values(_grant(role, region_code, authority, user_id=user_id)))

        self.database.transact(work)
        return self._actor(user_id, organisation_id)

    def also_maker(self, actor: Actor, authority_id: str, region_code: str) -> None:
        """Let a person be a maker in another place, too."""
        values = _grant(Role.MAKER, region_code, authority_id, user_id=actor.id)
        self.database.transact(lambda tx: tx.execute(insert(RoleGrant).values(values)))

    def machine(self, organisation_id: str, region_code: str = HANGZHOU) -> Actor:
        """A provider's machine client."""
        client_id = new_id("cli")

        def work(tx: Any) -> None:
            tx.execute(
                insert(Client).values(
                    id=client_id,
                    name="测试系统",
                    organisation_id=organisation_id,
                    secret_sha256=bytes(32),
                    created_at=LONG_AGO,
                    created_by="test",
                )
            )
            tx.execute(insert(RoleGrant).values(_grant(Role.PROVIDER, region_code, None, client_id=client_id)))

        self.database.transact(work)
        return self._actor(client_id, organisation_id)

    def anonymous(self) -> httpx.Client:
        # Nothing here speaks TLS, and loading the authorities for it takes 30 ms a client.
        client = httpx.Client(base_url=self.base_url, timeout=60, trust_env=False, verify=False)  # noqa: S501
        self._clients.append(client)
        return client

    def _actor(self, principal_id: str, organisation_id: str) -> Actor:
        proof = fresh_proof() if principal_id.startswith("usr_") else None
        token = self.tokens.issue(principal_id, organisation_id=organisation_id, ttl_s=3600, proof=proof).token
        client = self.anonymous()
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["Accept-Language"] = "en"
        return Actor(principal_id, organisation_id, client)

    # -- a city that has everything -----------------------------------------------------------------------------------

    def city(self, region_code: str = HANGZHOU) -> City:
        authority = self.organisation(OrganisationKind.AUTHORITY, region_code)
        bureau = self.organisation(OrganisationKind.FINANCE, region_code)
        return City(
            world=self,
            region_code=region_code,
            authority_id=authority,
            maker=self.person(Role.MAKER, authority, region_code),
            checker=self.person(Role.CHECKER, authority, region_code),
            finance=self.person(Role.FINANCE, bureau, region_code),
            second_finance=self.person(Role.FINANCE, bureau, region_code),
            auditor=self.person(Role.AUDITOR, bureau, region_code),
        )

    def differences(self) -> list[str]:
        """What breaks an invariant anywhere: nothing, if the books are right."""
        report = check_invariants(self.database)
        return [
            f"{finding.number} {finding.name}: {difference.subject} {difference.expected} / {difference.actual}"
            for finding in report.findings
            for difference in finding.differences
        ]

    def move(self) -> None:
        """Turn everybody to the service's new address."""
        for client in self._clients:
            client.base_url = httpx.URL(self.base_url)

    def close(self) -> None:
        for client in self._clients:
            client.close()


@dataclass(frozen=True)
class City:
    """An issuing authority with its people, acting over HTTP."""

    world: World
    region_code: str
    authority_id: str
    maker: Actor
    checker: Actor
    finance: Actor
    second_finance: Actor
    auditor: Actor

    def approve(self, response: httpx.Response, by: Actor | None = None) -> httpx.Response:
        """Approve what a maker's request asked for."""
        body = ok(response)
        approval = body.get("approval", body)
        approval_id = approval.get("approval_id") or approval["id"]
        return (by or self.checker).post(f"/v1/approvals/{approval_id}/approve")

    def programme(self, *, appropriation_fen: int | None = 100_000_000, **changes: Any) -> str:
        """A published and funded programme; `rules` and the other fields can be changed."""
        body = programme_body(self, **changes)
        programme_id: str = ok(self.maker.post("/v1/programmes", body))["id"]
        ok(self.approve(self.maker.post(f"/v1/programmes/{programme_id}/submit")))
        if appropriation_fen:
            sources = body["rules"].get("fund_sources", [{"source": "local"}])
            for share in sources:
                self.fund(programme_id, appropriation_fen, share["source"])
        return programme_id

    def fund(self, programme_id: str, amount_fen: int, fund_source: str = "local") -> None:
        body = {"document_no": "财字1号", "amount_fen": amount_fen, "fund_source": fund_source}
        ok(
            self.approve(
                self.finance.post(f"/v1/programmes/{programme_id}/appropriations", body), by=self.second_finance
            )
        )

    def admit(self, programme_id: str, provider_id: str, categories: tuple[str, ...] = ("training",)) -> None:
        body = {"categories": list(categories)}
        response = self.maker.http.put(f"/v1/programmes/{programme_id}/providers/{provider_id}", json=body)
        ok(self.approve(response))

    def issue(self, programme_id: str, firm_id: str, face_value_fen: int, **changes: Any) -> dict[str, Any]:
        """Issue one voucher and return it."""
        number = next(_numbers)
        body = {
            "programme_id": programme_id,
            "declared_count": 1,
            "declared_total_fen": face_value_fen,
            "rows": [{"reference_no": f"R{number}", "firm_id": firm_id, "face_value_fen": face_value_fen, **changes}],
        }
        ok(self.approve(self.maker.post("/v1/issuance-batches", body)))
        vouchers = ok(self.maker.get("/v1/vouchers", programme_id=programme_id, firm_id=firm_id, limit=1))
        voucher: dict[str, Any] = vouchers["data"][0]
        return voucher


@dataclass(frozen=True)
class Counter:
    """A provider ready to redeem one voucher: programme, firm, mandate, machine."""

    city: City
    programme_id: str
    voucher: dict[str, Any]
    manager: Actor
    machine: Actor
    mandate: dict[str, Any]

    def redeem(
        self, total_fen: int, *, order_no: str | None = None, key: str | None = None, **changes: Any
    ) -> httpx.Response:
        body = redemption_body(self.voucher["code"], total_fen, order_no=order_no, **changes)
        return self.machine.post("/v1/redemptions", body, key=key)

    def second_voucher(self, face_value_fen: int) -> Counter:
        """The same firm's second voucher, with a mandate for the same provider."""
        voucher = self.city.issue(self.programme_id, self.voucher["firm_id"], face_value_fen)
        body = {"provider_id": self.machine.organisation_id, "limit_fen": face_value_fen}
        mandate = ok(self.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
        return Counter(self.city, self.programme_id, voucher, self.manager, self.machine, mandate)

    def balance_fen(self) -> int:
        balance: int = ok(self.manager.get(f"/v1/vouchers/{self.voucher['id']}"))["balance_fen"]
        return balance


def counter(
    city: City, *, face_value_fen: int = 1_000_000, rate: str = "0.30", limit_fen: int | None = None, **rules: Any
) -> Counter:
    """A voucher in a firm's hands, a provider admitted, and the firm's mandate for it."""
    world = city.world
    programme_id = city.programme(rules=rules_body(rate=rate, **rules))
    provider_id = world.provider(city.region_code)
    city.admit(programme_id, provider_id)
    firm_id = world.firm(city.region_code)
    voucher = city.issue(programme_id, firm_id, face_value_fen)
    manager = world.person(Role.FIRM, firm_id, city.region_code)
    mandate = ok(
        manager.post(
            f"/v1/vouchers/{voucher['id']}/mandates",
            {"provider_id": provider_id, "limit_fen": limit_fen or face_value_fen},
        )
    )
    return Counter(city, programme_id, voucher, manager, world.machine(provider_id, city.region_code), mandate)


def rules_body(*, rate: str = "0.30", **rules: Any) -> dict[str, Any]:
    return {"categories": ["training"], "rate": {"kind": "flat", "rate": rate}, **rules}


def programme_body(city: City, **changes: Any) -> dict[str, Any]:
    return {
        "region_code": city.region_code,
        "authority_id": city.authority_id,
        "title": "AI算力券",
        "voucher_kind": "compute",
        "fiscal_year": THIS_YEAR,
        "opens_at": "2026-01-01T00:00:00+08:00",
        "closes_at": "2126-01-01T00:00:00+08:00",
        "document_no": "杭经信〔2026〕1号",
        "rules": rules_body(),
    } | changes


def bill_body(total_fen: int, category: str = "training") -> dict[str, Any]:
    return {"total_fen": total_fen, "lines": [line_body(total_fen, category)]}


def line_body(amount_fen: int, category: str = "training") -> dict[str, Any]:
    return {
        "category": category,
        "quantity": str(amount_fen),
        "unit": "card_hour",
        "unit_price": "0.01",
        "amount_fen": amount_fen,
    }


def redemption_body(code: str, total_fen: int, *, order_no: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "voucher_code": code,
        "order_no": order_no or f"O{next(_numbers)}",
        "bill": bill_body(total_fen),
    } | changes


def fresh_proof() -> Proof:
    """As of somebody who has just signed in with a second factor: what every act may ask for."""
    return Proof(utc_now(), second_factor=True)


def ok(response: httpx.Response) -> Any:
    """The body of a success; anything else fails the test with what the service said."""
    assert response.is_success, f"{response.status_code} {response.text}"
    return response.json()


def problem(response: httpx.Response, status: int, code: str) -> Any:
    """The body of the problem that was expected."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), response.text
    assert body["status"] == status
    return body


def _grant(role: Role, region_code: str, authority_id: str | None, **subject: str) -> dict[str, Any]:
    return {
        "id": new_id("grn"),
        "user_id": None,
        "client_id": None,
        "role": role,
        "region_code": region_code,
        "authority_id": authority_id,
        "granted_at": LONG_AGO,
        "granted_by": "test",
        **subject,
    }
