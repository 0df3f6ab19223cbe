"""Lists on their way to the database, packed as PostgreSQL's binary arrays by the type that the statement names.

psycopg finds out the type of each list by looking at its elements, and dumps them one by one: for the hundred lists of
a batch of redemptions that took longer than the decisions. Here the statement says what a list holds. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_EMPTY = struct.Struct(">iiI").pack
_HEAD = struct.Struct(">iiIii").pack
_LENGTH = struct.Struct(">i").pack
_NULL = _LENGTH(-1)
_BIGINT = struct.Struct(">iq").pack
_SMALLINT = struct.Struct(">ih").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Packed(bytes):
    """A packed array; each type of element has a class of its own."""

    __slots__ = ()


class _Text(Packed):
    __slots__ = ()


class _Bytea(Packed):
    __slots__ = ()


class _Bigint(Packed):
    __slots__ = ()


class _Smallint(Packed):
    __slots__ = ()


class _Timestamptz(Packed):
    __slots__ = ()


def _array(element: int, values: Sequence[Any], packed: Iterable[bytes]) -> bytes:
    if not values:
        return _EMPTY(0, 0, element)
    return b"".join((_HEAD(1, int(None in values), element, len(values), 1), *packed))


def _text(values: Sequence[str | None]) -> Packed:
    written = [None if value is None else value.encode() for value in values]
    return _Text(_array(25, values, [_NULL if one is None else _LENGTH(len(one)) + one for one in written]))


def _bytea(values: Sequence[bytes | None]) -> Packed:
    return _Bytea(_array(17, values, [_NULL if one is None else _LENGTH(len(one)) + one for one in values]))


def _bigint(values: Sequence[int | None]) -> Packed:
    return _Bigint(_array(20, values, [_NULL if value is None else _BIGINT(8, value) for value in values]))


def _smallint(values: Sequence[int | None]) -> Packed:
    return _Smallint(_array(21, values, [_NULL if value is None else _SMALLINT(2, value) for value in values]))


def _timestamptz(values: Sequence[datetime | None]) -> Packed:
    packed = [_NULL if value is None else _BIGINT(8, (value - _EPOCH) // _MICROSECOND) for value in values]
    return _Timestamptz(_array(1184, values, packed))


PACK: Mapping[str, Callable[[Sequence[Any]], Packed]] = {
    "text": _text,
    "bytea": _bytea,
    "bigint": _bigint,
    "smallint": _smallint,
    "timestamptz": _timestamptz,
}
"""By the name of the element's type. A value outside the type raises struct.error or AttributeError: a bug."""

_OIDS: Mapping[type[Packed], int] = {_Text: 1009, _Bytea: 1001, _Bigint: 1016, _Smallint: 1005, _Timestamptz: 1185}


def register(connection: psycopg.Connection[Any]) -> None:
    """Let a connection take packed arrays."""
    for kind, oid in _OIDS.items():
        connection.adapters.register_dumper(kind, _dumper(oid))


def _dumper(array_oid: int) -> type[Dumper]:
    class AsItIs(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: Packed) -> Buffer | None:
            return obj

    return AsItIs
