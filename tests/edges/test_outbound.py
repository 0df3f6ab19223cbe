"""Calls go to named hosts at public addresses, to the address that was judged, and nowhere else."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

import app
from app.outbound import BlockingOutbound, Outbound, OutboundFailed, OutboundRefused, is_public, judged, networks

LOOPBACK = networks("127.0.0.0/8")
PRIVATE = (
    "0.0.0.0",  # noqa: S104 - called, not bound
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fc00::1",
    "fe80::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_is_called_however_it_is_written(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(OutboundRefused):
        judged(httpx.URL("https://w.example/x"), [address], allowed=())


def test_public_addresses_are_called_and_of_a_name_all_must_be() -> None:
    url = httpx.URL("https://w.example/x")
    assert judged(url, ["8.8.8.8", "2606:4700::1111"], allowed=()) == "8.8.8.8"
    with pytest.raises(OutboundRefused):
        judged(url, ["8.8.8.8", "10.0.0.1"], allowed=())
    with pytest.raises(OutboundRefused):
        judged(url, [], allowed=())


def test_a_named_network_may_be_called_and_http_only_there() -> None:
    bureau = networks("10.20.0.0/16 fd00:20::/32")
    assert judged(httpx.URL("http://w.example"), ["10.20.1.1"], allowed=bureau) == "10.20.1.1"
    assert judged(httpx.URL("https://w.example"), ["fd00:20::1"], allowed=bureau) == "fd00:20::1"
    for url, address in (("http://w.example", "8.8.8.8"), ("https://w.example", "10.21.0.1"), ("ftp://w", "10.20.0.1")):
        with pytest.raises(OutboundRefused):
            judged(httpx.URL(url), [address], allowed=bureau)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow-head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self._drip()
            return
        self.server.seen.append((self.path, self.headers["Host"]))  # type: ignore[attr-defined]
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/slow":
            self._drip()
        self.wfile.write(b"x" * (2_000 if self.path == "/long" else 2))

    def _drip(self) -> None:
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_connection_goes_to_the_address_that_was_judged_whatever_the_name_says_next() -> None:
    told = [["127.0.0.1"], ["10.9.9.9"]]

    def rebinding(host: str, port: int) -> Sequence[str]:
        return told.pop(0)

    with answering() as server:
        host = f"w.example:{server.server_port}"
        with BlockingOutbound(Outbound([host], allowed=LOOPBACK, resolve=rebinding)) as outbound:
            assert outbound.call("GET", f"http://{host}/ok").body == b"xx"
            assert server.seen == [("/ok", host)]  # type: ignore[attr-defined]
            with pytest.raises(OutboundRefused, match=r"10\.9\.9\.9"):
                outbound.call("GET", f"http://{host}/ok")


def test_redirections_are_not_followed_and_long_or_slow_answers_not_read() -> None:
    with answering() as server:
        host = f"127.0.0.1:{server.server_port}"
        bounded = Outbound([host], allowed=LOOPBACK, max_bytes=1_000, whole_s=0.4)
        with BlockingOutbound(bounded) as outbound:
            assert outbound.call("GET", f"http://{host}/moved").status == 302
            with pytest.raises(OutboundFailed, match="longer than 1000"):
                outbound.call("GET", f"http://{host}/long")
            for drips in ("slow", "slow-head"):
                began = time.monotonic()
                with pytest.raises(OutboundFailed, match=r"longer than 0\.4 s"):
                    outbound.call("GET", f"http://{host}/{drips}")
                assert time.monotonic() - began < 4
    with BlockingOutbound(Outbound([host], allowed=LOOPBACK)) as outbound, pytest.raises(OutboundFailed):
        outbound.call("GET", f"http://{host}/ok")  # nobody is there any more


def test_a_name_server_that_does_not_answer_is_not_waited_for() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(2)
        return ["127.0.0.1"]

    with BlockingOutbound(Outbound(["w.example"], resolve=slow, whole_s=0.2)) as outbound:
        began = time.monotonic()
        with pytest.raises(OutboundFailed, match="longer"):
            outbound.call("GET", "https://w.example/")
        assert time.monotonic() - began < 1.8


def test_a_port_that_was_not_named_is_not_called() -> None:
    outbound = Outbound(["w.example", "other.example:8443", "[fd00::1]:8443", "政务.example"])
    called = [
        "https://w.example/",
        "https://W.EXAMPLE:443/x",
        "http://w.example:80/",
        "https://other.example:8443/",
        "https://[fd00::1]:8443/",
        "https://政务.example/",
        "https://xn--zfr164b.example/",
    ]
    assert [url for url in called if not outbound.names(url)] == []
    refused = ["https://w.example:8443/", "https://other.example/", "http://w.example:443/", "https://[fd00::1]/"]
    assert [url for url in refused if outbound.names(url)] == []
    for wrong in ("w.example:99999", "w.example:x", "a:b:c"):
        with pytest.raises(ValueError, match=r"ort|host"):
            Outbound([wrong])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://localhost/",
        "https://w.example@evil.example/",
        "https://user:word@w.example/",
        "https://w.example.evil.example/",
        "file:///etc/passwd",
        "gopher://w.example/",
        "//w.example/",
        "https://[::1]/",
        "https://2130706433/",
        "https://w.example\r\nHost: evil.example/",
    ],
)
def test_only_named_hosts_are_called(url: str) -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(f"{host} was looked up")

    with BlockingOutbound(Outbound(["w.example"], resolve=never)) as outbound, pytest.raises(OutboundRefused):
        outbound.call("GET", url)


CALLERS = {
    "app/outbound.py",
    "app/cli/client.py",
    "app/cli/proving.py",
    "app/cli/sending.py",
    "app/cli/serving.py",
}
"""Who makes connections: calls out, and the command line as a client of the service."""
HTTP = {"httpx", "httpcore", "requests", "urllib3", "aiohttp", "http.client", "urllib.request", "ftplib", "smtplib"}


def test_nobody_else_in_the_service_calls_out() -> None:
    root = Path(app.__file__).parent.parent
    found = set()
    for path in (root / "app").rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if name.startswith(("app/client/", "app/verifier/")):
            continue  # what runs with a provider or an auditor, never in the service
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(one in HTTP or one.split(".")[0] in HTTP for one in imported):
                found.add(name)
    assert found == CALLERS
