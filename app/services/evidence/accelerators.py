"""The published table of accelerators: what a card computes, so that card-hours of different cards compare.

The measure is FP16, dense (without sparsity), in TFLOPS a card. The table is a dated file; each figure names its source
and of what kind that is. A card whose figure nobody could source is not in it: adding one means a new version date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from app.kernel.problems import AppError, Code, FieldError
from app.kernel.rates import decimal_text, parse_decimal

FILE = Path(__file__).with_name("accelerators.json")

CARD_HOUR = "card_hour"
PFLOPS_HOUR = "pflops_hour"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One card. `fp16_dense_tflops` is a decimal; `source_kind` says who stands for it."""

    code: str
    maker_en: str
    maker_zh: str
    name_en: str
    name_zh: str
    origin: Literal["domestic", "foreign"]
    fp16_dense_tflops: str
    source_kind: Literal["maker", "benchmark", "secondary"]
    source: str
    source_url: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Table:
    """The table of one day."""

    version_on: date
    measure: str
    accelerators: tuple[Accelerator, ...]


@cache
def published_table() -> Table:
    """The table that holds today, domestic cards first."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    rows = (row | {"as_of": date.fromisoformat(row["as_of"])} for row in document["accelerators"])
    return Table(
        date.fromisoformat(document["version_on"]), document["measure"], tuple(Accelerator(**row) for row in rows)
    )


def pflops_hours(card_hours: Fraction, code: str, *, pointer: str) -> str:
    """Card-hours of a card of the table as PFLOPS·hours (FP16, dense), exactly, as a decimal.

    Raises `accelerator_not_known`, naming the place and all codes of the table.
    """
    tflops = _tflops().get(code)
    if tflops is None:
        known = ", ".join(_tflops())
        error = FieldError(pointer, Code.ACCELERATOR_NOT_KNOWN, limit=known, actual=code)
        raise AppError(Code.ACCELERATOR_NOT_KNOWN, errors=[error], limit=known, actual=code)
    return decimal_text(card_hours * tflops / 1000)


def is_known(code: str) -> bool:
    """Whether the table has such a card."""
    return code in _tflops()


def known_codes() -> tuple[str, ...]:
    """All codes of the table, in its order."""
    return tuple(_tflops())


@cache
def _tflops() -> dict[str, Fraction]:
    return {
        card.code: parse_decimal(card.fp16_dense_tflops, max_decimals=2, max_digits=8)
        for card in published_table().accelerators
    }
