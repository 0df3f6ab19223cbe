"""The witness as a real process on the loopback."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.tlog.keys import cosigner, timestamp_s
from app.tlog.notes import open_note
from tests.witness.logs import Log, submission
from tests.witness.processes import KILLS_ITSELF, NAME, Running, alone, witness

LOGS = [Log(f"vouchers.example.gov.cn/33{number:02}00") for number in range(1, 13)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("witness")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with witness(folder, *(log.vkey for log in LOGS)) as found:
        yield found


_fresh = itertools.count()


@pytest.fixture
def log() -> Log:
    """A log of which the witness has seen nothing yet."""
    return LOGS[next(_fresh)]


def assert_cosigned(running: Running, answer: httpx.Response, checkpoint: str) -> None:
    assert answer.status_code == 200, answer.text
    opened = open_note(f"{checkpoint}\n{answer.text}", [running.key])
    assert [line.name for line in opened.verified] == [NAME]
    assert abs(timestamp_s(opened.verified[0]) - time.time()) < 60


def assert_known(answer: httpx.Response, size: int) -> None:
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (409, "text/x.tlog.size", f"{size}\n")


def test_a_log_is_cosigned_as_it_grows(running: Running, log: Log) -> None:
    for old, size in [(0, 7), (7, 7), (7, 20), (20, 100)]:
        assert_cosigned(running, running.add(log.submission(old, size)), log.checkpoint(size))


def test_the_newest_checkpoint_seen_can_be_asked_for(running: Running, log: Log) -> None:
    assert running.client.get(f"/checkpoint/{log.origin}").status_code == 404
    running.add(log.submission(0, 7))
    running.add(log.submission(7, 20))
    note = running.client.get(f"/checkpoint/{log.origin}").text
    opened = open_note(note, [log.key.verifier, running.key])
    assert opened.text == log.checkpoint(20)
    assert [line.name for line in opened.verified] == [log.origin, NAME]


def test_a_replay_and_a_shrunken_log_are_told_the_size(running: Running, log: Log) -> None:
    running.add(log.submission(0, 20))
    assert_known(running.add(log.submission(0, 20)), 20)
    assert_known(running.add(log.submission(0, 7)), 20)
    assert_known(running.add(log.submission(7, 20)), 20)
    assert running.add(log.submission(20, 7)).status_code == 400


def test_a_fork_is_refused_and_kept_as_evidence(running: Running, folder: Path, log: Log) -> None:
    fork = log.forked_at(3)
    running.add(log.submission(0, 7))
    assert_known(running.add(fork.submission(7, 7)), 7)
    assert_known(running.add(fork.submission(7, 7)), 7)
    assert running.add(fork.submission(7, 20)).status_code == 422
    assert running.add(submission(7, log.proof(7, 20), fork.note(20))).status_code == 422
    (kept,) = (folder / "kept" / "forks").iterdir()
    assert kept.read_text(encoding="utf-8") == f"{log.note(7)}\n{fork.note(7)}"
    assert "FORK" in running.output.read_text(encoding="utf-8")
    assert_cosigned(running, running.add(log.submission(7, 20)), log.checkpoint(20))


def test_false_proofs_keys_and_origins_have_their_statuses(running: Running, log: Log) -> None:
    running.add(log.submission(0, 7))
    assert running.add(submission(7, log.proof(7, 20)[::-1], log.note(20))).status_code == 422
    assert running.add(Log(log.origin).submission(7, 20)).status_code == 403
    assert running.add(Log("vouchers.example.gov.cn/440100").submission(0, 7)).status_code == 404
    assert running.add(b"old 7\n").status_code == 400
    assert running.add(b"x" * 70_000).status_code == 413
    assert running.client.get("/add-checkpoint").status_code == 405
    assert_known(running.add(log.submission(0, 7)), 7)


def test_of_forks_at_once_one_is_signed(running: Running, log: Log) -> None:
    running.add(log.submission(0, 40))
    signed = log
    for old, size in itertools.pairwise(range(40, 90, 10)):
        branches = [signed, *(signed.forked_at(index) for index in range(old, old + 7))]
        bodies = [branch.submission(old, size) for branch in branches]
        with ThreadPoolExecutor(len(bodies)) as pool:
            answers = list(pool.map(lambda body: httpx.post(f"{running.url}/add-checkpoint", content=body), bodies))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
        (winner,) = (at for at, answer in enumerate(answers) if answer.status_code == 200)
        signed = branches[winner]
        assert_cosigned(running, answers[winner], signed.checkpoint(size))


def test_what_was_signed_outlives_a_kill(tmp_path: Path) -> None:
    log = Log("vouchers.example.gov.cn/330100")
    with witness(tmp_path, log.vkey) as first:
        key = first.key
        assert_cosigned(first, first.add(log.submission(0, 7)), log.checkpoint(7))
    with witness(tmp_path, log.vkey, script=KILLS_ITSELF) as second, pytest.raises(httpx.TransportError):
        second.add(log.submission(7, 20))
    assert second.process.returncode == -9
    with witness(tmp_path, log.vkey) as third:
        assert third.key == key
        assert_known(third.add(log.submission(7, 20)), 20)
        assert third.add(log.forked_at(3).submission(20, 30)).status_code == 422
        assert_cosigned(third, third.add(log.submission(20, 30)), log.checkpoint(30))


def test_the_key_and_the_memory_are_private_and_their_folder_serves_one(running: Running, folder: Path) -> None:
    kept = folder / "kept"
    running.add(LOGS[-1].submission(0, 7))
    assert kept.stat().st_mode & 0o777 == 0o700
    for name in ("witness.key", "heads.json"):
        assert (kept / name).stat().st_mode & 0o777 == 0o600
    key = cosigner((kept / "witness.key").read_text(encoding="utf-8").strip())
    assert key.verifier == running.key
    second = alone("app.cli.witness", folder, "witness", "--logs", "logs.txt", "--state", "kept", "--port", "0")
    assert second.returncode == 1
    assert "该目录已有见证进程在运行。 / another witness is running on this folder" in second.stderr
