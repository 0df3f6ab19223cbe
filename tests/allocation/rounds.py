"""A programme whose money is not enough, and the acts of its officials over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.world import City, World, ok, rules_body

ANNOUNCEMENT = "双色球第2026138期开奖号码，两位一组以空格分隔"


@dataclass(frozen=True)
class Round:
    """A round that was frozen."""

    city: City
    id: str
    programme_id: str
    proposed: dict[str, Any]

    def submit(self) -> httpx.Response:
        return self.city.maker.post(f"/v1/allocation-rounds/{self.id}/submit")

    def execute(self) -> None:
        ok(self.city.approve(self.submit()))

    def draw(self, seed: str) -> httpx.Response:
        return self.city.maker.post(f"/v1/allocation-rounds/{self.id}/draw", {"seed": seed})

    def cancel(self) -> httpx.Response:
        return self.city.maker.post(f"/v1/allocation-rounds/{self.id}/cancel", {"reason": "名单有误"})

    def read(self) -> dict[str, Any]:
        read: dict[str, Any] = ok(self.city.auditor.get(f"/v1/allocation-rounds/{self.id}"))
        return read

    def candidates(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ok(
            self.city.checker.get(f"/v1/allocation-rounds/{self.id}/candidates", limit=200)
        )["data"]
        return found

    def record(self, by: httpx.Client) -> dict[str, Any]:
        record: dict[str, Any] = ok(by.get(f"/v1/allocation-rounds/{self.id}/record"))
        return record


def programme(city: City, pool_fen: int | None, **allocation: Any) -> str:
    return city.programme(appropriation_fen=pool_fen, rules=rules_body(allocation=allocation))


def rows_of(world: World, *amounts_fen: int, **marks: list[Any]) -> list[dict[str, Any]]:
    """Candidates A, B, C … each a firm of its own; `marks` gives each its score, tier and so on."""
    return [
        {"reference_no": chr(ord("A") + n), "firm_id": world.firm(), "asked_fen": fen}
        | {name: values[n] for name, values in marks.items()}
        for n, fen in enumerate(amounts_fen)
    ]


def propose(city: City, programme_id: str, rows: list[dict[str, Any]], **changes: Any) -> httpx.Response:
    body = {"title": "第一轮", "rows": rows} | changes
    return city.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", body)


def frozen(city: City, programme_id: str, rows: list[dict[str, Any]], **changes: Any) -> Round:
    proposed = ok(propose(city, programme_id, rows, **changes))
    return Round(city, proposed["id"], programme_id, proposed)


def announced(seconds: float) -> dict[str, str]:
    """A draw in so many seconds."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"announcement": ANNOUNCEMENT, "seed_format": "## ## ## ## ## ## ##", "draws_at": at.isoformat()}


def frozen_lottery(city: City, programme_id: str, rows: list[dict[str, Any]]) -> Round:
    """A lottery whose time has come: its draw was announced for as soon as the machine could freeze the list."""
    for seconds in (0.3, 1, 3, 10):
        draw = announced(seconds)
        response = propose(city, programme_id, rows, draw=draw)
        if response.is_success:
            wait_until(draw["draws_at"])
            return Round(city, response.json()["id"], programme_id, response.json())
    raise AssertionError("the machine could not freeze a list within ten seconds")


def wait_until(draws_at: str) -> None:
    left = (datetime.fromisoformat(draws_at) - datetime.now(UTC)).total_seconds()
    time.sleep(max(0.0, left) + 0.05)


def promote(city: City, programme_id: str, **body: Any) -> httpx.Response:
    return city.maker.post(f"/v1/programmes/{programme_id}/waitlist/promote", body)


def waiting(city: City, programme_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(city.checker.get(f"/v1/programmes/{programme_id}/waitlist"))["data"]
    return found


def faces(city: City, programme_id: str) -> dict[str, int]:
    """Face values of the vouchers that there are, by firm."""
    found = ok(city.maker.get("/v1/vouchers", programme_id=programme_id, limit=200))["data"]
    return {voucher["firm_id"]: voucher["face_value_fen"] for voucher in found}


def available_fen(city: City, programme_id: str) -> int:
    pools = ok(city.finance.get(f"/v1/programmes/{programme_id}/budget"))["pools"]
    return sum(pool["available_fen"] for pool in pools)
