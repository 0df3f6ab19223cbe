"""Caps and the public-share ceiling on rounded amounts, period by period. Pure, whole fen. D11, D18, D28."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from app.kernel.money import split_by_peeling
from app.kernel.rates import Rounding, round_to
from app.kernel.vocabulary import Reason
from app.services.rules.base import RoundingRule
from app.services.rules.basing import Trace
from app.services.rules.eligibility import Judge, number
from app.services.rules.facts import Facts
from app.services.rules.limits import Cap, ClaimCap, CountCap, HolderCap, Layer, Rolling
from app.services.rules.model import Rules
from app.services.rules.position import ALL, Bucket, Counter, Position, key_of, window_of
from app.services.rules.rating import Based, Exact, decimal, line_rate, times, total_of, worth_of

FIRST_TO_LAST = {"line": 0, "claim": 1, "contract": 2, "voucher": 3, "firm": 4, "group": 5, "claims": 6}
"""The order in which caps are applied, whatever their order in the document."""

REASONS = {
    "line": Reason.CAP_LINE,
    "claim": Reason.CAP_CLAIM,
    "contract": Reason.CAP_CONTRACT,
    "voucher": Reason.CAP_VOUCHER,
    "firm": Reason.CAP_FIRM_PERIOD,
    "group": Reason.CAP_GROUP,
    "claims": Reason.CAP_COUNT,
}


@dataclass(slots=True)
class Slice:
    """The lines of one year, with what they earn: exactly per line, then in whole fen.

    `whole`: the amount is the claim's and not its lines', so it is rounded as one. `bounds`: which lines together may
    come to how much by caps that were applied before rounding.
    """

    period: str
    lines: list[Based]
    exact: list[Exact]
    gross_fen: int = 0
    amount_fen: int = 0
    whole: bool = False
    bounds: list[tuple[list[int], Exact]] = field(default_factory=list)

    @property
    def base(self) -> Exact:
        """The base of its lines together."""
        return total_of(based.base for based in self.lines)

    def part(self, places: Sequence[int]) -> Exact:
        """What some of its lines earn exactly."""
        return total_of(self.exact[place] for place in places)


def cap_exactly(rules: Rules, facts: Facts, position: Position, slices: Sequence[Slice], trace: Trace) -> None:
    """Caps of a line or of one category: they bind before the claim is rounded, since they see only part of it.

    Lines come first, then categories from the deepest up: a part is cut in proportion, and what a narrower cap would
    have cut anyway must not use up a wider one.
    """
    if not rules.caps:
        return
    for cap in rules.caps:
        if isinstance(cap, ClaimCap) and cap.scope == "line":
            limit_fen, missing = _limit(cap, facts, trace)
            for piece in slices:
                before = total_of(piece.exact)
                piece.exact = [min(exact, limit_fen) for exact in piece.exact]
                piece.bounds += [([place], limit_fen) for place in range(len(piece.exact))]
                _tell(trace, cap, limit_fen, before, total_of(piece.exact), missing)
    by_category = [cap for cap in rules.caps if isinstance(cap, HolderCap) and cap.category is not None]
    for cap in sorted(by_category, key=lambda one: (one.per != "year", -len(rules.lineage(one.category or "")))):
        for pieces in _together(cap, slices):
            _cap_category(rules, cap, facts, position, pieces, trace)


def cap_amounts(rules: Rules, facts: Facts, position: Position, slices: Sequence[Slice], trace: Trace) -> None:
    """All other caps, claim → contract → voucher → firm → group → number of claims.

    Of a claim over several years each year's caps come first: a cap of the whole claim shares its cut out over the
    years, and would otherwise take from one year what another year's cap refuses anyway.
    """
    if not rules.caps:
        return
    several = len(slices) > 1
    for cap in sorted(rules.caps, key=lambda one: (several and not _by_year(one), FIRST_TO_LAST[one.scope])):
        match cap:
            case ClaimCap(scope="line") | HolderCap(category=str()):
                continue
            case ClaimCap():
                _cap_claim(cap, facts, position, slices, trace)
            case HolderCap():
                for pieces in _together(cap, slices):
                    left = _left(cap, facts, position, pieces[0].period, trace)
                    more = {"cap_fen": left.cap_fen, "per": _per(cap.per), "period": _period(cap, pieces)}
                    _lower(trace, cap, pieces, left.fen, left.missing, **more)
            case CountCap():
                _cap_count(cap, facts, position, slices, trace)


def round_slices(rules: Rules, slices: Sequence[Slice], trace: Trace) -> None:
    """The exact amounts in whole units: once for each line, or once for the claim. D22.

    A claim over several years is rounded once too: a year gets the rounded sum up to its end less that up to its
    beginning. Rounding up never breaks a cap that was applied before it.
    """
    rule = rules.rounding
    until: Exact = 0
    reached_fen = 0
    for piece in slices:
        step: dict[str, Any] = {"step": "rounding", "unit_fen": rule.unit_fen, "mode": rule.mode}
        if rule.level == "line" and not piece.whole:
            step["level"] = "line"
            piece.exact = _rounded_lines(rule, piece)
            piece.amount_fen = sum(int(exact) for exact in piece.exact)
        else:
            total = total_of(piece.exact)
            until = total_of((until, total))
            before_fen, reached_fen = reached_fen, round_to(until, rule.unit_fen, rule.rounding)
            piece.amount_fen = reached_fen - before_fen
            if piece.bounds and any(
                piece.amount_fen * piece.part(places) > most * total for places, most in piece.bounds
            ):
                piece.amount_fen = min(piece.amount_fen, round_to(total, 1, rule.rounding))
        if piece.period:
            step["period"] = piece.period
        trace.steps.append(step | {"subsidy_fen": piece.amount_fen})


def _rounded_lines(rule: RoundingRule, piece: Slice) -> list[Exact]:
    rounded: list[Exact] = [round_to(exact, rule.unit_fen, rule.rounding) for exact in piece.exact]
    for places, most in piece.bounds:
        amounts = [int(rounded[place]) for place in places]
        if sum(amounts) > most:
            for place, fen in zip(places, split_by_peeling(int(most), amounts), strict=True):
                rounded[place] = fen
    return rounded


OTHER_VOUCHERS = "other_vouchers"
"""The layer of what vouchers of other programmes were granted for the same invoice lines."""


def cap_public_share(rules: Rules, facts: Facts, slices: Sequence[Slice], trace: Trace) -> None:
    """All public money together is at most the ceiling's share of the base. Earlier layers use it up first.

    What a level has decided counts as decided, also where the rules name no such layer. Layers that come after this
    programme are told what the ceiling leaves them.
    """
    stacking = rules.stacking
    base = total_of(piece.base for piece in slices)
    own_fen = sum(piece.amount_fen for piece in slices)
    ceiling = _ceiling(rules, facts, slices, base)
    beside_fen = 0
    if stacking.base == "stackable":
        beside_fen = sum(based.line.beside_fen for piece in slices for based in piece.lines)
    if not stacking.layers and not facts.layers_fen and not beside_fen and own_fen <= ceiling:
        return
    ceiling_fen = round_to(ceiling, 1, Rounding.FLOOR)
    share = stacking.ceiling if stacking.ceiling_by is None else decimal(Fraction(ceiling) / base)
    named = {layer.name for layer in stacking.layers}
    others = [Layer(name=name) for name in sorted(facts.layers_fen) if name not in named]
    layers: list[dict[str, Any]] = []
    left_fen = ceiling_fen
    if beside_fen:
        layers.append({"layer": OTHER_VOUCHERS, "decided": True, "before": True, "fen": beside_fen})
        left_fen = max(0, left_fen - beside_fen)
    for layer in (*others, *(layer for layer in stacking.layers if layer.before)):
        layers.append(_layer(rules, facts, layer, slices, left_fen))
        left_fen = max(0, left_fen - layers[-1]["fen"])
    granted_fen = min(own_fen, left_fen)
    for layer in stacking.layers:
        if not layer.before:
            layers.append(_layer(rules, facts, layer, slices, left_fen - granted_fen))
            left_fen = max(granted_fen, left_fen - layers[-1]["fen"])
    step = {"step": "ceiling", "share": share, "limit_fen": ceiling_fen, "subsidy_fen": granted_fen}
    trace.steps.append(step | ({"layers": layers} if layers else {}))
    if granted_fen < own_fen:
        trace.reductions.append({"code": Reason.STACK_CEILING, "subsidy_fen": own_fen - granted_fen})
        _share_out(slices, granted_fen)


def _ceiling(rules: Rules, facts: Facts, slices: Sequence[Slice], base: Exact) -> Exact:
    """What all public money together may come to: one share of the base, or each line's own share of its base."""
    stacking = rules.stacking
    if stacking.ceiling_by is None:
        return times(base, stacking.ceiling_fraction)
    total: Exact = 0
    for piece in slices:
        for based in piece.lines:
            own = line_rate(rules, stacking.ceiling_by, facts, based.line)
            total += times(based.base, stacking.ceiling_fraction if own is None else own)
    return total


