"""The limiter of one process: spends what it was given, and asks the database when that is used up.

Most requests touch memory alone. All that have to wait for a block wait for the same statement, which runs in a thread
and on a connection of its own, so that no flood of requests can starve it. A subject that is over its quota is refused
from memory until its window ends, however often it asks. Without a database nothing is refused here: a limit is no
guard of what the database holds, and whatever needs it says by itself that it is away.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from cachetools import LRUCache

from app.database import CommitUnknown, Database
from app.kernel.problems import AppError
from app.services.limits.blocks import Asked, Block, sweep, take_blocks
from app.services.limits.policies import Policy, Standing

REMEMBERED = 50_000
"""Subjects; one that is forgotten loses what it had in hand here, and asks again."""
AT_ONCE = 500
"""Subjects in one statement."""
SWEEP_EVERY_S = 60.0
BLIND_S = 1.0
"""How long everybody passes when the database could not be asked."""
CLOSE_S = 0.001

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Use:
    """What a subject has here: `hand` may be spent until `ends_at_s`; `left` is what nobody had been given then.

    `owed` was spent before the database was first asked, and is asked for with the first block.
    """

    hand: int
    left: int
    ends_at_s: float
    owed: int = 0
    asked: bool = True


class Limiter:
    """Counts requests by subject. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uses: LRUCache[tuple[Policy, str], _Use] = LRUCache(REMEMBERED)
        self._waiting: dict[tuple[Policy, str], tuple[int, asyncio.Future[None]]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="limits")
        self._swept_at_s = time.monotonic()

    def close(self) -> None:
        """Let the last statement end."""
        self._thread.shutdown()

    async def take(self, policy: Policy, subject: str, cost: int = 1) -> Standing:
        """Count `cost` requests of a subject, or say that its quota does not allow them; then nothing is counted."""
        key = (policy, subject)
        while True:
            now_s = time.monotonic()
            use = self._uses.get(key)
            if use is None or use.ends_at_s <= now_s:
                use = self._uses[key] = _fresh(policy, now_s)
            if use.hand >= cost:
                use.hand -= cost
                use.owed += 0 if use.asked else cost
                return _standing(policy, use, now_s, allowed=True)
            if use.left <= 0 or cost > policy.quota:
                return _standing(policy, use, now_s, allowed=False)
            await self._ask(key, cost)

    async def _ask(self, key: tuple[Policy, str], cost: int) -> None:
        """Return when there is a new block for this subject."""
        known, done = self._waiting.get(key, (0, None))
        if done is None:
            done = asyncio.get_running_loop().create_future()
        self._waiting[key] = (known + cost, done)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_all())
        await asyncio.shield(done)  # who hangs up takes nobody else's answer with him

    async def _ask_for_all(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[:AT_ONCE]
            waiting = {key: self._waiting.pop(key) for key in keys}
            asked = [Asked(*key, need=self._need(key, wanted)) for key, (wanted, _) in waiting.items()]
            blocks = await asyncio.get_running_loop().run_in_executor(self._thread, self._given, asked)
            now_s = time.monotonic()
            for (key, (_, done)), block in zip(waiting.items(), blocks, strict=True):
                self._add(key, block, now_s)
                done.set_result(None)

    def _need(self, key: tuple[Policy, str], wanted: int) -> int:
        use = self._uses.get(key)
        if use is None:
            return wanted
        return max(1, wanted - use.hand if use.asked else wanted + use.owed)

    def _add(self, key: tuple[Policy, str], block: Block, now_s: float) -> None:
        ends_at_s = now_s + max(block.ends_in_s, CLOSE_S)
        use = self._uses.get(key)
        same_window = use is not None and ends_at_s - use.ends_at_s < key[0].window_s / 2
        if use is None or (use.asked and not same_window):
            self._uses[key] = _Use(block.given, block.left, ends_at_s)
            return
        use.hand = use.hand + block.given if use.asked else block.given - use.owed
        use.owed, use.asked = 0, True
        use.left, use.ends_at_s = block.left, ends_at_s

    def _given(self, asked: Sequence[Asked]) -> list[Block]:
        try:
            blocks = self._database.transact(lambda tx: take_blocks(tx, asked))
            if time.monotonic() - self._swept_at_s > SWEEP_EVERY_S:
                self._swept_at_s = time.monotonic()
                self._database.transact(sweep)
        except Exception as error:
            expected = isinstance(error, AppError | CommitUnknown)
            log.warning("limits.not_asked", reason=str(error), exc_info=None if expected else error)
            return [Block(one.policy.quota, 0, BLIND_S) for one in asked]
        return blocks


def _fresh(policy: Policy, now_s: float) -> _Use:
    """A subject of which this process knows nothing: what it may spend unasked, until it asks when the window ends."""
    return _Use(policy.unasked, policy.quota, now_s + policy.window_s, asked=False)


def _standing(policy: Policy, use: _Use, now_s: float, *, allowed: bool) -> Standing:
    left = max(use.hand, 0) + use.left if allowed else 0
    return Standing(policy, allowed, min(left, policy.quota), max(1, math.ceil(use.ends_at_s - now_s)))
