"""Why a bill got its amount: the trace that was stored with the redemption, as sentences and as a small sum. Pure.

The trace is written by `services/rules/assess.py`, `services/redemption/decisions.py` and, for a bill from a hold,
`services/redemption/holds/decisions.py`. Nothing is assessed again here: what is shown is what was decided. A step that
this page does not know is left out of the sum; a reduction that it does not know is named by its code, so that no cut
goes unmentioned. An assessment that has drawn nothing yet is told by the same words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.api.portal import telling_base, telling_hold, telling_subsidy
from app.api.portal.naming import Names
from app.api.portal.presentation import local_time
from app.api.portal.telling import OfHold, SumRow, Telling, Trace, lifted
from app.api.portal.texts import Words
from app.kernel.money import format_yuan
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.reads import RefundRecord
from app.services.rules.model import Rules

TELLERS: Mapping[str, Callable[[Telling, Trace], None]] = {
    "rule_version": telling_subsidy.rule_version,
    "evidence": telling_base.evidence,
    "eligible_lines": telling_base.eligible_lines,
    "related_parties": telling_base.related_parties,
    "least_of": telling_base.least_of,
    "invoice_lines": telling_base.invoice_lines,
    "base": telling_base.base,
    "minimum": telling_base.minimum,
    "rate": telling_subsidy.rate,
    "exception": telling_subsidy.exception,
    "cap_exact": telling_subsidy.cap_exact,
    "rounding": telling_subsidy.rounding,
    "cap": telling_subsidy.cap,
    "ceiling": telling_subsidy.ceiling,
    "granted_before": telling_subsidy.granted_before,
    "voucher": telling_subsidy.voucher,
    "hold": telling_hold.hold,
}
"""The kinds of steps, and what tells each."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A bill's amount in words and in figures.

    `cuts` names the reasons for which it got less, `advice` says what one can do about each; amounts count `unit`.
    """

    sentences: tuple[str, ...]
    rows: tuple[SumRow, ...]
    cuts: tuple[str, ...]
    advice: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of the bill, as billed."""

    number: int
    category: str
    quantity: str
    unit: str
    unit_price: str
    amount_fen: int
    covered: bool


def explain(
    redemption: RedemptionRecord,
    words: Words,
    refunds: Sequence[RefundRecord] | None = None,
    *,
    rules: Rules | None = None,
) -> Explanation:
    """Tell from the stored traces what a bill drew and why, and what its refunds gave back.

    Without `refunds` only their sum is mentioned, as the redemption itself carries it. `rules` are the version that
    judged it: they know what amounts count and what conditions are called.
    """
    steps, reductions = lifted(json.loads(redemption.trace))
    drawn_fen, firm_pays_fen = redemption.subsidy_fen, redemption.firm_pays_fen
    telling = Telling(Names(words, rules), steps, reductions, of_hold=_of_hold(redemption))
    telling_hold.opening(telling)
    told = _tell(telling, drawn_fen)
    key = "why.drawn" if drawn_fen or redemption.hold_id is None else "why.drawn_nothing"
    told.say(key, drawn=format_yuan(drawn_fen), firm_pays=format_yuan(firm_pays_fen))
    if refunds is not None:
        own = {refund.id for refund in refunds}
        for refund in refunds:
            if refund.because_of_id in own:
                at, back = local_time(refund.refunded_at), format_yuan(refund.subsidy_refund_fen)
                told.say("why.refund_after_bounce", at=at, returned=back)
            else:
                _refund(told, refund)
    elif redemption.bill_refunded_fen:
        cancelled, returned = format_yuan(redemption.bill_refunded_fen), format_yuan(redemption.refunded_fen)
        told.say("why.refunded_later", bill=cancelled, returned=returned)
    elif redemption.refunded_fen:
        told.say("why.refunded_with_another", returned=format_yuan(redemption.refunded_fen))
    if refunds is None and redemption.recovered_fen:
        told.say("why.recovered", recovered=format_yuan(redemption.recovered_fen))
    return _explanation(told, words("calc.drawn"), drawn_fen, firm_pays_fen)


