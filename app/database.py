"""The database: one engine, and the one place that commits."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

import psycopg
from psycopg.pq import PipelineStatus
from psycopg.rows import namedtuple_row
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    FromClause,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import String

from app.arrays import PACK, register
from app.kernel.problems import AppError, Code

T = TypeVar("T")

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

ATTEMPTS = 3
PAUSES_S = (0.05, 0.5)
"""Between attempts: long enough for a neighbour's lock, and the second for a database that is just restarting."""

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
    """Transactions on one PostgreSQL, as one role."""

    def __init__(
        self, url: str, *, pool_size: int = 10, lock_timeout_ms: int = 5_000, settings: Mapping[str, str] = NO_SETTINGS
    ) -> None:
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

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result after COMMIT has succeeded.

        `work` may run more than once (deadlock, serialization failure, connection lost before COMMIT),
        so it touches nothing but `tx`. Raises what `work` raises; `CommitUnknown` where the outcome is open;
        AppError `unavailable` where there is no database, `busy` where a lock was not to be had in time.
        """
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                return self._once(work)
            except IntegrityError as error:
                raise _known_problem(error) from error
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

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` read-only over one consistent snapshot (REPEATABLE READ)."""

        def over_snapshot(tx: Connection) -> T:
            tx.execute(_SNAPSHOT)
            return work(tx)

        return self.transact(over_snapshot)

    def share_snapshot(self, tx: Connection, works: Sequence[Callable[[Connection], T]]) -> list[T]:
        """Run works over the snapshot of `tx` (see `snapshot`), on it and on a second connection; what each gave.

        They are begun in their order, so the longest go first. Where no second connection is free, one does it all. The
        first failure is raised when all that was begun has ended; nothing is begun after it.
        """
        waiting = deque(enumerate(works))
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

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect() as tx:
            transaction = tx.begin()
            try:
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


def now(tx: Connection) -> datetime:
    """The database's clock at this moment (not the start of the transaction): ask after the locks are held."""
    ((at,),) = _CLOCK(tx, {})
    return cast(datetime, at)


Rows = Callable[[], list[Any]]
"""Rows that were asked for, as named tuples: to be taken once."""


