"""Gives back the money of expired holds, now and then, beside the requests."""

from __future__ import annotations

import threading
from functools import partial

import structlog

from app.database import Database
from app.kernel.problems import AppError
from app.services.redemption.holds.ending import find_due, sweep, sweep_vouchers

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
                self._sweep()
            except Exception:  # the database may be away; the next round finds what is due
                log.warning("sweep.failed", exc_info=True)

    def _sweep(self) -> None:
        try:
            while self._database.transact(lambda tx: sweep(tx, most=MOST)) and not self._stopped.is_set():
                pass
        except AppError:
            raise
        except Exception:
            log.exception("sweep.failed")
            self._one_by_one()

    def _one_by_one(self) -> None:
        """Where one of many cannot be given back, the money of the others goes back nevertheless."""
        for key in self._database.transact(lambda tx: find_due(tx, most=MOST)):
            try:
                self._database.transact(partial(sweep_vouchers, found=[key]))
            except Exception:
                log.exception("sweep.failed", voucher=key[1])
