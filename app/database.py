"""The database: one engine, and the one place that commits."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import (
    Connection,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from app.arrays import register
from app.kernel.problems import AppError, Code
from app.reach import Reach, declare, of_request

T = TypeVar("T")

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

ATTEMPTS = 3
PAUSES_S = (0.05, 0.5)
"""Between attempts: long enough for a neighbour's lock, and the second for a database that is just restarting."""

PLANS_KEPT_S = 2.0
"""How long a session keeps what it has planned.

Every index begins with the region, so for a table that is small, or believed to be, any of them is as good; and a plan
outlives that, also those of the checks of foreign keys, which nobody can write differently: in a database whose tables
have just grown, and have no statistics yet, each look-up then reads the whole region. Planned anew it takes the right
index, with or without statistics, since PostgreSQL looks at how large a table's file is. It costs the desk 3 ms.
"""

RETRIED = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
CONSTRAINT_PROBLEMS: dict[str, Code] = {
    "uq_approvals_pending_subject": Code.APPROVAL_PENDING,
    "uq_users_login": Code.LOGIN_TAKEN,
}
"""Constraints that a race may reach although the code looked before; any other violation is a bug."""


class CommitUnknown(Exception):
    """The connection was lost while COMMIT was under way: it may or may not have happened.

    Whoever holds an idempotency key runs the work again and finds out; nobody else may guess.
    """


