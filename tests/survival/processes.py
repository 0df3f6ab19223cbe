"""Real workers of the service on one address that outlives them, as a supervisor with a socket of its own keeps it."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from app.settings import Settings
from tests.survival.faults import Fault
from tests.survival.worker import serve

READY_S = 60
GONE_S = 30
BACKLOG = 1_024

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.survival.worker"])


class Workers:
    """Starts workers on one listening socket. While none is there, clients wait in its backlog."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.address: tuple[str, int] = self._listening.getsockname()
        self.database_url = settings.database_url
        self._environment = {
            "VOUCHER_DATABASE_URL": settings.database_url,
            "VOUCHER_STATE_DIR": str(settings.state_dir),
            "VOUCHER_PUBLIC_URL": settings.public_url,
            "VOUCHER_LIMIT_CLIENT": settings.limit_client,
            "VOUCHER_LIMIT_VOUCHER": settings.limit_voucher,
        }
        self._log = folder / "workers.log"
        self._theirs, self._lifeline = _CONTEXT.Pipe(duplex=False)
        self._started: list[ForkServerProcess] = []

    def start(self, fault: Fault | None = None, **environment: str) -> ForkServerProcess:
        """One more worker; it serves as soon as it can."""
        arguments = (self._listening, self._theirs, {**self._environment, **environment}, self._log, fault)
        worker = _CONTEXT.Process(target=serve, args=arguments, daemon=True)
        worker.start()
        self._started.append(worker)
        return worker

    def wait_ready(self) -> None:
        """Return when the service answers at the address."""
        host, port = self.address
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://{host}:{port}/readyz", timeout=READY_S, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the service was not ready: {self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def close(self) -> None:
        """End every worker that is still there."""
        for worker in self._started:
            worker.terminate()
        for worker in self._started:
            worker.join(GONE_S)
            if worker.exitcode is None:
                worker.kill()
                worker.join()
        self._lifeline.close()
        self._theirs.close()
        self._listening.close()


@contextmanager
def workers_of(settings: Settings, folder: Path) -> Iterator[Workers]:
    workers = Workers(settings, folder)
    try:
        yield workers
    finally:
        workers.close()


def assert_killed(worker: ForkServerProcess, what: str) -> None:
    """Return when the worker has died of its SIGKILL; fail where it lives on or ended in another way."""
    worker.join(GONE_S)
    assert worker.exitcode == -signal.SIGKILL, f"{what}: exit status {worker.exitcode}"
