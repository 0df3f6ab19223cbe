"""Sealing appends what was committed, once, in order, and signs what it appended. Real commits, real processes."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.embedded.databases import Urls
from app.kernel.problems import AppError, Code
from app.services.sealing.keys import LogKeys
from app.services.sealing.lag import read_lags
from app.services.sealing.seal import LogDamaged, Sealed, seal, waiting_regions
from app.services.sealing.sealer import Sealer
from app.settings import Settings
from tests.sealing.filling import fill
from tests.sealing.trees import check_log, one, rows
from tests.world import CIXI, HANGZHOU, Counter, World, counter, ok


@pytest.fixture
def keys(settings: Settings) -> LogKeys:
    return LogKeys.from_settings(settings)


@pytest.fixture
def till(world: World) -> Counter:
    return counter(world.city())


def seal_some(database: Database, keys: LogKeys, most: int = 5_000, region_code: str = HANGZHOU) -> Sealed | None:
    return database.transact(lambda tx: seal(tx, region_code=region_code, keys=keys, most=most))


def seal_all(database: Database, keys: LogKeys, most: int = 5_000) -> int:
    leaves = 0
    while (done := seal_some(database, keys, most)) is not None:
        leaves += done.leaves
    return leaves


def test_every_entry_and_audit_event_becomes_one_leaf_in_the_order_of_the_queue(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    fill(urls.owner_url, ok(till.redeem(1_000))["entry_id"], 700)
    queued = [tuple(row) for row in rows(database, "SELECT leaf_kind, leaf_id FROM seal_queue ORDER BY queue_no")]
    assert seal_all(sealing, keys, most=300) == len(queued) > 700
    assert check_log(database, HANGZHOU) == len(queued)
    sealed = rows(database, "SELECT leaf_kind, leaf_id FROM log_leaves ORDER BY leaf_index")
    assert [tuple(row) for row in sealed] == queued
    assert {kind for kind, _ in queued} == {"entry", "audit_event"}
    everything = "SELECT (SELECT count(*) FROM entries) + (SELECT count(*) FROM audit_events)"
    assert one(database, everything) == len(queued)
    assert one(database, "SELECT count(*) FROM seal_queue") == 0
    assert seal_some(sealing, keys) is None


def test_the_checkpoint_is_a_note_signed_with_the_key_of_the_log(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, settings: Settings
) -> None:
    ok(till.redeem(1_000))
    seal_all(sealing, keys)
    origin = f"127.0.0.1:8000/{HANGZHOU}"
    note = one(database, "SELECT checkpoint FROM logs")
    body, signature_line = note.split("\n\n")
    assert body.splitlines()[0] == origin
    dash, name, encoded = signature_line.rstrip("\n").split(" ")
    (pem,) = (settings.state_dir / "log-keys").glob("*.pem")
    private = load_pem_private_key(pem.read_bytes(), password=None)
    public = private.public_key()
    assert isinstance(public, Ed25519PublicKey)
    signature = base64.b64decode(encoded)
    assert (dash, name) == ("—", origin)
    named = origin.encode() + b"\n\x01" + public.public_bytes_raw()
    assert signature[:4] == hashlib.sha256(named).digest()[:4]
    public.verify(signature[4:], (body + "\n").encode())


def test_a_transaction_that_commits_late_is_sealed_later_and_not_lost(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    entry_id = ok(till.redeem(1_000))["entry_id"]
    engine = create_engine(urls.owner_url)
    with engine.connect() as late:
        late.execute(
            text(
                "INSERT INTO audit_events SELECT region_code, 'evt_late', at, principal_id, organisation_id, action,"
                " object_id, result, source, request_id, details, leaf FROM audit_events LIMIT 1"
            )
        )
        late.execute(
            text(
                "INSERT INTO seal_queue (region_code, leaf_kind, leaf_id) VALUES ('330100', 'audit_event', 'evt_late')"
            )
        )
        fill(urls.owner_url, entry_id, 50)  # higher numbers, committed before
        seal_all(sealing, keys, most=10)
        assert one(database, "SELECT count(*) FROM log_leaves WHERE leaf_id = 'evt_late'") == 0
        before = check_log(database, HANGZHOU)
        late.commit()
    engine.dispose()
    assert seal_all(sealing, keys) == 1
    assert check_log(database, HANGZHOU) == before + 1
    assert one(database, "SELECT leaf_index FROM log_leaves WHERE leaf_id = 'evt_late'") == before


def test_a_transaction_that_rests_with_all_it_has_seen_and_written_delays_its_own_rows_alone(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    """As one that somebody has left open for minutes: nothing that is sealed meanwhile can be vacuumed away."""
    entry_id = ok(till.redeem(1_000))["entry_id"]
    seal_all(sealing, keys)
    fill(urls.owner_url, entry_id, 2_000)
    engine = create_engine(urls.owner_url, isolation_level="REPEATABLE READ")
    waiting = text("SELECT count(*) FROM seal_queue")
    with engine.connect() as idle:
        idle.execute(
            text(
                "INSERT INTO audit_events SELECT region_code, 'evt_resting', at, principal_id, organisation_id, action,"
                " object_id, result, source, request_id, details, leaf FROM audit_events LIMIT 1"
            )
        )
        queue = (
            "INSERT INTO seal_queue (region_code, leaf_kind, leaf_id) VALUES ('330100', 'audit_event', 'evt_resting')"
        )
        idle.execute(text(queue))
        assert idle.execute(waiting).scalar_one() == 2_001
        later = ""
        for _ in range(20):  # beside it redemptions are made and sealed, pass after pass
            later = ok(till.redeem(1_000))["entry_id"]
            assert seal_some(sealing, keys, most=100) is not None
        assert seal_all(sealing, keys) == 20
        assert one(database, "SELECT leaf_id FROM log_leaves ORDER BY leaf_index DESC LIMIT 1") == later
        assert idle.execute(waiting).scalar_one() == 2_001, "what it sees keeps every row that was sealed"
        before = check_log(database, HANGZHOU)
        assert seal_some(sealing, keys) is None
        idle.commit()
    engine.dispose()
    assert seal_all(sealing, keys) == 1
    assert one(database, "SELECT leaf_index FROM log_leaves WHERE leaf_id = 'evt_resting'") == before
    check_log(database, HANGZHOU)


def test_racing_sealers_append_every_leaf_once(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    fill(urls.owner_url, ok(till.redeem(1_000))["entry_id"], 1_000)
    waiting = one(database, "SELECT count(*) FROM seal_queue")
    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(lambda _: seal_all(sealing, keys, most=60), range(4)))
    assert sum(sealed) == waiting
    assert check_log(database, HANGZHOU) == waiting


def test_a_sealer_waits_for_the_head_that_another_holds(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    seal_all(sealing, keys)
    ok(till.redeem(1_000))
    impatient = Database(urls.sealer_url, pool_size=1, lock_timeout_ms=100)
    with sealing.engine.connect() as other:
        other.execute(text("SELECT 1 FROM logs FOR NO KEY UPDATE"))
        with pytest.raises(AppError) as refused:
            seal_some(impatient, keys)
        assert refused.value.code is Code.BUSY
    impatient.dispose()
    assert seal_all(sealing, keys) == 1


def test_a_sealer_that_has_waited_goes_on_from_the_head_that_it_waited_for(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    """Without the head's lock it would give the leaves that the other left over the numbers of those that it took."""
    entry_id = ok(till.redeem(1_000))["entry_id"]
    seal_all(sealing, keys)
    fill(urls.owner_url, entry_id, 30)
    with ThreadPoolExecutor(1) as pool:
        with sealing.engine.begin() as first:
            done = seal(first, region_code=HANGZHOU, keys=keys, most=10)
            second = pool.submit(seal_some, sealing, keys, most=20)
            deadline = time.monotonic() + 10
            while not one(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert time.monotonic() < deadline, "nobody waits for the first one's head"
                time.sleep(0.01)
        sealed = second.result(timeout=10)
    assert done is not None
    assert sealed is not None
    assert (sealed.leaves, sealed.size) == (20, done.size + 20)
    assert check_log(database, HANGZHOU) == sealed.size


def test_a_sealer_killed_in_the_middle_of_its_batches_leaves_no_gap_and_no_double(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls, settings: Settings
) -> None:
    fill(urls.owner_url, ok(till.redeem(1_000))["entry_id"], 3_000)
    waiting = one(database, "SELECT count(*) FROM seal_queue")
    environment = {
        **os.environ,
        "VOUCHER_DATABASE_URL": urls.sealer_url,
        "VOUCHER_STATE_DIR": str(settings.state_dir),
    }
    size = "SELECT coalesce((SELECT size FROM logs), 0)"
    sizes = [0]
    for round_no in range(4):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sealing.sealing_process", HANGZHOU, "25"],
            env=environment,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 60
        while one(database, size) == sizes[-1]:  # it is among its batches now
            assert time.monotonic() < deadline
        time.sleep(random.Random(round_no).uniform(0, 0.03))
        process.kill()
        process.wait()
        process.stdout.close()
        sizes.append(one(database, size))
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < waiting, "it was killed before its last batch"
    seal_all(sealing, keys)
    assert check_log(database, HANGZHOU) == waiting


def test_the_loop_seals_what_comes_while_it_runs_and_stops_when_told(
    database: Database, sealing: Database, keys: LogKeys, till: Counter
) -> None:
    stopped = threading.Event()
    running = threading.Thread(target=Sealer(sealing, keys).run, args=(stopped,))
    running.start()
    try:
        for _ in range(3):
            entry_id = ok(till.redeem(1_000))["entry_id"]
            began = time.monotonic()
            while not rows(database, "SELECT 1 FROM log_leaves WHERE leaf_id = :id", id=entry_id):
                assert time.monotonic() - began < 10
                time.sleep(0.02)
    finally:
        stopped.set()
        running.join(timeout=10)
    assert not running.is_alive()
    check_log(database, HANGZHOU)


def test_regions_have_logs_of_their_own(
    world: World, database: Database, sealing: Database, keys: LogKeys, till: Counter
) -> None:
    ok(till.redeem(1_000))
    ok(counter(world.city(CIXI)).redeem(1_000))
    assert database.transact(waiting_regions) == [HANGZHOU, CIXI]
    done = Sealer(sealing, keys).look()
    assert {one.region_code for one in done.sealed} == {HANGZHOU, CIXI}
    assert check_log(database, HANGZHOU) + check_log(database, CIXI) == done.leaves
    assert [lag.waiting for lag in database.transact(read_lags)] == [0, 0]


def test_the_lag_is_the_age_of_what_waits_longest(
    database: Database, sealing: Database, keys: LogKeys, till: Counter
) -> None:
    seal_all(sealing, keys)
    at = ok(till.redeem(1_000))["redeemed_at"]
    time.sleep(0.3)
    ok(till.redeem(1_000))
    (lag,) = database.transact(read_lags)
    seconds = one(database, "SELECT extract(epoch FROM clock_timestamp() - CAST(:at AS timestamptz))", at=at)
    assert lag.waiting == 2
    assert 0.3 <= lag.lag_s <= float(seconds)


def test_a_name_given_to_a_log_stays_when_the_setting_changes(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, settings: Settings
) -> None:
    seal_all(sealing, keys)
    ok(till.redeem(1_000))
    renamed = LogKeys.from_settings(settings.model_copy(update={"log_name": "other.example"}))
    seal_all(sealing, renamed)
    origins = {row[0].splitlines()[0] for row in rows(database, "SELECT checkpoint FROM log_batches")}
    assert origins == {f"127.0.0.1:8000/{HANGZHOU}"}


def test_nothing_is_appended_to_a_head_that_does_not_fit_its_tree(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    seal_all(sealing, keys)
    engine = create_engine(urls.owner_url)
    with engine.begin() as tx:
        tx.execute(text("UPDATE logs SET root = sha256('x')"))
    engine.dispose()
    ok(till.redeem(1_000))
    with pytest.raises(LogDamaged):
        seal_some(sealing, keys)
    done = Sealer(sealing, keys).look()
    assert (done.leaves, done.failed) == (0, (HANGZHOU,))


CHANGES = (
    "UPDATE log_leaves SET leaf_hash = leaf_hash",
    "DELETE FROM log_leaves",
    "TRUNCATE log_leaves",
    "UPDATE log_batches SET size = size",
    "DELETE FROM log_batches",
    "DELETE FROM account_marks",
    "UPDATE account_marks SET balance_fen = 0",
    "DELETE FROM logs",
    "UPDATE logs SET size = size - 1",
    "UPDATE logs SET origin = 'other'",
    "UPDATE log_tiles SET width = 1, hashes = sha256('x')",
    "DELETE FROM log_cosignatures",
)


def test_neither_service_nor_sealer_nor_owner_rewrites_a_log(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    seal_all(sealing, keys)
    for url in (urls.app_url, urls.sealer_url, urls.owner_url):
        engine = create_engine(url)
        for change in CHANGES:
            with engine.connect() as connection, pytest.raises(DBAPIError) as refused:
                connection.execute(text(change))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
        engine.dispose()


def test_what_is_not_in_the_log_stays_in_the_queue(sealing: Database, till: Counter) -> None:
    ok(till.redeem(1_000))
    with pytest.raises(DBAPIError, match="is not in the log"):
        sealing.transact(lambda tx: tx.execute(text("DELETE FROM seal_queue")))
