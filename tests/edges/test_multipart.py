"""Forms with a file, byte by byte: what no form has is refused in words, on every route that takes one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from app.kernel.vocabulary import OrganisationKind, Role
from app.main import openapi_document
from tests.applications import papers
from tests.edges.raw import exchange, status_of
from tests.world import Actor, World, ok, problem

CONTROL = [bytes([code]) for code in (*range(0x20), 0x7F)]
IN_VALUES = [byte for byte in CONTROL if byte not in b"\t\n\r"]
STRANGE_CHARSETS = ("undefined", "idna", "punycode", "unicode_escape", "utf-16", "utf-7", "rot13", "nope", "latin-1")
BOUNDARY = b"a-boundary"


@dataclass(frozen=True)
class Sender:
    """Somebody who may send a form to a route, and the fields of one that could be right."""

    path: str
    actor: Actor
    fields: Mapping[str, str]

    def send(self, *parts: bytes, content_type: str = "multipart/form-data; boundary=a-boundary") -> httpx.Response:
        sent = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"
        headers = {"Content-Type": content_type, "Idempotency-Key": "k"}
        return self.actor.http.post(self.path, content=sent, headers=headers)

    def whole(self, *, name: bytes = b"a.pdf", **kept: bytes) -> list[bytes]:
        """All parts; the file under `name`, and `kept` instead of what a field would hold."""
        fields = [field(key.encode(), kept.get(key, value.encode())) for key, value in self.fields.items()]
        return [
            *fields,
            b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + papers.pdf(),
        ]


def field(name: bytes, value: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value


@pytest.fixture(scope="module")
def senders(shared_world: World) -> list[Sender]:
    world = shared_world
    city = world.city()
    programme_id = city.programme()
    registrar = world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY, "330000"), "330000")
    machine = world.machine(world.provider(city.region_code), city.region_code)
    batch = {"programme_id": programme_id, "declared_count": "1", "declared_total_fen": "100"}
    grants = {"title": "第一批", "declared_count": "1", "declared_total_fen": "100"}
    period = {"region_code": "330100", "period_from": "2026-01-01", "period_until": "2026-01-31"}
    listed = {"region_code": "330100", "authority_id": city.authority_id, "checkpoints": "issue"}
    tags = {"kind": "tags", "region_code": "330000", "tag": "sme", "since_on": "2026-01-01", "evidence": "文号"}
    return [
        Sender("/v1/uploads", world.person(Role.FIRM, world.firm()), {"region_code": "330100"}),
        Sender("/v1/issuance-batches", city.maker, batch),
        Sender("/v1/issuance-batches/annotated-sheet", city.maker, batch),
        Sender(f"/v1/programmes/{programme_id}/allocation-lists", city.maker, grants),
        Sender(f"/v1/programmes/{programme_id}/allocation-lists/annotated-sheet", city.maker, grants),
        Sender(f"/v1/programmes/{programme_id}/simulations", city.maker, {"versions": "[]"}),
        Sender("/v1/statements", machine, period),
        Sender("/v1/bank-lists", city.finance, period),
        Sender("/v1/organisation-lists", registrar, tags),
        Sender("/v1/debarment-lists", city.maker, listed),
    ]


def test_these_are_all_the_routes_that_take_a_file(senders: list[Sender]) -> None:
    taking = {
        path
        for path, operations in openapi_document()["paths"].items()
        if "multipart/form-data" in json.dumps(operations)
    }
    assert {re.sub(r"prg_\w+", "{programme_id}", sender.path) for sender in senders} == taking


def test_control_characters_are_refused_wherever_they_stand(senders: list[Sender]) -> None:
    for sender in senders:
        first, value = next(iter(sender.fields.items()))
        for byte in (b"\x00", b"\x01", b"\x1b", b"\x7f"):
            for parts in (
                sender.whole(name=b"a" + byte + b".pdf"),
                sender.whole(**{first: value.encode() + byte}),
                [*sender.whole(), field(b"x" + byte, b"1")],
            ):
                told = problem(sender.send(*parts), 400, "malformed_request")
                assert "control character" in told["detail"], (sender.path, byte)
            header = sender.whole()[-1].replace(b"\r\n\r\n", b"\r\nX-" + byte + b": 1\r\n\r\n", 1)
            problem(sender.send(*sender.whole()[:-1], header), 400, "malformed_request")


def test_each_control_character_is_one(senders: list[Sender]) -> None:
    sender = senders[0]
    for byte in CONTROL:
        if byte not in b"\r\n":  # which end the line, and with it the name
            problem(sender.send(*sender.whole(name=b"a" + byte + b".pdf")), 400, "malformed_request")
    for byte in IN_VALUES:
        problem(sender.send(*sender.whole(region_code=b"330100" + byte)), 400, "malformed_request")


def test_a_form_is_written_in_a_charset_of_forms(senders: list[Sender]) -> None:
    """Python knows codecs that raise what is no decoding error, and ones that make control characters of plain text."""
    for sender in senders:
        for charset in STRANGE_CHARSETS:
            given = f"multipart/form-data; boundary=a-boundary; charset={charset}"
            problem(sender.send(*sender.whole(), content_type=given), 415, "unsupported_media_type")
    given = "multipart/form-data; boundary=a-boundary; charset=gb18030"
    answer = senders[0].send(*senders[0].whole(name="合同.pdf".encode("gb18030")), content_type=given)
    assert ok(answer)["file_name"] == "合同.pdf"


@pytest.mark.parametrize(
    "boundary", [b"", b"; boundary", b"; boundary=", b"; boundary=\xc3\xa4", b"; boundary=" + b"x" * 5_000]
)
def test_a_boundary_that_is_none_is_refused(senders: list[Sender], boundary: bytes) -> None:
    for sender in senders:
        answer = sender.actor.http.post(
            sender.path,
            content=b"--\r\n\r\n----",
            headers=[(b"Content-Type", b"multipart/form-data" + boundary), (b"Idempotency-Key", b"k")],
        )
        problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\x0b", b"\x7f"])
def test_a_control_character_in_the_boundary_is_no_request(senders: list[Sender], byte: bytes) -> None:
    for sender in senders:
        head = f"POST {sender.path} HTTP/1.1\r\nHost: {sender.actor.http.base_url.netloc.decode()}\r\n".encode()
        said = exchange(
            str(sender.actor.http.base_url),
            [head + b"Content-Length: 0\r\nContent-Type: multipart/form-data; boundary=x" + byte + b"y\r\n\r\n"],
        )
        assert status_of(said) == 400 and b"malformed_request" in said, said


@pytest.mark.parametrize("path", ["/portal/sign-in", "/oauth/token", "/portal/calculator"])
@pytest.mark.parametrize("charset", ["undefined", "idna", "utf-16"])
def test_forms_without_a_file_survive_them_too(shared_world: World, path: str, charset: str) -> None:
    content_type = f"multipart/form-data; boundary=a-boundary; charset={charset}"
    content = b"--a-boundary\r\n" + field(b"login", b"\xff..\x00") + b"\r\n--a-boundary--\r\n"
    headers = {"Content-Type": content_type, "Origin": shared_world.base_url}
    answer = shared_world.anonymous().post(path, content=content, headers=headers, follow_redirects=False)
    assert 300 <= answer.status_code < 500, answer.text
