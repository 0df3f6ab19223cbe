"""Which lines count, and from what base: categories, conditions, ceilings, MIN, VAT, netting. Pure, exact. D8, D9."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from math import ceil
from typing import Any

from app.kernel.rates import Rounding, parse_rate, round_to
from app.kernel.vocabulary import Reason
from app.services.rules.base import InKind, PriceCeiling
from app.services.rules.eligibility import Judge
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.rating import Based, Exact, shown, total_of


class Trace:
    """The steps of an assessment and the reductions among them."""

    __slots__ = ("bases_fen", "reductions", "steps")

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.reductions: list[dict[str, Any]] = []
        self.bases_fen: tuple[tuple[int, int], ...] = ()
        """What of each line that counts is claimed, where a line names an invoice: its number, and fen."""

    def cut_base(self, code: Reason, amount: Exact, **more: Any) -> None:
        """A reduction of the base; its amount is shown in whole fen."""
        self.reductions.append({"code": code, "base_fen": round_to(amount, 1, Rounding.HALF_UP), **more})


def covered_lines(rules: Rules, facts: Facts, trace: Trace) -> list[tuple[int, Line]]:
    """The lines that count, by number; the others are told with their reason."""
    admitted = facts.provider_categories
    kept: list[tuple[int, Line]] = []
    left_out: list[dict[str, Any]] = []
    bill_fen = covered_fen = 0
    for number, line in enumerate(facts.lines, start=1):
        bill_fen += line.amount_fen
        why = _why_not(rules, facts, line, admitted)
        if why is None:
            covered_fen += line.amount_fen
            kept.append((number, line))
        else:
            left_out.append({"line": number, "category": line.category, "amount_fen": line.amount_fen, **why})
    trace.steps.append(
        {"step": "eligible_lines", "bill_fen": bill_fen, "eligible_fen": covered_fen, "left_out": left_out}
    )
    sums: dict[str, int] = {}
    for out in left_out:
        sums[out["code"]] = sums.get(out["code"], 0) + out["amount_fen"]
    for code, fen in sums.items():
        trace.cut_base(Reason(code), fen)
    return kept


def _why_not(rules: Rules, facts: Facts, line: Line, admitted: Any) -> dict[str, Any] | None:
    if not rules.covers(line.category):
        return {"code": Reason.NOT_ELIGIBLE_LINE}
    if admitted is not None and not any(named in admitted for named in rules.lineage(line.category)):
        return {"code": Reason.NOT_ELIGIBLE_LINE}
    for requirement in rules.line_requirements:
        if facts.checkpoint not in requirement.checkpoints:
            continue
        judge = Judge(facts, line)
        holds = judge.holds(requirement.when)
        if holds is None:
            return {
                "code": Reason.FACT_MISSING,
                "requirement": requirement.name,
                "missing": sorted(set(judge.missing)),
            }
        if not holds:
            return {"code": Reason.NOT_ELIGIBLE_LINE, "requirement": requirement.name}
    if isinstance(rules.unit, InKind) and _exchange_price(rules.unit, line, facts.on) is None:
        return {"code": Reason.NOT_ELIGIBLE_LINE}
    if rules.base.ceilings and (why := _outside_ceilings(rules, line)) is not None:
        return why
    return _too_late(rules, facts, line)


def _outside_ceilings(rules: Rules, line: Line) -> dict[str, Any] | None:
    """A line under a price or quantity ceiling must say its unit and quantity, or the ceiling would bind nobody. D9."""
    ceilings = [ceiling for ceiling in rules.base.ceilings if _concerns(rules, ceiling, line)]
    if not ceilings:
        return None
    if line.unit is None:
        return {"code": Reason.FACT_MISSING, "missing": ["line.unit"]}
    if any(ceiling.unit == line.unit for ceiling in ceilings):
        return {"code": Reason.FACT_MISSING, "missing": ["line.quantity"]} if line.quantity is None else None
    if any(ceiling.other_units == "unlimited" for ceiling in ceilings):
        return None
    return {"code": Reason.NOT_ELIGIBLE_LINE, "requirement": "unit"}


def _concerns(rules: Rules, ceiling: PriceCeiling, line: Line) -> bool:
    """Whether a ceiling is for a line's category; in whichever unit it is billed."""
    return not ceiling.categories or any(category in ceiling.categories for category in rules.lineage(line.category))


