"""The exact subsidy of a claim's lines by their rate function, before it is rounded. Pure, no rounding. D10."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from app.kernel.rates import Rounding, round_to
from app.kernel.vocabulary import Reason
from app.services.rules.eligibility import Judge, number
from app.services.rules.facts import Facts, Line, Value
from app.services.rules.model import Rules
from app.services.rules.position import NOTHING, Counter
from app.services.rules.rates import (
    Attainment,
    Band,
    Bracket,
    By,
    Cases,
    Fixed,
    Flat,
    LineCases,
    LineRate,
    Rate,
    UpTo,
    highest,
)

Exact = int | Fraction
"""An exact amount of fen."""

Worth = TypeVar("Worth", int, Fraction)


@dataclass(frozen=True, slots=True)
class Based:
    """A line that counts, with its number on the bill and its base."""

    number: int
    line: Line
    base: Exact


@dataclass(slots=True)
class Rated:
    """What the lines earn exactly, line by line, how that came about, and why some of it is nothing.

    `whole`: the amount belongs to the claim and was only spread over its lines. `gross`: what brackets remember of the
    claim where that is not what it earns.
    """

    exact: list[Exact]
    parts: list[dict[str, Any]] = field(default_factory=list)
    reductions: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    gross: Exact | None = None


def rate_lines(
    rules: Rules,
    rate: Rate,
    facts: Facts,
    lines: Sequence[Based],
    so_far: dict[tuple[str, str], Counter],
    claim_base: Exact,
) -> Rated:
    """The exact subsidy of lines of one period.

    `so_far`: counters by (holder, per) for the brackets. `claim_base`: the base of the whole claim, of all its periods.
    """
    match rate:
        case Flat() | By() | LineCases():
            return _by_line(rules, rate, facts, lines)
        case UpTo():
            return _up_to(rules, rate, facts, lines, so_far, claim_base)
        case Bracket(holder="contract", per="year" | "lifetime") if _has_no_contract(facts):
            return _nothing(lines, Reason.FACT_MISSING, ["claim.contract_no"])
        case Bracket():
            return _bracket(rules, rate, facts, lines, so_far.get((rate.holder, rate.per), NOTHING), claim_base)
        case Fixed():
            return _fixed(rate, facts, lines, claim_base)
        case Attainment():
            return _attainment(rules, rate, facts, lines, so_far, claim_base)
        case Cases():
            judge = Judge(facts)
            for place, case in enumerate(rate.cases, start=1):
                if judge.holds(case.when):
                    rated = rate_lines(rules, case.rate, facts, lines, so_far, claim_base)
                    rated.notes["case"] = place
                    return rated
            if rate.otherwise is None:
                return _nothing(lines, Reason.NO_RATE, judge.missing)
            return rate_lines(rules, rate.otherwise, facts, lines, so_far, claim_base)


def _has_no_contract(facts: Facts) -> bool:
    return not isinstance(facts.claim.get("contract_no"), str)


def line_rate(rules: Rules, rate: LineRate, facts: Facts, line: Line) -> Fraction | None:
    """The rate of one line, None where it has none."""
    match rate:
        case Flat():
            return rate.fraction
        case By():
            return _by(rules, rate, Judge(facts, line))
        case LineCases():
            judge = Judge(facts, line)
            for case in rate.cases:
                if judge.holds(case.when):
                    return line_rate(rules, case.rate, facts, line)
            return line_rate(rules, rate.otherwise, facts, line) if rate.otherwise is not None else None


def worth_of(worths: Mapping[str, Worth], value: Value | None, otherwise: Worth | None) -> Worth | None:
    """What a fact's word is worth; of several words the one that the document lists first counts."""
    if isinstance(value, tuple):
        return next((worth for word, worth in worths.items() if word in value), otherwise)
    return worths.get(str(value), otherwise) if value is not None else otherwise


def total_of(amounts: Iterable[Exact]) -> Exact:
    """The exact sum."""
    found: Exact = 0
    for amount in amounts:
        found = found + amount if found else amount  # most sums have one part, and adding fractions is slow
    return found


def times(amount: Exact, rate: Fraction) -> Exact:
    """The exact product. Of whole fen it is found with integers, several times faster than by `Fraction.__rmul__`."""
    if type(amount) is not int:
        return amount * rate
    product, denominator = amount * rate.numerator, rate.denominator
    return Fraction(product, denominator) if product % denominator else product // denominator


def shown(value: Exact) -> str:
    """An exact number as the trace writes it: `123`, `7407/2`."""
    if type(value) is int:
        return str(value)
    return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)


