"""Work beside the requests, done every so many seconds until the service stops."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Periodic:
    """A thread that does its work now and then. Any number of processes may have one.

    The work is given the event that stops the thread, to look at between transactions. What it raises, because the
    database is away, is logged as `failed`, and the work is done again at its next turn; after such a failure not
    before `after_failure_s`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[threading.Event], object],
        *,
        every_s: float,
        failed: str,
        after_failure_s: float = 0.0,
    ) -> None:
        self._work = work
        self._every_s = every_s
        self._failed = failed
        self._after_failure_s = after_failure_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)

    def start(self) -> None:
        """Start; the first turn comes after the first pause."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the transaction under way and return."""
        self._stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self._work(self._stopped)
            except Exception:
                log.warning(self._failed, exc_info=True)
                self._stopped.wait(self._after_failure_s)
