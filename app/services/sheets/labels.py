"""Rows around a list that are no lines of it, known by their words: totals, subtotals, remarks, the unit. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from app.services.sheets.cells import comparable, is_filled, written_day
from app.services.sheets.workbook import Cell

_AMOUNT = r"(?:[(:].*|共?[0-9].*)?"
_TOTAL = re.compile(rf"(?:合计|总计|共计){_AMOUNT}|(?:totals?|sum)(?:[(:].*)?")
_SUBTOTAL = re.compile(rf"(?:本页|分类|分)?小计{_AMOUNT}|(?:本页|本表)合计{_AMOUNT}|sub-?total(?:[(:].*)?")
_COUNT = re.compile(r"(?<![0-9.,第])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9})(笔|条|行|张|家|户)")
_COUNT_ALONE = re.compile(rf"(?:共|计|共计|合计|总计)?{_COUNT.pattern}")
FIRMS = frozenset("家户")
"""What counts firms, of which one may have several lines; every other word counts lines."""
_OTHER_UNIT = re.compile(r"(?:单位[:为]?|[(])(?:人民币)?(?:千|万|百万|千万|亿)元")


def is_total(label: Cell) -> bool:
    """Whether a row that begins so is the total: `合计`, `合　计：`, `总计（元）`, `合计：3家`. Never a firm's name."""
    return _TOTAL.fullmatch(comparable(label)) is not None


def stated_count(cells: Sequence[Cell]) -> tuple[int, str] | None:
    """How many lines, or firms, the row of a total says there are, and its word for them: `合计（2笔）`, `合计 | 2笔`.

    None where it says no such number, or several (`合计2笔，退款1笔`).
    """
    told = [text for text in map(comparable, cells) if is_total(text) or _COUNT_ALONE.fullmatch(text)]
    found = [count for text in told for count in _COUNT.findall(text)]
    return (int(found[0][0].replace(",", "")), found[0][1]) if len(found) == 1 else None


def is_subtotal(label: Cell) -> bool:
    """Whether a row that begins so adds up some of the lines: `小计`, `本页小计`."""
    return _SUBTOTAL.fullmatch(comparable(label)) is not None


def is_remark(cell: Cell) -> bool:
    """Whether a cell below a total can only be a remark or a signature: `审核人：李四`, `2026年11月26日`, a date."""
    return isinstance(cell, date) or (isinstance(cell, str) and (":" in comparable(cell) or bool(written_day(cell))))


def other_unit(rows: Sequence[Sequence[Cell]]) -> tuple[int, int] | None:
    """Where (row and column from 0) these rows, the titles of a list, say that its amounts are in 万元 or the like."""
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if is_filled(cell) and _OTHER_UNIT.search(comparable(cell)):
                return row, column
    return None
