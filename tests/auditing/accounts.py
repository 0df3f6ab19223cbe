"""A payee account to read."""

from __future__ import annotations

from sqlalchemy import select

from app.models import Organisation
from tests.world import City, ok

NUMBER = "6222021099012345678"


def propose(city: City, number: str = NUMBER) -> str:
    """An account of a payee of its own, proposed by the city's maker; its id."""
    payee_id = city.world.provider(city.region_code)
    query = select(Organisation.name).where(Organisation.id == payee_id)
    body = {
        "region_code": city.region_code,
        "authority_id": city.authority_id,
        "payee_id": payee_id,
        "account_name": city.world.database.transact(lambda tx: tx.execute(query).scalar_one()),
        "bank_name": "示范银行杭州分行",
        "cnaps": "102331000013",
        "account_no": number,
    }
    account_id: str = ok(city.maker.http.post("/v1/payee-accounts", json=body))["account"]["id"]
    return account_id
