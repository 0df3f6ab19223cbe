"""Arrays on their way to the database: what comes back is what was sent, whatever is in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.database import Database, timed_out_on_lock
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.reach import EVERYWHERE
from app.sql import Statement, pipelined, streamed
from tests.world import uscc_of

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


@pytest.mark.parametrize("pool_size", [1, 2])
def test_two_connections_share_one_snapshot_and_one_does_where_there_is_no_other(urls: Urls, pool_size: int) -> None:
    """What is written while the works run is seen by none of them; what they give stands in their order."""
    database, other = (
        Database(urls.app_url, pool_size=pool_size, reach=EVERYWHERE),
        Database(urls.app_url, reach=EVERYWHERE),
    )
    count = text("SELECT count(*), pg_backend_pid() FROM organisations")
    writing = iter(range(8))

    def work(tx: Connection, place: int) -> tuple[int, int, int]:
        if (written := next(writing, None)) is not None:
            other.transact(lambda tx: tx.execute(ORGANISATION, {"id": f"org_{written}", "value": uscc_of(written)}))
        time.sleep(0.02)
        organisations, backend = tx.execute(count).one()
        return place, organisations, backend

    found = database.snapshot(
        lambda tx: database.share_snapshot(tx, [partial(work, place=place) for place in range(8)])
    )
    assert [place for place, _, _ in found] == list(range(8))
    assert {organisations for _, organisations, _ in found} == {0}
    assert len({backend for _, _, backend in found}) == pool_size
    assert other.transact(lambda tx: tx.execute(count).one())[0] == 8
    database.dispose()
    other.dispose()


@pytest.mark.parametrize("failing", range(4))
def test_a_work_that_fails_ends_all_and_is_told(database: Database, failing: int) -> None:
    def work(tx: Connection, place: int) -> int:
        return int(tx.execute(text(f"SELECT 1 / {int(place != failing)}")).scalar_one())

    works = [partial(work, place=place) for place in range(4)]
    with pytest.raises(DBAPIError):
        database.snapshot(lambda tx: database.share_snapshot(tx, works))
    assert database.snapshot(lambda tx: database.share_snapshot(tx, works[:failing])) == [1] * failing


def test_very_many_rows_are_taken_one_after_the_other(database: Database) -> None:
    """Two hundred and three: more than two of the hundreds that come together."""
    query = "SELECT n, CASE WHEN n > %(most)s THEN '\\xff'::bytea END FROM generate_series(1, 203) AS n"
    rows = database.snapshot(lambda tx: list(streamed(tx, query, {"most": 202})))
    assert rows == [*((n, None) for n in range(1, 203)), (203, b"\xff")]


ORGANISATION = text(
    "INSERT INTO organisations (id, kind, identifier_type, identifier_value, name, region_code, profile, created_at,"
    " created_by, version) VALUES (:id, 'firm', 'uscc', :value, 'n', '330100', '{}', now(), 'test', 1)"
)


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


def test_what_a_pipeline_sends_is_worked_on_while_the_next_is_being_made(database: Database, urls: Urls) -> None:
    """However large it is: what waits here for a lock that somebody else has can only wait once all of it has come."""
    large = "x" * 20_000_000
    locked = Statement("SELECT pg_advisory_xact_lock(length(CAST(:large AS text)))")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    def work(tx: Any) -> bool:
        with psycopg.connect(urls.owner_url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [len(large)])
            tx.execute(text("SET LOCAL lock_timeout = '60s'"))
            with pipelined(tx):
                locked.send(tx, {"large": large})
                arrived = _becomes_true(lambda: other.execute(waiting).fetchone() == (1,))
                other.execute("SELECT pg_advisory_unlock(%s)", [len(large)])
        return arrived

    assert database.transact(work)


def _becomes_true(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not (so := is_so()) and time.monotonic() < end:
        time.sleep(0.02)
    return so


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
