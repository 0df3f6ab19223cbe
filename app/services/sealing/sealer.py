"""The loop of the sealer: region after region, pass after pass, until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from app.database import CommitUnknown, Database
from app.kernel.problems import AppError
from app.services.sealing.held import SealingHeld
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import MOST, Sealed, seal, waiting_regions
from app.sql import Statement

PAUSE_S = 1.0
"""From the beginning of a pass that sealed something to the next: what comes meanwhile shares that and its signature.

A leaf may wait two seconds. Passes cost about 2 ms each, in PostgreSQL and here, besides 30 µs a leaf.
"""
IDLE_PAUSE_S = 0.5
"""After a pass that found nothing. Asking costs a millisecond; being told would cost every redemption a lock."""
REST_S = 10.0
"""For a region that cannot be sealed, so that the others go on and the log stays readable."""

SEALING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "enable_memoize": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "jit": "off",
}
"""Each statement looks up what the queue names, key by key, and says in which order: that of the one right index.

Statistics decide nothing here. A session may be older than the first entry, and a table believed empty is read from
one end to the other for every leaf: by another index that begins with the region, by a loop over a kept copy. With
sorting discouraged only the index that has the order is left.
"""

log = structlog.get_logger(__name__)


_MAY_SEAL = Statement("SELECT has_table_privilege('log_leaves', 'INSERT') AS granted")


def may_seal(tx: Connection) -> bool:
    """Whether this transaction's role is one that seals: the service's is not."""
    ((granted,),) = _MAY_SEAL(tx, {})
    return bool(granted)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one look at all queues came to."""

    sealed: tuple[Sealed, ...]
    failed: tuple[str, ...]
    """Regions that could not be sealed; the log says why."""

    @property
    def leaves(self) -> int:
        """How many were appended."""
        return sum(one.leaves for one in self.sealed)

    @property
    def more(self) -> bool:
        """Whether a queue had more than one transaction takes."""
        return any(one.leaves == MOST for one in self.sealed)


class Sealer:
    """Seals all regions over one connection. Any number may run; each region's head lock keeps them apart."""

    def __init__(self, database: Database, keys: LogKeys) -> None:
        self._database = database
        self._keys = keys
        self._resting: dict[str, float] = {}

    def run(self, stopped: threading.Event, told: Callable[[Pass], None] = lambda _: None) -> None:
        """Seal until `stopped` is set; the transaction under way is finished. Each pass is told."""
        while not stopped.is_set():
            began = time.monotonic()
            done = self.look()
            told(done)
            if not done.more:
                pause_s = PAUSE_S if done.sealed else IDLE_PAUSE_S
                stopped.wait(max(0.0, began + pause_s - time.monotonic()))

    def look(self) -> Pass:
        """One transaction for each region that has something waiting. Whatever fails is logged; nothing is raised."""
        try:
            regions = self._database.transact(waiting_regions)
        except (AppError, CommitUnknown) as error:
            log.warning("seal.unavailable", reason=str(error))
            return Pass((), ())
        sealed, failed = [], []
        for region_code in regions:
            if self._resting.get(region_code, 0.0) > time.monotonic():
                continue
            try:
                done = self._seal(region_code)
            except (AppError, CommitUnknown) as error:  # busy, or away: the next pass finds what is left
                log.warning("seal.put_off", region=region_code, reason=str(error))
            except SealingHeld as held:
                log.warning("seal.held", region=region_code, restoration=held.restoration_id)
                self._resting[region_code] = time.monotonic() + REST_S
                failed.append(region_code)
            except Exception:
                log.exception("seal.failed", region=region_code)
                self._resting[region_code] = time.monotonic() + REST_S
                failed.append(region_code)
            else:
                sealed += [done] if done else []
        return Pass(tuple(sealed), tuple(failed))

    def _seal(self, region_code: str) -> Sealed | None:
        return self._database.transact(lambda tx: seal(tx, region_code=region_code, keys=self._keys))
