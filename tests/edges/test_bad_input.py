"""Whatever is sent: a problem that says why, in flat time and memory, and the service goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.edges.json_shape import fault_of
from app.cli.protocol import GuardedProtocol
from app.database import Database
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving
from tests.edges.raw import exchange, status_of
from tests.world import Actor, World, problem

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
HEAD = b"POST /v1/redemptions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def machine(shared_world: World) -> Actor:
    return shared_world.machine(shared_world.provider())


def post(actor: Actor, content: Any, path: str = "/v1/redemptions", **headers: str) -> httpx.Response:
    return actor.http.post(path, content=content, headers=JSON | {"Idempotency-Key": "bad"} | headers)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def chunks(piece: bytes, size: int) -> Iterator[bytes]:
    for _ in range(size // len(piece)):
        yield piece


def test_ten_megabytes_of_nested_json_are_refused_in_flat_memory(machine: Actor) -> None:
    before = resident_bytes()
    deep = b"[" * (10 * MIB)
    for _ in range(3):
        problem(post(machine, deep), 413, "body_too_large")
        problem(post(machine, chunks(b"[" * 65_536, 10 * MIB)), 413, "body_too_large")  # no length is announced
        problem(post(machine, b'{"a":' * (7 * MIB // 5), "/v1/issuance-batches"), 400, "malformed_request")
        problem(post(machine, b"[" * MIB), 400, "malformed_request")
        assert resident_bytes() - before < 200 * MIB
    assert machine.get("/v1/redemptions").status_code == 200


def test_what_announces_to_be_too_long_is_refused_before_it_is_read(shared_world: World) -> None:
    said = exchange(shared_world.base_url, [HEAD + b"Content-Length: 50000000\r\n\r\n{"])
    assert status_of(said) == 413 and b"body_too_large" in said  # at once, and not 408 after a while


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b'{"a":[' * 33 + b"]}" * 33, "nested deeper than 64 levels"),
        (b"[" + b",".join([b"[" * 64 + b"]" * 64] * 40) + b"]", "nested deeper than 64 levels"),
        (b'{"order_no":"A","order_no":"B"}', "two members of one name"),
        (b'{"a":{"b":1,"\\u0062":2}}', "two members of one name"),
        (b"[" + b"1," * 200_000 * 5 + b"1]", "more than 1,000,000 values"),
        (b'{"a":"\\ud800"}', "not JSON"),
        ('{"a":"文"}'.encode("utf-16"), "not JSON"),
        (b'{"a":NaN}', "not JSON"),
    ],
)
def test_json_out_of_shape_is_malformed(body: bytes, why: str) -> None:
    fault = fault_of(body)
    assert fault is not None
    assert why in fault.context["why"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 64 + b"]" * 64,
        b'{"a":[' * 32 + b"]}" * 32,
        b"[" + b",".join([b"[" * 63 + b"]" * 63] * 40) + b"]",
        b'{"a":"{[\\"{[:,","b":{"a":1},"c":[{"a":1},{"a":1}]}',
        '{"说明":"第一行\\n\\\\u0000 引号 \\"，冒号:"}'.encode(),
        b'{"a":"' + b'\\"' * 40_000 + b'"}',
        b"5",
        b'"x"',
        b"[" + b"{}," * 100 + b"{}]",
    ],
)
def test_json_in_shape_is_let_through(body: bytes) -> None:
    json.loads(body)
    assert fault_of(body) is None


def test_what_is_wrong_with_a_body_is_said_in_both_languages(machine: Actor) -> None:
    for content in (
        b"[" * 100_000,
        b'{"a":1,"a":1}',
        b'{"a":"\xff"}',
        b'{"bill":{"total_fen":1e400}}',
        b"\xef\xbb\xbf{}",
    ):
        for language, needle in (("en", " "), ("zh-CN", "请")):
            answer = post(machine, content, **{"Accept-Language": language})
            assert answer.status_code in {400, 422}, (content[:20], answer.text)
            assert needle in answer.json()["detail"] and len(answer.content) < 4_000


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "1" * 5_000, "NaN", "1.5", "-1", "1e2", "true"])
def test_no_number_but_a_whole_one_is_an_amount(machine: Actor, number: str) -> None:
    line = f'{{"category":"training","quantity":"1","unit":"card_hour","unit_price":"0.01","amount_fen":{number}}}'
    body = f'{{"voucher_code":"330100-2222-2222-2222","order_no":"A","bill":{{"total_fen":{number},"lines":[{line}]}}}}'
    answer = post(machine, body.encode())
    assert answer.status_code in {400, 422}, answer.text
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json, text/plain", 415),
        ("", 415),
        ("application/json; charset=utf-16", 422),  # RFC 8259 knows no charset: it is read as UTF-8
        ("APPLICATION/JSON", 422),
    ],
)
def test_what_does_not_say_to_be_json_is_not_read_as_json(machine: Actor, sent: str, status: int) -> None:
    assert post(machine, b'{"order_no":5}', **{"Content-Type": sent}).status_code == status


def test_compressed_bodies_are_not_unpacked(machine: Actor) -> None:
    bomb = gzip.compress(b"[" * (50 * MIB))
    assert len(bomb) < 100_000
    for encoding in ("gzip", "deflate", "br", "identity, gzip", "zstd"):
        problem(post(machine, bomb, **{"Content-Encoding": encoding}), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    [
        "/portal/static/../../../settings.py",
        "/portal/static/%2e%2e/%2e%2e/guard.py",
        "/portal/static/..%2f..%2fguard.py",
        "/portal/static/%00",
        "/portal/static//etc/passwd",
        "/portal/static/....//....//etc/passwd",
        "/static-offline-docs/..%5c..%5cpyproject.toml",
        "/v1/../openapi.json/..%00",
        "/v1/logs/330100/tile/../../../../../etc/passwd",
        "/v1/logs/330100/tile/0/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/vouchers/%c0%ae%c0%ae%2f",
    ],
)
def test_no_path_leads_out_of_its_folder(shared_world: World, path: str) -> None:
    said = exchange(
        shared_world.base_url, [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()]
    )
    assert status_of(said) in {307, 400, 401, 404}, said[:300]
    assert b"root:" not in said and b"import" not in said


def test_a_method_is_what_it_says_and_nothing_else(machine: Actor) -> None:
    for header in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        assert machine.http.get("/v1/redemptions", headers={header: "DELETE"}).status_code == 200
        assert machine.http.get("/v1/redemptions", params={"_method": "POST"}).status_code == 200
    for method in ("TRACE", "PROPFIND", "CONNECT", "PUT"):
        answer = machine.http.request(method, "/v1/redemptions")
        assert answer.status_code in {400, 404, 405}, method


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "////;;;q=zz"},
        {"Accept": "application/xml;q=NaN"},
        {"Accept-Language": "zz;q=1e9,;;,*;q=-1"},
        {"Accept-Language": "é" * 500},
        {"Range": "bytes=9-1,-,99999999999999999999-"},
        {"If-Match": 'W/"' + "x" * 500},
        {"If-Match": "\x7f\t,,"},
        {"If-None-Match": "*" * 500},
        {"If-Modified-Since": "not a day"},
        {"Prefer": "respond-async; wait=1e400"},
        {"Authorization": "Bearer " + "." * 5_000},
        {"Authorization": "Basic =="},
        {"Cookie": "voucher_session=" + "%00;" * 100},
        {"Idempotency-Key": "x" * 5_000},
        {"Content-Length": "0", "Transfer-Encoding": "chunked"},
    ],
)
def test_headers_that_nobody_understands_hurt_nobody(machine: Actor, headers: dict[str, str]) -> None:
    sent = {name: value.encode("utf-8") for name, value in headers.items()}
    for path in ("/v1/redemptions", "/v1/units", "/portal/static/portal.css", "/portal/sign-in", "/notices", "/docs"):
        answer = machine.http.get(path, headers=sent)  # type: ignore[arg-type]
        assert answer.status_code < 500, (path, headers, answer.text)


def test_many_or_long_headers_and_addresses_are_refused(machine: Actor, shared_world: World) -> None:
    problem(machine.http.get("/v1/units", headers={f"X-{n}": "1" for n in range(120)}), 431, "headers_too_large")
    problem(machine.http.get("/v1/units", headers={"X-Long": "x" * 40_000}), 431, "headers_too_large")
    problem(machine.http.get("/v1/redemptions?order_no=" + "x" * 9_000), 414, "address_too_long")
    problem(machine.http.get("/v1/redemptions?order_no=A%00"), 422, "validation_failed")
    flood = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", *chunks(b"X-Flood: " + b"x" * 8_000 + b"\r\n", 20 * MIB)]
    before = resident_bytes()
    said = exchange(shared_world.base_url, flood)
    assert status_of(said) in {0, 431}  # 0: the connection was cut while we still sent
    assert resident_bytes() - before < 50 * MIB
    said = exchange(shared_world.base_url, [b"GET /" + b"a" * 100_000])
    assert status_of(said) == 431 and "请求头过大" in said.decode()


def test_what_follows_a_body_is_no_header(machine: Actor, shared_world: World) -> None:
    token = machine.http.headers["Authorization"].encode()
    said = exchange(
        shared_world.base_url,
        [
            HEAD + b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\nConnection: close\r\n\r\n",
            b"2\r\n{}\r\n0\r\nAuthorization: " + token + b"\r\n\r\n",
        ],
        pause_s=0.05,
    )
    assert status_of(said) == 401


def test_what_is_no_http_is_a_problem_in_words(shared_world: World) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header: 1\r\nX\r\n\r\n"):
        said = exchange(shared_world.base_url, [nonsense])
        assert status_of(said) == 400 and b"application/problem+json" in said, said
    smuggled = HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/units HTTP/1.1\r\n\r\n"
    said = exchange(shared_world.base_url, [smuggled])
    assert status_of(said) == 400 and b"HTTP/1.1 2" not in said and b"HTTP/1.1 4" not in said[1:]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("LOCALHOST:1", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("10.0.0.1", 421),
        ("[::1]:80", 200),
        ("", 421),
    ],
)
def test_the_service_answers_to_its_own_names(shared_world: World, host: str, status: int) -> None:
    http = shared_world.anonymous()
    assert http.get("/v1/units", headers={"Host": host}).status_code == status
    assert http.get("/readyz", headers={"Host": host}).status_code == 200  # whoever watches it asks by address


def test_of_two_hosts_none_counts(shared_world: World) -> None:
    ask = b"GET /v1/units HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert status_of(exchange(shared_world.base_url, [ask])) in {400, 421}
    assert status_of(exchange(shared_world.base_url, [b"GET /v1/units HTTP/1.1\r\nConnection: close\r\n\r\n"])) == 421


def test_slow_requests_are_ended_and_others_do_not_wait(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_s", 0.5)
    with serving(settings.model_copy(update={"body_grace_s": 0.5, "hosts": "vouchers.example"})) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        for start in (HEAD + b"Content-Length: 500\r\n\r\n{", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
            assert status_of(exchange(base_url, [start])) == 408
        drip = [HEAD + b"Content-Length: 500\r\n\r\n", *[b" "] * 12]
        assert status_of(exchange(base_url, drip, pause_s=0.1)) == 408
        slow_head = exchange(base_url, [b"GET / HTTP/1.1\r\n", *[b"X: 1\r\n"] * 8], pause_s=0.1)
        assert status_of(slow_head) == 408 and b"request_too_slow" in slow_head
        assert exchange(base_url, []) == b""  # who connects and says nothing is hung up on
        http = world.anonymous()
        assert http.get("/v1/units", headers={"Host": "vouchers.example"}).status_code == 200
        assert http.post("/v1/redemptions", content=b"{}", headers=JSON).status_code == 401
        world.close()
