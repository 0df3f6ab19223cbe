"""The load: one process that sends redemptions over kept connections and measures each answer.

It shares two cores with the service and the database, so it must cost next to nothing: a bare asyncio protocol on
uvloop that joins prepared bytes into a request and reads no more of an answer than its status and its length. (A
comfortable client costs 150 to 500 µs a request, as much as what is to be measured; this one about 40 on the same
machine.) It checks that answers are 201; what they say is checked afterwards, in the books.

Closed loop: each client sends its next request when it has its answer. Open loop: requests are due at random instants
of a fixed mean rate, whether or not earlier ones are answered, and wait here for a free connection; their latency
counts from the instant at which they were due, so a stalled service cannot hide behind a stalled generator.

Reads its plan as JSON on standard input, writes what it found as JSON on standard output.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop

TICK_S = 0.001
DRAIN_S = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. `requests` above 0 ends a closed loop by number instead of by time."""

    host: str
    port: int
    tokens: list[str]
    targets: list[tuple[str, int]]
    clients: int
    seconds: float
    warm_s: float
    name: str
    seed: int
    rate: float = 0
    """Requests a second of an open loop; 0 for a closed one."""
    rows: int = 0
    """Redemptions in one request to the batch endpoint; 0 for single requests."""
    requests: int = 0


@dataclass(slots=True)
class Found:
    """What was measured. Rates and latencies are those of the window after warming up; `acknowledged` are all 201."""

    per_second: float = 0
    p50_ms: float = 0
    p99_ms: float = 0
    acknowledged: int = 0
    answers: int = 0
    others: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0
    """Processor seconds of this process from the first request to the last answer."""
    late: int = 0
    """Requests of an open loop that were never sent: the service had fallen so far behind."""


class Requests:
    """The bytes of one request after another, each with a key and an order number of its own."""

    def __init__(self, plan: Plan) -> None:
        self._draw = random.Random(plan.seed)
        self._plan = plan
        self._sent = 0
        bills = []
        for hundredths in range(100, 999):  # 1.00 to 9.98 card hours at 38.50 yuan, the amount to the fen
            amount_fen = (hundredths * 77 + 1) // 2
            bills.append(
                f'"bill":{{"total_fen":{amount_fen},"lines":[{{"category":"training","quantity":'
                f'"{hundredths // 100}.{hundredths % 100:02d}","unit":"card_hour","unit_price":"38.50",'
                f'"amount_fen":{amount_fen}}}]}}}}'
            )
        self._bills = [bill.encode() for bill in bills]
        self._codes = [(f'{{"voucher_code":"{code}","order_no":"'.encode(), place) for code, place in plan.targets]
        path = "/v1/redemptions:batch" if plan.rows else "/v1/redemptions"
        self._heads = [
            (
                f"POST {path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nIdempotency-Key: "
            ).encode()
            for token in plan.tokens
        ]
        self._of_machine: dict[int, list[bytes]] = {}
        for code, place in self._codes:
            self._of_machine.setdefault(place, []).append(code)
        self._machines = sorted(self._of_machine)
        self._name = plan.name.encode()

    def __call__(self) -> bytes:
        """The next request."""
        self._sent += 1
        number = b"%s-%d" % (self._name, self._sent)
        if self._plan.rows:
            return self._batch(number)
        code, place = self._draw.choice(self._codes)
        bill = self._draw.choice(self._bills)
        size = len(code) + len(number) + len(bill) + 2
        return b"".join(
            (self._heads[place], number, b"\r\nContent-Length: %d\r\n\r\n" % size, code, number, b'",', bill)
        )

    def _batch(self, number: bytes) -> bytes:
        place = self._draw.choice(self._machines)
        codes = self._of_machine[place]
        rows = b",".join(
            b'%s%s-%d",%s' % (self._draw.choice(codes), number, row, self._draw.choice(self._bills))
            for row in range(self._plan.rows)
        )
        body = b'{"redemptions":[%s]}' % rows
        return b"".join((self._heads[place], number, b"\r\nContent-Length: %d\r\n\r\n" % len(body), body))


