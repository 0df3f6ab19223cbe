"""Proposing and approving closes in tests."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import select

from app.database import Database
from app.models import Pool
from app.services.budgets.execution import ACCOUNTS
from tests.world import City, ok


def close_body(programme_id: str, *, carries_promises: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "programme_id": programme_id,
        "fiscal_year": 2026,
        "document_no": "财预〔2026〕99号",
        "carries_promises": carries_promises,
    } | changes


def propose(city: City, programme_id: str, **changes: Any) -> httpx.Response:
    return city.finance.post("/v1/year-closes", close_body(programme_id, **changes))


def close(city: City, programme_id: str, **changes: Any) -> dict[str, Any]:
    """Close the year; what was done, by fund source."""
    ok(city.approve(propose(city, programme_id, **changes), by=city.second_finance))
    (done, *_) = ok(city.finance.get("/v1/year-closes", programme_id=programme_id))["data"]
    return {pool["fund_source"]: pool for pool in done["pools"]}


def standing(city: City, **filters: Any) -> dict[tuple[int, str], dict[str, int]]:
    """What is not nothing on the accounts, by fiscal year and fund source."""
    pools = ok(city.finance.get("/v1/reports/execution", **filters))["pools"]
    return {
        (pool["fiscal_year"], pool["fund_source"]): {
            account.value: pool[name] for account, name in ACCOUNTS.items() if pool[name]
        }
        for pool in pools
    }


def pool_ids(database: Database, programme_id: str) -> dict[tuple[int, str], str]:
    rows = database.transact(
        lambda tx: tx.execute(
            select(Pool.fiscal_year, Pool.fund_source, Pool.id).where(Pool.programme_id == programme_id)
        ).all()
    )
    return {(row.fiscal_year, row.fund_source): row.id for row in rows}
