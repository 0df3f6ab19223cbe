"""Claims of a batch: idempotency keys and order numbers, taken before anything is locked, and given back in vain.

Each function is one statement, however many commands there are. Rows are inserted in sorted order by everybody, so
that two batches never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.database import BulkInsert, Statement
from app.models import IdempotencyKey, OrderNumber
from app.services.idempotency import Answer

Scope = tuple[str, str, str, str]
"""Where a key is unique: region, principal, route, key."""

OrderScope = tuple[str, str, str]
"""Where an order number is unique: region, provider, number."""

_CLAIM_KEYS = BulkInsert(
    IdempotencyKey.__table__,
    ("region_code", "principal_id", "route", "key", "fingerprint", "created_at"),
    suffix="ON CONFLICT DO NOTHING RETURNING region_code, principal_id, route, key",
)
_KEY_ARRAYS = (
    "unnest(CAST(:regions AS text[]), CAST(:principals AS text[]), CAST(:routes AS text[]), CAST(:keys AS text[])"
)
_KEY_MATCH = (
    "k.region_code = asked.region_code AND k.principal_id = asked.principal_id"
    " AND k.route = asked.route AND k.key = asked.key"
)
_STORED_KEYS = Statement(
    "SELECT k.region_code, k.principal_id, k.route, k.key, k.fingerprint, k.status, k.body, k.resource_id"
    f" FROM idempotency_keys k JOIN {_KEY_ARRAYS}) AS asked(region_code, principal_id, route, key) ON {_KEY_MATCH}"
)
_GIVE_BACK_KEYS = Statement(
    f"DELETE FROM idempotency_keys k USING {_KEY_ARRAYS})"
    f" AS asked(region_code, principal_id, route, key) WHERE {_KEY_MATCH}"
)
_STORE_ANSWERS = Statement(
    "UPDATE idempotency_keys k SET status = asked.status, body = asked.body, resource_id = asked.resource_id"
    f" FROM {_KEY_ARRAYS}, CAST(:statuses AS smallint[]), CAST(:bodies AS bytea[]), CAST(:resources AS text[]))"
    f" AS asked(region_code, principal_id, route, key, status, body, resource_id) WHERE {_KEY_MATCH}"
)
_CLAIM_ORDERS = BulkInsert(
    OrderNumber.__table__,
    ("region_code", "provider_id", "order_no", "redemption_id"),
    suffix="ON CONFLICT DO NOTHING RETURNING redemption_id",
)
_ORDER_ARRAYS = "unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:orders AS text[]))"
_ORDER_MATCH = "o.region_code = asked.region_code AND o.provider_id = asked.provider_id AND o.order_no = asked.order_no"
_STORED_ORDERS = Statement(
    "SELECT o.region_code, o.provider_id, o.order_no, o.redemption_id FROM order_numbers o"
    f" JOIN {_ORDER_ARRAYS} AS asked(region_code, provider_id, order_no) ON {_ORDER_MATCH}"
)
_GIVE_BACK_ORDERS = Statement(
    f"DELETE FROM order_numbers o USING {_ORDER_ARRAYS}"
    f" AS asked(region_code, provider_id, order_no) WHERE {_ORDER_MATCH}"
)


def claim_keys(tx: Connection, fingerprints: Mapping[Scope, bytes], *, at: datetime) -> set[Scope]:
    """Claim keys for their commands; return those that were free."""
    rows = [
        {
            "region_code": region_code,
            "principal_id": principal_id,
            "route": route,
            "key": key,
            "fingerprint": fingerprint,
            "created_at": at,
        }
        for (region_code, principal_id, route, key), fingerprint in sorted(fingerprints.items())
    ]
    return {tuple(row) for row in _CLAIM_KEYS(tx, rows)}


def stored_keys(tx: Connection, scopes: Sequence[Scope]) -> dict[Scope, Any]:
    """What stands under keys that were not free: fingerprint, status, body, resource_id."""
    rows = _STORED_KEYS(tx, _key_columns(scopes))
    return {(row.region_code, row.principal_id, row.route, row.key): row for row in rows}


def give_back_keys(tx: Connection, scopes: Sequence[Scope]) -> None:
    """Free keys again whose commands were put off, or refused in a way that is not stored."""
    _GIVE_BACK_KEYS(tx, _key_columns(scopes))


def store_answers(tx: Connection, answers: Mapping[Scope, Answer]) -> None:
    """Put the answers under their keys, as the bytes that are sent."""
    _STORE_ANSWERS(
        tx,
        _key_columns(list(answers))
        | {
            "statuses": [answer.status for answer in answers.values()],
            "bodies": [answer.body for answer in answers.values()],
            "resources": [answer.resource_id for answer in answers.values()],
        },
    )


def claim_orders(tx: Connection, orders: Mapping[str, OrderScope]) -> set[str]:
    """Claim order numbers for redemptions to be (id → number); return the ids whose number was free."""
    rows = [
        {"region_code": region_code, "provider_id": provider_id, "order_no": order_no, "redemption_id": redemption_id}
        for redemption_id, (region_code, provider_id, order_no) in sorted(orders.items(), key=lambda item: item[1])
    ]
    return {row.redemption_id for row in _CLAIM_ORDERS(tx, rows)}


def holders_of(tx: Connection, orders: Sequence[OrderScope]) -> dict[OrderScope, str]:
    """The redemptions that hold order numbers which were not free."""
    rows = _STORED_ORDERS(tx, _order_columns(orders))
    return {(row.region_code, row.provider_id, row.order_no): row.redemption_id for row in rows}


def give_back_orders(tx: Connection, orders: Sequence[OrderScope]) -> None:
    """Free order numbers again that no redemption came to use."""
    _GIVE_BACK_ORDERS(tx, _order_columns(orders))


def _key_columns(scopes: Sequence[Scope]) -> dict[str, Any]:
    return {
        "regions": [scope[0] for scope in scopes],
        "principals": [scope[1] for scope in scopes],
        "routes": [scope[2] for scope in scopes],
        "keys": [scope[3] for scope in scopes],
    }


def _order_columns(orders: Sequence[OrderScope]) -> dict[str, Any]:
    return {
        "regions": [order[0] for order in orders],
        "providers": [order[1] for order in orders],
        "orders": [order[2] for order in orders],
    }
