"""Arrays on their way to the database: what comes back is what was sent, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.database import Database


@pytest.mark.parametrize(
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
def test_an_array_comes_back_as_it_was_sent(database: Database, kind: str, values: list[Any]) -> None:
    statement = text(
        f"SELECT v FROM unnest(CAST(:values AS {kind}[])) WITH ORDINALITY AS given(v, place) ORDER BY place"
    )
    rows = database.transact(lambda tx: tx.execute(statement, {"values": values}).scalars().all())
    assert [bytes(row) if isinstance(row, memoryview) else row for row in rows] == values