class Statement:
    """A statement of the hot path, with `:name` for what is bound: psycopg gets it as it is and prepares it at once.

    SQLAlchemy's own way (find the compiled form, build a context and a result) took almost as long as all that psycopg
    does. Runs in the transaction of `tx`; fails with the same DBAPIError.
    """

    def __init__(self, sql: str) -> None:
        self._sql = _PLACEHOLDER.sub(r"%(\1)s", sql.replace("%", "%%"))
        self._pack = {name: PACK[kind] for name, kind in _ARRAY.findall(sql) if kind in PACK}

    def __call__(self, tx: Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Run it; the rows, as named tuples."""
        with _failing_alike(tx), _psycopg(tx).cursor(row_factory=namedtuple_row) as cursor:
            cursor.execute(self._sql, self._packed(parameters), prepare=True)
            return cursor.fetchall() if cursor.description else []

    def ask(self, tx: Connection, parameters: Mapping[str, Any]) -> Rows:
        """Run it and give the rows when they are asked for: within `pipelined` several are on their way together."""
        with _failing_alike(tx):
            cursor = _psycopg(tx).cursor(row_factory=namedtuple_row)
            cursor.execute(self._sql, self._packed(parameters), prepare=True)

        def rows() -> list[Any]:
            with _failing_alike(tx), cursor:
                return cursor.fetchall()

        return rows

    def send(self, tx: Connection, parameters: Mapping[str, Any]) -> None:
        """Run it without looking for rows; within `together` at its end, with all the others."""
        gathered: list[tuple[Statement, dict[str, Any]]] | None = tx.info.get(_GATHERED)
        if gathered is not None:
            gathered.append((self, self._packed(parameters)))
            return
        with _failing_alike(tx):
            _psycopg(tx).cursor().execute(self._sql, self._packed(parameters), prepare=True)

    def named(self, place: int) -> str:
        """Its text with the place in front of each parameter's name, for one statement of several parts."""
        return _BOUND.sub(rf"%(s{place}_\1)s", self._sql)

    def _packed(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        pack = self._pack
        return {name: pack[name](value) if name in pack else value for name, value in parameters.items()}


def copied(
    tx: Connection, query: str, types: Sequence[str], parameters: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, with `%(name)s` for what is bound, one after the other and none kept: for very many of them.

    `types` are PostgreSQL's names of its columns' types. Nothing else may use `tx` before the last row has been taken.
    """
    command = f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
    with _failing_alike(tx), psycopg.ClientCursor(_psycopg(tx)) as cursor, cursor.copy(command, parameters) as copy:
        copy.set_types(types)
        yield from copy.rows()


@contextmanager
def pipelined(tx: Connection) -> Iterator[None]:
    """Within it what is asked goes out one after the other, and only who takes the rows waits for them.

    The first failure is raised at the end at the latest, and none of the later statements has run then. One within
    another is one.
    """
    connection = _psycopg(tx)
    if connection.pgconn.pipeline_status is not PipelineStatus.OFF:
        yield
        return
    with _failing_alike(tx), connection.pipeline():
        yield


@contextmanager
def together(tx: Connection) -> Iterator[None]:
    """Within it statements that are sent are gathered, and its end runs them as one: one journey, not ten.

    They see the rows as they were before all of them, run in no order, and no two may change one row; keys between
    their tables are checked when all have run. One within another is one. Where it is left by an exception, none runs.
    """
    if _GATHERED in tx.info:
        yield
        return
    gathered = tx.info[_GATHERED] = []
    try:
        yield
    finally:
        del tx.info[_GATHERED]
    if gathered:
        sql = _as_one(tuple(statement for statement, _ in gathered))
        bound = {
            f"s{place}_{name}": value
            for place, (_, parameters) in enumerate(gathered)
            for name, value in parameters.items()
        }
        with _failing_alike(tx):
            _psycopg(tx).cursor().execute(sql, bound, prepare=True)


_GATHERED = "voucher.gathered"


@lru_cache(maxsize=256)
def _as_one(statements: tuple[Statement, ...]) -> str:
    parts = ", ".join(f"s{place} AS ({statement.named(place)})" for place, statement in enumerate(statements))
    return f"WITH {parts} SELECT 1"


@contextmanager
def _failing_alike(tx: Connection) -> Iterator[None]:
    """What psycopg raises as what SQLAlchemy would have made of it.

    Where the connection is lost, SQLAlchemy notices at the rollback that follows, and forgets its neighbours as well.
    """
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, dialect=tx.dialect) from error


def _psycopg(tx: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", tx.connection.driver_connection)


_ARRAY = re.compile(r"CAST\(:([a-z_]+) AS ([a-z]+)\[\]\)")
_BOUND = re.compile(r"%\(([a-z_]+)\)s")
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_]+)")
_CLOCK = Statement("SELECT clock_timestamp()")


def ask_now(tx: Connection) -> Callable[[], datetime]:
    """The database's clock when the statements before it have run; within `pipelined` nobody waits for it alone."""
    rows = _CLOCK.ask(tx, {})

    def at() -> datetime:
        ((instant,),) = rows()
        assert isinstance(instant, datetime)
        return instant

    return at


class BulkInsert:
    """`INSERT … SELECT * FROM unnest(…)`: any number of rows of one table in one statement."""

    def __init__(self, table: FromClause, columns: Iterable[str], *, suffix: str = "") -> None:
        assert isinstance(table, Table), "a model's __table__"
        self.columns = tuple(columns)
        arrays = ", ".join(f"CAST(:{name} AS {_array_type(table, name)})" for name in self.columns)
        listed = ", ".join(self.columns)
        self._statement = Statement(
            f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM unnest({arrays}) "
            f"WITH ORDINALITY AS given({listed}, place) ORDER BY place {suffix}"
        )

    def __call__(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Insert the rows in the order given, one parameter a column, whatever their number; then its RETURNING."""
        return self._statement(tx, self._parameters(rows))

    def send(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows; within `together` at its end, with all that is sent."""
        self._statement.send(tx, self._parameters(rows))

    def _parameters(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        return {name: [row[name] for row in rows] for name in self.columns}


_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def _array_type(table: Table, column: str) -> str:
    kind = table.c[column].type
    if isinstance(kind, String):
        return "text[]"
    if isinstance(kind, BigInteger):
        return "bigint[]"
    named = kind.compile(dialect=_DIALECT).lower()
    return ("timestamptz" if named == "timestamp with time zone" else named) + "[]"


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


def _known_problem(error: IntegrityError) -> BaseException:
    original = error.orig
    name = original.diag.constraint_name if isinstance(original, psycopg.Error) else None
    code = CONSTRAINT_PROBLEMS.get(name or "")
    return AppError(code) if code else error
