"""Why a bill got its amount: the trace that was stored with the redemption, as sentences and as a small sum. Pure.

The trace is written by `services/rules/assess.py` and `services/redemption/decisions.py`. Nothing is assessed again
here: what is shown is what was decided. A step that this page does not know is left out of the sum; a reduction that it
does not know is named by its code, so that no cut goes unmentioned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from app.api.portal.presentation import local_time
from app.api.portal.texts import Words
from app.kernel.money import format_yuan
from app.kernel.rates import parse_rate
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.reads import RefundRecord

Trace = Mapping[str, Any]

CUTS: Mapping[str, str] = {
    "NOT_ELIGIBLE_LINE": "calc.left_out",
    "BELOW_MIN": "calc.minimum",
    "CAP_CLAIM": "calc.cap",
    "STACK_CEILING": "calc.ceiling",
    "CAP_VOUCHER": "calc.voucher",
}
"""Reason code → what a reduction is called in the sum. Each of them has a sentence of its own."""


@dataclass(frozen=True, slots=True)
class SumRow:
    """A line of the calculation. `amount_fen` is negative where something was cut."""

    label: str
    basis: str
    amount_fen: int
    kind: Literal["plain", "cut", "result"] = "plain"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A bill's amount in words and in figures; `cuts` names the reasons for which it got less."""

    sentences: tuple[str, ...]
    rows: tuple[SumRow, ...]
    cuts: tuple[str, ...]


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


def explain(redemption: RedemptionRecord, words: Words, refunds: Sequence[RefundRecord] | None = None) -> Explanation:
    """Tell from the stored traces what a bill drew and why, and what its refunds gave back.

    Without `refunds` only their sum is mentioned, as the redemption itself carries it.
    """
    trace: Trace = json.loads(redemption.trace)
    sentences: list[str] = []
    rows: list[SumRow] = []
    for step in _Steps(trace, words).told():
        sentences += step.sentences
        rows += step.rows
    for reduction in trace["reductions"]:
        if reduction["code"] not in CUTS:
            cut_fen = reduction.get("subsidy_fen", reduction.get("base_fen", 0))
            sentences.append(words("why.other", code=reduction["code"], cut=format_yuan(cut_fen)))
            rows.append(SumRow(words("calc.other"), reduction["code"], -cut_fen, "cut"))
    drawn_fen, firm_pays_fen = redemption.subsidy_fen, redemption.firm_pays_fen
    sentences.append(words("why.drawn", drawn=format_yuan(drawn_fen), firm_pays=format_yuan(firm_pays_fen)))
    rows.append(SumRow(words("calc.drawn"), "", drawn_fen, "result"))
    rows.append(SumRow(words("calc.firm_pays"), "", firm_pays_fen, "result"))
    if refunds is not None:
        sentences += [_refund(refund, words) for refund in refunds]
    elif redemption.bill_refunded_fen:
        cancelled, returned = format_yuan(redemption.bill_refunded_fen), format_yuan(redemption.refunded_fen)
        sentences.append(words("why.refunded_later", bill=cancelled, returned=returned))
    cuts = dict.fromkeys(words(CUTS.get(reduction["code"], "calc.other")) for reduction in trace["reductions"])
    return Explanation(tuple(sentences), tuple(rows), tuple(cuts))


def lines(redemption: RedemptionRecord, words: Words) -> list[ShownLine]:
    """The bill's lines from the stored facts, each with whether the rules covered it."""
    bill = json.loads(redemption.facts)["bill"]
    steps = json.loads(redemption.trace)["steps"]
    left_out = {line["line"] for step in steps for line in step.get("left_out", ())}
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


@dataclass(frozen=True, slots=True)
class _Told:
    sentences: tuple[str, ...] = ()
    rows: tuple[SumRow, ...] = ()


