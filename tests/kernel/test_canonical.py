"""Canonical JSON is RFC 8785's, byte for byte, or a refusal."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.rates import Rounding

SAFE = 2**53 - 1

keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@given(values)
def test_the_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_keys_are_sorted_and_nothing_is_padded() -> None:
    value = {"b": [1, True, None], "a": {"名": "杭州\n"}["名"], "B": {}}
    assert canonical(value) == '{"B":{},"a":"杭州\\n","b":[1,true,null]}'.encode()


def test_tuples_are_lists_and_string_enums_strings() -> None:
    assert canonical({"rounding": (Rounding.FLOOR,)}) == b'{"rounding":["floor"]}'


@dataclass
class Amount:
    fen: int


class Colour(Enum):
    RED = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "foreign",
    [
        1.0,
        float("nan"),
        Decimal(1),
        SAFE + 1,
        -SAFE - 1,
        b"bytes",
        uuid.UUID(int=0),
        datetime(2026, 1, 1, tzinfo=UTC),
        date(2026, 1, 1),
        Amount(1),
        Colour.RED,
        Text("a"),
        {1, 2},
        {1: 2},
        {Rounding.FLOOR: 1},
        "\ud800",
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "wrap",
    [lambda value: value, lambda value: [0, value], lambda value: {"a": {"b": (value,)}}],
    ids=["bare", "list", "deep"],
)
def test_everything_else_is_refused(foreign: Any, wrap: Any) -> None:
    with pytest.raises(TypeError):
        canonical(wrap(foreign))


def test_a_key_outside_ascii_is_refused_because_its_order_differs() -> None:
    with pytest.raises(ValueError, match="outside ASCII"):
        canonical([{"名": 1}])


def test_sha256_is_the_published_one() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