def _next(waiting: deque[T]) -> T | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class Database:
    """Transactions on one PostgreSQL, as one role, each with its reach: what it was given, else the request's.

    As the service's role a transaction with no reach sees no row of any region and writes none.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        lock_timeout_ms: int = 5_000,
        settings: Mapping[str, str] = NO_SETTINGS,
        plans_kept_s: float = PLANS_KEPT_S,
        reach: Reach | None = None,
    ) -> None:
        self._reach = reach
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,  # what was bound may be a person's, and an error's text reaches a log
            pool_timeout=10,
            connect_args={
                "options": f"-c timezone=UTC -c lock_timeout={lock_timeout_ms}"
                " -c idle_in_transaction_session_timeout=60s"
                + "".join(f" -c {name}={value}" for name, value in settings.items()),
                "application_name": "voucher",
                "connect_timeout": 5,
            },
        )
        event.listen(self.engine, "connect", _send_arrays_as_they_are)
        event.listen(self.engine, "checkout", _forgetting_plans(plans_kept_s))

    def reaching(self, reach: Reach) -> Database:
        """The same database, its connections shared, for transactions that reach so far whatever the request's."""
        other = copy.copy(self)
        other._reach = reach  # noqa: SLF001 - one of us
        return other

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result after COMMIT has succeeded.

        `work` may run more than once (deadlock, serialization failure, connection lost before COMMIT),
        so it touches nothing but `tx`. Raises what `work` raises; `CommitUnknown` where the outcome is open;
        AppError `unavailable` where there is no database, `busy` where a lock was not to be had in time.
        """
        return self._retrying(work, snapshot=False)

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` read-only over one consistent snapshot (REPEATABLE READ)."""
        return self._retrying(work, snapshot=True)

    def _retrying(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                return self._once(work, snapshot=snapshot)
            except IntegrityError as error:
                raise known_problem(error) from error
            except DBAPIError as error:
                if timed_out_on_lock(error):
                    raise AppError(Code.BUSY, retry_after_s=1) from error
                lost = _is_lost(error)
                if not lost and _sqlstate(error) not in RETRIED:
                    raise
                if last:
                    code = Code.UNAVAILABLE if lost else Code.BUSY
                    raise AppError(code, retry_after_s=1) from error
                time.sleep(PAUSES_S[attempt])
            except PoolTimeout as error:
                raise AppError(Code.BUSY, retry_after_s=1) from error
        raise AssertionError("the last attempt returns or raises")

    def share_snapshot(self, tx: Connection, works: Sequence[Callable[[Connection], T]]) -> list[T]:
        """Run works over the snapshot of `tx` (see `snapshot`), on it and on a second connection; what each gave.

        They are begun in their order, so the longest go first. Where no second connection is free, one does it all. The
        first failure is raised when all that was begun has ended; nothing is begun after it.
        """
        waiting = deque(enumerate(works))
        reach = self._present_reach()  # of this thread: the other knows nothing of the request
        found: dict[int, T] = {}
        name = tx.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # who is done first waits for the other

        def help_out() -> None:
            pool = self.engine.pool
            if isinstance(pool, QueuePool) and pool.checkedout() >= pool.size():
                return
            try:
                helper = self.engine.connect()
            except (PoolTimeout, OperationalError):  # the server takes no more connections
                return
            with helper, helper.begin():
                helper.execute(_SNAPSHOT)
                helper.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{name}'")  # a setting takes no parameter
                declare(helper, reach)
                work_off(helper)

        def work_off(connection: Connection) -> None:
            try:
                while (taken := _next(waiting)) is not None:
                    place, work = taken
                    found[place] = work(connection)
            except BaseException:
                waiting.clear()
                raise

        with ThreadPoolExecutor(1, thread_name_prefix="snapshot") as thread:
            helping = thread.submit(help_out)
            work_off(tx)
            helping.result()
        return [found[place] for place in range(len(works))]

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether this process may do the work of that name while inside: no other has it. Nobody waits.

        Held by a connection of its own outside any transaction, so that long work is no long transaction; where the
        connection is lost the work is free, so it must bear to be done twice.
        """
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as lock:
            asked = {"name": name}
            mine = bool(
                lock.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), asked).scalar_one()
            )
            try:
                yield mine
            finally:
                if mine:
                    lock.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), asked)

    def dispose(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()

    def _present_reach(self) -> Reach:
        return of_request.get() if self._reach is None else self._reach

    def _once(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        with self.engine.connect() as tx:
            transaction = tx.begin()
            try:
                if snapshot:
                    tx.execute(_SNAPSHOT)
                if reach := self._present_reach():
                    declare(tx, reach)
                result = work(tx)
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                if _is_lost(error):
                    raise CommitUnknown from error
                raise
            return result


def _send_arrays_as_they_are(connection: psycopg.Connection[Any], _: Any) -> None:
    """Dump lists in the binary format: in text, each quote in an element is escaped, and facts and traces are JSON.

    Escaping took two fifths of the desk's time.
    """
    connection.adapters.register_dumper(list, ListBinaryDumper)
    register(connection)


def _forgetting_plans(kept_s: float) -> Callable[[psycopg.Connection[Any], Any, Any], None]:
    """Before a transaction begins, for one that wants a snapshot may run nothing before it has said so."""

    def forget_old_plans(connection: psycopg.Connection[Any], record: Any, _: Any) -> None:
        moment = time.monotonic()
        if moment - record.info.setdefault(_PLANNING_SINCE, moment) < kept_s:
            return
        record.info[_PLANNING_SINCE] = moment
        try:
            connection.autocommit = True
            connection.execute("DISCARD PLANS", prepare=False)
            connection.autocommit = False
        except psycopg.Error as error:  # the pool makes another connection
            raise DisconnectionError from error

    return forget_old_plans


_PLANNING_SINCE = "voucher.planning_since"


def timed_out_on_lock(error: DBAPIError) -> bool:
    """Whether the statement gave up waiting for a lock (lock_not_available)."""
    return _sqlstate(error) == "55P03"


def _is_lost(error: DBAPIError) -> bool:
    """Whether the connection is gone or could not be made: there is no database right now."""
    state = _sqlstate(error)
    refused = isinstance(error.orig, psycopg.OperationalError) and (state is None or state[:3] in {"57P", "080"})
    return error.connection_invalidated or refused


def _sqlstate(error: DBAPIError) -> str | None:
    original = error.orig
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def known_problem(error: IntegrityError) -> AppError | IntegrityError:
    """What a violated constraint means to whoever asked (`CONSTRAINT_PROBLEMS`); the error itself if it is a bug."""
    original = error.orig
    name = original.diag.constraint_name if isinstance(original, psycopg.Error) else None
    code = CONSTRAINT_PROBLEMS.get(name or "")
    return AppError(code) if code else error
