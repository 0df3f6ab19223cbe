"""Encrypting what there is: values that lay in clear before there were keys, and those under a key that is to go.

Done as the tables' owner, batch by batch in the order of the primary key, each batch a transaction of its own. Cut
short it is begun again and finds what is left; the service goes on beside it, for all keys read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, or_, select, text, tuple_, update

from app.database import Database
from app.services.encrypted_fields.columns import ENCRYPTED, EncryptedColumn
from app.services.encrypted_fields.keys import FieldKeys

BATCH = 500

CLEAR = ""
"""Instead of a key's name: lies in clear."""

NAMED = "*"
"""Settled is what lies under any key."""

_STORED = r"^f1[.][0-9]{8}T[0-9]{12}Z-[0-9a-f]{8}[.][0-9A-Za-z_-]{38,}$"


@dataclass(frozen=True, slots=True)
class Standing:
    """How many values of a column lie under which key; `CLEAR` is none."""

    column: EncryptedColumn
    values: dict[str, int]


def standings(tx: Connection, columns: Sequence[EncryptedColumn] = ENCRYPTED) -> list[Standing]:
    """Under which keys the values lie now."""
    return [Standing(column, _count(tx, column)) for column in columns]


def missing_keys(found: Sequence[Standing], known: Sequence[str]) -> list[str]:
    """Names of keys that values lie under and that are not known, sorted. Pure."""
    return sorted({name for one in found for name in one.values} - {CLEAR, *known})


def left_to_do(found: Sequence[Standing], newest: str | None) -> int:
    """How many values are not under the newest key. Pure."""
    return sum(count for one in found for name, count in one.values.items() if name != newest)


def encrypt_anew(
    database: Database,
    keys: FieldKeys,
    *,
    columns: Sequence[EncryptedColumn] = ENCRYPTED,
    batch: int = BATCH,
    only_clear: bool = False,
) -> Iterator[int]:
    """Bring every value, or those that lie in clear, under the newest key; how many rows each batch brought.

    At the end the tables say that nothing lies in clear.
    `database` is the owner's. Raises `field_key_missing` and FieldUnreadable where a value cannot be read; what was
    done before stays done.
    """
    newest = keys.current
    settled = NAMED if only_clear else newest
    for table, its in _by_table(columns):
        after: tuple[str, ...] | None = None
        while seen := database.transact(_one_batch(table, its, keys, settled, after, batch)):
            after = seen[-1]
            yield len(seen)
    database.transact(_validate)


def _by_table(columns: Sequence[EncryptedColumn]) -> list[tuple[Table, list[EncryptedColumn]]]:
    tables = dict.fromkeys(column.table for column in columns)
    return [(table, [column for column in columns if column.table is table]) for table in tables]


def _one_batch(
    table: Table,
    columns: Sequence[EncryptedColumn],
    keys: FieldKeys,
    settled: str,
    after: tuple[str, ...] | None,
    batch: int,
) -> Callable[[Connection], list[tuple[str, ...]]]:
    """All columns of a row at once: a row of which one lies in clear is refused by the table."""
    key = list(table.primary_key.columns)
    query = (
        select(*key, *(column.column for column in columns), *(_name(column) for column in columns))
        .where(or_(*(_unsettled(column, settled) for column in columns)))
        .order_by(*key)
        .limit(batch)
        .with_for_update(key_share=True)
    )
    if after is not None:
        query = query.where(tuple_(*key) > after)

    def work(tx: Connection) -> list[tuple[str, ...]]:
        rows = [tuple(row) for row in tx.execute(query)]
        for row in rows:
            its_key, stored, names = row[: len(key)], row[len(key) :][: len(columns)], row[-len(columns) :]
            values: dict[str, str | bytes | None] = {}
            for column, kept, name in zip(columns, stored, names, strict=True):
                value = kept if name == CLEAR else column.read(keys, kept, *its_key)
                values |= column.values(keys, value, *its_key)
            tx.execute(
                update(table).where(and_(*(one == its for one, its in zip(key, its_key, strict=True)))).values(values)
            )
        return [row[: len(key)] for row in rows]

    return work


def _unsettled(column: EncryptedColumn, settled: str) -> ColumnElement[bool]:
    return _name(column) == CLEAR if settled == NAMED else _name(column) != settled


def _validate(tx: Connection) -> None:
    """Let the tables say that nothing lies in clear, where they did not say so of old rows yet."""
    waiting = tx.execute(
        text(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE NOT convalidated AND contype = 'c'"
            " AND connamespace = 'public'::regnamespace AND conrelid::regclass::text = ANY(:tables)"
        ),
        {"tables": sorted({column.table.name for column in ENCRYPTED})},
    ).all()
    for table, constraint in waiting:
        tx.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}"))


def _name(column: EncryptedColumn) -> ColumnElement[str]:
    """The key that a value lies under, `CLEAR` or, where there is no value, null."""
    stored = column.column
    return case((stored.is_(None), None), (stored.regexp_match(_STORED), func.split_part(stored, ".", 2)), else_=CLEAR)


def _count(tx: Connection, column: EncryptedColumn) -> dict[str, int]:
    name = _name(column)
    rows = tx.execute(select(name, func.count()).where(column.column.is_not(None)).group_by(name))
    return {str(one): int(count) for one, count in rows}
