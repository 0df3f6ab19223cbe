"""Cells of an uploaded table, looked at alike by everything that reads one. Pure.

A CSV gives text, a workbook also numbers and dates. A workbook's float is read by its shortest decimal form, so that
no binary fraction reaches an amount.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date
from decimal import Decimal

from app.kernel.widths import half_width
from app.services.sheets.looks import SHOWN_OTHERWISE
from app.services.sheets.workbook import NO_RESULT, Cell

ERROR_VALUES = frozenset(
    (
        "#NULL!",
        "#DIV/0!",
        "#VALUE!",
        "#REF!",
        "#NAME?",
        "#NUM!",
        "#N/A",
        "#GETTING_DATA",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        NO_RESULT,
    )
)
_DAY = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<m1>[0-9]{1,2})-(?P<d1>[0-9]{1,2})"
    r"|/(?P<m2>[0-9]{1,2})/(?P<d2>[0-9]{1,2})|年(?P<m3>[0-9]{1,2})月(?P<d3>[0-9]{1,2})日)"
)
_MUST = re.compile(r"^\*+|\*+$|\((?:必填|选填)(?:项)?\)$")
_SHOWN = 60
"""Characters of a cell that a complaint repeats."""


def is_filled(cell: Cell) -> bool:
    """Whether there is anything but spaces."""
    return not isinstance(cell, str) or bool(cell.strip())


def cell_error(text: str) -> tuple[str, str] | None:
    """The complaint about a cell that says nothing for certain, and what it shows; None where it is a text."""
    if text in ERROR_VALUES:
        return ("formula_without_result" if text == NO_RESULT else "formula_error"), text
    if text.startswith(SHOWN_OTHERWISE):
        return "number_shown_otherwise", text.removeprefix(SHOWN_OTHERWISE).strip()
    return None


def comparable(heading: Cell) -> str:
    """A heading without the accidents of typing: width, spaces, case, characters that nobody sees."""
    if not isinstance(heading, str):
        return ""
    seen = half_width(heading)
    if not seen.isprintable():
        seen = "".join(character for character in seen if unicodedata.category(character) != "Cf")
    return "".join(seen.split()).casefold()


def comparable_heading(heading: Cell) -> str:
    """The same without the marks by which forms tell which columns must be filled: `*`, `（必填）`, `（选填）`."""
    return _MUST.sub("", comparable(heading))


def shown(cell: Cell) -> str:
    """A cell as a complaint repeats it."""
    return (plain_number(cell) if isinstance(cell, float) and math.isfinite(cell) else str(cell))[:_SHOWN]


def plain_number(number: float) -> str:
    """The shortest decimal that is this number, without an exponent: 33.35 is `33.35`, 1e15 is `1000000000000000`."""
    exact = Decimal(repr(number + 0.0))  # -0.0 is 0
    return format(exact.to_integral_value() if exact == exact.to_integral_value() else exact, "f")


def written_day(text: str) -> date | None:
    """The day that is written as 2026-12-31, 2026/12/31 or 2026年12月31日; None where it is anything else."""
    match = _DAY.fullmatch("".join(half_width(text).split()))
    if match is None:
        return None
    year, month, day = (int(digits) for digits in match.groups() if digits)
    try:
        return date(year, month, day)
    except ValueError:
        return None
