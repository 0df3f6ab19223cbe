"""A list of the bank's results (银行支付结果), .xlsx or CSV: bytes in; lines, and every complaint, out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import partial

from app.kernel.ids import is_id, region_of
from app.kernel.vocabulary import BankLineStatus
from app.kernel.wording import Language
from app.services.bank_lists.words import LAYOUT, STATUSES, CellProblem, Field
from app.services.period_files import Days
from app.services.sheets.cells import comparable, shown
from app.services.sheets.lists import Declared, ListFile, Read, Row, read_list
from app.services.sheets.values import key_text, plain_text, read_day
from app.services.sheets.workbook import Cell

REFERENCE_LENGTH = 64
NAME_LENGTH = 200
TAIL_LENGTH = 4
"""Digits of an account that are kept: enough to tell one from another, too few to pay into it."""

_REFERENCE = re.compile(f"[!-~]{{1,{REFERENCE_LENGTH}}}")
_ACCOUNT = re.compile(f"[0-9*]*[0-9]{{{TAIL_LENGTH}}}")
_STATUSES = {comparable(word): status for status, words in STATUSES.items() for word in words}


@dataclass(frozen=True, slots=True)
class Line:
    """One payment, return or receipt as the bank has it; the amount is in fen and above 0."""

    row_no: int
    status: BankLineStatus
    bank_reference: str
    amount_fen: int
    settled_on: date
    order_id: str | None = None
    payee_name: str | None = None
    account_tail: str | None = None


BankListFile = ListFile[Line]


def read_bank_list(
    data: bytes, days: Days, declared: Declared, *, region_code: str, language: Language
) -> BankListFile:
    """Read a bank list's file with everything that is wrong in it.

    Raises AppError `file_unreadable` where it is no table that could be one.
    """
    return read_list(data, LAYOUT, declared, partial(_line, days, region_code), language=language)


def _line(days: Days, region_code: str, row: Row) -> Read[Line]:
    order_id = row.take(Field.ORDER_ID, partial(_read_order_id, region_code=region_code))
    payee_name = row.take(Field.PAYEE_NAME, _read_name)
    account_tail = row.take(Field.ACCOUNT, partial(_read_tail, typed=row.typed))
    amounts = row.amounts()
    amount_fen = amounts.get(Field.AMOUNT)
    if amount_fen == 0:
        row.complain(CellProblem("amount_zero"), Field.AMOUNT)
    status = row.take(Field.STATUS, _read_status)
    reference = row.take(Field.BANK_REFERENCE, partial(_read_reference, typed=row.typed))
    settled_on = row.take(Field.SETTLED_ON, partial(read_day, first=days.first, last=days.last))
    if not amount_fen or status is None or reference is None or settled_on is None:
        return Read(None, amounts=amounts)
    line = Line(row.row_no, status, reference, amount_fen, settled_on, order_id, payee_name, account_tail)
    # The same reference for something else is a difference to be followed; the very same line is there by mistake.
    mark = " ".join(map(str, (status, reference, amount_fen, settled_on, order_id)))
    return Read(line, [(Field.BANK_REFERENCE, mark, reference)], amounts)


def _read_order_id(cell: Cell, *, region_code: str) -> str:
    text = plain_text(cell).lower()
    if not is_id(text, "pyo") or region_of(text) != region_code:
        raise CellProblem("order_id_unfit", limit=region_code, actual=shown(text))
    return text


def _read_name(cell: Cell) -> str:
    name = "".join(filter(str.isprintable, cell)).strip() if isinstance(cell, str) else shown(cell)
    if len(name) > NAME_LENGTH:
        raise CellProblem("name_too_long", limit=NAME_LENGTH)
    return name


def _read_tail(cell: Cell, *, typed: bool) -> str:
    """The last digits of an account, written in whole or masked, in groups or not."""
    text = "".join(key_text(cell, typed=typed).replace("-", " ").split())
    if _ACCOUNT.fullmatch(text) is None:
        raise CellProblem("account_unfit", actual="*" * TAIL_LENGTH + text[-TAIL_LENGTH:])
    return text[-TAIL_LENGTH:]


def _read_status(cell: Cell) -> BankLineStatus:
    status = _STATUSES.get(comparable(cell))
    if status is None:
        raise CellProblem("status_unknown", actual=shown(cell))
    return status


def _read_reference(cell: Cell, *, typed: bool) -> str:
    text = key_text(cell, typed=typed)
    if _REFERENCE.fullmatch(text) is None:
        raise CellProblem("reference_unfit", limit=REFERENCE_LENGTH, actual=shown(text))
    return text
