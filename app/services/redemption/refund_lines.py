"""What a refund takes off the lines of a bill, and off the counters of cumulative rules. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.kernel.problems import AppError, Code, FieldError
from app.services.redemption.assessing import Counts
from app.services.redemption.commands import RedemptionRecord
from app.services.rules.position import NOTHING, Counter


@dataclass(frozen=True, slots=True)
class RefundLine:
    """How much of one line of the bill is cancelled. Lines count from 1; the amount is fen with VAT."""

    line: int
    amount_fen: int


def cancelled_lines(
    redemption: RedemptionRecord, before: Mapping[int, int], amount_fen: int | None, lines: Sequence[RefundLine]
) -> dict[int, int]:
    """What is cancelled of each line, in fen, where `before` has been cancelled of them.

    Raises `refund_exceeds_redemption`, and `validation_failed` for a line that the bill has not or an amount alone that
    could be of several.
    """
    bill = json.loads(redemption.facts)["bill"]
    left = {number: line["amount_fen"] - before.get(number, 0) for number, line in enumerate(bill["lines"], start=1)}
    left_fen = redemption.bill_total_fen - redemption.bill_refunded_fen
    if amount_fen is not None:
        if amount_fen > left_fen:
            raise AppError(
                Code.REFUND_EXCEEDS_REDEMPTION, pointer="/amount_fen", limit_fen=left_fen, actual_fen=amount_fen
            )
        if amount_fen == left_fen:
            return {number: fen for number, fen in left.items() if fen}
        if len(left) > 1:
            raise AppError(
                Code.VALIDATION_FAILED,
                count=1,
                errors=[FieldError("/lines", "lines_needed", limit=len(left), actual=amount_fen)],
            )
        return {1: amount_fen}
    cancelled: dict[int, int] = {}
    for place, asked in enumerate(lines):
        if asked.line not in left:
            raise AppError(
                Code.VALIDATION_FAILED,
                count=1,
                errors=[FieldError(f"/lines/{place}/line", "no_such_line", limit=len(left), actual=asked.line)],
            )
        cancelled[asked.line] = cancelled.get(asked.line, 0) + asked.amount_fen
        if cancelled[asked.line] > left[asked.line]:
            raise AppError(
                Code.REFUND_EXCEEDS_REDEMPTION,
                pointer=f"/lines/{place}/amount_fen",
                limit_fen=left[asked.line],
                actual_fen=cancelled[asked.line],
            )
    return cancelled


def by_line(amounts: Mapping[int, int]) -> dict[str, int]:
    """Amounts of lines as facts write them."""
    return {str(line): amounts[line] for line in sorted(amounts)}


def difference_of(now_counted: Counts, counted: Counts, *, restores_cap: bool) -> Counts:
    """What a refund changes in the counters: it never raises one.

    Where the rules do not restore the cap, the grant stays used up. D24.
    """
    target, before = dict(now_counted), dict(counted)
    changes = []
    for bucket in sorted(target.keys() | before.keys()):
        less = target.get(bucket, NOTHING).less(before.get(bucket, NOTHING))
        change = Counter(*(min(0, value) for value in less))
        changes.append((bucket, change if restores_cap else change._replace(granted_fen=0, claims=0)))
    return tuple(changes)
