"""Tenancy a second time: what the database itself lets the service's role see and write, table by table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, text

from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.vocabulary import Role
from app.reach import EVERYWHERE, Reach, enter, of_request, within
from app.services.identity.principals import Grant, Principal
from app.services.reach import reach_of
from tests.schema.row_security import GRANTED, fill, insert_into
from tests.world import HANGZHOU, NINGBO, World, counter, ok

ROLES = ("voucher_owner", "voucher_app", "voucher_sealer", "voucher_auditor")

EXEMPT = {
    "organisations": "registry of all regions: a firm of one city has vouchers of another, and its name stands there",
    "organisation_relations": "who belongs together is asked for firms and providers of any region",
    "users": "whoever signs in is looked up before it is known who he is and where",
    "clients": "likewise for machines",
    "client_keys": "likewise",
    "role_grants": "what a principal may do is loaded before its reach is known, for it is what the reach follows from",
    "spent_tokens": "a token is spent for the whole service",
    "invitations": "found by a secret, before anybody is signed in",
    "portal_sessions": "likewise",
    "second_factors": "asked for while somebody signs in, before his reach is known",
    "recovery_codes": "likewise",
    "sign_in_failures": "hashes of logins and addresses, counted before anybody is known",
    "known_places": "likewise",
    "outside_identities": "found by the provider's subject, before it is known who that is",
    "sign_in_codes": "found by a secret, before anybody is signed in",
    "personal_tokens": "a person's own, whatever regions the person works in",
    "rate_uses": "hashes of whom a limit is of, counted before a request is read",
    "calendar_tables": "working days are those of the whole country",
    "calendar_days": "likewise",
    "restorations": "a restoration is of the whole database; what it means for a region is in restoration_releases",
    "invoice_bases": "an invoice line counts once in the country, whichever city it is claimed in",
    "red_invoices": "likewise",
    "alembic_version": "no data",
}
"""Tables without policies, each for a reason. A table that is not here has them, or a test fails."""

COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


@dataclass(frozen=True)
class TwoCities:
    """A database with one row of each of two cities in every regional table."""

    urls: Urls
    tables: list[str]
    granted: set[tuple[str, str]]
    """Of the service's role: table, command."""

    def seen(self, url: str, reach: Reach | None) -> dict[str, set[str]]:
        """Which regions' rows a role sees, by table, as far as it may select at all."""
        with psycopg.connect(_plain(url)) as connection:
            _reach(connection, reach)
            return {
                table: {row[0] for row in connection.execute(f"SELECT region_code FROM {table}").fetchall()}
                for table in self.tables
                if connection.execute("SELECT has_column_privilege(%s, 'region_code', 'SELECT')", [table]).fetchone()
                == (True,)
            }


@pytest.fixture(scope="module")
def cities(server: Server, template: str) -> Iterator[TwoCities]:
    urls = databases.clone(server, template=template, database="two_cities")
    with psycopg.connect(_plain(server.url("postgres", server.password, "two_cities")), autocommit=True) as superuser:
        tables = fill(superuser, (HANGZHOU, NINGBO))
        granted = set(superuser.execute(GRANTED, {"role": "voucher_app"}).fetchall())
    yield TwoCities(urls, tables, granted)
    databases.drop(server, database="two_cities")


# -- the catalogue --------------------------------------------------------------------------------------------------


def test_every_table_has_row_security_forced_or_a_reason_why_not(cities: TwoCities) -> None:
    with psycopg.connect(_plain(cities.urls.owner_url)) as connection:
        rows = connection.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
    assert {name for name, forced in rows if not forced} == set(EXEMPT)
    assert {name for name, forced in rows if forced} == set(cities.tables)


def test_every_command_that_is_granted_has_a_policy_that_asks(cities: TwoCities) -> None:
    """One that reads has USING, one that adds WITH CHECK, one that changes both; and each asks for the reach."""
    with psycopg.connect(_plain(cities.urls.owner_url)) as connection:
        rows = connection.execute(
            "SELECT polrelid::regclass::text, polcmd::text, pg_get_expr(polqual, polrelid),"
            " pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polroles = ARRAY['voucher_app'::regrole::oid]"
        ).fetchall()
    asked = {(table, COMMANDS[command]): (using, check) for table, command, using, check in rows}
    missing = {one for one in cities.granted if one[0] in cities.tables} - set(asked)
    assert not missing
    for (table, command), (using, check) in asked.items():
        for wanted, expression in ((command != "INSERT", using), (command in {"INSERT", "UPDATE"}, check)):
            assert wanted == (expression is not None), (table, command)
            assert not wanted or "region_code ~~ ANY" in expression, (table, command)


