"""Statements of the hot path: straight to psycopg, prepared, several on one journey, many rows in one parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from selectors import EVENT_WRITE, DefaultSelector
from typing import Any, cast

import psycopg
from psycopg.pq import PipelineStatus
from psycopg.rows import RowMaker, namedtuple_row, no_result
from sqlalchemy import ARRAY, BigInteger, Connection, Dialect, FromClause, Table, Text, any_, literal, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import String

from app.arrays import PACK


def now(tx: Connection) -> datetime:
    """The database's clock at this moment (not the start of the transaction): ask after the locks are held."""
    ((at,),) = _CLOCK(tx, {})
    return cast(datetime, at)


def plan_anew(tx: Connection) -> None:
    """Forget what this session has planned, before one transaction lets tables grow from a few rows to thousands.

    It is one journey. See `PLANS_KEPT_S` in `app/database.py`: between transactions that happens by itself.
    """
    _FORGET(tx, {})


Rows = Callable[[], list[Any]]
"""Rows that were asked for, as named tuples: to be taken once."""


class Statement:
    """A statement of the hot path, with `:name` for what is bound: psycopg gets it as it is and prepares it at once.

    SQLAlchemy's own way (find the compiled form, build a context and a result) took almost as long as all that psycopg
    does; and psycopg itself reads a long statement for its placeholders each time anew, so here they are numbered once.
    Runs in the transaction of `tx`; fails with the same DBAPIError.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._names = tuple(dict.fromkeys(_PLACEHOLDER.findall(sql)))
        packed = {name: PACK[kind] for name, kind in _ARRAY.findall(sql) if kind in PACK}
        self._bound = [(name, packed.get(name)) for name in self._names]
        self._numbered = self.numbered(after=0).encode()
        self._make: RowMaker[Any] | None = None

    def __call__(self, tx: Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Run it; the rows, as named tuples."""
        with _FailingAlike(tx), psycopg.RawCursor(_psycopg(tx), row_factory=self._row) as cursor:
            cursor.execute(self._numbered, self._packed(parameters), prepare=True)
            return cursor.fetchall() if cursor.description else []

    def ask(self, tx: Connection, parameters: Mapping[str, Any]) -> Rows:
        """Run it and give the rows when they are asked for: within `pipelined` several are on their way together."""
        with _FailingAlike(tx):
            cursor = psycopg.RawCursor(_psycopg(tx), row_factory=self._row)
            cursor.execute(self._numbered, self._packed(parameters), prepare=True)

        def rows() -> list[Any]:
            with _FailingAlike(tx), cursor:
                return cursor.fetchall()

        return rows

    def send(self, tx: Connection, parameters: Mapping[str, Any]) -> None:
        """Run it without looking for rows; within `together` at its end, with all the others."""
        gathered: list[tuple[Statement, list[Any]]] | None = tx.info.get(_GATHERED)
        if gathered is not None:
            gathered.append((self, self._packed(parameters)))
            return
        with _FailingAlike(tx):
            _sent(_psycopg(tx), self._numbered, self._packed(parameters))

    @property
    def size(self) -> int:
        """How many values are bound."""
        return len(self._names)

    def numbered(self, *, after: int) -> str:
        """Its text as PostgreSQL reads it, `$n` for what is bound, the first the one after that number."""
        numbers = {name: f"${number}" for number, name in enumerate(self._names, start=after + 1)}
        return _PLACEHOLDER.sub(lambda found: numbers[found[1]], self._sql)

    def _row(self, cursor: Any) -> RowMaker[Any]:
        """How its rows become named tuples: found out when the first come, since its columns are always the same."""
        if self._make is None:
            if not cursor.description:
                return no_result
            self._make = namedtuple_row(cursor)
        return self._make

    def _packed(self, parameters: Mapping[str, Any]) -> list[Any]:
        return [pack(parameters[name]) if pack else parameters[name] for name, pack in self._bound]


@contextmanager
def undone_if_it_fails(tx: Connection) -> Iterator[None]:
    """What fails within is undone, and the transaction goes on as if it had not been.

    SQLAlchemy's own nested transaction stays open where it failed, and PostgreSQL exports no snapshot from within one.
    """
    tx.execute(text("SAVEPOINT attempt"))
    try:
        yield
    except BaseException:
        tx.execute(text("ROLLBACK TO SAVEPOINT attempt"))
        raise
    finally:
        tx.execute(text("RELEASE SAVEPOINT attempt"))


def streamed(tx: Connection, query: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, with `%(name)s` for what is bound, a hundred at a time and none kept: for very many of them.

    Nothing else may use `tx` before the last row has been taken.
    """
    with _FailingAlike(tx), _psycopg(tx).cursor() as cursor:
        yield from cursor.stream(query, parameters, binary=True, size=_STREAMED_AT_ONCE)


_STREAMED_AT_ONCE = 100
"""More would no longer stay in the processor's cache: a thousand rows of 1 KB take twice as long each."""


@contextmanager
def pipelined(tx: Connection) -> Iterator[None]:
    """Within it what is asked goes out one after the other, and only who takes the rows waits for them.

    The first failure is raised at the end at the latest, and none of the later statements has run then. One within
    another is one.
    """
    connection = _psycopg(tx)
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        yield
        return
    with _FailingAlike(tx), connection.pipeline():
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
        bound = [value for _, parameters in gathered for value in parameters]
        with _FailingAlike(tx):
            _sent(_psycopg(tx), sql, bound)


def _sent(connection: psycopg.Connection[Any], sql: bytes, bound: Sequence[Any]) -> None:
    """Run a statement; within `pipelined`, let it have left this process before anything else is done.

    psycopg sends what the socket takes and leaves the rest of a large statement until it is called again, so PostgreSQL
    waits for it while the next one is being made.
    """
    psycopg.RawCursor(connection).execute(sql, bound, prepare=True)
    while connection.pgconn.flush():  # libpq reads meanwhile, so that both sides cannot be waiting to write
        with DefaultSelector() as writable:
            writable.register(connection.pgconn.socket, EVENT_WRITE)
            writable.select(1)


_GATHERED = "voucher.gathered"


@lru_cache(maxsize=256)
def _as_one(statements: tuple[Statement, ...]) -> bytes:
    parts, bound = [], 0
    for place, statement in enumerate(statements):
        parts.append(f"s{place} AS ({statement.numbered(after=bound)})")
        bound += statement.size
    return f"WITH {', '.join(parts)} SELECT 1".encode()


class _FailingAlike:
    """What psycopg raises as what SQLAlchemy would have made of it.

    Where the connection is lost, SQLAlchemy notices at the rollback that follows, and forgets its neighbours as well.
    """

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, psycopg.Error):
            dialect = self._tx.dialect
            raise DBAPIError.instance(
                None, None, error, psycopg.Error, hide_parameters=True, dialect=dialect
            ) from error


def _psycopg(tx: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", tx.connection.driver_connection)


_ARRAY = re.compile(r"CAST\(:([a-z_]+) AS ([a-z]+)\[\]\)")
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_]+)")
_CLOCK = Statement("SELECT clock_timestamp()")
_FORGET = Statement("DISCARD PLANS")


def any_of(values: Sequence[str]) -> Any:
    """What a column is compared with, one parameter however many values there are; `in_` ends at 65,535 of them."""
    return any_(literal(list(values), ARRAY(Text)))


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

    def ask(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Insert the rows and give its RETURNING when it is asked for; see `Statement.ask`."""
        return self._statement.ask(tx, self._parameters(rows))

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