class Connection(asyncio.Protocol):
    """One kept connection, with at most one request under way."""

    def __init__(self, answered: Callable[[Connection, int, int], None], lost: Callable[[], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._busy = False
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        if self._busy:
            self._lost()

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self.due = due
        self._busy = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        read = self._read + data if self._read else data
        end = read.find(b"\r\n\r\n")
        if end < 0:
            self._read = read
            return
        at = read.find(b"content-length: ", 0, end)
        size = int(read[at + 16 : read.find(b"\r\n", at)])
        if len(read) < end + 4 + size:
            self._read = read
            return
        self._read, self._busy = b"", False
        created = read.count(b'"status":201,') if read.startswith(b"HTTP/1.1 200") else 0
        self._answered(self, int(read[9:12]), created)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


class Load:
    """One measurement."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._next = Requests(plan)
        self._latencies = array("d")
        self._statuses: Counter[int] = Counter()
        self._acknowledged = 0
        self._counted = 0
        self._under_way = 0
        self._left = plan.requests or sys.maxsize
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self._from = self._until = self._last = 0.0
        self._lost = 0
        self._ended = asyncio.Event()
        self._cpu: list[float] = []

    async def run(self) -> Found:
        """Send all there is to send and wait for the answers."""
        plan, loop = self._plan, asyncio.get_running_loop()
        connections = []
        for _ in range(plan.clients):
            _, connection = await loop.create_connection(
                lambda: Connection(self._answer, self._lose), plan.host, plan.port
            )
            connections.append(connection)
        now = time.perf_counter()
        self._from, self._until = now + plan.warm_s, now + plan.warm_s + plan.seconds
        if plan.requests:
            self._until = float("inf")
        self._note_cpu()
        if plan.rate:
            self._free = connections
            await self._open()
        else:
            for connection in connections:
                self._send(connection, time.perf_counter())
        patience_s = None if plan.requests else self._until - time.perf_counter() + DRAIN_S
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), patience_s)
        self._note_cpu()
        for connection in connections:
            connection.close()
        return self._found()

    async def _open(self) -> None:
        draw = random.Random(self._plan.seed + 1)
        due = time.perf_counter()
        while (now := time.perf_counter()) < self._until:
            while due <= now:
                if self._free:
                    self._send(self._free.pop(), due)
                else:
                    self._waiting.append(due)
                due += draw.expovariate(self._plan.rate)
            await asyncio.sleep(TICK_S)
        self._end_if_idle()

    def _lose(self) -> None:
        self._under_way -= 1
        self._lost += 1
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if not self._under_way and (self._left <= 0 or time.perf_counter() >= self._until):
            self._ended.set()

    def _send(self, connection: Connection, due: float) -> None:
        self._under_way += 1
        self._left -= 1
        connection.send(self._next(), due)

    def _answer(self, connection: Connection, status: int, created: int) -> None:
        now = time.perf_counter()
        self._under_way -= 1
        self._statuses[status] += 1
        done = created if self._plan.rows else int(status == 201)
        self._acknowledged += done
        if self._from <= now < self._until:
            self._counted += done
            self._last = now
        if self._from <= (now if not self._plan.rate else connection.due) < self._until:
            self._latencies.append(now - connection.due)
        if now >= self._until or self._left <= 0:
            self._end_if_idle()
        elif self._plan.rate:
            if self._waiting:
                self._send(connection, self._waiting.popleft())
            else:
                self._free.append(connection)
        else:
            self._send(connection, now)

    def _note_cpu(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._cpu.append(used.ru_utime + used.ru_stime)

    def _found(self) -> Found:
        latencies = sorted(self._latencies)
        window_s = self._plan.seconds if not self._plan.requests else self._last - self._from
        expected = 200 if self._plan.rows else 201
        others = {str(status): number for status, number in self._statuses.items() if status != expected}
        if self._plan.rows and (refused := self._statuses[200] * self._plan.rows - self._acknowledged):
            others["rows not 201"] = refused
        if self._under_way:
            others["never answered"] = self._under_way
        if self._lost:
            others["connections lost"] = self._lost
        return Found(
            per_second=self._counted / window_s,
            p50_ms=_quantile(latencies, 0.50) * 1e3,
            p99_ms=_quantile(latencies, 0.99) * 1e3,
            acknowledged=self._acknowledged,
            answers=len(latencies),
            others=others,
            cpu_s=self._cpu[-1] - self._cpu[0],
            late=len(self._waiting),
        )


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def main() -> None:
    """Do what the plan says."""
    given: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(uvloop.run(Load(Plan(**given)).run())), sys.stdout)


if __name__ == "__main__":
    main()
