"""A real OpenID Connect provider in a process of its own, and whoever sits between it and the service.

The provider signs, and remembers codes and nonces, like any. `Between` is where the service believes it to be: it hands
everything on, checks PKCE (RFC 7636), which this provider does not, and does what an adversary would when told to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import httpx

Json = dict[str, Any]
START_S = 30
PATIENCE_S = 30
"""For an answer on a busy machine; httpx alone waits for five seconds."""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@contextmanager
def running_provider() -> Iterator[str]:
    """The provider's process; who signs in there says who he is, and the claims are set over HTTP."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    process = subprocess.Popen(
        [*command, "--no-refresh-token", "true", "--token-max-age", "300"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"AUTHLIB_INSECURE_TRANSPORT": "1"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not _answers(address):
            assert process.poll() is None and time.monotonic() < deadline, "the provider did not start"
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/jwks", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


class Said(NamedTuple):
    status: int
    content: bytes
    headers: dict[str, str]


def untouched(document: Json) -> Json:
    return document


class Between:
    """Where the service believes the provider to be."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        # The provider (uvicorn) closes what was idle for five seconds, which is how long httpx keeps a connection: on a
        # busy machine a request would now and then go into one that is just being closed, and be answered by nobody.
        unkept = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=provider, trust_env=False, timeout=PATIENCE_S, limits=unkept)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.between = self
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.reset()

    def reset(self) -> None:
        self.metadata: Callable[[Json], Json] = untouched
        self.jwks: Callable[[Json], Json] = untouched
        self.token: Callable[[Json], Json] = untouched
        self.status: int | None = None
        """What every answer is instead."""
        self.said = b'{"error": "server_error"}'
        """And what is said with it."""
        self.hangs_up = False
        """Whether connections end without an answer."""
        self.drips = False
        """Whether answers come byte by byte, and never end."""
        self.challenges: set[str] = set()
        self.asked: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.authorizations: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()
        self._thread.join(timeout=10)

    def _changed(self, path: str, document: Json) -> Json:
        if path == "/.well-known/openid-configuration":
            return self.metadata(document)
        return {"/jwks": self.jwks, "/oauth2/token": self.token}.get(path, untouched)(document)

    def _pkce_is_right(self, form: dict[str, list[str]]) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() in self.challenges

    def answered(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Said:
        """What the provider says to a request, or what is said instead."""
        parts = urlsplit(target)
        if self.status is not None:
            return Said(self.status, self.said, {})
        if parts.path == "/oauth2/authorize":
            query = parse_qs(parts.query)
            assert query["code_challenge_method"] == ["S256"]
            self.challenges.update(query["code_challenge"])
        if parts.path == "/oauth2/token":
            form = parse_qs(body.decode())
            self.forms.append(form)
            self.authorizations.append(headers.get("Authorization", ""))
            if not self._pkce_is_right(form):
                return Said(400, b'{"error": "invalid_grant"}', {})
        handed_on = {name: headers[name] for name in ("Host", "Content-Type", "Authorization") if name in headers}
        got = self._http.request(method, target, headers=handed_on, content=body)
        content = got.content
        if got.headers.get("content-type", "").startswith("application/json"):
            content = json.dumps(self._changed(parts.path, got.json())).encode()
        kept = {name: got.headers[name] for name in ("content-type", "location") if name in got.headers}
        return Said(got.status_code, content, kept)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    between: Between


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _handle(self, body: bytes) -> None:
        between = self.server.between
        between.asked.append(urlsplit(self.path).path)
        if between.drips:
            self._drip()
            return
        if between.hangs_up:
            self.close_connection = True
            return
        said = between.answered(self.command, self.path, dict(self.headers.items()), body)
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.content)))
        self.end_headers()
        self.wfile.write(said.content)

    def _drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(600):
                self.wfile.write(b"a")
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
