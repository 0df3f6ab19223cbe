"""Runs the migrations as the owner of the schema, one transaction for each, never waiting long for a lock."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from app.models import Base

LOCK_TIMEOUT = "5s"
MIGRATING = 7300
"""The advisory lock of whoever migrates."""


def run() -> None:
    """Apply the migrations over the connection given by the caller, or over VOUCHER_OWNER_URL."""
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    engine = create_engine(os.environ["VOUCHER_OWNER_URL"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()


def migrate(connection: Connection) -> None:
    """Run what is due. The advisory lock keeps two migrating processes apart until the last step is committed."""
    connection.execute(text(f"SELECT pg_advisory_lock({MIGRATING})"))
    connection.commit()
    try:
        _migrate(connection)
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({MIGRATING})"))
        connection.commit()


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


run()