def _too_late(rules: Rules, facts: Facts, line: Line) -> dict[str, Any] | None:
    """Of a voucher, service must have ended before it expired, where that is the event that counts. D16."""
    if facts.voucher is None or rules.must_precede_expiry != "service":
        return None
    used_until = line.used_until or line.used_from
    if used_until is None:
        return (
            None
            if facts.at < facts.voucher.valid_until
            else {"code": Reason.FACT_MISSING, "missing": ["line.used_until"]}
        )
    return {"code": Reason.EXPIRED} if used_until > facts.voucher.valid_until else None


def base_of_lines(rules: Rules, facts: Facts, kept: Sequence[tuple[int, Line]], trace: Trace) -> list[Based] | None:
    """The base of each line that counts, or None where an amount that the rules need is not known."""
    base = rules.base
    counted: list[Exact] = [line.amount_fen for _, line in kept]
    if isinstance(rules.unit, InKind):
        counted = _exchanged(rules.unit, facts, kept, counted, trace)
    if base.ceilings:
        counted = _within_ceilings(rules, base.ceilings, kept, counted, trace)
    missing = _missing(rules, facts, kept)
    if missing:
        trace.cut_base(Reason.FACT_MISSING, total_of(counted), missing=missing)
        return None
    if base.least_of != ("billed",):
        counted = _least(rules, facts, kept, counted, trace)
    if rules.stacking.base == "exclusive":
        counted = _less_claimed(kept, counted, trace)
    if any(line.used_up_fen is not None for _, line in kept):
        counted = _on_invoices(kept, counted, trace)
    if base.vat == "excluded":
        counted = _without_vat(rules, kept, counted, trace)
    if base.less_other_grants:
        counted = _less_grants(kept, counted, trace)
    total = total_of(counted)
    step: dict[str, Any] = {"step": "base", "vat": base.vat, "base_fen": round_to(total, 1, Rounding.HALF_UP)}
    if total.denominator != 1:
        step["exact_fen"] = shown(total)
    trace.steps.append(step)
    return [Based(number, line, amount) for (number, line), amount in zip(kept, counted, strict=True)]


def _exchange_price(unit: InKind, line: Line, on: date) -> Fraction | None:
    """The price in force on the day of use, or of the claim, in hundredths of the unit."""
    day = line.used_on or on
    rows = [
        row for row in unit.exchange if row.unit == line.unit and row.category == line.category and row.from_on <= day
    ]
    return Fraction(max(rows, key=lambda row: row.from_on).price) * 100 if rows else None


def _exchanged(
    unit: InKind, facts: Facts, kept: Sequence[tuple[int, Line]], amounts: Sequence[Exact], trace: Trace
) -> list[Exact]:
    """A bill in kind counts at the table's prices at most."""
    counted: list[Exact] = []
    for (_, line), amount in zip(kept, amounts, strict=True):
        price = _exchange_price(unit, line, facts.on)
        assert price is not None, "lines without a price are left out"
        quantity = Fraction(line.quantity or "0")
        counted.append(min(amount, quantity * price))
    _tell(trace, Reason.PRICE_CEILING, amounts, counted)
    return counted


def _within_ceilings(
    rules: Rules,
    ceilings: Sequence[PriceCeiling],
    kept: Sequence[tuple[int, Line]],
    amounts: Sequence[Exact],
    trace: Trace,
) -> list[Exact]:
    """Prices and quantities that count at most, for the categories named and what lies below them."""
    counted = list(amounts)
    for ceiling in ceilings:
        left = Fraction(ceiling.quantity) if ceiling.quantity is not None else None
        priced: list[Exact] = []
        limited: list[Exact] = []
        for (_, line), amount in zip(kept, counted, strict=True):
            if line.unit != ceiling.unit or not _concerns(rules, ceiling, line):
                priced.append(amount)
                limited.append(amount)
                continue
            quantity = Fraction(line.quantity or "0")
            within: Exact = amount
            if ceiling.unit_price is not None:
                within = min(amount, quantity * Fraction(ceiling.unit_price) * 100)
            priced.append(within)
            if left is not None and amount:  # a line that was refunded uses nothing up
                used = min(quantity, left)
                left -= used
                within = within * used / quantity if quantity else 0
            limited.append(within)
        _tell(trace, Reason.PRICE_CEILING, counted, priced)
        _tell(trace, Reason.QUANTITY_CEILING, priced, limited)
        counted = limited
    return counted


