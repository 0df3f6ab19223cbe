"""A TCP proxy that cuts connections by a seeded policy, in a thread of its own. Cut is cut: both ends are reset."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")

UP, DOWN = "to the server", "to the client"


class Cut(StrEnum):
    """How much of a chunk still gets through before the connection is cut."""

    NOTHING = "nothing of it forwarded"
    HALF = "half of it forwarded"
    ALL = "all of it forwarded"


class Chunk(NamedTuple):
    """What was read at once from one side of a connection."""

    direction: str
    data: bytes
    connection: Counter[str]
    """The policy's own notes about this connection."""


class Policy(Protocol):
    """Decides chunk by chunk; None lets it pass."""

    def __call__(self, chunk: Chunk) -> Cut | None: ...


class RandomCuts:
    """Cuts at any chunk of either direction. Going down, nothing forwarded: done there, and nobody is told.

    The gaps between cuts and the kinds of cuts are drawn, each direction by itself, so that all kinds come up.
    """

    def __init__(self, seed: int, *, longest_gap: int) -> None:
        self._draws = random.Random(seed)
        self._longest_gap = longest_gap
        self._left = {direction: self._draws.randint(1, longest_gap) for direction in (UP, DOWN)}
        self._kinds = {direction: shuffled(self._draws, list(Cut)) for direction in (UP, DOWN)}
        self.made: Counter[tuple[str, Cut]] = Counter()

    def __call__(self, chunk: Chunk) -> Cut | None:
        self._left[chunk.direction] -= 1
        if self._left[chunk.direction]:
            return None
        self._left[chunk.direction] = self._draws.randint(1, self._longest_gap)
        cut = next(self._kinds[chunk.direction])
        self.made[chunk.direction, cut] += 1
        return cut


class CommitCuts:
    """Cuts a database's connection at every other COMMIT: before it arrives, or done and not yet acknowledged."""

    COMMIT = b"COMMIT\0"

    def __init__(self, seed: int) -> None:
        self._fates = shuffled(random.Random(seed), ["passes", "passes", "not committed", "committed"])
        self.made: Counter[str] = Counter()

    def __call__(self, chunk: Chunk) -> Cut | None:
        if chunk.direction == DOWN and chunk.connection["acknowledgement is lost"]:
            self.made["committed"] += 1
            return Cut.NOTHING
        if chunk.direction == UP and self.COMMIT in chunk.data:
            fate = next(self._fates)
            if fate == "not committed":
                self.made[fate] += 1
                return Cut.NOTHING
            chunk.connection["acknowledgement is lost"] += fate == "committed"
        return None


def shuffled(draws: random.Random, values: list[T]) -> Iterator[T]:
    """All values in a drawn order, and again in another one, for ever."""
    while True:
        draws.shuffle(values)
        yield from values


class Proxy:
    """Forwards to the target what the policy lets pass, while it is on."""

    def __init__(self, target: tuple[str, int], policy: Policy) -> None:
        self._target = target
        self._policy = policy
        self._loop = asyncio.new_event_loop()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address: tuple[str, int] = self._listening.getsockname()
        self.on = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the proxy did not stop"
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, sock=self._listening)
        async with server:
            await self._stopping.wait()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            with suppress(OSError):
                target_reader, target_writer = await asyncio.open_connection(*self._target)
                ends.append(target_writer)
                notes: Counter[str] = Counter()
                ways = [
                    asyncio.ensure_future(self._forward(UP, reader, target_writer, notes)),
                    asyncio.ensure_future(self._forward(DOWN, target_reader, writer, notes)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for end in ends:
                _reset(end)

    async def _forward(
        self, direction: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter, notes: Counter[str]
    ) -> None:
        """Return when the connection has ended or is to be cut."""
        with suppress(OSError):
            while data := await source.read(65_536):
                cut = self._policy(Chunk(direction, data, notes)) if self.on.is_set() else None
                passed = {None: len(data), Cut.NOTHING: 0, Cut.HALF: len(data) // 2, Cut.ALL: len(data)}[cut]
                sink.write(data[:passed])
                await sink.drain()
                if cut is not None:
                    return


def _reset(end: asyncio.StreamWriter) -> None:
    connection = end.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()


@contextmanager
def proxying(target: tuple[str, int], policy: Policy) -> Iterator[Proxy]:
    """A proxy before the target; it cuts nothing until it is switched on."""
    proxy = Proxy(target, policy)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