def _layer(rules: Rules, facts: Facts, layer: Layer, slices: Sequence[Slice], left_fen: int) -> dict[str, Any]:
    """What another level pays: what it decided, or what its rate comes to within what is left of the ceiling."""
    decided_fen = facts.layers_fen.get(layer.name)
    fen = 0
    if decided_fen is not None:
        fen = decided_fen
    elif layer.rate is not None:
        exact: Exact = 0
        for piece in slices:
            for based in piece.lines:
                fraction = line_rate(rules, layer.rate, facts, based.line)
                exact += times(based.base, fraction) if fraction is not None else 0
        fen = min(round_to(exact, 1, Rounding.HALF_UP), left_fen)
    return {"layer": layer.name, "decided": decided_fen is not None, "before": layer.before, "fen": fen}


def _cap_claim(cap: ClaimCap, facts: Facts, position: Position, slices: Sequence[Slice], trace: Trace) -> None:
    limit_fen, missing = _limit(cap, facts, trace)
    if cap.scope == "contract" and not isinstance(facts.claim.get("contract_no"), str):
        limit_fen, missing = 0, [*missing, "claim.contract_no"]
    if cap.scope == "claim":
        _lower(trace, cap, slices, limit_fen, missing)
    else:
        left_fen = max(0, limit_fen - position.of(Bucket(cap.scope)).granted_fen)
        _lower(trace, cap, slices, left_fen, missing, cap_fen=limit_fen)