def _less_claimed(kept: Sequence[tuple[int, Line]], amounts: list[Exact], trace: Trace) -> list[Exact]:
    """Exclusive: what other vouchers were granted for is no base any more. D18."""
    if not any(line.claimed_fen for _, line in kept):
        return amounts
    counted: list[Exact] = [max(0, amount - line.claimed_fen) for (_, line), amount in zip(kept, amounts, strict=True)]
    _tell(trace, Reason.DUP_BASE, amounts, counted)
    return counted


def _on_invoices(kept: Sequence[tuple[int, Line]], amounts: list[Exact], trace: Trace) -> list[Exact]:
    """What is used up of an invoice line counts no more, by no rule; what counts is claimed with VAT. D18, D25."""
    counted: list[Exact] = [
        max(0, amount - (line.used_up_fen or 0)) for (_, line), amount in zip(kept, amounts, strict=True)
    ]
    used_up = [
        {"line": number, "amount_fen": line.amount_fen, "used_up_fen": line.used_up_fen}
        for number, line in kept
        if line.used_up_fen
    ]
    if used_up:
        trace.steps.append({"step": "invoice_lines", "lines": used_up})
    _tell(trace, Reason.DUP_BASE, amounts, counted)
    trace.bases_fen = tuple((number, ceil(amount)) for (number, _), amount in zip(kept, counted, strict=True))
    return counted


def _missing(rules: Rules, facts: Facts, kept: Sequence[tuple[int, Line]]) -> list[str]:
    """What the base needs and nobody gave: amounts, and VAT rates where VAT is taken off."""
    missing = [
        f"amounts.{name}"
        for name in rules.base.least_of
        if name != "billed" and name not in facts.amounts_fen and any(name not in line.amounts_fen for _, line in kept)
    ]
    if rules.base.vat == "excluded" and rules.base.default_tax_rate is None:
        missing += ["line.tax_rate"] if any(line.tax_rate is None for _, line in kept) else []
    return missing


def _least(
    rules: Rules, facts: Facts, kept: Sequence[tuple[int, Line]], amounts: list[Exact], trace: Trace
) -> list[Exact]:
    """The MIN over the amounts that the rules name, never more than was billed.

    Where an amount is known of the line itself, that line counts with no more; where it is known of all lines together
    only, they shrink in proportion.
    """
    named = [name for name in rules.base.least_of if name != "billed"]
    own: list[Exact] = [
        min(amount, *(line.amounts_fen[name] for name in named if name in line.amounts_fen), amount)
        for (_, line), amount in zip(kept, amounts, strict=True)
    ]
    billed = total_of(amounts)
    known: dict[str, Exact] = {"billed": billed}
    for name in named:
        given = facts.amounts_fen.get(name)
        known[name] = sum(line.amounts_fen[name] for _, line in kept) if given is None else given
    least_name = min(known, key=lambda name: known[name])
    by_line = total_of(own)
    least = min(known[least_name], by_line)
    step: dict[str, Any] = {
        "step": "least_of",
        "amounts_fen": {name: shown(value) for name, value in known.items()},
        "least": least_name,
    }
    if by_line < known[least_name]:  # one line is held down by one amount, another by another
        step["by_line_fen"] = shown(by_line)
    trace.steps.append(step)
    if least < billed:
        trace.cut_base(Reason.LEAST_OF, billed - least, least=least_name)
    return own if least == by_line else [amount * least / Fraction(by_line) for amount in own]


def _without_vat(rules: Rules, kept: Sequence[tuple[int, Line]], amounts: list[Exact], trace: Trace) -> list[Exact]:
    counted: list[Exact] = [
        amount / (1 + parse_rate(line.tax_rate or rules.base.default_tax_rate or "0"))
        for (_, line), amount in zip(kept, amounts, strict=True)
    ]
    _tell(trace, Reason.VAT_EXCLUDED, amounts, counted)
    return counted


def _less_grants(kept: Sequence[tuple[int, Line]], amounts: list[Exact], trace: Trace) -> list[Exact]:
    counted: list[Exact] = [
        max(0, amount - line.other_grants_fen) for (_, line), amount in zip(kept, amounts, strict=True)
    ]
    _tell(trace, Reason.NETTED, amounts, counted)
    return counted


def _tell(trace: Trace, code: Reason, before: Sequence[Exact], after: Sequence[Exact]) -> None:
    cut = total_of(before) - total_of(after)
    if cut > 0:
        trace.cut_base(code, cut)
