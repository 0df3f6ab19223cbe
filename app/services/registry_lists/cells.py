"""The cells that all lists of the registry have, each as the value it stands for or refused. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date

from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.regions import is_region, region_name, regions_named
from app.kernel.uscc import UsccError, parse_uscc
from app.kernel.widths import half_width, is_printable
from app.services.registry_lists.words import CellProblem
from app.services.sheets.cells import comparable, plain_number, shown
from app.services.sheets.values import plain_text, read_day
from app.services.sheets.workbook import Cell

TEXT_LENGTH = 200

_MAKER_NO = re.compile("[!-~]{1,64}")
_MANGLED = re.compile(r"[0-9](?:\.[0-9]+)?E\+?[0-9]{1,3}", re.IGNORECASE)
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,6})?")
_FORMULA = ("=", "+", "-", "@")


def read_uscc(cell: Cell) -> str:
    """A 统一社会信用代码. As a number, or one that was a number once, it is refused: Excel keeps 15 digits."""
    if not isinstance(cell, str) or _MANGLED.fullmatch(half_width(cell).strip()):
        raise CellProblem("uscc_is_number", actual=shown(cell))
    try:
        return parse_uscc(plain_text(cell))
    except UsccError as error:
        raise CellProblem("uscc_not_valid", limit=str(error), actual=shown(cell)) from error


def read_maker_no(cell: Cell) -> str:
    """The number of a maker team without legal personality."""
    text = plain_number(cell) if isinstance(cell, float) and cell.is_integer() else plain_text(cell)
    if _MAKER_NO.fullmatch(text) is None:
        raise CellProblem("maker_no_not_valid", actual=shown(cell))
    return text


def read_line(cell: Cell) -> str:
    """A text on one line, stored as it was given. What begins like a formula is none."""
    text = (plain_number(cell) if isinstance(cell, float) and math.isfinite(cell) else str(cell)).strip()
    if half_width(text).startswith(_FORMULA):
        raise CellProblem("text_formula", actual=shown(text))
    if not 1 <= len(text) <= TEXT_LENGTH or not is_printable(text):
        raise CellProblem("text_unfit", limit=TEXT_LENGTH)
    return text


def read_region(cell: Cell, *, within: str) -> str:
    """A region by its code, by its name within a province or city, or by both: `330106 西湖区`."""
    text = plain_number(cell) if isinstance(cell, float) and cell.is_integer() else plain_text(cell)
    code, _, name = text.partition(" ")
    if code.isdigit():
        found: tuple[str, ...] = (code,) if is_region(code) and (not name or name.strip() == region_name(code)) else ()
    else:
        found = regions_named("".join(text.split()), within)
    if len(found) != 1:
        raise CellProblem("region_unknown", limit=within, actual=shown(cell))
    return found[0]


def read_word(cell: Cell, words: Mapping[str, tuple[str, ...]]) -> str:
    """One of a few words, in any of the ways in which it is written."""
    for word, others in words.items():
        if comparable(cell) in map(comparable, others):
            return word
    raise CellProblem("word_unknown", limit="、".join(others[0] for others in words.values()), actual=shown(cell))


def read_words(cell: Cell, words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Several of a few words, separated by commas, 、, ; or /."""
    parts = [part for part in re.split(r"[,、，;；/\s]+", str(cell).strip()) if part]
    return tuple(dict.fromkeys(read_word(part, words) for part in parts))


def read_count(cell: Cell, *, most: int) -> int:
    """A whole number from 0 on."""
    text = _number(cell)
    if not text.isdigit() or int(text) > most:
        raise CellProblem("number_unfit", limit=most, actual=shown(cell))
    return int(text)


def read_decimal(cell: Cell) -> str:
    """A number of 0 or more, as plain decimal text without zeros that say nothing."""
    text = _number(cell)
    if _DECIMAL.fullmatch(text) is None:
        raise CellProblem("decimal_unfit", actual=shown(cell))
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_date(cell: Cell) -> date:
    """A civil day in any of the usual ways."""
    return read_day(cell, first=FIRST_DAY, last=LAST_DAY)


def _number(cell: Cell) -> str:
    if isinstance(cell, float) and math.isfinite(cell):
        return plain_number(cell)
    text = plain_text(cell)
    return text.replace(",", "") if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", text) else text
