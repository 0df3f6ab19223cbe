"""Books that an older version wrote are right after the upgrade, provable under the old key, and go on.

`books_0014.gz` is what the version at migration 0014 left when it was driven over HTTP like
`tests/export/test_whole_books.py`, sealed: payments, a bounce, recoveries, holds, refunds, reversals, voids, closed
years. A line of public keys, then each table as COPY writes it.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine, text

import migrations
from app.cli.replay_sample import replay_sample
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.vocabulary import OrganisationKind, Role
from app.services.export.export import Request, export
from app.services.identity.tokens import Tokens
from app.services.sealing.keys import LogKeys
from app.verifier.findings import Findings
from app.verifier.verify import Options, verify
from tests.conftest import everywhere, serving, settings_of
from tests.past import superuser_url
from tests.tampering.books import seal_all
from tests.world import HANGZHOU, World, ok

WRITTEN = Path(__file__).parent / "books_0014.gz"
NAME = "books_0014"
LEAVES = 88
"""In Hangzhou's log."""


@pytest.fixture
def old(server: Server) -> Iterator[tuple[Urls, list[str]]]:
    """The old version's database, and the public keys of its logs."""
    urls = databases.prepare(server, database=NAME)
    engine = create_engine(urls.owner_url)
    with engine.connect() as connection:
        config = migrations.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0014")
    engine.dispose()
    keys, *tables = gzip.decompress(WRITTEN.read_bytes()).split(b"\n\\")
    with psycopg.connect(superuser_url(NAME).replace("+psycopg", "")) as superuser:
        superuser.execute("SET session_replication_role = replica")
        for table in tables:
            head, _, rows = table.partition(b"\n")
            kind, rest = head.decode().split(" ", 1)
            if kind == "sequence":
                superuser.execute("SELECT setval(%s, %s)", rest.split())
                continue
            name, _, columns = rest.rstrip(")").partition(" (")
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns.split(", ")))
            )
            with superuser.cursor().copy(into) as copying:
                copying.write(rows + b"\n")
    yield urls, keys.decode().split("\t")
    databases.drop(server, database=NAME)


def test_old_books_are_right_after_the_upgrade_and_go_on(old: tuple[Urls, list[str]], tmp_path: Path) -> None:
    urls, vkeys = old
    migrations.upgrade(urls.owner_url)
    database, settings = everywhere(urls), settings_of(urls, tmp_path)
    with database.engine.connect() as tx:
        head = tx.execute(
            text("SELECT checkpoint FROM logs WHERE region_code = :here"), {"here": HANGZHOU}
        ).scalar_one()
    export(database, Request(tmp_path / "before"))
    before = verify(tmp_path / "before", Options(vkeys, (head,)))
    assert before.is_right, before.to_text()
    assert before.regions[0].leaves == LEAVES
    findings = Findings()
    assert replay_sample(tmp_path / "before", 1_000, 1, findings)["replayed"] > 10
    assert len(findings) == 0, findings.kept

    keys = LogKeys.from_settings(settings)
    with serving(settings) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        assert world.differences() == []
        auditor = world.person(Role.AUDITOR, world.organisation(OrganisationKind.AUDIT))
        taken = auditor.get("/v1/ledger/export", region_code=HANGZHOU, purpose="升级核对")
        assert taken.is_success and taken.headers["Tree-Size"] == f"{HANGZHOU}={LEAVES}"
        seal_all(urls, keys)
        assert ok(auditor.get("/v1/ledger/accounts", region_code=HANGZHOU, tree_size=LEAVES))
        assert world.differences() == []
        world.close()
    export(database, Request(tmp_path / "after"))
    database.dispose()
    now = [signer.verifier.vkey for vkey in vkeys for signer in keys.signers(vkey.partition("+")[0])]
    after = verify(tmp_path / "after", Options((*vkeys, *now), (head,)))
    assert after.is_right, after.to_text()
    assert after.regions[0].leaves > LEAVES and after.regions[0].earlier_heads == 1