class _Steps:
    """The steps of one trace, told one after the other; each may look at what the earlier ones came to."""

    def __init__(self, trace: Trace, words: Words) -> None:
        self._steps: Sequence[Trace] = trace["steps"]
        self._words = words
        self._by_name: Mapping[str, Trace] = {step["step"]: step for step in self._steps}

    def told(self) -> list[_Told]:
        tellers = {
            "eligible_lines": self._eligible_lines,
            "minimum": self._minimum,
            "rate": self._rate,
            "rounding": self._rounding,
            "ceiling": self._ceiling,
            "cap": self._cap,
            "voucher": self._voucher,
        }
        return [tellers[step["step"]](step) for step in self._steps if step["step"] in tellers]

    def _eligible_lines(self, step: Trace) -> _Told:
        words = self._words
        bill_fen, eligible_fen = step["bill_fen"], step["eligible_fen"]
        vat = self._by_name.get("base", {}).get("vat", "included")
        sentence = words(
            "why.base" if bill_fen == eligible_fen else "why.base_part",
            bill=format_yuan(bill_fen),
            base=format_yuan(eligible_fen),
            vat=words("vat.included") if vat == "included" else words("vat.other", vat=vat),
        )
        rows = [SumRow(words("calc.bill"), "", bill_fen)]
        sentences = [sentence]
        for line in step["left_out"]:
            category = words.named("category", line["category"])
            sentences.append(
                words("why.left_out", line=line["line"], category=category, amount=format_yuan(line["amount_fen"]))
            )
            basis = words("calc.basis.line", line=line["line"], category=category)
            rows.append(SumRow(words("calc.left_out"), basis, -line["amount_fen"], "cut"))
        if step["left_out"]:
            rows.append(SumRow(words("calc.base"), "", eligible_fen))
        return _Told(tuple(sentences), tuple(rows))

    def _minimum(self, step: Trace) -> _Told:
        minimum = format_yuan(step["minimum_fen"])
        row = SumRow(self._words("calc.minimum"), self._words("calc.basis.minimum", limit=minimum), 0, "cut")
        return _Told((self._words("why.below_minimum", minimum=minimum),), (row,))

    def _rate(self, step: Trace) -> _Told:
        base = format_yuan(self._by_name["base"]["base_fen"])
        rate = _percent(step["rate"])
        number = self._by_name["rule_version"]["number"]
        sentence = self._words("why.rate", number=number, rate=rate, base=base, exact=_exact_yuan(step["exact_fen"]))
        rounded_fen = self._by_name["rounding"]["subsidy_fen"]
        basis = self._words("calc.basis.rate", base=base, rate=rate)
        return _Told((sentence,), (SumRow(self._words("calc.rate"), basis, rounded_fen),))

    def _rounding(self, step: Trace) -> _Told:
        if Fraction(self._by_name["rate"]["exact_fen"]) == step["subsidy_fen"]:
            return _Told()
        mode = self._words(f"rounding.{step['mode']}", unit=_exact_yuan(str(step["unit_fen"])))
        return _Told((self._words("why.rounded", mode=mode, amount=format_yuan(step["subsidy_fen"])),))

    def _ceiling(self, step: Trace) -> _Told:
        cut_fen = self._granted_before("ceiling") - step["subsidy_fen"]
        row = SumRow(self._words("calc.ceiling"), "", -cut_fen, "cut")
        return _Told((self._words("why.ceiling", cut=format_yuan(cut_fen)),), (row,))

    def _granted_before(self, name: str) -> int:
        """What the last step before `name` that fixes a subsidy came to, in fen."""
        order = [step for step in ("rounding", "ceiling", "cap") if step in self._by_name]
        before = order[: order.index(name)] if name in order else order
        granted_fen: int = self._by_name[before[-1]]["subsidy_fen"]
        return granted_fen

    def _cap(self, step: Trace) -> _Told:
        limit = format_yuan(step["limit_fen"])
        cut_fen = self._granted_before("cap") - step["subsidy_fen"]
        if cut_fen == 0:
            return _Told((self._words("why.cap_not_reached", limit=limit),))
        row = SumRow(self._words("calc.cap"), self._words("calc.basis.cap", limit=limit), -cut_fen, "cut")
        return _Told((self._words("why.cap", limit=limit, cut=format_yuan(cut_fen)),), (row,))

    def _voucher(self, step: Trace) -> _Told:
        cut_fen = self._granted_before("voucher") - step["drawn_fen"]
        if cut_fen == 0:
            return _Told()
        balance = format_yuan(step["balance_fen"])
        row = SumRow(self._words("calc.voucher"), self._words("calc.basis.voucher", balance=balance), -cut_fen, "cut")
        return _Told((self._words("why.voucher", balance=balance, cut=format_yuan(cut_fen)),), (row,))


def _refund(refund: RefundRecord, words: Words) -> str:
    outcome = next(step for step in json.loads(refund.trace)["steps"] if step["step"] == "refund")
    return words(
        "why.refund" if refund.subsidy_refund_fen else "why.refund_nothing",
        at=local_time(refund.refunded_at),
        bill=format_yuan(refund.bill_refund_fen),
        reason=refund.reason,
        entitled=format_yuan(outcome["entitled_fen"]),
        drawn=format_yuan(outcome["drawn_fen"]),
        returned=format_yuan(outcome["returned_fen"]),
    )


def _percent(rate: str) -> str:
    share = parse_rate(rate) * 100
    return f"{_plain(share):,f}%"


def _exact_yuan(exact_fen: str) -> str:
    """Fen as the trace writes them (`123`, `7407/2`) in yuan, every decimal shown, at least two."""
    yuan = _plain(Fraction(exact_fen) / 100)
    shown = yuan if yuan.as_tuple().exponent <= -2 else yuan.quantize(Decimal("0.01"))  # type: ignore[operator]
    return f"{shown:,f}"


def _plain(value: Fraction) -> Decimal:
    """The value as a decimal without trailing zeros; shares of fen end after a few decimals, so nothing is lost."""
    return (Decimal(value.numerator) / Decimal(value.denominator)).normalize()
