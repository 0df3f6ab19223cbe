"""A submission that never ends keeps nothing of a witness for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.witness import routes
from app.witness.keeping import open_witness
from app.witness.routes import Witness, create_witness
from tests.witness.logs import Log

LOG = Log("vouchers.example.gov.cn/330100")


def answer(witness: Witness, receive: Callable[[], Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": "POST", "path": "/add-checkpoint", "headers": [], "query_string": b""}
    with ThreadPoolExecutor(1) as pool:  # a browser of other tests may have its loop in this thread
        pool.submit(asyncio.run, create_witness(witness)(scope, receive, send)).result()
    return sent


def test_a_body_that_drips_is_given_up_and_the_next_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cosigner, memory = open_witness(tmp_path, "audit.example.gov.cn/witness")
    witness = Witness(cosigner, memory, {LOG.origin: [LOG.key.verifier]}, lambda: 1_800_000_000)

    async def dripping() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"o", "more_body": True}

    monkeypatch.setattr(routes, "MAX_BODY_S", 0.1)
    assert answer(witness, dripping)[0]["status"] == 408

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": LOG.submission(0, 7), "more_body": False}

    monkeypatch.setattr(routes, "MAX_BODY_S", 30)
    assert answer(witness, whole)[0]["status"] == 200


def test_a_disk_that_is_full_signs_nothing_and_the_fork_after_it_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is not signed; what was written before is still what a fork is held against."""
    name, logs = "audit.example.gov.cn/witness", {LOG.origin: [LOG.key.verifier]}
    cosigner, memory = open_witness(tmp_path, name)
    witness = Witness(cosigner, memory, logs, lambda: 1_800_000_000)
    assert witness.add(LOG.submission(0, 7)).status_code == 200

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("app.witness.memory.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            witness.add(LOG.submission(7, 9))
    again = Witness(*open_witness(tmp_path, name), logs, lambda: 1_700_000_000)  # and the clock was put back
    fork = LOG.forked_at(3)
    assert again.add(fork.submission(7, 7)).status_code == 409
    assert again.add(fork.submission(7, 9)).status_code == 422
    assert again.add(LOG.submission(7, 9)).status_code == 200
