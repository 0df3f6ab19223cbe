"""The shortcut for plain redemptions: nobody can tell which way a request went, but by the time it took."""

from __future__ import annotations

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.shortcut import Shortcut
from app.main import create_app
from app.settings import Settings
from tests.apart import run_apart
from tests.world import Counter, World, counter, redemption_body

PLAIN = {"Content-Type": "application/json"}
BY_THE_ROUTE = {"Content-Type": "application/json; charset=utf-8"}
"""Means the same, but is not plain."""


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def test_a_redemption_is_repeated_by_the_other_way_with_the_same_bytes(desk: Counter) -> None:
    body = orjson.dumps(redemption_body(desk.voucher["code"], 1_000))
    first, second = (
        desk.machine.post("/v1/redemptions", content=body, headers=dict(way), key="K") for way in (PLAIN, BY_THE_ROUTE)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["idempotency-replayed"] == "true"
    assert first.content == second.content
    of_one_answer = {"date", "x-request-id", "idempotency-replayed", "ratelimit", "ratelimit-policy"}
    common = [
        {name: value for name, value in one.headers.items() if name not in of_one_answer} for one in (first, second)
    ]
    assert common[0] == common[1]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        (('"voucher_code":"', '"voucher_code":"330100-7K2M-9QXA-4TZ8","was":"'), 422, "validation_failed"),
        (('"order_no":', '"expected_subsidy_fen":1,"order_no":'), 409, "subsidy_changed"),
        (('"order_no":"O-1"', '"order_no":""'), 422, "validation_failed"),
        (('"total_fen":1000', '"total_fen":1' + "0" * 30), 422, "validation_failed"),
        (('"training"', '"inference"'), 422, "category_not_covered"),
    ],
)
def test_a_refusal_reads_the_same_by_both_ways(
    shared_world: World, changed: tuple[str, str], status: int, code: str
) -> None:
    desk = counter(shared_world.city())
    body = orjson.dumps(redemption_body(desk.voucher["code"], 1_000, order_no="O-1")).decode().replace(*changed)
    answers = [desk.machine.post("/v1/redemptions", content=body, headers=dict(way)) for way in (PLAIN, BY_THE_ROUTE)]
    plain, routed = (answer.json() | {"request_id": "-"} for answer in answers)
    assert plain == routed
    assert (answers[0].status_code, plain["code"]) == (status, code)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"order_no": NaN}', '{"order_no": "1"}'.encode("utf-16")])
def test_a_body_that_is_no_redemption_reads_the_same_by_both_ways(shared_world: World, content: bytes) -> None:
    desk = counter(shared_world.city())
    answers = [
        desk.machine.post("/v1/redemptions", content=content, headers=dict(way)) for way in (PLAIN, BY_THE_ROUTE)
    ]
    plain, routed = (answer.json() | {"request_id": "-"} for answer in answers)
    assert plain == routed
    assert answers[0].status_code == answers[1].status_code >= 400


def test_a_missing_key_or_token_is_told_by_the_route(desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000)
    keyless = desk.machine.http.post("/v1/redemptions", json=body)
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_missing")
    stranger = desk.city.world.anonymous().post("/v1/redemptions", json=body, headers={"Idempotency-Key": "S"})
    assert (stranger.status_code, stranger.json()["code"]) == (401, "unauthenticated")
    assert desk.balance_fen() == 1_000_000


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/v1/redemptions", b""),
        ("POST", "/v1/redemptions:batch", b"{}"),
        ("POST", "/v1/redemptions", b'{"not": "a redemption"}'),
    ],
)
def test_what_is_not_plain_is_passed_on_whole(method: str, path: str, content: bytes) -> None:
    passed: list[bytes] = []

    async def rest(_: Scope, receive: Receive, __: Send) -> None:
        message = await receive()
        passed.append(message["body"])

    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop()

    async def send(_: Message) -> None:
        raise AssertionError("nobody answers but the rest")

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-type", b"application/json")]}
    run_apart(Shortcut(rest)(scope, receive, send))
    assert passed == [content]


def test_a_plain_redemption_does_not_go_by_the_route(desk: Counter, settings: Settings) -> None:
    async def rest(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("the shortcut takes this")

    body = orjson.dumps(redemption_body(desk.voucher["code"], 1_000))
    headers = PLAIN | {"Authorization": desk.machine.http.headers["authorization"], "Idempotency-Key": "S"}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def redeem() -> None:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/v1/redemptions",
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
                "state": {"request_id": "r"},
                "client": None,
                "app": app,
            }
            await Shortcut(rest)(scope, receive, send)

    run_apart(redeem())
    assert sent[0]["status"] == 201
    assert desk.balance_fen() == 1_000_000 - 300
