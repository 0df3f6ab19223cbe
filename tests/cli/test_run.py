"""`voucher run`: the service's processes live and die with their parent. (Killed by force: see test_demo.)"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from app.cli.output import Failure
from app.cli.serving import PortTaken, listen, one_each
from app.embedded.databases import Urls
from tests.cli.processes import Started, assert_gone, voucher


@pytest.fixture
def running(tmp_path: Path, urls: Urls) -> Iterator[Started]:
    """Two processes of the service on a given database."""
    given = {
        "VOUCHER_DATABASE_URL": urls.app_url,
        "VOUCHER_OWNER_URL": urls.owner_url,
        "VOUCHER_SEALER_URL": urls.sealer_url,
    }
    started = Started(tmp_path, "run", "--port", "0", "--workers", "2", **given)
    try:
        started.wait_for("服务已就绪")
        yield started
    finally:
        if started.process.is_running():
            started.process.kill()
        started.process.wait()


def test_told_to_stop_it_ends_in_order(running: Started, tmp_path: Path) -> None:
    workers = running.workers()
    assert len(workers) == 2
    assert httpx.get(f"{running.address()}/readyz", trust_env=False).json()["status"] == "ok"
    for kept in ("VOUCHER_OWNER_URL", "VOUCHER_SEALER_URL"):
        assert all(kept not in worker.environ() for worker in workers), "the service owns nothing and seals nothing"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o711

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert_gone({"worker": workers})
    assert running.output.count("Application shutdown complete") == 2


def test_it_ends_with_the_status_of_a_process_that_died(running: Started) -> None:
    victim, other = running.workers()
    victim.kill()
    assert running.process.wait(30) == 128 + signal.SIGKILL
    assert_gone({"other worker": [other]})


def test_on_a_given_database_it_asks_for_the_sealers_address(tmp_path: Path, urls: Urls) -> None:
    refused = voucher(tmp_path, "run", "--port", "0", VOUCHER_DATABASE_URL=urls.app_url)
    assert refused.returncode == 1
    assert "VOUCHER_SEALER_URL" in refused.stderr
    assert "--no-seal" in refused.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            listen("127.0.0.1", port)


def test_a_port_is_taken_by_another_service_too_although_its_own_workers_share_it() -> None:
    with listen("127.0.0.1", 0) as first:
        address = first.getsockname()
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(one) for one in one_each(first, 2)]
            with pytest.raises(PortTaken):
                listen(*address)
            assert [one.getsockname() for one in sockets] == [address] * 2


def test_connections_are_spread_over_the_workers() -> None:
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(listen("127.0.0.1", 0))
        sockets = [stack.enter_context(one) for one in one_each(listening, 2)]
        for _ in range(64):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        waiting = [_accept_all(one) for one in sockets]
        assert sum(waiting) == 64
        assert min(waiting) >= 8  # by chance alone once in ten thousand million runs


def _accept_all(listening: socket.socket) -> int:
    listening.setblocking(False)
    number = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            number += 1
    return number


def test_migrating_needs_the_owner(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOUCHER_OWNER_URL", raising=False)
    with pytest.raises(Failure, match="VOUCHER_OWNER_URL"):
        CliRunner().invoke(app, ["migrate"], catch_exceptions=False)
    monkeypatch.setenv("VOUCHER_OWNER_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Failure, match="cannot reach the database"):
        CliRunner().invoke(app, ["migrate"], catch_exceptions=False)
    monkeypatch.setenv("VOUCHER_OWNER_URL", urls.owner_url)
    assert CliRunner().invoke(app, ["migrate"], catch_exceptions=False).exit_code == 0