def _cap_count(cap: CountCap, facts: Facts, position: Position, slices: Sequence[Slice], trace: Trace) -> None:
    judge = Judge(facts)
    binds = judge.holds(cap.when) if cap.when is not None else True
    if binds is False:
        return
    for pieces in _together(cap, slices):
        claims = _counter(cap.holder, cap.per, key_of(cap), position, pieces[0].period, facts).claims
        if (binds is None or claims >= cap.limit) and any(piece.amount_fen for piece in pieces):
            missing = sorted(set(judge.missing)) if binds is None else []
            _lower(trace, cap, pieces, 0, missing, period=_period(cap, pieces), limit=cap.limit)


def _cap_category(
    rules: Rules, cap: HolderCap, facts: Facts, position: Position, pieces: Sequence[Slice], trace: Trace
) -> None:
    left = _left(cap, facts, position, pieces[0].period, trace)
    places = [
        [place for place, based in enumerate(piece.lines) if cap.category in rules.lineage(based.line.category)]
        for piece in pieces
    ]
    before = total_of(piece.part(own) for piece, own in zip(pieces, places, strict=True))
    after = min(before, left.fen)
    for piece, own in zip(pieces, places, strict=True):
        if after < before:
            for place in own:
                piece.exact[place] = Fraction(piece.exact[place]) * after / before
        piece.bounds.append((own, piece.part(own) + left.fen - after))
    more = {"cap_fen": left.cap_fen, "per": _per(cap.per), "period": _period(cap, pieces)}
    _tell(trace, cap, left.fen, before, after, left.missing, category=cap.category, **more)


def _by_year(cap: Cap) -> bool:
    return not isinstance(cap, ClaimCap) and cap.per == "year"


def _together(cap: HolderCap | CountCap, slices: Sequence[Slice]) -> list[Sequence[Slice]]:
    """The years that a cap looks at as one: each by itself, or all where its period is no year."""
    return [[piece] for piece in slices] if cap.per == "year" else [slices]


def _period(cap: HolderCap | CountCap, pieces: Sequence[Slice]) -> str:
    return pieces[0].period if cap.per == "year" else ""


class _Left(NamedTuple):
    """What a cap still leaves in a period, of how much, and the facts that it needs and nobody gave: then nothing."""

    fen: int
    cap_fen: int
    missing: list[str]


