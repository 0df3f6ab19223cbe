"""Claims of a batch: idempotency keys and providers' numbers, taken before anything is locked, and given back.

Each function is one statement, however many commands there are. Rows are inserted in sorted order by everybody, so
that two batches never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, FromClause, Table

from app.models import HoldNumber, IdempotencyKey, OrderNumber
from app.services.idempotency import Answer
from app.sql import BulkInsert, Statement

Scope = tuple[str, str, str, str]
"""Where a key is unique: region, principal, route, key."""

NumberScope = tuple[str, str, str]
"""Where an order number, or a hold's number, is unique: region, provider, number."""

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


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where a kind of number is claimed: its table, its column, and the column of what came to use it."""

    name: str
    claim: BulkInsert
    stored: Statement
    give_back: Statement

    @classmethod
    def of(cls, table: FromClause, name: str, used_by: str) -> Numbers:
        """The statements of one table of numbers."""
        assert isinstance(table, Table), "a model's __table__"
        asked = (
            "unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:numbers AS text[]))"
            " AS asked(region_code, provider_id, number)"
        )
        match = f"n.region_code = asked.region_code AND n.provider_id = asked.provider_id AND n.{name} = asked.number"
        return cls(
            name,
            BulkInsert(
                table,
                ("region_code", "provider_id", name, used_by),
                suffix=f"ON CONFLICT DO NOTHING RETURNING {used_by}",
            ),
            Statement(
                f"SELECT n.region_code, n.provider_id, n.{name} AS number, n.{used_by} AS used_by FROM {table.name} n"
                f" JOIN {asked} ON {match}"
            ),
            Statement(f"DELETE FROM {table.name} n USING {asked} WHERE {match}"),
        )


ORDER_NUMBERS = Numbers.of(OrderNumber.__table__, "order_no", "redemption_id")
HOLD_NUMBERS = Numbers.of(HoldNumber.__table__, "hold_no", "hold_id")


def ask_keys(tx: Connection, fingerprints: Mapping[Scope, bytes], *, at: datetime) -> Callable[[], set[Scope]]:
    """Claim keys for their commands; those that were free are given when they are asked for: see `pipelined`."""
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
    claimed = _CLAIM_KEYS.ask(tx, rows)
    return lambda: {tuple(row) for row in claimed()}


def stored_keys(tx: Connection, scopes: Sequence[Scope]) -> dict[Scope, Any]:
    """What stands under keys that were not free: fingerprint, status, body, resource_id."""
    rows = _STORED_KEYS(tx, _key_columns(scopes))
    return {(row.region_code, row.principal_id, row.route, row.key): row for row in rows}


def give_back_keys(tx: Connection, scopes: Sequence[Scope]) -> None:
    """Free keys again whose commands were put off, or refused in a way that is not stored."""
    _GIVE_BACK_KEYS.send(tx, _key_columns(scopes))


def store_answers(tx: Connection, answers: Mapping[Scope, Answer]) -> None:
    """Put the answers under their keys, as the bytes that are sent."""
    _STORE_ANSWERS.send(
        tx,
        _key_columns(list(answers))
        | {
            "statuses": [answer.status for answer in answers.values()],
            "bodies": [answer.body for answer in answers.values()],
            "resources": [answer.resource_id for answer in answers.values()],
        },
    )


def ask_numbers(tx: Connection, numbers: Numbers, claims: Mapping[str, NumberScope]) -> Callable[[], set[str]]:
    """Claim numbers for what is to be (id → number); the ids whose number was free, given when they are asked for."""
    used_by = numbers.claim.columns[-1]
    rows = [
        {"region_code": region_code, "provider_id": provider_id, numbers.name: number, used_by: claimant}
        for claimant, (region_code, provider_id, number) in sorted(claims.items(), key=lambda item: item[1])
    ]
    claimed = numbers.claim.ask(tx, rows)
    return lambda: {row[0] for row in claimed()}


def holders_of(tx: Connection, numbers: Numbers, scopes: Sequence[NumberScope]) -> dict[NumberScope, str]:
    """The redemptions or holds that have the numbers which were not free."""
    rows = numbers.stored(tx, _number_columns(scopes))
    return {(row.region_code, row.provider_id, row.number): row.used_by for row in rows}


def give_back_numbers(tx: Connection, numbers: Numbers, scopes: Sequence[NumberScope]) -> None:
    """Free numbers again that nothing came to use."""
    numbers.give_back.send(tx, _number_columns(scopes))


def _key_columns(scopes: Sequence[Scope]) -> dict[str, Any]:
    return {
        "regions": [scope[0] for scope in scopes],
        "principals": [scope[1] for scope in scopes],
        "routes": [scope[2] for scope in scopes],
        "keys": [scope[3] for scope in scopes],
    }


def _number_columns(scopes: Sequence[NumberScope]) -> dict[str, Any]:
    return {
        "regions": [scope[0] for scope in scopes],
        "providers": [scope[1] for scope in scopes],
        "numbers": [scope[2] for scope in scopes],
    }
