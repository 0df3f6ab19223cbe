"""The cells of a statement that no other list has: read where that is certain, refused where it is not. Pure."""

from __future__ import annotations

import re

from app.kernel.codes import parse_code, region_of_code
from app.kernel.ids import is_id, region_of
from app.services.sheets.cells import shown
from app.services.sheets.values import key_text, plain_text
from app.services.sheets.workbook import Cell
from app.services.statements.words import CellProblem

ORDER_NO_LENGTH = 64

_ORDER_NO = re.compile(f"[!-~]{{1,{ORDER_NO_LENGTH}}}")


def read_order_no(cell: Cell, *, typed: bool) -> str:
    """A provider's own number. Raises CellProblem, above all for what has been a number."""
    text = key_text(cell, typed=typed)
    if _ORDER_NO.fullmatch(text) is None:
        raise CellProblem("order_no_unfit", limit=ORDER_NO_LENGTH, actual=shown(text))
    return text


def read_redemption_id(cell: Cell, *, region_code: str) -> str:
    """Our id of a redemption of this region. Raises CellProblem."""
    text = plain_text(cell).lower()
    if not is_id(text, "rdm") or region_of(text) != region_code:
        raise CellProblem("redemption_id_unfit", limit=region_code, actual=shown(text))
    return text


def read_voucher_code(cell: Cell, *, region_code: str) -> str:
    """A voucher's code in its stored form. Raises CellProblem."""
    text = plain_text(cell)
    try:
        code = parse_code(text)
    except ValueError as error:
        raise CellProblem("voucher_code_unfit", limit=region_code, actual=shown(text)) from error
    if region_of_code(code) != region_code:
        raise CellProblem("voucher_code_unfit", limit=region_code, actual=shown(text))
    return code


def read_uscc(cell: Cell, *, expected: str) -> str:
    """The provider's own code. Raises CellProblem where it is anybody else's."""
    text = plain_text(cell).upper()
    if text != expected:
        raise CellProblem("row_of_another_provider", limit=expected, actual=shown(text))
    return text
