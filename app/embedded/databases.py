"""Databases on an embedded server and the roles that use them: one owns; three work, seal or read, and own nothing.

What the others may touch inside a database is granted by the migrations; here they may connect and no more.
`deploy/postgres-init.sh` does the same for a PostgreSQL in a container.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg import sql

from app.embedded.postmaster import SUPERUSER
from app.embedded.server import Server

OWNER = "voucher_owner"
APP = "voucher_app"
SEALER = "voucher_sealer"
AUDITOR = "voucher_auditor"
ROLES = (OWNER, APP, SEALER, AUDITOR)
PREPARING = 0x766F7563  # advisory lock: roles are changed by one process at a time


class Urls(NamedTuple):
    """The addresses of one database: for migrations, for the service, for the sealer, and for who only reads."""

    owner_url: str
    app_url: str
    sealer_url: str
    auditor_url: str


def prepare(server: Server, *, database: str) -> Urls:
    """Make the roles and the database unless they are there; harmless to repeat and to race."""
    with _superuser(server) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [PREPARING])
        make_roles(connection)
        for role in ROLES:
            _let_in(connection, role, server.secret(role))
        connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            _create(connection, database, template="template0")
        _restrict(connection, database)
    return urls(server, database=database)


def clone(server: Server, *, template: str, database: str) -> Urls:
    """Make `database` a copy of `template`, to which nobody may be connected meanwhile."""
    with _superuser(server) as connection:
        _create(connection, database, template=template)
        _restrict(connection, database)
    return urls(server, database=database)


def drop(server: Server, *, database: str) -> None:
    """Remove the database where there is one, and end its sessions."""
    with _superuser(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def urls(server: Server, *, database: str) -> Urls:
    """The addresses of a database that `prepare` or `clone` has made."""
    return Urls(
        server.url(OWNER, server.secret(OWNER), database),
        server.url(APP, server.secret(APP), database),
        server.url(SEALER, server.secret(SEALER), database),
        server.url(AUDITOR, server.secret(AUDITOR), database),
    )


@contextmanager
def _superuser(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=SUPERUSER,
        password=server.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        yield connection


def make_roles(connection: psycopg.Connection) -> None:
    """Make the roles that are missing, over a superuser's connection; none of them can log in before `prepare`."""
    for role in ROLES:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))


def _let_in(connection: psycopg.Connection, role: str, password: str) -> None:
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(verifier)
        )
    )


def _create(connection: psycopg.Connection, database: str, *, template: str) -> None:
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'").format(
            sql.Identifier(database), sql.Identifier(OWNER), sql.Identifier(template)
        )
    )


def _restrict(connection: psycopg.Connection, database: str) -> None:
    """Nobody but these roles may connect; a copy does not inherit this from its template."""
    name, roles = sql.Identifier(database), sql.SQL(", ").join(map(sql.Identifier, (APP, SEALER, AUDITOR)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))
