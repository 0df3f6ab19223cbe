"""Gives back the money of expired holds and vouchers, and reminds firms of it before, beside the requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from app.database import Database
from app.kernel.problems import AppError
from app.services.redemption.holds.ending import find_due, sweep_vouchers
from app.services.redemption.loading import VoucherKey
from app.services.vouchers.expiry import expire_vouchers, find_expired
from app.services.vouchers.reminders import find_programmes_to_remind, remind

MOST = 100
"""Vouchers in one transaction."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is swept: `find` names vouchers (or programmes) without a lock, `sweep` says how many it were."""

    find: Callable[..., list[VoucherKey]]
    sweep: Callable[..., int]


TASKS = (
    Task(find_due, sweep_vouchers),
    Task(find_expired, expire_vouchers),
    Task(find_programmes_to_remind, remind),
)
"""Holds first: a voucher ends when nothing of it is held any more. Firms are reminded beside them, once an hour."""

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
            for task in TASKS:
                try:
                    self._sweep(task)
                except Exception:  # the database may be away; the next round finds what is due
                    log.warning("sweep.failed", exc_info=True)

    def _sweep(self, task: Task) -> None:
        try:
            while self._database.transact(partial(_sweep_some, task=task)) and not self._stopped.is_set():
                pass
        except AppError:
            raise
        except Exception:
            log.exception("sweep.failed")
            self._one_by_one(task)

    def _one_by_one(self, task: Task) -> None:
        """Where one of many cannot be given back, the money of the others goes back nevertheless."""
        for key in self._database.transact(partial(task.find, most=MOST)):
            try:
                self._database.transact(partial(task.sweep, found=[key]))
            except Exception:
                log.exception("sweep.failed", voucher=key[1])


def _sweep_some(tx: Connection, *, task: Task) -> int:
    return task.sweep(tx, task.find(tx, most=MOST))
