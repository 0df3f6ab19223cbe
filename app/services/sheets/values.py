"""One cell of a list as the value it stands for: read where that is certain, refused where it is not. Pure."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

from app.kernel.clock import FIRST_DAY, LAST_DAY, civil_date
from app.kernel.money import MAX_FEN, parse_yuan
from app.kernel.widths import half_width
from app.services.sheets.cells import plain_number, shown, written_day
from app.services.sheets.list_words import ListProblem
from app.services.sheets.looks import EXACT
from app.services.sheets.workbook import Cell

_SHIELDED = re.compile(r'="(.*)"')
"""How programs keep Excel from making a number of a text in a CSV file."""
_MANGLED = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]{1,3}", re.IGNORECASE)
_ROUNDED = re.compile(r"[1-9][0-9]{14}0+")
_CURRENCY = re.compile(r"(?:[¥￥]|RMB|CNY|人民币)?(.*?)(?:元|RMB|CNY)?", re.IGNORECASE)
_FEN = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+")
_OTHER_DAYS = re.compile(r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})|([0-9]{4})([0-9]{2})([0-9]{2})")
_TIME = re.compile(r"(.*?)[T\s]\s*(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?")
_THOUSANDS = re.compile(r"(?<![0-9])[0-9]{1,3}(?:[ \xa0\u2009\u202f][0-9]{3})+(?![0-9])")


def plain_text(cell: Cell) -> str:
    """A text, half-width, without what shields it from Excel. Raises ListProblem for what is no text."""
    if not isinstance(cell, str):
        raise ListProblem("number_mangled", actual=shown(cell))
    text = half_width(cell).strip()
    shielded = _SHIELDED.fullmatch(text)
    return shielded[1].strip() if shielded else text


def key_text(cell: Cell, *, typed: bool) -> str:
    """A number of somebody's own, half-width. `typed`: a text cell is as it was typed, which in a CSV nobody knows.

    Raises ListProblem for what has been a number: of 20 digits Excel keeps 15.
    """
    if isinstance(cell, float):
        if not (math.isfinite(cell) and cell.is_integer() and 0 <= cell < EXACT):
            raise ListProblem("number_mangled", actual=shown(cell))
        return plain_number(cell)
    text = plain_text(cell)
    if _MANGLED.fullmatch(text) or (not typed and _ROUNDED.fullmatch(text)):
        raise ListProblem("number_mangled", actual=shown(text))
    return text


def read_amount(cell: Cell, *, in_fen: bool, instead_of_negative: str | None = None) -> int:
    """An amount in fen, 0 or more, of a cell in yuan (or in fen): `1,234.50`, `￥１２３４．５`, `1234.5元`.

    `instead_of_negative` is the heading of the column where a sum below 0 belongs. Raises ListProblem.
    """
    if isinstance(cell, float) and math.isfinite(cell):
        text = plain_number(cell)
    elif isinstance(cell, str):
        match = _CURRENCY.fullmatch(_closed_up(half_width(cell)))
        text = match[1] if match else ""
    else:
        raise ListProblem("amount_unreadable", actual=shown(cell))
    if text[:1] in {"-", "−", "("} and text[1:].strip("-−"):
        raise ListProblem("amount_negative", limit=instead_of_negative, actual=shown(cell))
    return _fen(text, cell) if in_fen else _yuan(text, cell)


def _closed_up(text: str) -> str:
    """Without blanks, but for those between digits that part no thousands: there may be two numbers in the cell."""
    grouped = _THOUSANDS.sub(lambda found: "".join(found[0].split()), text)
    return re.sub(r"(?<![0-9.,])\s+|\s+(?![0-9.,])", "", grouped)


def _fen(text: str, cell: Cell) -> int:
    if re.fullmatch(r"[0-9,]+\.[0-9]*[1-9][0-9]*", text):
        raise ListProblem("amount_decimals", actual=shown(cell))
    if _FEN.fullmatch(text) is None or len(text) > 20 or (fen := int(text.replace(",", ""))) > MAX_FEN:
        raise ListProblem("amount_unreadable", actual=shown(cell))
    return fen


def _yuan(text: str, cell: Cell) -> int:
    try:
        return parse_yuan(text)
    except ValueError as error:
        too_exact = re.fullmatch(r"[0-9,]+\.[0-9]{3,}", text)
        raise ListProblem("amount_decimals" if too_exact else "amount_unreadable", actual=shown(cell)) from error


def read_day(cell: Cell, *, first: date, last: date) -> date:
    """A day of the period, Asia/Shanghai; a time of day beside it does not count. Raises ListProblem."""
    if isinstance(cell, datetime):
        day: date | None = cell.date()
    elif isinstance(cell, date):
        day = cell
    elif isinstance(cell, float) and math.isfinite(cell):
        day = _written(plain_number(cell))
    else:
        day = _written(half_width(cell).strip()) if isinstance(cell, str) else None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise ListProblem("date_unreadable", actual=shown(cell))
    if not first <= day <= last:
        raise ListProblem("date_outside_period", limit=f"{first} – {last}", actual=day.isoformat())
    return day


def _written(text: str) -> date | None:
    timed = _TIME.fullmatch(text)
    day = timed[1] if timed else text
    try:
        other = _OTHER_DAYS.fullmatch(day)
        if other:
            year, month, on = (int(digits) for digits in other.groups() if digits)
            return date(year, month, on)
        at = None if timed or "T" not in text else datetime.fromisoformat(text)
    except ValueError:
        return None
    if at is not None:
        return civil_date(at) if at.tzinfo else at.date()
    return written_day(day)
