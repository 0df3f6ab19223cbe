"""A network that fails on purpose: a server between a client and the service, which drops, refuses or lets pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_FOR_ONE_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server", "host"}


class Fault(Enum):
    """What becomes of one request."""

    LOST_ON_THE_WAY = auto()
    """The connection ends before the service hears of it."""
    LOST_ANSWER = auto()
    """The service does it, and the connection ends before its answer."""
    HELD_ANSWER = auto()
    """The service does it, and its answer waits until `Network.let_go`."""


@dataclass(frozen=True)
class Answer:
    """Given in the service's stead."""

    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    key: str | None
    body: bytes


@dataclass
class Network:
    """Faults happen in their order, one for each request that they are `about`; then everything passes."""

    url: str
    faults: list[Fault | Answer] = field(default_factory=list)
    about: str = ""
    seen: list[Seen] = field(default_factory=list)
    done: list[Seen] = field(default_factory=list)
    """Those that the service has answered, whatever became of its answer."""
    let_go: threading.Event = field(default_factory=threading.Event)

    def keys(self) -> list[str | None]:
        return [one.key for one in self.seen]

    def next_fault(self, path: str) -> Fault | Answer | None:
        return self.faults.pop(0) if self.faults and path.startswith(self.about) else None


@contextmanager
def network_to(service: str) -> Iterator[Network]:
    """A way to the service that can fail."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen = Seen(self.command, self.path, self.headers.get("Idempotency-Key"), body)
            network.seen.append(seen)
            fault = network.next_fault(self.path)
            if isinstance(fault, Answer):
                document = f'{{"code": "{fault.code}", "detail": "told by the network"}}'.encode()
                self._answer(fault.status, {"Content-Type": "application/problem+json"} | fault.headers, document)
            elif fault is Fault.LOST_ON_THE_WAY:
                self._hang_up()
            else:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _FOR_ONE_HOP}
                answer = through.request(self.command, self.path, headers=headers, content=body)
                network.done.append(seen)
                if fault is Fault.HELD_ANSWER:
                    network.let_go.wait(60)
                if fault in {Fault.LOST_ANSWER, Fault.HELD_ANSWER}:
                    self._hang_up()
                else:
                    kept = {name: value for name, value in answer.headers.items() if name not in _FOR_ONE_HOP}
                    self._answer(answer.status_code, kept, answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815 - as the library calls them

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _hang_up(self) -> None:
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    network = Network(f"http://127.0.0.1:{server.server_port}")
    with httpx.Client(base_url=service, timeout=60, trust_env=False, verify=False) as through:  # noqa: S501 - no TLS here
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield network
        finally:
            network.let_go.set()
            server.shutdown()
            thread.join()
            server.server_close()
