"""Gives back the money of expired holds and vouchers, and reminds firms of it before, beside the requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Event

import structlog
from sqlalchemy import Connection

from app.database import Database
from app.services.periodic import Periodic
from app.services.redemption.holds.ending import find_due, sweep_vouchers
from app.services.redemption.loading import FIRST, VoucherKey
from app.services.vouchers.expiry import expire_vouchers, find_expired
from app.services.vouchers.reminders import find_programmes_to_remind, remind

MOST = 100
"""Vouchers in one transaction."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is swept: `find` names vouchers (or programmes) in order, without a lock; `sweep` says how many it were."""

    find: Callable[..., list[VoucherKey]]
    sweep: Callable[..., int]


TASKS = (
    Task(find_due, sweep_vouchers),
    Task(find_expired, expire_vouchers),
    Task(find_programmes_to_remind, remind),
)
"""Holds first: a voucher ends when nothing of it is held any more. Firms are reminded beside them, once an hour."""

log = structlog.get_logger(__name__)


def sweeper(database: Database, *, every_s: float, most: int = MOST) -> Periodic:
    """The thread that sweeps; each takes what no other has locked."""

    def sweep(stopped: Event) -> None:
        for task in TASKS:
            _Sweep(database, task, most, stopped).to_the_end()

    return Periodic("sweeper", sweep, every_s=every_s, failed="sweep.failed")


class _Sweep:
    """One task's turn. What cannot be swept keeps nothing else waiting: a pass goes on behind it, in order of keys."""

    def __init__(self, database: Database, task: Task, most: int, stopped: Event) -> None:
        self._database = database
        self._task = task
        self._most = most
        self._stopped = stopped

    def to_the_end(self) -> None:
        """Pass after pass over what is due, until one finds nothing to do."""
        while self._pass():
            pass

    def _pass(self) -> int:
        count, after = 0, FIRST
        while not self._stopped.is_set():
            found, swept = self._some(after)
            count += swept
            if len(found) < self._most:
                break
            after = found[-1]
        return count

    def _some(self, after: VoucherKey) -> tuple[list[VoucherKey], int]:
        try:
            return self._database.transact(partial(self._at_once, after=after))
        except Exception:
            log.exception("sweep.failed")
            return self._one_by_one(after)  # raises where the database is away

    def _at_once(self, tx: Connection, *, after: VoucherKey) -> tuple[list[VoucherKey], int]:
        found = self._task.find(tx, most=self._most, after=after)
        return found, self._task.sweep(tx, found)

    def _one_by_one(self, after: VoucherKey) -> tuple[list[VoucherKey], int]:
        """Where one of many cannot be given back, the money of the others goes back nevertheless."""
        found = self._database.transact(partial(self._task.find, most=self._most, after=after))
        count = 0
        for key in found:
            try:
                count += self._database.transact(partial(self._task.sweep, found=[key]))
            except Exception:
                log.exception("sweep.failed", subject=key[1])
        return found, count
