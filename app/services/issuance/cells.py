"""One cell of a sheet of grants as the value it stands for: read where that is certain, refused where it is not. Pure.

Excel's floats never reach an amount: a number is read by its shortest decimal form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import partial

from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.money import format_yuan, parse_yuan
from app.kernel.widths import half_width, is_printable
from app.services.issuance.rows import (
    MAX_FACE_VALUE_FEN,
    SCORE_DECIMALS,
    read_reference,
    read_text,
    read_uscc,
    score_of,
)
from app.services.issuance.words import MARK_LENGTH, NAME_LENGTH, NOTE_LENGTH, CellProblem, Field
from app.services.sheets.cells import cell_error, plain_number, shown, written_day
from app.services.sheets.workbook import Cell

_SHIELDED = re.compile(r'="(.*)"')
"""How programs keep Excel from making a number of a text in a CSV file."""
_MANGLED = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]{1,3}", re.IGNORECASE)
_ROUNDED = re.compile(r"[1-9][0-9]{14}0+")


def sound(cell: Cell, *, typed: bool) -> Cell:
    """The cell, unless it shows that its formula has failed or that its number is shown otherwise. Raises CellProblem.

    Of a CSV file (not `typed`) the text within `="…"`; any other beginning of a formula there is refused.
    """
    if not isinstance(cell, str):
        return cell
    if error := cell_error(cell):
        raise CellProblem(error[0], actual=error[1])
    if typed or not cell.startswith(("=", "@")):
        return cell
    shielded = _SHIELDED.fullmatch(cell.strip())
    if shielded is None:
        raise CellProblem("formula_as_text", actual=shown(cell))
    return shielded[1].replace('""', '"')


def read_amount(cell: Cell) -> int:
    """An amount in fen of a cell in yuan, above 0. Raises CellProblem."""
    if isinstance(cell, float) and math.isfinite(cell):
        typed = plain_number(cell)
    elif isinstance(cell, str):
        typed = half_width(cell).strip()
    else:
        raise CellProblem("amount_unreadable", actual=shown(cell))
    try:
        fen = parse_yuan(typed)
    except ValueError as error:
        raise _amount_problem(typed) from error
    if fen == 0:
        raise CellProblem("amount_not_positive", actual=shown(typed))
    return fen


def _identifier(cell: Cell, *, typed: bool) -> str:
    """Digits of an identifier are text: of a number only 15 would be left, and no leading zero."""
    text = _text(cell)
    plain = half_width(text).strip()
    if not is_printable("".join(plain.split())):
        raise CellProblem("control_character")
    if _MANGLED.fullmatch(plain) or (not typed and _ROUNDED.fullmatch(plain)):
        raise CellProblem("number_mangled", actual=shown(plain))
    return text


def _text(cell: Cell) -> str:
    if not isinstance(cell, str):
        raise CellProblem("text_required")
    return cell


def _words(cell: Cell, *, max_length: int) -> str:
    """Text for people: a number that Excel made of it is as good as what was typed."""
    return read_text(plain_number(cell) if isinstance(cell, float) else _text(cell), max_length=max_length)


def _mark(text: str) -> str:
    return read_text(half_width(text), max_length=MARK_LENGTH)


def _score(cell: Cell) -> str:
    if not isinstance(cell, str) and not (isinstance(cell, float) and math.isfinite(cell)):
        raise CellProblem("score_unreadable", actual=shown(cell))
    typed = plain_number(cell) if isinstance(cell, float) else half_width(cell).strip()
    try:
        return score_of(typed)
    except ValueError as error:
        too_exact = re.fullmatch(rf"[0-9]+\.[0-9]{{{SCORE_DECIMALS + 1},}}", typed)
        code = "score_decimals" if too_exact else "score_unreadable"
        raise CellProblem(code, limit=SCORE_DECIMALS, actual=shown(typed)) from error


def _amount_problem(typed: str) -> CellProblem:
    as_typed = shown(typed)
    whole, _, decimals = typed.removeprefix("-").replace(",", "").partition(".")
    if not re.fullmatch("[0-9]+", whole) or not re.fullmatch("[0-9]*", decimals):
        return CellProblem("amount_unreadable", actual=as_typed)
    if typed.startswith("-"):
        return CellProblem("amount_not_positive", actual=as_typed)
    if len(decimals) > 2:
        return CellProblem("amount_decimals", actual=as_typed)
    if int(whole[:32]) * 100 >= MAX_FACE_VALUE_FEN:
        return CellProblem("amount_too_large", limit=format_yuan(MAX_FACE_VALUE_FEN), actual=as_typed)
    return CellProblem("amount_unreadable", actual=as_typed)


def _day(cell: Cell) -> date:
    if isinstance(cell, datetime):
        if cell.time() != time.min:
            raise CellProblem("date_with_time", actual=shown(cell))
        day: date | None = cell.date()
    elif isinstance(cell, date):
        day = cell
    else:
        day = written_day(cell) if isinstance(cell, str) else None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise CellProblem("date_unreadable", actual=shown(cell))
    return day


def readers(*, typed: bool) -> Mapping[Field, Callable[[Cell], object]]:
    """How the cell of each field is read, where it is filled and sound. Each raises CellProblem."""
    return {
        Field.REFERENCE_NO: lambda cell: read_reference(_identifier(cell, typed=typed)),
        Field.USCC: lambda cell: read_uscc(_identifier(cell, typed=typed)),
        Field.FIRM_NAME: partial(_words, max_length=NAME_LENGTH),
        Field.FACE_VALUE: read_amount,
        Field.ASKED: read_amount,
        Field.VALID_FROM: _day,
        Field.VALID_UNTIL: _day,
        Field.NOTE: partial(_words, max_length=NOTE_LENGTH),
        Field.SCORE: _score,
        Field.TIER: partial(_words, max_length=MARK_LENGTH),
        Field.PROJECT: lambda cell: _mark(_identifier(cell, typed=typed)),
        Field.PROJECT_LEVEL: partial(_words, max_length=MARK_LENGTH),
    }
