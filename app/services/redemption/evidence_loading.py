"""What bills are held against, from the registry and the admissions. One statement for any number."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, text

from app.services.redemption.grounds import Capacity, Grounds, price_list

AdmissionKey = tuple[str, str, str]
"""(region_code, programme id, provider id)."""

_GROUNDS = text(
    "SELECT a.region_code, a.programme_id, a.provider_id, a.prices, o.profile FROM admissions a"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:providers AS text[]))"
    " AS asked(region_code, programme_id, provider_id) ON a.region_code = asked.region_code"
    " AND a.programme_id = asked.programme_id AND a.provider_id = asked.provider_id"
    " JOIN organisations o ON o.id = a.provider_id WHERE a.status IN ('listed', 'suspended', 'delisted')"
)


def load_grounds(tx: Connection, keys: Collection[AdmissionKey]) -> dict[AdmissionKey, Grounds]:
    """Capacity and prices of providers, listed or not any more (they may bill what they hold); not earlier usages.

    Asked only where a programme's rules look beyond the bill.
    """
    if not keys:
        return {}
    asked = sorted(keys)
    rows = tx.execute(
        _GROUNDS,
        {
            "regions": [key[0] for key in asked],
            "programmes": [key[1] for key in asked],
            "providers": [key[2] for key in asked],
        },
    )
    return {(row.region_code, row.programme_id, row.provider_id): _grounds(row.profile, row.prices) for row in rows}


def _grounds(profile: Mapping[str, Any], prices: str | None) -> Grounds:
    return Grounds(
        provider=Capacity.of_profile(profile),
        sites={site["code"]: Capacity.of_profile(site) for site in profile.get("sites", ())},
        prices=price_list(json.loads(prices)) if prices else (),
    )
