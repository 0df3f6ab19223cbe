"""Arrays on their way to the database: what comes back is what was sent, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.database import Database, timed_out_on_lock
from app.embedded.server import Server
from app.sql import Statement, pipelined

ARRAYS = pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", []),
        ("text", [None, None]),
        ("text", ["", "NULL", None, '{"a": "b\\"c", "d": [1,2]}', "{x}", "a,b", " 空　格 ", "\\", "'", "📎"]),
        ("bytea", [b"", b"\x00\\x00\xff", None, b'"']),
        ("smallint", [1, None, -32_768]),
        ("bigint", [0, -1, None, 9_223_372_036_854_775_807]),
        ("bigint", [1, 2]),
        ("boolean", [True, None, False]),
        ("timestamptz", [datetime(2026, 12, 31, 15, 59, 59, 999_999, tzinfo=UTC), None]),
    ],
)


@ARRAYS
def test_an_array_comes_back_as_it_was_sent(database: Database, kind: str, values: list[Any]) -> None:
    statement = text(
        f"SELECT v FROM unnest(CAST(:values AS {kind}[])) WITH ORDINALITY AS given(v, place) ORDER BY place"
    )
    rows = database.transact(lambda tx: tx.execute(statement, {"values": values}).scalars().all())
    assert [bytes(row) if isinstance(row, memoryview) else row for row in rows] == values


@ARRAYS
def test_a_statement_packs_an_array_to_the_same_values(database: Database, kind: str, values: list[Any]) -> None:
    statement = Statement(
        f"SELECT v FROM unnest(CAST(:values AS {kind}[])) WITH ORDINALITY AS given(v, place) ORDER BY place"
    )
    rows = database.transact(lambda tx: statement(tx, {"values": values}))
    assert [row.v for row in rows] == values


def test_a_statement_fails_as_one_of_sqlalchemy_does(database: Database) -> None:
    twice = Statement("INSERT INTO idempotency_keys SELECT * FROM idempotency_keys WHERE CAST(:n AS bigint) / 0 = 1")
    with pytest.raises(DBAPIError) as caught:
        database.transact(lambda tx: twice(tx, {"n": 1}))
    assert isinstance(caught.value.orig, psycopg.errors.DivisionByZero)
    assert not caught.value.connection_invalidated
    assert not timed_out_on_lock(caught.value)
    assert database.transact(lambda tx: Statement("SELECT 1 AS one")(tx, {}))[0].one == 1


def test_the_first_failure_of_a_pipeline_is_raised_and_undoes_all_of_it(database: Database) -> None:
    insert = Statement(
        "INSERT INTO order_numbers (region_code, provider_id, order_no, redemption_id)"
        " VALUES ('330100', :provider_id, :order_no, 'rdm')"
    )

    def work(tx: Any) -> None:
        with pipelined(tx):
            for order_no in ("1", "2", "2", "3"):
                insert.send(tx, {"provider_id": "p", "order_no": order_no})

    with pytest.raises(IntegrityError):
        database.transact(work)
    count = Statement("SELECT count(*) AS n FROM order_numbers")
    assert database.transact(lambda tx: count(tx, {}))[0].n == 0


def test_a_statement_survives_the_loss_of_its_connection(database: Database, server: Server) -> None:
    """All pooled connections are cut: one failure is enough to forget them all."""
    pid, one = Statement("SELECT pg_backend_pid() AS pid"), Statement("SELECT 1 AS one")
    held = [database.engine.connect() for _ in range(5)]
    pids = [pid(tx, {})[0].pid for tx in held]
    for tx in held:
        tx.close()
    with psycopg.connect(server.superuser_url.replace("+psycopg", ""), autocommit=True) as superuser:
        for of in pids:
            superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [of])
    assert database.transact(lambda tx: one(tx, {}))[0].one == 1
