"""The catalogue of the migrated database as text: what `alembic check` does not see.

`python -m tests.schema.catalogue` writes the snapshot anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

import migrations
from app.embedded import databases
from app.embedded.server import temporary

SNAPSHOT = Path(__file__).with_name("catalogue.txt")

QUERIES = {
    "constraints": """
        SELECT c.conrelid::regclass::text || ' ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE t.relnamespace = 'public'::regnamespace AND c.contype <> 'n'
    """,
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": """
        SELECT t.tgrelid::regclass::text || ' ' || pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal
    """,
    "table privileges of the service": """
        SELECT table_name || ' ' || string_agg(privilege_type, ', ' ORDER BY privilege_type)
        FROM information_schema.role_table_grants WHERE grantee = 'voucher_app' GROUP BY table_name
    """,
    "columns the service may update": """
        SELECT table_name || ' ' || string_agg(column_name, ', ' ORDER BY column_name)
        FROM information_schema.role_column_grants
        WHERE grantee = 'voucher_app' AND privilege_type = 'UPDATE' GROUP BY table_name
    """,
    "owned by the service": """
        SELECT relname FROM pg_class WHERE relowner = 'voucher_app'::regrole
    """,
    "open to everybody": """
        SELECT table_name || ' ' || privilege_type FROM information_schema.role_table_grants
        WHERE grantee = 'PUBLIC' AND table_schema = 'public'
    """,
}


def describe(owner_url: str) -> str:
    """The catalogue as sorted lines under headings."""
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        parts = [
            "\n".join([f"# {heading}", *sorted(connection.execute(text(query)).scalars())])
            for heading, query in QUERIES.items()
        ]
    engine.dispose()
    return "\n\n".join(parts) + "\n"


def main() -> None:
    with temporary() as server:
        urls = databases.prepare(server, database="catalogue")
        migrations.upgrade(urls.owner_url)
        SNAPSHOT.write_text(describe(urls.owner_url))


if __name__ == "__main__":
    main()
