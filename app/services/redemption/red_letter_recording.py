"""Recording the red-letter invoice of a refund that was made before it was issued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import RedLetter, Refund
from app.reach import enter
from app.services import audit
from app.services.identity.principals import Caller
from app.services.redemption.invoice_counters import lock_bases
from app.services.redemption.loading import lock_vouchers
from app.services.redemption.reads import read_redemption
from app.services.redemption.red_letters import RedInvoice, red_problem, refuse_claimed, taken_off
from app.services.redemption.refunded_invoices import check_red, invoices_of, write_red_letter
from app.sql import now, together


@dataclass(frozen=True, slots=True)
class LoweredLine:
    """An invoice line after a red-letter invoice: what it took off, and what the line is worth now. Fen."""

    line_no: int
    amount_fen: int
    left_fen: int


@dataclass(frozen=True, slots=True)
class RedLetterRecord:
    """A red-letter invoice recorded with a refund."""

    redemption_id: str
    refund_id: str
    code: str | None
    number: str
    lines: tuple[LoweredLine, ...]
    recorded_at: datetime


def record_red_letter(
    tx: Connection, *, caller: Caller, redemption_id: str, refund_id: str, red: RedInvoice
) -> RedLetterRecord:
    """Take what a refund cancelled off the invoice lines that its bill was billed on: they cannot be claimed again.

    The refund itself gave back what was too much; so no money moves. Raises `not_found`, `validation_failed`, and
    `invoice_still_claimed` where what was given back has been claimed again since.
    """
    caller.require(Role.PROVIDER)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    enter(tx, [redemption.region_code])
    lock_vouchers(tx, [(redemption.region_code, redemption.voucher_id)], wait=True)
    of_refund = (Refund.region_code == redemption.region_code, Refund.id == refund_id)
    facts = tx.execute(
        select(Refund.facts).where(*of_refund, Refund.redemption_id == redemption.id)
    ).scalar_one_or_none()
    if facts is None:
        raise AppError(Code.NOT_FOUND, what="refund")
    cancelled = {int(line): fen for line, fen in json.loads(facts)["cancelled"].items()}
    taken = taken_off(red, invoices_of(json.loads(redemption.facts)), cancelled)
    _, bases, at = lock_bases(tx, {0: set(taken.lines)}, wait=True)
    if tx.execute(
        select(RedLetter.refund_id).where(
            RedLetter.region_code == redemption.region_code, RedLetter.refund_id == refund_id
        )
    ).first():
        raise red_problem("refund_has_a_red_letter")
    check_red(tx, red, taken)
    refuse_claimed(taken, {key: bases.state(key).less(fen) for key, fen in taken.lines.items()})
    for key, fen in taken.lines.items():
        bases.lower(key, fen)
    with together(tx):
        bases.write(tx)
    write_red_letter(tx, red, taken, region_code=redemption.region_code, refund_id=refund_id, at=at)
    audit.record(
        tx,
        caller=caller,
        region_code=redemption.region_code,
        action="red_letter.recorded",
        object_id=refund_id,
        at=now(tx),
        details={"redemption": redemption.id, "amount_fen": sum(taken.lines.values())},
    )
    lines = tuple(LoweredLine(key[1], fen, bases.state(key).limit_fen or 0) for key, fen in sorted(taken.lines.items()))
    return RedLetterRecord(redemption.id, refund_id, red.code or None, red.number, lines, at)