def test_no_role_passes_the_policies_or_owns_what_it_should_not(cities: TwoCities) -> None:
    with psycopg.connect(_plain(cities.urls.owner_url)) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,"
            " (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid OR m.roleid = r.oid),"
            " (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid)"
            " FROM pg_roles r WHERE rolname LIKE 'voucher%'"
        ).fetchall()
    assert {name for name, *_ in rows} == set(ROLES)
    assert [name for name, mighty, members, _ in rows if mighty or members] == []
    assert [name for name, *_, owned in rows if owned] == ["voucher_owner"]


def test_the_auditor_may_read_and_nothing_else(cities: TwoCities) -> None:
    with psycopg.connect(_plain(cities.urls.owner_url)) as connection:
        granted = set(connection.execute(GRANTED, {"role": "voucher_auditor"}).fetchall())
        secrets = connection.execute(
            "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
            " AND a.attname ~ '(password|secret|jti|mac)'"
            " AND has_column_privilege('voucher_auditor', c.oid, a.attnum, 'SELECT')"
        ).fetchall()
        sequences = connection.execute(
            "SELECT sequencename FROM pg_sequences"
            " WHERE has_sequence_privilege('voucher_auditor', format('%I', sequencename), 'USAGE')"
        ).fetchall()
    assert {command for _, command in granted} == {"SELECT"}
    assert secrets == [] and sequences == []


# -- what there is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reach", [None, Reach(), Reach(("",)), Reach(("331000",)), Reach(organisation_id="org_nobody")]
)
def test_without_a_region_there_is_no_row(cities: TwoCities, reach: Reach | None) -> None:
    """But for what is published, and who stands in for whom, to whoever names an organisation."""
    seen = cities.seen(cities.urls.app_url, reach)
    published = {"programmes", "public_notices", "delegations"} | {table for table in seen if table.startswith("log")}
    shown = {table for table, regions in seen.items() if regions}
    assert len(seen) == len(cities.tables), "the service may select from every one"
    assert shown == (published if reach and reach.organisation_id else set())


def test_with_one_citys_reach_there_are_its_rows_alone(cities: TwoCities) -> None:
    assert cities.seen(cities.urls.app_url, within(HANGZHOU)) == {table: {HANGZHOU} for table in cities.tables}
    assert cities.seen(cities.urls.app_url, Reach(("3302%",))) == {table: {NINGBO} for table in cities.tables}


@pytest.mark.parametrize("reach", [EVERYWHERE, within(HANGZHOU, NINGBO), Reach(("33%",))])
def test_a_wider_reach_has_both(cities: TwoCities, reach: Reach) -> None:
    seen = cities.seen(cities.urls.app_url, reach)
    assert seen == {table: {HANGZHOU, NINGBO} for table in cities.tables}


def test_owner_sealer_and_auditor_need_no_reach(cities: TwoCities) -> None:
    for url in cities.urls.owner_url, cities.urls.sealer_url, cities.urls.auditor_url:
        seen = cities.seen(url, None)
        assert seen and all(regions == {HANGZHOU, NINGBO} for regions in seen.values())


def test_nothing_is_written_into_another_city(cities: TwoCities) -> None:
    """Whatever command is granted on whatever table; and the same is not refused at home."""
    with psycopg.connect(_plain(cities.urls.app_url)) as connection:
        for table in cities.tables:
            changed = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND has_column_privilege(attrelid, attnum, 'UPDATE') LIMIT 1",
                [table],
            ).fetchone()
            _reach(connection, within(HANGZHOU))
            if (table, "INSERT") in cities.granted:
                assert "row-level security" in _refusal(connection, table, NINGBO), table
                connection.rollback()
                _reach(connection, within(HANGZHOU))
                assert "row-level security" not in _refusal(connection, table, HANGZHOU), table
                connection.rollback()
                _reach(connection, within(HANGZHOU))
            if changed is not None:
                command = sql.SQL("UPDATE {} SET {} = {} WHERE region_code = %s").format(
                    sql.Identifier(table), sql.Identifier(changed[0]), sql.Identifier(changed[0])
                )
                assert connection.execute(command, [NINGBO]).rowcount == 0, table
            if (table, "DELETE") in cities.granted:
                command = sql.SQL("DELETE FROM {} WHERE region_code = %s").format(sql.Identifier(table))
                assert connection.execute(command, [NINGBO]).rowcount == 0, table
            connection.rollback()
    assert all(NINGBO in regions for regions in cities.seen(cities.urls.owner_url, None).values())


def test_no_row_moves_to_another_region(cities: TwoCities) -> None:
    with psycopg.connect(_plain(cities.urls.owner_url)) as connection:
        movable = [
            table
            for table in cities.tables
            if connection.execute(
                "SELECT has_column_privilege('voucher_app', %s, 'region_code', 'UPDATE')", [table]
            ).fetchone()
            == (True,)
        ]
    assert movable == []


# -- how far a transaction reaches -------------------------------------------------------------------------------------