def explain_assessment(
    steps: Sequence[Trace], reductions: Sequence[Trace], words: Words, *, rules: Rules, amount_fen: int, bill_fen: int
) -> Explanation:
    """Tell what a bill would draw and why: an assessment's steps, those of version and voucher with them.

    `amount_fen` is what it came to, the voucher's balance considered where one was named.
    """
    told = _tell(Telling(Names(words, rules), steps, list(reductions), quoted=True), amount_fen)
    pays_fen = bill_fen - amount_fen
    on_voucher = told.has("voucher")
    if amount_fen:
        key = "why.would_draw" if on_voucher else "why.would_grant"
        told.say(key, drawn=format_yuan(amount_fen), firm_pays=format_yuan(pays_fen))
    return _explanation(told, words("calc.drawn" if on_voucher else "calc.granted"), amount_fen, pays_fen)


def _tell(told: Telling, amount_fen: int) -> Telling:
    for step in told.steps:
        if step["step"] in TELLERS:
            TELLERS[step["step"]](told, step)
    telling_base.refusals(told)
    if told.base_told and told.subsidy_fen != amount_fen:
        told.row(told.names.words("calc.spare"), "", amount_fen - told.subsidy_fen)
    return told


def _explanation(told: Telling, label: str, amount_fen: int, firm_pays_fen: int) -> Explanation:
    results = (
        SumRow(label, "", amount_fen, "result"),
        SumRow(told.names.words("calc.firm_pays"), "", firm_pays_fen, "result"),
    )
    return Explanation(
        sentences=tuple(told.sentences),
        rows=(*told.rows, *results),
        cuts=tuple(told.cuts),
        advice=tuple(told.advice),
        unit=told.names.unit,
    )


def lines(redemption: RedemptionRecord, words: Words) -> list[ShownLine]:
    """The bill's lines from the stored facts, each with whether the rules covered it."""
    bill = json.loads(redemption.facts)["bill"]
    steps = json.loads(redemption.trace)["steps"]
    of_hold = _of_hold(redemption)
    before = of_hold.lines_before if of_hold is not None else 0
    left_out = {line["line"] - before for step in steps for line in step.get("left_out", ())}
    return [
        ShownLine(
            number=number,
            category=words.named("category", line["category"]),
            quantity=line["quantity"],
            unit=words.named("unit", line["unit"]),
            unit_price=line["unit_price"],
            amount_fen=line["amount_fen"],
            covered=number not in left_out,
        )
        for number, line in enumerate(bill["lines"], start=1)
    ]


def _of_hold(redemption: RedemptionRecord) -> OfHold | None:
    if redemption.part_no is None:
        return None
    lines_before = json.loads(redemption.facts)["hold"]["lines_before"]
    return OfHold(redemption.part_no, lines_before, redemption.bill_total_fen)


def _refund(told: Telling, refund: RefundRecord) -> None:
    """What a refund did; one on a hold judged all its bills, and its trace has their totals."""
    outcome = next(step for step in json.loads(refund.trace)["steps"] if step["step"] == "refund")
    if refund.because_of_id is not None:
        key = "why.refund_of_another"
    elif told.of_hold is not None:
        key = "why.refund_on_hold" if outcome["returned_fen"] else "why.refund_on_hold_nothing"
    else:
        key = "why.refund" if refund.subsidy_refund_fen or refund.recovery else "why.refund_nothing"
    told.say(
        key,
        at=local_time(refund.refunded_at),
        bill=format_yuan(refund.bill_refund_fen),
        reason=refund.reason,
        entitled=format_yuan(outcome["entitled_fen"]),
        drawn=format_yuan(outcome["drawn_fen"]),
        returned=format_yuan(outcome["returned_fen"]),
        here=format_yuan(refund.recovery.amount_fen if refund.recovery else refund.subsidy_refund_fen),
    )
    if refund.recovered_fen:
        told.say("why.recovered", recovered=format_yuan(refund.recovered_fen))
