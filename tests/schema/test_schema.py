"""The database defends itself: keys, checks, privileges, triggers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

import migrations
from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.models import Base
from tests.schema.catalogue import SNAPSHOT, describe
from tests.world import World, counter, ok

SHARED = {
    "organisations",
    "users",
    "clients",
    "client_keys",
    "spent_tokens",
    "role_grants",
    "invitations",
    "portal_sessions",
    "outside_identities",
    "sign_in_codes",
    "personal_tokens",
    "second_factors",
    "recovery_codes",
    "sign_in_failures",
    "known_places",
    "restorations",
    "calendar_tables",
    "calendar_days",
    "organisation_relations",
    "rate_uses",
}
"""What all regions share."""
NATIONAL = {"invoice_bases", "red_invoices"}
"""What is counted once in the whole country, by a fingerprint."""


def test_migrations_run_up_from_empty_and_models_agree(server: Server) -> None:
    urls = databases.prepare(server, database="from_empty")
    try:
        migrations.upgrade(urls.owner_url)
        migrations.upgrade(urls.owner_url)  # nothing is due the second time
        engine = create_engine(urls.owner_url)
        with engine.connect() as connection:
            config = migrations.configuration()
            config.attributes["connection"] = connection
            command.check(config)
        engine.dispose()
    finally:
        databases.drop(server, database="from_empty")


def test_the_catalogue_is_as_recorded(urls: Urls) -> None:
    assert describe(urls.owner_url) == SNAPSHOT.read_text()


def test_region_code_leads_every_key_of_a_regional_table() -> None:
    for table in Base.metadata.sorted_tables:
        if table.name in SHARED | NATIONAL:
            continue
        keys = [list(table.primary_key.columns)]
        keys += [list(constraint.columns) for constraint in table.constraints if hasattr(constraint, "columns")]
        keys += [list(index.columns) for index in table.indexes if index.unique]
        for key in keys:
            points_to_shared = any(
                foreign.column.table.name in SHARED for column in key for foreign in column.foreign_keys
            )
            if key and not points_to_shared:
                assert key[0].name == "region_code", f"{table.name}: {[column.name for column in key]}"


@pytest.mark.parametrize("table", ["entries", "postings", "audit_events"])
@pytest.mark.parametrize("change", ["UPDATE {} SET region_code = region_code", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["service", "owner"])
def test_nobody_rewrites_the_journal(urls: Urls, table: str, change: str, role: str) -> None:
    url = urls.app_url if role == "service" else urls.owner_url
    engine = create_engine(url)
    with engine.connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text(change.format(table)))
    engine.dispose()
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)


def test_a_published_rule_version_is_final(world: World) -> None:
    world.city().programme()
    with pytest.raises(DBAPIError, match="is refused"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE rule_versions SET rules = '{}'")))


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM idempotency_keys",
        "UPDATE idempotency_keys SET status = 500",
        "UPDATE idempotency_keys SET body = 'other'",
        "UPDATE idempotency_keys SET body = NULL, resource_id = 'other'",
        "DELETE FROM order_numbers",
    ],
)
def test_what_was_answered_and_used_stays(shared_world: World, change: str) -> None:
    ok(counter(shared_world.city()).redeem(10_000))
    with pytest.raises(DBAPIError, match="is refused"):
        shared_world.database.transact(lambda tx: tx.execute(text(change)))


def test_two_processes_that_migrate_at_once_do_it_once(server: Server) -> None:
    urls = databases.prepare(server, database="raced")
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: subprocess.run(_migrating(urls.owner_url), check=True), range(3)))
        assert describe(urls.owner_url) == SNAPSHOT.read_text()
    finally:
        databases.drop(server, database="raced")


def _migrating(owner_url: str) -> list[str]:
    return [sys.executable, "-c", "import sys, migrations; migrations.upgrade(sys.argv[1])", owner_url]


DECIDED_BY = (
    "INSERT INTO approval_decisions (region_code, approval_id, step, outcome, role, decided_at, decided_by, person_id,"
    " made_by, maker_person_id) SELECT region_code, approval_id, 2, outcome, role, decided_at, {}, made_by,"
    " maker_person_id FROM approval_decisions"
)
"""A second step of every approval, decided by an account and a person."""


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE vouchers SET balance_fen = balance_fen - 1", "ck_vouchers_identity"),
        ("UPDATE vouchers SET balance_fen = -1, redeemed_fen = face_fen + 1", "ck_vouchers_not_negative"),
        ("UPDATE pools SET available_fen = -1", "ck_pools_available_not_negative"),
        ("UPDATE mandates SET used_fen = limit_fen + 1", "ck_mandates_used_within_limit"),
        ("UPDATE redemptions SET refunded_fen = subsidy_fen + 1", "ck_redemptions_refunded_within_subsidy"),
        ("UPDATE approvals SET decided_by = made_by", "UPDATE on approvals is refused"),
        (DECIDED_BY.format("made_by, made_by"), "ck_approval_decisions_two_persons"),
        (DECIDED_BY.format("decided_by, 'usr_other'"), "uq_approval_decisions_region_code_approval_id_decided_by"),
        (DECIDED_BY.format("'usr_other', person_id"), "uq_approval_decisions_region_code_approval_id_person_id"),
        ("UPDATE approval_decisions SET decided_by = 'usr_other'", "permission denied"),
    ],
)
def test_a_wrong_counter_is_refused_below_the_code(shared_world: World, statement: str, constraint: str) -> None:
    desk = counter(shared_world.city())
    ok(desk.redeem(10_000))
    with pytest.raises(DBAPIError, match=constraint):
        shared_world.database.transact(lambda tx: tx.execute(text(statement)))


def test_the_service_owns_nothing_and_cannot_create(database: Database) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        database.transact(lambda tx: tx.execute(text("CREATE TABLE mine (id integer)")))
