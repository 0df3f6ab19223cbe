"""Work that many wait for at once is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from app.api.single_flight import SingleFlight
from tests.apart import run_apart


class Work:
    """Counts how often it is begun; ends when it is let go."""

    def __init__(self, result: int | Exception) -> None:
        self.begun = 0
        self.let_go = asyncio.Event()
        self._result = result

    async def __call__(self) -> int:
        self.begun += 1
        await self.let_go.wait()
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def asked(flight: SingleFlight[str, int], work: Coroutine[Any, Any, int]) -> asyncio.Task[int]:
    return asyncio.create_task(flight.do("token", work))


def test_many_that_wait_for_the_same_get_what_one_did() -> None:
    async def story() -> None:
        flight, work = SingleFlight[str, int](), Work(7)
        waiting = [asked(flight, work()) for _ in range(50)]
        await asyncio.sleep(0)
        work.let_go.set()
        assert await asyncio.gather(*waiting) == [7] * 50
        assert work.begun == 1
        assert await flight.do("token", work()) == 7
        assert work.begun == 2, "what is done is not remembered"

    run_apart(story())


def test_a_failure_reaches_everybody_and_the_next_tries_again() -> None:
    async def story() -> None:
        flight, work = SingleFlight[str, int](), Work(ValueError("no"))
        waiting = [asked(flight, work()) for _ in range(3)]
        await asyncio.sleep(0)
        work.let_go.set()
        assert [str(one) for one in await asyncio.gather(*waiting, return_exceptions=True)] == ["no"] * 3
        assert work.begun == 1
        with pytest.raises(ValueError, match="no"):
            await flight.do("token", work())
        assert work.begun == 2

    run_apart(story())


def test_who_hangs_up_stops_nobody_else() -> None:
    async def story() -> None:
        flight, work = SingleFlight[str, int](), Work(7)
        first, second = asked(flight, work()), asked(flight, work())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        work.let_go.set()
        assert await second == 7
        assert first.cancelled()
        assert work.begun == 1

    run_apart(story())
