"""Gives back the money of expired holds, now and then, beside the requests."""

from __future__ import annotations

import threading

import structlog

from app.database import Database
from app.services.redemption.holds.ending import sweep

MOST = 100
"""Vouchers in one transaction."""

log = structlog.get_logger(__name__)


class Sweeper:
    """A thread that sweeps. Any number of processes may have one: each takes what no other has locked."""

    def __init__(self, database: Database, *, every_s: float) -> None:
        self._database = database
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def start(self) -> None:
        """Start sweeping."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the transaction under way and return."""
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                while self._database.transact(lambda tx: sweep(tx, most=MOST)) and not self._stopped.is_set():
                    pass
            except Exception:  # the database may be away; the next round finds what is due
                log.warning("sweep.failed", exc_info=True)
