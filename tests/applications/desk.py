"""What firms and officials do with applications, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from app.kernel.vocabulary import Role
from tests.world import Actor, City, ok, rules_body

ASKED_FEN = 500_000


@dataclass(frozen=True)
class Desk:
    """An authority to which firms apply."""

    city: City

    def programme(self, *, appropriation_fen: int | None = 100_000_000, **rules: Any) -> str:
        return self.city.programme(appropriation_fen=appropriation_fen, rules=rules_body(**rules))

    def firm(self, region_code: str | None = None, *, name: str | None = None) -> Actor:
        world, region = self.city.world, region_code or self.city.region_code
        return world.person(Role.FIRM, world.firm(region, name=name), region)

    def apply(self, programme_id: str, firm: Actor | None = None, **changes: Any) -> httpx.Response:
        return (firm or self.firm()).post("/v1/applications", application_body(programme_id, **changes))

    def act(self, application_id: str, act: str, body: Any = None, *, by: Actor | None = None) -> httpx.Response:
        return (by or self.city.maker).post(f"/v1/applications/{application_id}/{act}", body)

    def accepted(self, programme_id: str, firm: Actor | None = None, **changes: Any) -> str:
        application_id: str = ok(self.apply(programme_id, firm, **changes))["id"]
        ok(self.act(application_id, "accept"))
        return application_id

    def reviewed(self, programme_id: str, firm: Actor | None = None, *, fen: int = ASKED_FEN, **changes: Any) -> str:
        application_id = self.accepted(programme_id, firm, **changes)
        ok(self.act(application_id, "assess", assessment(fen)))
        return application_id

    def granted(self, programme_id: str, firm: Actor | None = None, **changes: Any) -> dict[str, Any]:
        application_id = self.reviewed(programme_id, firm, **changes)
        ok(self.city.approve(self.act(application_id, "approve")))
        return self.read(application_id)

    def read(self, application_id: str, *, by: Actor | None = None) -> dict[str, Any]:
        found: dict[str, Any] = ok((by or self.city.maker).get(f"/v1/applications/{application_id}"))
        return found

    def stored(self, query: str, *parameters: Any) -> Any:
        """The one value of a query, as it lies in the database."""
        return self.city.world.database.transact(lambda tx: tx.exec_driver_sql(query, parameters).scalar_one())

    def events(self, application_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ok(self.city.maker.get(f"/v1/applications/{application_id}/events"))
        return found


def application_body(programme_id: str, **changes: Any) -> dict[str, Any]:
    return {"programme_id": programme_id, "amount_fen": ASKED_FEN, "purpose": "大模型训练"} | changes


def assessment(fen: int, **changes: Any) -> dict[str, Any]:
    return {"assessed_fen": fen, "reason": "按合同与报价核定"} | changes
