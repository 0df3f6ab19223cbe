"""Who may do what to a log, below the code: the service reads it, the sealer appends, and nobody else."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from app.services.sealing.keys import LogKeys
from app.settings import Settings
from tests.sealing.trees import check_log
from tests.tampering.books import seal_all
from tests.world import HANGZHOU, World, counter, ok

NOT_THE_SERVICES = (
    "INSERT INTO logs SELECT '330200', origin, size, root, frontier, checkpoint, sealed_at, batch_count FROM logs",
    "UPDATE logs SET size = size + 1",
    "UPDATE logs SET root = root, checkpoint = checkpoint",
    "SELECT 1 FROM logs FOR UPDATE",
    "INSERT INTO log_leaves SELECT region_code, leaf_index + 999, leaf_kind, leaf_id || 'x', leaf_hash FROM log_leaves",
    "INSERT INTO log_tiles SELECT region_code, level, tile_no + 1, width, hashes FROM log_tiles",
    "UPDATE log_tiles SET width = width, hashes = hashes",
    "INSERT INTO log_batches SELECT * FROM log_batches",
    "INSERT INTO log_cosignatures SELECT region_code, size, 'audit.example', 'line', now() FROM logs",
    "INSERT INTO account_marks SELECT * FROM account_marks",
    "DELETE FROM seal_queue",
)
NOT_THE_SEALERS = (
    "INSERT INTO seal_queue (region_code, leaf_kind, leaf_id) VALUES ('330100', 'entry', 'ent_forged')",
    "INSERT INTO entries SELECT * FROM entries",
    "UPDATE entries SET leaf = leaf",
    "INSERT INTO postings SELECT * FROM postings",
    "UPDATE vouchers SET balance_fen = 0",
    "SELECT code FROM vouchers",
    "SELECT facts FROM redemptions",
    "SELECT voucher_id FROM postings",
    "SELECT principal_id FROM audit_events",
    "SELECT name FROM users",
    "INSERT INTO restoration_releases SELECT * FROM restoration_releases",
    "CREATE TABLE mine (n int)",
)


def test_the_service_cannot_write_a_log_and_the_sealer_nothing_else(
    world: World, urls: Urls, settings: Settings
) -> None:
    till = counter(world.city())
    ok(till.redeem(1_000))
    seal_all(urls, LogKeys.from_settings(settings))
    ok(till.redeem(1_000))
    for url, statements in ((urls.app_url, NOT_THE_SERVICES), (urls.sealer_url, NOT_THE_SEALERS)):
        engine = create_engine(url)
        for statement in statements:
            with engine.connect() as connection, pytest.raises(DBAPIError) as refused:
                connection.execute(text(statement))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege), statement
            assert "permission denied" in str(refused.value.orig), statement  # by privilege, where no trigger helps
        engine.dispose()
    seal_all(urls, LogKeys.from_settings(settings))
    assert check_log(world.database, HANGZHOU) > 0