def _left(cap: HolderCap, facts: Facts, position: Position, period: str, trace: Trace) -> _Left:
    limit_fen, missing = _limit(cap, facts, trace)
    used_fen = _counter(cap.scope, cap.per, cap.category or "", position, period, facts).granted_fen
    if cap.also_counts is not None:
        value = Judge(facts).value(cap.also_counts)
        if value is None:
            return _Left(0, limit_fen, [*missing, cap.also_counts])
        used_fen += round_to(number(value), 1, Rounding.HALF_UP)
    return _Left(max(0, limit_fen - used_fen), limit_fen, missing)


def _per(per: str | Rolling) -> str | int:
    """The period of a cap as the trace names it: `year`, `lifetime`, or the months of a rolling window."""
    return per.months if isinstance(per, Rolling) else per


def _counter(holder: str, per: str | Rolling, category: str, position: Position, period: str, facts: Facts) -> Counter:
    if isinstance(per, Rolling):
        first_on, last_on = window_of(per, facts.on)
        return position.within(holder, category, first_on, last_on)
    return position.of(Bucket(holder, period if per == "year" else ALL, category))


def limit_of(cap: ClaimCap | HolderCap, facts: Facts) -> tuple[int, list[str]]:
    """The limit of a cap for these facts in fen, and the facts for want of which it is zero."""
    return _limit(cap, facts, Trace())


def _limit(cap: ClaimCap | HolderCap, facts: Facts, trace: Trace) -> tuple[int, list[str]]:
    """The limit in fen: the document's, or the one that an approved exception names, up to the hard limit.

    Zero, and the fact by name, where the limit follows from a fact that gives none.
    """
    limit_fen = cap.limit_fen
    if cap.limit_by is not None:
        limit_fen = worth_of(cap.limits_fen, Judge(facts).value(cap.limit_by), limit_fen)
    if limit_fen is None:
        return 0, [str(cap.limit_by)]
    approved_fen = facts.exceptions_fen.get(cap.name)
    if approved_fen is not None and cap.hard_limit_fen is not None and approved_fen > limit_fen:
        raised_fen = min(approved_fen, cap.hard_limit_fen)
        trace.steps.append({"step": "exception", "cap": cap.name, "limit_fen": limit_fen, "raised_to_fen": raised_fen})
        return raised_fen, []
    return limit_fen, []


def _lower(
    trace: Trace, cap: Cap, pieces: Sequence[Slice], limit_fen: int, missing: Sequence[str], **more: Any
) -> None:
    own_fen = sum(piece.amount_fen for piece in pieces)
    granted_fen = min(own_fen, limit_fen)
    step: dict[str, Any] = {"step": "cap", "scope": cap.scope, "name": cap.name, "limit_fen": limit_fen}
    trace.steps.append(step | more | {"subsidy_fen": granted_fen})
    if granted_fen < own_fen:
        _reduce(trace, cap, REASONS[cap.scope], own_fen - granted_fen, missing)
        _share_out(pieces, granted_fen)


def _reduce(trace: Trace, cap: Cap, code: Reason, cut_fen: int, missing: Sequence[str]) -> None:
    reduction: dict[str, Any] = {"code": code, "cap": cap.name, "subsidy_fen": cut_fen}
    trace.reductions.append(reduction | ({"code": Reason.FACT_MISSING, "missing": list(missing)} if missing else {}))


def _share_out(slices: Sequence[Slice], granted_fen: int) -> None:
    """A claim's lowered amount over its years, in proportion; an earlier year takes the spare fen."""
    for piece, part in zip(slices, split_by_peeling(granted_fen, [one.amount_fen for one in slices]), strict=True):
        piece.amount_fen = part


def _tell(
    trace: Trace,
    cap: ClaimCap | HolderCap,
    limit_fen: int,
    before: Exact,
    after: Exact,
    missing: Sequence[str],
    **more: Any,
) -> None:
    """A cap that binds before rounding: what it cut is shown in whole fen."""
    step: dict[str, Any] = {"step": "cap_exact", "scope": cap.scope, "name": cap.name, "limit_fen": limit_fen}
    before_fen, after_fen = (round_to(value, 1, Rounding.HALF_UP) for value in (before, after))
    trace.steps.append(step | more | {"before_fen": before_fen, "after_fen": after_fen})
    if after < before:
        code = Reason.CAP_LINE if isinstance(cap, ClaimCap) else Reason.CAP_CATEGORY
        _reduce(trace, cap, code, before_fen - after_fen, missing)
