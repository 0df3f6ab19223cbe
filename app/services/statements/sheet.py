"""A provider's statement (对账单), .xlsx or CSV: bytes in; lines, and every complaint, out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial

from app.kernel.wording import Language
from app.services.sheets.lists import Declared, ListFile, Read, Row, read_list
from app.services.sheets.values import read_day
from app.services.statements.cells import read_order_no, read_redemption_id, read_uscc, read_voucher_code
from app.services.statements.words import LAYOUT, Field


@dataclass(frozen=True, slots=True)
class Frame:
    """Whose statement it is and of which days (both included, Asia/Shanghai), and what is declared about it."""

    region_code: str
    provider_uscc: str
    period_from: date
    period_until: date
    declared_count: int | None = None
    declared_total_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One redemption as the provider has it; amounts in fen, `subsidy_fen` as it was drawn, before any refund."""

    row_no: int
    subsidy_fen: int
    order_no: str | None = None
    redemption_id: str | None = None
    redeemed_on: date | None = None
    bill_total_fen: int | None = None
    refunded_fen: int | None = None
    voucher_code: str | None = None


StatementFile = ListFile[Line]


def read_statement(data: bytes, frame: Frame, *, language: Language) -> StatementFile:
    """Read a statement's file with everything that is wrong in it; the caller adds what only he knows.

    Raises AppError `file_unreadable` where it is no table that could be a statement.
    """
    declared = Declared(frame.declared_count, frame.declared_total_fen)
    return read_list(data, LAYOUT, declared, partial(_line, frame), language=language)


def _line(frame: Frame, row: Row) -> Read[Line]:
    region = frame.region_code
    order_no = row.take(Field.ORDER_NO, partial(read_order_no, typed=row.typed))
    redemption_id = row.take(Field.REDEMPTION_ID, partial(read_redemption_id, region_code=region))
    redeemed_on = row.take(Field.REDEEMED_ON, partial(read_day, first=frame.period_from, last=frame.period_until))
    voucher_code = row.take(Field.VOUCHER_CODE, partial(read_voucher_code, region_code=region))
    row.take(Field.PROVIDER_USCC, partial(read_uscc, expected=frame.provider_uscc))
    amounts = row.amounts()
    known_by = ((Field.ORDER_NO, order_no), (Field.REDEMPTION_ID, redemption_id))
    marks = [(of, value, value) for of, value in known_by if value is not None]
    if Field.SUBSIDY not in amounts:
        return Read(None, marks)
    line = Line(
        row_no=row.row_no,
        subsidy_fen=amounts[Field.SUBSIDY],
        order_no=order_no,
        redemption_id=redemption_id,
        redeemed_on=redeemed_on,
        bill_total_fen=amounts.get(Field.BILL_TOTAL),
        refunded_fen=amounts.get(Field.REFUNDED),
        voucher_code=voucher_code,
    )
    return Read(line, marks, amounts)
