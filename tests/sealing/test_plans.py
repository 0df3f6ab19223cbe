"""What sealing reads is in proportion to what it seals, whatever the statistics say of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from app.database import Database
from app.embedded.databases import Urls
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.services.sealing.sealer import SEALING
from app.settings import Settings
from tests.sealing.filling import fill
from tests.sealing.trees import check_log
from tests.world import HANGZHOU, World, counter, ok

LEAVES = 500
LARGE = ("seal_queue", "entries", "postings", "log_leaves")


@pytest.fixture
def session(urls: Urls) -> Iterator[Database]:
    """The sealer's one session: what it has planned it keeps."""
    database = Database(urls.sealer_url, pool_size=1, settings=SEALING)
    yield database
    database.dispose()


def rows_read(tx: Connection) -> Counter[str]:
    """How many rows of each table this session has read since it last reported them."""
    read = "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables"
    return Counter({row.relname: row.rows for row in tx.execute(text(read))})


@pytest.mark.parametrize("analysed", [False, True], ids=["never_analysed", "analysed_when_small"])
def test_a_batch_reads_what_it_seals_and_no_more(
    world: World, database: Database, session: Database, urls: Urls, settings: Settings, *, analysed: bool
) -> None:
    entry_id = ok(counter(world.city()).redeem(1_000))["entry_id"]
    keys = LogKeys.from_settings(settings)

    def seal_some(most: int) -> Counter[str]:
        """Seal once; how many rows of each table that has read."""

        def work(tx: Connection) -> Counter[str]:
            before = rows_read(tx)
            done = seal(tx, region_code=HANGZHOU, keys=keys, most=most)
            assert done is not None
            assert done.leaves == most
            return rows_read(tx) - before

        return session.transact(work)

    owner = create_engine(urls.owner_url)
    with owner.begin() as tx:  # nor does anybody else, meanwhile
        for table in (*LARGE, "log_batches", "account_marks"):
            tx.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
    seal_some(1)
    if analysed:
        with owner.begin() as tx:
            tx.execute(text("ANALYZE"))
        seal_some(1)
    owner.dispose()
    fill(urls.owner_url, entry_id, 6 * LEAVES, analyse=False)
    for _ in range(3):
        seal_some(LEAVES)
    read = seal_some(LEAVES)
    assert {table: read.pop(table) for table in LARGE} == {
        "seal_queue": LEAVES,
        "entries": LEAVES,
        "postings": LEAVES,  # this entry has one
        "log_leaves": 2 * LEAVES,  # for the marks, and before the queue lets go of them
    }
    assert max(read.values()) < 20, read  # of all other tables: heads, edges, marks
    check_log(database, HANGZHOU)
