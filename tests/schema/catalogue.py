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
    "table privileges of the sealer": """
        SELECT table_name || ' ' || string_agg(privilege_type, ', ' ORDER BY privilege_type)
        FROM information_schema.role_table_grants WHERE grantee = 'voucher_sealer' GROUP BY table_name
    """,
    "columns the sealer may read or update where not the whole table": """
        SELECT c.table_name || ' ' || c.privilege_type || ' ' || string_agg(c.column_name, ', ' ORDER BY c.column_name)
        FROM information_schema.role_column_grants c
        WHERE c.grantee = 'voucher_sealer' AND NOT EXISTS (
            SELECT FROM information_schema.role_table_grants t WHERE t.grantee = c.grantee
                AND t.table_name = c.table_name AND t.privilege_type = c.privilege_type)
        GROUP BY c.table_name, c.privilege_type
    """,
    "columns the auditor may read": """
        SELECT table_name || ' ' || string_agg(column_name, ', ' ORDER BY column_name)
        FROM information_schema.role_column_grants
        WHERE grantee = 'voucher_auditor' AND privilege_type = 'SELECT' GROUP BY table_name
    """,
    "owned by another role than the owner": """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relowner <> 'voucher_owner'::regrole
    """,
    "roles": """
        SELECT rolname || ' superuser ' || rolsuper || ' bypassrls ' || rolbypassrls || ' createrole ' || rolcreaterole
            || ' createdb ' || rolcreatedb || ' replication ' || rolreplication
        FROM pg_roles WHERE rolname LIKE 'voucher%'
    """,
    "row-level security": """
        SELECT relname || ' ' || CASE WHEN NOT relrowsecurity THEN 'off'
            WHEN relforcerowsecurity THEN 'enabled, forced' ELSE 'enabled' END
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    """,
    "policies": """
        SELECT tablename || ' ' || policyname || ' ' || cmd || ' ' || permissive || ' TO '
            || array_to_string(roles, ', ') || coalesce(' USING ' || qual, '')
            || coalesce(' WITH CHECK ' || with_check, '')
        FROM pg_policies WHERE schemaname = 'public'
    """,
    "functions": r"""
        SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        AND proname IN (SELECT 'reach' UNION ALL SELECT 'own_organisation' UNION ALL
            SELECT p.proname FROM pg_proc p WHERE p.proname LIKE 'sees\_%')
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
