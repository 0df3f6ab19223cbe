from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from app.embedded.databases import clone, drop, prepare
from app.embedded.server import Server, running
from tests.embedded.processes import NO_FSYNC


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with running(folder, settings=NO_FSYNC) as server:
        yield server


def test_preparing_in_parallel_and_again_gives_the_same_addresses(server: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        prepared = list(pool.map(lambda _: prepare(server, database="raced"), range(4)))
    assert len(set(prepared)) == 1
    owner_url, app_url, sealer_url, auditor_url = prepared[0]
    assert ask(owner_url, "SELECT current_user") == "voucher_owner"
    assert ask(app_url, "SELECT current_user") == "voucher_app"
    assert ask(sealer_url, "SELECT current_user") == "voucher_sealer"
    assert ask(auditor_url, "SELECT current_user") == "voucher_auditor"


def test_the_owner_owns_the_database_and_the_others_own_and_may_nothing(server: Server) -> None:
    owner_url, *others = prepare(server, database="owned")
    assert ask(owner_url, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'owned'") == "voucher_owner"
    powers = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
    for url in (owner_url, *others):
        assert ask(url, f"{powers} WHERE rolname = current_user") is False
    run(owner_url, "CREATE TABLE promised (n int)")
    for forbidden in (
        "CREATE TABLE mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "SELECT * FROM promised",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
    ):
        for url in others:
            with pytest.raises(ProgrammingError, match="permission denied"):
                run(url, forbidden)


def test_app_sealer_and_auditor_can_connect_to_their_databases_only(server: Server) -> None:
    _, app_url, sealer_url, auditor_url = prepare(server, database="allowed")
    run(server.superuser_url, "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    for url in (
        app_url.replace("/allowed", "/postgres"),
        app_url.replace("/allowed", "/template1"),
        sealer_url.replace("/allowed", "/template1"),
        auditor_url.replace("/allowed", "/postgres"),
        server.url("stranger", "stranger", "allowed"),
    ):
        with pytest.raises(OperationalError, match="permission denied"):
            run(url, "SELECT 1")


def test_a_clone_has_the_content_and_the_same_limits_and_can_be_dropped(server: Server) -> None:
    owner_url = prepare(server, database="model").owner_url
    run(owner_url, "CREATE TABLE kept AS SELECT 42 AS n")
    copy = clone(server, template="model", database="copy")
    assert ask(copy.owner_url, "SELECT n FROM kept") == 42
    assert ask(copy.app_url, "SELECT has_database_privilege('copy', 'TEMP')") is False
    assert ask(copy.app_url, "SELECT has_database_privilege('copy', 'CREATE')") is False

    drop(server, database="copy")
    drop(server, database="copy")
    with pytest.raises(OperationalError, match="does not exist"):
        run(copy.owner_url, "SELECT 1")


def ask(url: str, statement: str) -> Any:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return connection.execute(text(statement)).scalar_one()


def run(url: str, statement: str) -> None:
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(statement))