def decimal(rate: Fraction) -> str:
    """A rate as a decimal string, `0.3`; rates have at most six decimals. Others stay fractions."""
    millionths, beyond = divmod(rate.numerator * 1_000_000, rate.denominator)
    if beyond:
        return shown(rate)
    whole, rest = divmod(millionths, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") if rest else str(whole)


def _by(rules: Rules, rate: By, judge: Judge) -> Fraction | None:
    value = judge.value(rate.fact)
    otherwise = Fraction(rate.otherwise) if rate.otherwise is not None else None
    if rate.fact == "line.category" and isinstance(value, str):
        return next((rate.fractions[named] for named in rules.lineage(value) if named in rate.fractions), otherwise)
    return worth_of(rate.fractions, value, otherwise)


def _by_line(rules: Rules, rate: LineRate, facts: Facts, lines: Sequence[Based]) -> Rated:
    if isinstance(rate, Flat):
        return _grouped(lines, [rate.fraction] * len(lines))
    rates = [line_rate(rules, rate, facts, based.line) for based in lines]
    return _grouped(lines, rates)


def _grouped(lines: Sequence[Based], rates: Sequence[Fraction | None]) -> Rated:
    """Base times rate, line by line; the parts of the trace gather the lines of one rate."""
    rated = Rated([])
    parts: dict[tuple[int, int], tuple[Fraction, Exact, Exact]] = {}
    for based, fraction in zip(lines, rates, strict=True):
        if fraction is None:
            rated.exact.append(0)
            rated.reductions.append(
                {"code": Reason.NO_RATE, "line": based.number, "base_fen": round_to(based.base, 1, Rounding.HALF_UP)}
            )
            continue
        exact = times(based.base, fraction)
        rated.exact.append(exact)
        key = (fraction.numerator, fraction.denominator)  # a Fraction's own hash is a modular inverse
        before = parts.get(key)
        parts[key] = (
            (fraction, based.base, exact) if before is None else (fraction, before[1] + based.base, before[2] + exact)
        )
    rated.parts = [
        {"rate": decimal(fraction), "base": shown(base), "exact_fen": shown(exact)}
        for fraction, base, exact in parts.values()
    ]
    return rated


def _nothing(lines: Sequence[Based], code: Reason, missing: Sequence[str] = ()) -> Rated:
    base_fen = round_to(total_of(based.base for based in lines), 1, Rounding.HALF_UP)
    reduction: dict[str, Any] = {"code": Reason.FACT_MISSING if missing else code, "base_fen": base_fen}
    if missing:
        reduction["missing"] = sorted(set(missing))
    return Rated([0] * len(lines), reductions=[reduction])


def _up_to(
    rules: Rules,
    rate: UpTo,
    facts: Facts,
    lines: Sequence[Based],
    so_far: dict[tuple[str, str], Counter],
    claim_base: Exact,
) -> Rated:
    """What the maximum comes to, and no line more than its base at the approved rate."""
    approved = Judge(facts).value(rate.fact)
    if approved is None and rate.if_missing == "nothing":
        return _nothing(lines, Reason.FACT_MISSING, [rate.fact])
    rated = rate_lines(rules, rate.maximum, facts, lines, so_far, claim_base)
    if approved is None:
        return rated
    set_rate = number(approved)
    most = _most(rules, rate.maximum, facts, lines)
    if most is not None and set_rate > most:
        rated = _nothing(lines, Reason.RATE_ABOVE_MAXIMUM)
        rated.reductions[0] |= {"limit": decimal(most), "actual": decimal(set_rate)}
        return rated
    if isinstance(rate.maximum, Flat | By | LineCases):
        maxima = [line_rate(rules, rate.maximum, facts, based.line) for based in lines]
        rated = _grouped(lines, [min(maximum, set_rate) if maximum is not None else None for maximum in maxima])
    else:
        # A recomputing bracket sets off what the maximum came to: the officer's lower rate stays lower.
        rated.gross = total_of(rated.exact) if rated.gross is None else rated.gross
        rated.exact = [min(exact, times(based.base, set_rate)) for exact, based in zip(rated.exact, lines, strict=True)]
    rated.notes["approved_rate"] = decimal(set_rate)
    return rated


def _most(rules: Rules, maximum: Rate, facts: Facts, lines: Sequence[Based]) -> Fraction | None:
    """The highest rate that an officer may set for these lines; None where the maximum is an amount and no rate."""
    if isinstance(maximum, Flat | By | LineCases):
        rates = (line_rate(rules, maximum, facts, based.line) for based in lines)
        return max((own for own in rates if own is not None), default=Fraction(0))
    return highest(maximum)


def _fixed(rate: Fixed, facts: Facts, lines: Sequence[Based], claim_base: Exact) -> Rated:
    """The amount is granted once for the claim: lines of one period take their part of it."""
    value = Judge(facts).value(rate.fact)
    amount_fen = worth_of(rate.amounts_fen, value, None)
    if amount_fen is None:
        return _nothing(lines, Reason.NO_RATE, [rate.fact] if value is None else [])
    rated = Rated(_spread(amount_fen, lines, claim_base), whole=True)
    words = ", ".join(value) if isinstance(value, tuple) else str(value)
    rated.parts = [{"fixed": words, "exact_fen": shown(total_of(rated.exact))}]
    return rated


def _attainment(
    rules: Rules,
    rate: Attainment,
    facts: Facts,
    lines: Sequence[Based],
    so_far: dict[tuple[str, str], Counter],
    claim_base: Exact,
) -> Rated:
    value = Judge(facts).value(rate.fact)
    if value is None:
        return _nothing(lines, Reason.FACT_MISSING, [rate.fact])
    degree = number(value)
    reached = [step for step in rate.steps if degree >= step.threshold]
    if not reached:
        rated = _nothing(lines, Reason.BELOW_MIN)
        rated.reductions[0] |= {"limit": rate.steps[0].at_least, "actual": str(value)}
        return rated
    share = min(degree, Fraction(1)) if reached[-1].share == "attained" else Fraction(reached[-1].share)
    rated = rate_lines(rules, rate.of, facts, lines, so_far, claim_base)
    # A target that was missed stays missed: a recomputing bracket sets off the amount before the share.
    rated.gross = total_of(rated.exact) if rated.gross is None else rated.gross
    rated.exact = [exact * share for exact in rated.exact]
    rated.notes |= {"attained": str(value), "share": decimal(share)}
    return rated


def _bracket(
    rules: Rules, rate: Bracket, facts: Facts, lines: Sequence[Based], so_far: Counter, claim_base: Exact
) -> Rated:
    base: Exact = total_of(based.base for based in lines)
    alone = rate.per == "claim" and rate.method == "cliff_prospective"
    total = claim_base if alone else so_far.base_fen + base  # of a claim alone all years are in one band
    band = band_of(rate, total)
    notes: dict[str, Any] = {
        "method": rate.method,
        "holder": "claim" if rate.per == "claim" else rate.holder,
        "base_before_fen": so_far.base_fen,
        "band_up_to_fen": band.up_to_fen,
    }
    if rate.method == "marginal":
        rated = _marginal(rules, rate, facts, lines, so_far.base_fen)
    elif rate.method == "cliff_recalc" and isinstance(band.rate, Flat):
        due = max(Fraction(0), total * band.rate.fraction - so_far.gross_fen)
        rated = Rated(_spread(due, lines, base), whole=True)
        rated.parts = [{"rate": band.rate.rate, "base": shown(total), "exact_fen": shown(total * band.rate.fraction)}]
        notes["granted_before_fen"] = so_far.gross_fen
    else:
        rated = _by_line(rules, band.rate, facts, lines)
    rated.notes |= notes
    return rated


def band_of(bracket: Bracket, total: Exact) -> Band:
    """The band that a cumulative base has reached."""
    for band in bracket.bands:
        end = band.up_to_fen
        if end is None or total < end or (total == end and band.inclusive):
            return band
    raise AssertionError("the last band has no end")


def _marginal(rules: Rules, rate: Bracket, facts: Facts, lines: Sequence[Based], before_fen: int) -> Rated:
    """Each stretch of the cumulative base at its own band's rate; the lines follow one another."""
    rated = Rated([])
    at: Exact = before_fen
    stretches: dict[tuple[int, int, int], tuple[Fraction, Exact]] = {}
    for based in lines:
        exact: Exact = 0
        left: Exact = based.base
        for place, band in enumerate(rate.bands):
            room = left if band.up_to_fen is None else min(left, band.up_to_fen - at)
            if room <= 0:
                continue
            fraction = line_rate(rules, band.rate, facts, based.line)
            if fraction is None:
                amount = round_to(room, 1, Rounding.HALF_UP)
                rated.reductions.append({"code": Reason.NO_RATE, "line": based.number, "base_fen": amount})
            else:
                exact += times(room, fraction)
                key = (place, fraction.numerator, fraction.denominator)
                before = stretches.get(key)
                stretches[key] = (fraction, room if before is None else before[1] + room)
            at, left = at + room, left - room
        rated.exact.append(exact)
    rated.parts = [
        {"rate": decimal(fraction), "base": shown(base), "exact_fen": shown(times(base, fraction))}
        for fraction, base in stretches.values()
    ]
    return rated


def _spread(amount: Exact, lines: Sequence[Based], base: Exact) -> list[Exact]:
    """An amount for a whole base over lines that are all or part of it, in proportion to theirs."""
    if base == 0:
        return [0] * len(lines)
    return [Fraction(amount) * based.base / base for based in lines]
