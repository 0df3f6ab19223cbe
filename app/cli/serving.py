"""Running the service: its processes are children of this one and do not outlive it.

Nothing is restarted here. When a child ends by itself the others are stopped and its status is passed on: whoever
supervises this process (systemd, a container's restart policy) sees the fault and has the better means to act on it.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.cli.output import Failure

TICK_S = 0.1
DRAIN_S = 20
"""For requests under way; containers are given 30 s to stop."""
READY_S = 60
BACKLOG = 2048
KILL_AFTER_S = DRAIN_S + 5
NOT_FOR_THE_SERVICE = frozenset({"VOUCHER_OWNER_URL", "VOUCHER_SEALER_URL"})
"""The service owns nothing and seals nothing, so its environment does not hold their passwords either."""


class Service:
    """The running processes behind one address."""

    def __init__(self, url: str, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self.url = url
        self._processes = processes

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes, for whoever watches them."""
        return tuple(process.pid for process in self._processes)

    def ended(self) -> int | None:
        """The exit status of a process that has ended, as a shell gives it, or None while all are there."""
        for process in self._processes:
            status = process.poll()
            if status is not None:
                return 128 - status if status < 0 else status
        return None

    def wait(self) -> int:
        """Return when a process has ended by itself: its status."""
        while (status := self.ended()) is None:
            time.sleep(TICK_S)
        return status

    def wait_ready(self) -> None:
        """Return when the service answers that it can serve. Raises Failure."""
        deadline = time.monotonic() + READY_S
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as client:
            while time.monotonic() < deadline:
                if self.ended() is not None:
                    raise Failure("服务未能启动，请查看其日志。", "the service did not start; its log says why")
                try:
                    if client.get("/readyz").is_success:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(TICK_S / 2)
        raise Failure(f"服务在 {READY_S} 秒内未就绪。", f"the service was not ready within {READY_S} s")

    def stop(self) -> None:
        """Let requests under way finish, then end all processes."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + KILL_AFTER_S
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serving(
    database_url: str,
    state_dir: Path,
    *,
    listening: socket.socket,
    workers: int = 1,
    sealer_url: str | None,
    log_level: str = "info",
    log: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """The service on the listening socket while inside; `log` takes its output, else it goes where ours goes.

    With `sealer_url`, the database as the sealer's role, a sealer runs beside the workers. `settings` are variables of
    the service's environment that this caller decides.
    """
    host, port = listening.getsockname()[:2]
    url = f"http://{_reachable(host)}:{port}"
    own = {"VOUCHER_DATABASE_URL": database_url, "VOUCHER_STATE_DIR": str(state_dir), "VOUCHER_PUBLIC_URL": url}
    environment = _environment(own | dict(settings or {}))
    output = log.open("ab") if log else None
    lifeline, ours = os.pipe()
    processes: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: object, pass_fds: Sequence[int], **changes: str) -> None:
        processes.append(
            subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", module, *map(str, arguments)],
                env=environment | changes,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops them in order
            )
        )

    try:
        with ExitStack() as sockets:
            for one in one_each(listening, workers):
                numbers = (sockets.enter_context(one).fileno(), lifeline)
                start("app.cli.worker", *numbers, DRAIN_S, log_level, pass_fds=numbers)
        if sealer_url is not None:
            start("app.cli.seal", lifeline, pass_fds=[lifeline], VOUCHER_DATABASE_URL=sealer_url)
        service = Service(url, processes)
        try:
            yield service
        finally:
            service.stop()
    finally:
        os.close(ours)  # whatever is still there stops now
        os.close(lifeline)
        if output:
            output.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises PortTaken, or Failure for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return _listening((host, port), family, beside_ours=False)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"端口 {port} 已被占用。", f"port {port} is taken") from error
        raise Failure(f"无法监听 {host}:{port}（{error.strerror}）。", f"cannot listen on {host}:{port}") from error


def one_each(listening: socket.socket, workers: int) -> Iterator[socket.socket]:
    """A socket for each worker, all of one address, so that the kernel spreads the connections over them.

    Where all accept from one, whoever wakes first takes all that have just come, and of a few connections that send
    batches one worker mostly gets all. Spread by chance they seldom do. Only Linux spreads them; elsewhere they share.
    """
    yield listening
    for _ in range(workers - 1):
        if sys.platform == "linux":
            yield _listening(listening.getsockname(), listening.family, beside_ours=True)
        else:
            yield listening


def _listening(address: tuple[Any, ...], family: socket.AddressFamily, *, beside_ours: bool) -> socket.socket:
    """A socket that listens there, alone or beside those that this process has there already."""
    one = socket.socket(family)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if beside_ours:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        if not beside_ours:  # not before it is bound: another service on this port would not be noticed
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


class PortTaken(Failure):
    """Another program listens there."""


def _reachable(host: str) -> str:
    """The address under which this machine reaches a socket bound to `host`."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{local}]" if ":" in local else local


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Ours with the changes; a public address that was set by somebody stays."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_SERVICE}
    return {
        **inherited,
        **changes,
        "VOUCHER_PUBLIC_URL": inherited.get("VOUCHER_PUBLIC_URL") or changes["VOUCHER_PUBLIC_URL"],
    }
