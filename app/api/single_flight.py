"""Work that many wait for at once and one does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class SingleFlight(Generic[K, R]):
    """Whoever asks while the same is being done waits for that, and gets its result or its exception.

    Belongs to one event loop. Nothing is remembered once it is done; a waiter that hangs up stops nobody else.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[R]] = {}

    async def do(self, key: K, work: Coroutine[Any, Any, R]) -> R:
        """The result of `work`, or of the same that is running already."""
        task = self._running.get(key)
        if task is not None:
            work.close()
        else:
            task = self._running[key] = asyncio.create_task(work)
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: K, done: asyncio.Task[R]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # looked at, even where everybody has hung up
