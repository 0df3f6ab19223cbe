"""Where a provider's names lead: each address is judged, the connection goes to the judged one, TLS is for the name.

A small HTTPS server on this machine stands for the provider; what the name server says is told to each test.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.kernel.clock import utc_now
from app.openid import Attempt, NotProven, Provider, ProviderAway, ProviderSettings
from app.outbound import Network, networks

HERE = "127.0.0.1"
LOOPBACK = networks("127.0.0.0/8")


def certificate(folder: Path, *names: str) -> Path:
    """A certificate for these names and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{names[0]}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@dataclass
class There:
    """The provider, and what the name server says."""

    port: int
    folder: Path
    certificate: Path
    asked: list[str] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    says: dict[str, list[list[str]]] = field(default_factory=dict)
    """For each name its answers, one after another; the last one stays."""
    metadata: Callable[[dict[str, object]], dict[str, object]] = dict
    moved_to: str | None = None

    def resolve(self, host: str, port: int) -> Sequence[str]:
        assert port == self.port
        self.looked_up.append(host)
        told = self.says[host]
        return told.pop(0) if len(told) > 1 else told[0]

    @property
    def issuer(self) -> str:
        return f"https://login.example:{self.port}"

    def provider(self, allowed: Sequence[Network] = LOOPBACK) -> Provider:
        (self.folder / "secret").write_text("secret")
        given = {
            "id": "p",
            "name_zh": "平台",
            "name_en": "Platform",
            "issuer": self.issuer,
            "client_id": "us",
            "client_secret_file": str(self.folder / "secret"),
            "hosts": [f"keys.example:{self.port}"],
            "ca_file": str(self.certificate),
        }
        settings = ProviderSettings.model_validate(given)
        return Provider(settings, redirect_uri="https://us.example/back", networks=allowed, resolve=self.resolve)

    def signs_in(self, provider: Provider) -> None:
        async def work() -> None:
            attempt = Attempt.new()
            try:
                await provider.authorization_url(attempt, language="en")
                await provider.signed_in(attempt, {"state": attempt.state, "code": "c"})
            finally:
                await provider.close()

        asyncio.run(work())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    there: There


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        there = self.server.there
        there.asked.append(f"{self.headers['Host'].partition(':')[0]}{self.path}")
        if there.moved_to is not None:
            self.send_response(302)
            self.send_header("Location", there.moved_to)
            self.end_headers()
            return
        document: dict[str, object] = {
            "issuer": there.issuer,
            "authorization_endpoint": f"{there.issuer}/authorize",
            "token_endpoint": f"{there.issuer}/token",
            "jwks_uri": f"https://keys.example:{there.port}/jwks",
            "keys": [],
            "id_token": "a.b.c",
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(there.metadata(document)).encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def there(tmp_path: Path) -> Iterator[There]:
    file = certificate(tmp_path, "login.example", "keys.example")
    server = _Server((HERE, 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.there = There(server.server_port, tmp_path, file)
    server.there.says = {"login.example": [[HERE]], "keys.example": [[HERE]]}
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.there
    server.shutdown()
    server.server_close()


METADATA = "login.example/.well-known/openid-configuration"


def test_a_named_network_is_called_by_name_over_tls(there: There) -> None:
    with pytest.raises(NotProven):  # the ID token proves nothing, and was fetched
        there.signs_in(there.provider())
    assert there.asked[:2] == [METADATA, "login.example/token"]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"])
def test_a_provider_in_a_private_network_that_was_not_named_is_not_called(there: There, address: str) -> None:
    there.says["login.example"] = [[address]]
    with pytest.raises(ProviderAway, match="which is not called"):
        there.signs_in(there.provider(allowed=()))
    assert there.asked == []


def test_of_several_addresses_one_private_one_is_enough_to_refuse(there: There) -> None:
    there.says["login.example"] = [[HERE, "10.1.2.3"]]
    with pytest.raises(ProviderAway, match=r"10\.1\.2\.3"):
        there.signs_in(there.provider())
    assert there.asked == []


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri"])
def test_each_endpoint_is_judged_where_its_own_name_leads(there: There, endpoint: str) -> None:
    """Also one of a named host, that a name server or the metadata leads inside."""
    there.says["keys.example"] = [["169.254.169.254"]]
    moved = f"https://keys.example:{there.port}/latest/meta-data"
    there.metadata = lambda document: document | {endpoint: moved}
    if endpoint == "jwks_uri":
        there.metadata = lambda document: document | {endpoint: moved, "id_token": SIGNED}
    with pytest.raises(ProviderAway, match=r"169\.254\.169\.254"):
        there.signs_in(there.provider())
    assert there.looked_up[-1] == "keys.example"
    assert not [asked for asked in there.asked if asked.startswith("keys.example")]


SIGNED = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.AAAA"
"""`{"alg":"RS256","kid":"k1"}`, `{}` and no signature: enough to ask for the provider's keys."""


def test_a_name_that_leads_elsewhere_after_it_was_judged_is_judged_again(there: There) -> None:
    there.says["login.example"] = [[HERE], ["10.9.9.9"]]
    with pytest.raises(ProviderAway, match=r"10\.9\.9\.9"):
        there.signs_in(there.provider())
    assert there.asked == [METADATA]
    assert there.looked_up == ["login.example", "login.example"]


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "https://login.example/", "/elsewhere"])
def test_a_redirection_is_followed_nowhere(there: There, location: str) -> None:
    there.moved_to = location
    with pytest.raises(ProviderAway):
        there.signs_in(there.provider())
    assert there.asked == [METADATA]


def test_a_certificate_for_another_name_is_refused(there: There) -> None:
    other = There(there.port, there.folder, certificate(there.folder, "other.example"))
    other.says = {"login.example": [[HERE]]}
    with pytest.raises(ProviderAway, match="CERTIFICATE_VERIFY_FAILED"):
        other.signs_in(other.provider())
    there.says["other.example"] = [[HERE]]
    elsewhere = ProviderSettings.model_validate(
        there.provider().settings.model_dump() | {"issuer": f"https://other.example:{there.port}"}
    )
    provider = Provider(elsewhere, redirect_uri="https://us.example/back", networks=LOOPBACK, resolve=there.resolve)
    with pytest.raises(ProviderAway, match=r"not valid for 'other\.example'"):
        there.signs_in(provider)
    assert there.asked == []


def test_an_answer_without_end_is_not_read(there: There) -> None:
    there.metadata = lambda document: document | {"padding": "x" * 300_000}
    with pytest.raises(ProviderAway, match="longer than 262144 bytes"):
        there.signs_in(there.provider())
