"""Rows for every regional table, of two cities, made from the catalogue alone: for the tests of row-level security."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

REGIONAL = """
    SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'region_code' ORDER BY 1
"""
COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
GRANTED = """
    SELECT c.relname, p.command FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p(command)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND CASE p.command
        WHEN 'DELETE' THEN has_table_privilege(%(role)s, c.oid, 'DELETE')
        ELSE has_any_column_privilege(%(role)s, c.oid, p.command) END
"""


def value_of(kind: str, table: str, column: str, region: str) -> Any:
    """Some value of a type, told apart by region where it can be."""
    match kind:
        case "text":
            return region if column == "region_code" else f"{table}.{column}.{region}"
        case "bigint" | "integer" | "smallint" | "numeric":
            return int(region) % 30_000
        case "boolean":
            return False
        case "bytea":
            return region.encode()
        case "date":
            return "2026-01-01"
        case "timestamp with time zone":
            return "2026-01-01T00:00:00Z"
        case "json" | "jsonb":
            return "{}"
        case _ if kind.endswith("[]"):
            return "{}"
    raise AssertionError(f"{table}.{column}: how is a value of {kind} made?")


@dataclass(frozen=True)
class Insert:
    """A statement with its values."""

    statement: sql.Composed
    values: list[Any]


def insert_into(connection: psycopg.Connection[Any], table: str, region: str) -> Insert:
    """How the one row of a region is put into a table."""
    columns = connection.execute(COLUMNS, [table]).fetchall()
    return Insert(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
            sql.SQL(", ").join(sql.Placeholder() for _ in columns),
        ),
        [value_of(kind, table, name, region) for name, kind in columns],
    )


def fill(connection: psycopg.Connection[Any], regions: tuple[str, ...]) -> list[str]:
    """Put one row of each region into every regional table, as a superuser; the tables.

    What keys and triggers watch over is not asked, and CHECKs are dropped: who sees a row is all that is tested.
    """
    tables = [name for (name,) in connection.execute(REGIONAL).fetchall()]
    checks = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
    for table, name in connection.execute(checks).fetchall():
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
        )
    connection.execute("SET session_replication_role = replica")
    for table in tables:
        for region in regions:
            row = insert_into(connection, table, region)
            connection.execute(row.statement, row.values)
    return tables
