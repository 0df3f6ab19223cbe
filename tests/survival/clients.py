"""Many clients in one process: plain HTTP/1.1 over asyncio, so that the load costs less than what it is put on.

A client repeats a request under its key until it is answered, as `docs/guides` asks of every integration.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple, TypeVar

from app.client.retries import is_transient
from tests.world import Actor, Counter, World, bill_body, redemption_body

T = TypeVar("T")

ANSWER_S = 20
"""For one try; a worker that is gone and not yet followed by another answers nothing."""
PATIENCE_S = 90
LONGEST_PAUSE_S = 0.4

_numbers = count(1)


class Response(NamedTuple):
    """What came back: the body as it was sent."""

    status: int
    replayed: bool
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Request:
    """A command under its key. `kind` is a row of the voucher's model; `asked_fen` is what the rules would grant."""

    kind: str
    voucher_id: str
    asked_fen: int
    path: str
    body: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A request and its answer: sent first at `invoked`, answered at `returned` (monotonic), after that many tries."""

    request: Request
    response: Response
    invoked: float
    returned: float
    tries: int


class Client:
    """One connection, opened anew whenever it is lost."""

    def __init__(self, address: tuple[str, int], actor: Actor) -> None:
        self._address = address
        self._headers = (
            f"Host: {address[0]}\r\nContent-Type: application/json\r\nAccept-Language: en\r\n"
            f"Authorization: {actor.http.headers['Authorization']}\r\n"
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._pauses = random.Random(next(_numbers))

    async def until_answered(self, request: Request) -> Answered:
        """Send it, again and again under the same key, until something was decided."""
        invoked = time.monotonic()
        for tried in count(1):
            try:
                response = await self.once(request)
            except (OSError, EOFError, TimeoutError):
                pass
            else:
                if not is_transient(response.status, _code(response)):
                    return Answered(request, response, invoked, time.monotonic(), tried)
            assert time.monotonic() < invoked + PATIENCE_S, f"{request.key} was not answered in {tried} tries"
            await asyncio.sleep(self._pauses.uniform(0, min(LONGEST_PAUSE_S, 0.02 * 2 ** min(tried, 10))))
        raise AssertionError

    async def once(self, request: Request) -> Response:
        """One try. Raises OSError, EOFError or TimeoutError where no whole answer came."""
        head = f"POST {request.path} HTTP/1.1\r\n{self._headers}Idempotency-Key: {request.key}\r\n"
        return await self._exchange(head, request.body)

    async def get(self, path: str) -> Response:
        return await self._exchange(f"GET {path} HTTP/1.1\r\n{self._headers}", b"")

    async def _exchange(self, head: str, body: bytes) -> Response:
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address)
                reader, writer = self._streams
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                return await _read(reader)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read(reader: asyncio.StreamReader) -> Response:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return Response(int(lines[0].split(" ", 2)[1]), "idempotency-replayed" in fields, body)


def _code(response: Response) -> str | None:
    return response.json.get("code") if response.status >= 400 else None


def address_of(world: World) -> tuple[str, int]:
    """The service beside the workers, in the tests' own process."""
    host, _, port = world.base_url.removeprefix("http://").partition(":")
    return host, int(port)


async def send_lanes(
    address: tuple[str, int],
    actor: Actor,
    lanes: Sequence[Sequence[Request]],
    *,
    heard: Callable[[Answered], None] = lambda _: None,
) -> list[Answered]:
    """All lanes at once, each from a connection of its own and one request after the other.

    A lane is what one machine of a provider does with its bills. `heard` is told each answer.
    """
    answered: list[Answered] = []

    async def send(lane: Sequence[Request]) -> None:
        client = Client(address, actor)
        try:
            for request in lane:
                answered.append(await client.until_answered(request))
                heard(answered[-1])
        finally:
            client.close()

    await asyncio.gather(*map(send, lanes))
    return answered


def redemption(
    desk: Counter, total_fen: int, *, rate_percent: int, order_no: str | None = None, **changes: Any
) -> Request:
    """A bill to redeem at the counter, under a programme that grants that part of it."""
    number = next(_numbers)
    body = redemption_body(desk.voucher["code"], total_fen, order_no=order_no or f"S{number}", **changes)
    asked_fen = total_fen * rate_percent // 100
    path = "/v1/redemptions"
    return Request("redeem", desk.voucher["id"], asked_fen, path, json.dumps(body).encode(), f"survival-{number}")


def batch(desk: Counter, total_fen: int, *, count: int) -> Request:
    """That many bills in one request."""
    number = next(_numbers)
    bills = [redemption_body(desk.voucher["code"], total_fen, order_no=f"B{number}-{n}") for n in range(count)]
    body = json.dumps({"redemptions": bills}).encode()
    return Request("batch", desk.voucher["id"], 0, "/v1/redemptions:batch", body, f"survival-{number}")


def rows_of(answered: Answered, asked_fen: int) -> list[Answered]:
    """The rows of a batch as if each had been sent alone."""
    return [
        replace(
            answered,
            request=replace(answered.request, kind="redeem", asked_fen=asked_fen, key=f"{answered.request.key}/{n}"),
            response=Response(row["status"], answered.response.replayed, json.dumps(row["body"]).encode()),
        )
        for n, row in enumerate(answered.response.json["data"])
    ]


def hold(desk: Counter, total_fen: int, *, rate_percent: int) -> Request:
    """Part of the voucher reserved for a bill to come."""
    number = next(_numbers)
    body = {"voucher_code": desk.voucher["code"], "hold_no": f"h{number}", "bill": bill_body(total_fen)}
    asked_fen = total_fen * rate_percent // 100
    return Request("hold", desk.voucher["id"], asked_fen, "/v1/holds", json.dumps(body).encode(), f"hold-{number}")


def redemption_from(desk: Counter, hold_id: str, total_fen: int, *, rate_percent: int) -> Request:
    """A bill on a hold."""
    number = next(_numbers)
    body = {"hold_id": hold_id, "order_no": f"p{number}", "bill": bill_body(total_fen)}
    asked_fen = total_fen * rate_percent // 100
    path, key = "/v1/redemptions", f"part-{number}"
    return Request("part", desk.voucher["id"], asked_fen, path, json.dumps(body).encode(), key)


def refund(desk: Counter, redemption_id: str, bill_fen: int, *, rate_percent: int) -> Request:
    """Part of a redeemed bill cancelled."""
    body = {"reason": "客户退单", "amount_fen": bill_fen}
    path = f"/v1/redemptions/{redemption_id}/refunds"
    asked_fen = bill_fen * rate_percent // 100
    return Request(
        "refund", desk.voucher["id"], asked_fen, path, json.dumps(body).encode(), f"survival-{next(_numbers)}"
    )