def test_a_connection_of_the_pool_forgets_its_reach(urls: Urls, cities: TwoCities) -> None:
    """With the transaction, with the savepoint, with the request: the next one on the connection sees nothing."""
    database = Database(cities.urls.app_url, pool_size=1)
    try:
        assert database.reaching(within(HANGZHOU)).transact(_count) == 1
        assert database.transact(_count) == 0
        left = of_request.set(within(NINGBO))
        assert database.transact(_count) == 1
        assert database.snapshot(_count) == 1
        assert database.reaching(EVERYWHERE).snapshot(_count) == 2
        of_request.reset(left)
        assert database.transact(_count) == 0

        def entering(tx: Connection) -> list[int]:
            counts = [_count(tx)]
            savepoint = tx.begin_nested()
            enter(tx, [NINGBO])
            counts.append(_count(tx))
            savepoint.rollback()
            counts.append(_count(tx))
            enter(tx, [HANGZHOU])
            enter(tx, [NINGBO])
            return [*counts, _count(tx)]

        assert database.transact(entering) == [0, 1, 0, 2]
        assert database.transact(_count) == 0
    finally:
        database.dispose()


def test_a_second_connection_reaches_as_far_as_the_first(cities: TwoCities) -> None:
    database = Database(cities.urls.app_url, pool_size=2)
    left = of_request.set(within(HANGZHOU))
    try:
        counted = database.snapshot(lambda tx: database.share_snapshot(tx, [_count] * 4))
    finally:
        of_request.reset(left)
        database.dispose()
    assert counted == [1] * 4


def test_firms_see_their_own_rows_and_no_neighbours(world: World) -> None:
    """Without any region: vouchers and what hangs on them, of two firms in one city."""
    city = world.city()
    one, other = counter(city), counter(city)
    ok(one.redeem(10_000))
    ok(other.redeem(20_000))
    for desk in (one, other):
        firm_id, voucher_id = desk.voucher["firm_id"], desk.voucher["id"]
        provider: dict[str, set[str]] = {"vouchers.id": set(), "allotments.voucher_id": set()}
        for who, wanted in ((firm_id, {}), (desk.machine.organisation_id, provider)):
            seen = world.database.reaching(Reach(organisation_id=who)).transact(_hanging_on_vouchers)
            assert seen == {name: wanted.get(name, {voucher_id}) for name in HANGING_ON_VOUCHERS}


HANGING_ON_VOUCHERS = (
    "vouchers.id",
    "allotments.voucher_id",
    "mandates.voucher_id",
    "redemptions.voucher_id",
    "entries.voucher_id",
    "postings.voucher_id",
)


def _hanging_on_vouchers(tx: Connection) -> dict[str, set[str]]:
    """Which vouchers there are in each table."""
    found = {}
    for name in HANGING_ON_VOUCHERS:
        table, column = name.split(".")
        found[name] = set(tx.execute(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")).scalars())
    return found


def test_an_organisation_writes_in_no_region_that_it_has_not_entered(world: World) -> None:
    desk = counter(world.city())
    own = world.database.reaching(Reach(organisation_id=desk.voucher["firm_id"]))
    lock = text("SELECT id FROM vouchers FOR NO KEY UPDATE")
    assert own.transact(lambda tx: tx.execute(lock).all()) == []

    def within_its_region(tx: Connection) -> int:
        enter(tx, [HANGZHOU])
        return len(tx.execute(lock).all())

    assert own.transact(within_its_region) == 1


def test_reach_follows_from_the_grants() -> None:
    def of(*grants: Grant) -> Reach:
        return reach_of(Principal("usr_1", "org_1", "330106", grants))

    assert of(Grant(Role.FIRM, "330106"), Grant(Role.PROVIDER, "330106")) == Reach((), "org_1")
    assert of(Grant(Role.FINANCE, "330100")) == Reach(("330000", "330100"), "org_1")
    assert of(Grant(Role.MAKER, "330106", "org_1")) == Reach(("330000", "330100", "330106"), "org_1")
    assert of(Grant(Role.AUDITOR, "330100")) == Reach(("330000", "3301%", "330100"), "org_1")
    assert of(Grant(Role.REGISTRAR, "330000"), Grant(Role.AUDITOR, "330106")) == Reach(
        ("33%", "330000", "330100", "330106%"), "org_1"
    )
    assert of() == Reach((), "org_1")


def _count(tx: Connection) -> int:
    return int(tx.execute(text("SELECT count(*) FROM vouchers")).scalar_one())


def _reach(connection: psycopg.Connection[Any], reach: Reach | None) -> None:
    if reach is not None:
        connection.execute("SELECT set_config('app.regions', %s, true)", [" ".join(reach.regions)])
        connection.execute("SELECT set_config('app.organisation', %s, true)", [reach.organisation_id])


def _refusal(connection: psycopg.Connection[Any], table: str, region: str) -> str:
    """Why a row of the region cannot be added; at home it is often there already."""
    row = insert_into(connection, table, region)
    try:
        connection.execute(row.statement, row.values)
    except psycopg.Error as error:
        return str(error)
    return ""


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")
