"""Redemptions as their provider would list them, and the statement uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from app.kernel.clock import civil_date, utc_now
from app.kernel.money import to_yuan
from tests.world import Actor, Counter, ok

HEADINGS = ("订单号", "核销编号", "核销日期", "券码", "账单金额（元）", "补贴金额（元）", "已退补贴（元）")


def today() -> str:
    return civil_date(utc_now()).isoformat()


def row_of(desk: Counter, redemption: dict[str, Any], *, refunded_fen: int = 0) -> list[str]:
    return [
        redemption["order_no"],
        redemption["id"],
        today(),
        desk.voucher["code"],
        to_yuan(redemption["bill_total_fen"]),
        to_yuan(redemption["subsidy_fen"]),
        to_yuan(refunded_fen),
    ]


def upload(
    by: Actor, data: bytes, *, name: str = "对账单.csv", region: str = "330100", **fields: Any
) -> httpx.Response:
    form = {"region_code": region, "period_from": today(), "period_until": today()} | fields
    return by.http.post("/v1/statements", data=form, files={"file": (name, data)})


def reconcile(by: Actor, region: str = "330100", **period: str) -> Any:
    days = {"period_from": today(), "period_until": today()} | period
    return ok(by.post("/v1/reconciliations", {"region_code": region, **days}))


def cases(by: Actor, **wanted: str) -> list[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = ok(by.get("/v1/reconciliation-cases", limit=200, **wanted))["data"]
    return list(found)
