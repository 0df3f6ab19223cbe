"""Payment codes for the tests: made by a firm over HTTP, and aged by the owner of the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine, text

from app.embedded.databases import Urls
from tests.world import Counter, ok


def path_of(desk: Counter) -> str:
    return f"/v1/vouchers/{desk.voucher['id']}/payment-codes"


def body_of(desk: Counter, **changes: Any) -> dict[str, Any]:
    return {"provider_id": desk.machine.organisation_id, "limit_fen": 50_000} | changes


def make(desk: Counter, *, key: str | None = None, **changes: Any) -> Any:
    return ok(desk.manager.post(path_of(desk), body_of(desk, **changes), key=key))


def age(urls: Urls, code_id: str, by: str = "1 hour") -> None:
    """Let a code have been made earlier than it was; the service itself may not change that."""
    engine = create_engine(urls.owner_url)
    earlier = (
        "UPDATE payment_codes SET created_at = created_at - CAST(:by AS interval),"
        " valid_until = valid_until - CAST(:by AS interval) WHERE id = :id"
    )
    with engine.begin() as connection:
        connection.execute(text(earlier), {"by": by, "id": code_id})
    engine.dispose()
