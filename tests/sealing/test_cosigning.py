"""Heads are taken to real witnesses, which may be away, slow or suspicious; sealing goes on whatever they do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from app.cli.cosigning import Away, Cosigning, Witness, cosigning
from app.cli.output import Failure
from app.database import Database
from app.embedded.databases import Urls
from app.outbound import networks
from app.services.sealing.cosigning import proof
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.services.sealing.sealer import Sealer
from app.settings import Settings
from app.tlog.checkpoints import Checkpoint
from app.tlog.keys import Cosigner, Ed25519Signer
from app.tlog.merkle import ProofError, leaf_hash, verify_consistency
from app.tlog.notes import open_note, sign
from tests.sealing.filling import fill
from tests.sealing.trees import hashes_of, one, root_of, rows
from tests.tlog import naive
from tests.witness.logs import submission
from tests.witness.processes import NAME, Running, alone, witness
from tests.world import CIXI, HANGZHOU, Counter, World, counter, ok

SOON_S = 20
LOOPBACK = networks("127.0.0.0/8")
Asked = Callable[[Database, str], Cosigning]


@pytest.fixture
def keys(settings: Settings) -> LogKeys:
    return LogKeys.from_settings(settings)


@pytest.fixture
def log(keys: LogKeys) -> Ed25519Signer:
    """Who signs the log of Hangzhou."""
    return keys.signers(keys.origin(HANGZHOU))[0]


@pytest.fixture
def till(world: World) -> Counter:
    return counter(world.city())


def seal_all(database: Database, keys: LogKeys) -> int:
    """Seal what waits in Hangzhou; the size of its log."""
    while database.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys)) is not None:
        pass
    return size(database)


def size(database: Database) -> int:
    return int(one(database, "SELECT coalesce(max(size), 0) FROM logs WHERE region_code = :region", region=HANGZHOU))


def cosigned_sizes(database: Database) -> list[int]:
    return [row.size for row in rows(database, "SELECT size FROM log_cosignatures ORDER BY size")]


def assert_newest_is_cosigned(database: Database, log: Ed25519Signer, running: Running) -> None:
    (head,) = rows(
        database,
        "SELECT l.size, l.checkpoint, c.cosignature, c.witness FROM logs l"
        " JOIN log_cosignatures c ON c.region_code = l.region_code AND c.size = l.size",
    )
    opened = open_note(f"{head.checkpoint}{head.cosignature}\n", [log.verifier, running.key])
    assert [line.name for line in opened.verified] == [log.name, head.witness] == [log.name, NAME]


def wait_until_cosigned(database: Database, at_least: int) -> int:
    deadline = time.monotonic() + SOON_S
    while True:
        newest = max(cosigned_sizes(database), default=0)
        if newest >= at_least:
            return newest
        assert time.monotonic() < deadline, f"{newest} of {at_least} leaves are cosigned"
        time.sleep(0.02)


@contextmanager
def going_on(sealing: Database, keys: LogKeys, url: str) -> Iterator[threading.Thread]:
    """A sealer and the cosigning by one witness, as `voucher seal --witness` runs them, at a faster pace."""
    stopped = threading.Event()
    appending = threading.Thread(target=Sealer(sealing, keys).run, args=(stopped,))
    asking = threading.Thread(target=Cosigning(sealing, Witness(url, LOOPBACK)).run, args=(stopped, 0.05))
    for thread in (appending, asking):
        thread.start()
    try:
        yield asking
    finally:
        stopped.set()
        for thread in (appending, asking):
            thread.join(SOON_S)


@pytest.fixture
def asked() -> Iterator[Asked]:
    """How one witness is asked once."""
    with ExitStack() as held:
        yield lambda database, address: Cosigning(database, held.enter_context(closing(Witness(address, LOOPBACK))))


@contextmanager
def beside_the_service(url: str, environment: Mapping[str, str]) -> Iterator[None]:
    """The sealer as `voucher run` starts it, which ends with whoever holds the other end of its pipe."""
    lifeline, ours = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli.seal", str(lifeline)],
        env={
            **os.environ,
            **environment,
            "VOUCHER_WITNESSES": url,
            "VOUCHER_OUTBOUND_NETWORKS": "127.0.0.0/8",
            "VOUCHER_DATABASE_URL": environment["VOUCHER_SEALER_URL"],
        },
        pass_fds=[lifeline],
    )
    try:
        yield
        os.close(ours)
        assert process.wait(SOON_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(lifeline)


def test_proofs_are_read_from_the_tiles(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, urls: Urls
) -> None:
    fill(urls.owner_url, ok(till.redeem(1_000))["entry_id"], 700)
    newest = seal_all(sealing, keys)
    hashes = hashes_of(database, HANGZHOU)
    assert newest == len(hashes) > 700
    for first, second in [(0, newest), (1, newest), (256, 700), (300, 301), (511, 513), (newest, newest)]:
        found = list(database.transact(partial(proof, region_code=HANGZHOU, first=first, second=second)))
        assert found == (naive.proof(first, hashes[:second]) if first else [])
        verify_consistency(first, second, found, root_of(hashes[:first]), root_of(hashes[:second]))
    with pytest.raises(LookupError):
        database.transact(lambda tx: proof(tx, region_code=HANGZHOU, first=3, second=newest + 1))
    with pytest.raises(ProofError):
        database.transact(lambda tx: proof(tx, region_code=HANGZHOU, first=3, second=2))


def test_a_witness_that_was_away_holds_up_nothing_and_is_caught_up(
    database: Database, sealing: Database, keys: LogKeys, till: Counter, log: Ed25519Signer, tmp_path: Path
) -> None:
    with witness(tmp_path, log.verifier.vkey) as first:
        port = urlsplit(first.url).port
        with going_on(sealing, keys, first.url):
            ok(till.redeem(1_000))
            before = wait_until_cosigned(database, 1)
            first.process.kill()
            first.process.wait()
            for _ in range(3):
                grown = size(database)
                ok(till.redeem(1_000))
                deadline = time.monotonic() + SOON_S
                while size(database) == grown:
                    assert time.monotonic() < deadline, "sealing waits for the witness"
                    time.sleep(0.02)
            missed = cosigned_sizes(database)
            with witness(tmp_path, log.verifier.vkey, port=port or 0) as second:
                assert wait_until_cosigned(database, size(database)) > before
                assert_newest_is_cosigned(database, log, second)
    heads = [row.size for row in rows(database, "SELECT size FROM log_batches ORDER BY size")]
    assert len([head for head in heads if head > missed[-1]]) >= 3
    assert cosigned_sizes(database) == [*missed, heads[-1]]


class Hurried(threading.Event):
    """An event whose waits take no time; `meanwhile` is told how long all of them would have taken, in seconds."""

    def __init__(self, meanwhile: Callable[[float], None]) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._meanwhile = meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        self._meanwhile(sum(self.waits))
        return self.is_set()


def test_a_witness_that_is_back_after_an_hour_signs_the_newest_of_many_heads(
    database: Database,
    sealing: Database,
    keys: LogKeys,
    till: Counter,
    urls: Urls,
    log: Ed25519Signer,
    tmp_path: Path,
    asked: Asked,
) -> None:
    entry_id = ok(till.redeem(1_000))["entry_id"]
    old = seal_all(sealing, keys)
    with witness(tmp_path, log.verifier.vkey) as gone:
        asked(sealing, gone.url).look(threading.Event())
        gone.process.kill()
        gone.process.wait()
    fill(urls.owner_url, entry_id, 100)
    with ExitStack() as held:

        def meanwhile(passed_s: float) -> None:
            if cosigned_sizes(database) != [old]:
                stopped.set()
            elif passed_s < 3_600:  # a head between any two tries
                sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys, most=1))
            else:
                port = urlsplit(gone.url).port or 0
                back.append(held.enter_context(witness(tmp_path, log.verifier.vkey, port=port)))

        back: list[Running] = []
        stopped = Hurried(meanwhile)
        asked(sealing, gone.url).run(stopped)
        assert stopped.waits[:5] == [5, 10, 20, 40, 60]
        assert set(stopped.waits[4:-1]) == {60}, "it is asked again once a minute, however long it is away"
        assert cosigned_sizes(database) == [old, size(database)]
        assert size(database) - old == len(stopped.waits) - 2, "of each head that it missed"
        assert_newest_is_cosigned(database, log, back[0])


def test_false_answers_are_not_kept_lost_ones_asked_for_again_and_a_fork_is_told(
    database: Database,
    sealing: Database,
    keys: LogKeys,
    till: Counter,
    log: Ed25519Signer,
    tmp_path: Path,
    asked: Asked,
) -> None:
    with witness(tmp_path, log.verifier.vkey) as running:
        asking = asked(sealing, f"{running.url}/#{running.key.vkey}")
        ok(till.redeem(1_000))
        old = seal_all(sealing, keys)
        stranger = Cosigner(NAME, log.private).verifier.vkey
        for address, reason in [(f"{running.url}#{stranger}", "no cosignature"), (f"{running.url}/elsewhere", "404")]:
            with pytest.raises(Away, match=reason):
                asked(sealing, address).look(threading.Event())
        assert cosigned_sizes(database) == []
        # So the witness has signed, and its answer never came here.
        assert running.add(submission(0, [], one(database, "SELECT checkpoint FROM logs"))).text == f"{old}\n"
        assert asking.look(threading.Event()) == 1
        assert asking.look(threading.Event()) == 0
        assert_newest_is_cosigned(database, log, running)

        ok(till.redeem(1_000))
        newest = seal_all(sealing, keys)
        hashes = hashes_of(database, HANGZHOU)
        forged = [*hashes[:-1], leaf_hash(b"forged")]
        other = sign(Checkpoint(log.name, newest, root_of(forged)).text(), log)
        assert running.add(submission(old, naive.proof(old, forged), other)).status_code == 200
        with capture_logs() as told:
            assert asking.look(threading.Event()) == 0
            assert asking.look(threading.Event()) == 0  # it rests
        assert [(line["event"], line["log"], line["size"]) for line in told] == [("cosign.forked", log.name, newest)]
        assert cosigned_sizes(database) == [old]


def test_the_command_has_what_it_seals_cosigned_and_the_service_shows_it(
    database: Database,
    sealing: Database,
    keys: LogKeys,
    world: World,
    till: Counter,
    settings: Settings,
    urls: Urls,
    log: Ed25519Signer,
    tmp_path: Path,
) -> None:
    ok(till.redeem(1_000))
    world.city(CIXI).programme()
    environment = {
        "VOUCHER_SEALER_URL": urls.sealer_url,
        "VOUCHER_STATE_DIR": str(settings.state_dir),
        "VOUCHER_OUTBOUND_NETWORKS": settings.outbound_networks,
    }
    with witness(tmp_path, log.verifier.vkey) as running:
        done = alone("app.cli.seal", tmp_path, "seal", "--once", "--witness", running.url, **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("cosign.") == done.stdout.count("cosign.not_witnessed") == 1  # Cixi's
        assert_newest_is_cosigned(database, log, running)
        shown = httpx.get(f"{world.base_url}/v1/logs/{HANGZHOU}/checkpoint").text
        seen = running.client.get(f"/checkpoint/{log.name}").text
        assert shown.splitlines()[:3] == seen.splitlines()[:3]
        assert [line.name for line in open_note(shown, [log.verifier, running.key]).verified] == [log.name, NAME]

        signed = size(database)
        ok(till.redeem(1_000))
        newest = seal_all(sealing, keys)
        status = alone("app.cli.seal", tmp_path, "seal", "--status", **environment)
        assert f"{NAME} {signed} {newest - signed}" in " ".join(status.stdout.split())
        with beside_the_service(running.url, environment):
            assert wait_until_cosigned(database, newest) == newest


def test_a_witness_that_never_answers_does_not_keep_the_sealer_from_ending(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stopped = threading.Event()
        with cosigning(settings, [f"http://127.0.0.1:{silent.getsockname()[1]}"], stopped):
            connection, _ = silent.accept()
            began = time.monotonic()
        connection.close()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("address", ["ftp://w.example", "w.example", "https://w.example#damaged", ""])
def test_what_is_no_address_of_a_witness_is_refused(address: str) -> None:
    with pytest.raises(Failure):
        Witness(address)


def test_a_logs_key_is_no_witnesss(log: Ed25519Signer) -> None:
    with pytest.raises(Failure, match="not a witness's"):
        Witness(f"https://w.example#{log.verifier.vkey}")
