"""assess(): what the rules grant for a claim, with every step shown. Pure, exact, rounded once.

The order is the domain's: version → eligibility → lines → base → floors → rate → round once → caps → ceiling. The
same function serves quote, hold, redemption, claim, refund, simulation and an auditor's replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from app.kernel.clock import start_of_day
from app.kernel.money import split_by_peeling
from app.kernel.rates import Rounding, round_to
from app.kernel.vocabulary import Reason
from app.services.rules.basing import Trace, base_of_lines, covered_lines
from app.services.rules.capping import Slice, cap_amounts, cap_exactly, cap_public_share, round_slices
from app.services.rules.eligibility import Judge, number
from app.services.rules.facts import Facts, Value
from app.services.rules.limits import Floor
from app.services.rules.model import Rules
from app.services.rules.position import ALL, NOTHING, Bucket, Counter, Kept, Position
from app.services.rules.rating import Based, rate_lines, shown, total_of

EMPTY = Position()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a claim earns, and the trace that explains it. Amounts are fen.

    `amount_fen` is due now: `entitled_fen` less what the same purchase was granted before. `eligible_fen` is the
    covered part of the bill, `years_fen` the entitlement by year, `counted` what the claim adds to the counters.
    """

    amount_fen: int
    entitled_fen: int
    eligible_fen: int
    steps: tuple[dict[str, Any], ...]
    reductions: tuple[dict[str, Any], ...]
    years_fen: dict[str, int] = field(default_factory=dict)
    counted: tuple[tuple[Bucket, Counter], ...] = ()
    bases_fen: tuple[tuple[int, int], ...] = ()
    """Where lines name invoices: the number of each line that counts, and what of it is claimed, VAT included."""

    @property
    def refusal(self) -> Reason | None:
        """Why nothing at all is granted, None where something is."""
        if self.entitled_fen or not self.reductions:
            return None
        return Reason(self.reductions[-1]["code"])


def assess(rules: Rules, facts: Facts, position: Position = EMPTY, *, also_kept: Iterable[Kept] = ()) -> Assessment:
    """Say what these rules grant for these facts, given what the holder has come to so far.

    `also_kept` are further series that the claim is to be counted in: those that other versions of the rules read.

    Never more than the base is granted, however coarse the rounding. Each reduction names its reason code; a fact that
    the rules need and nobody gave earns nothing and is named. Raises nothing for facts of the right types.
    """
    trace = Trace()
    kept = covered_lines(rules, facts, trace)
    eligible_fen = sum(line.amount_fen for _, line in kept)
    why_not = _why_not(rules, facts, trace)
    if why_not is not None:
        trace.reductions.append(why_not | {"base_fen": eligible_fen})
        return _nothing(trace, eligible_fen)
    lines = base_of_lines(rules, facts, kept, trace) if kept else None
    if not lines or not any(based.base for based in lines) or not _above_floors(rules, facts, lines, trace):
        return _nothing(trace, eligible_fen)
    slices = _slices(rules, facts, lines, trace)
    if slices is None:
        return _nothing(trace, eligible_fen)

    _rate(rules, facts, position, slices, trace)
    exact = any(total_of(piece.exact) for piece in slices)
    cap_exactly(rules, facts, position, slices, trace)
    round_slices(rules, slices, trace)
    cap_amounts(rules, facts, position, slices, trace)
    cap_public_share(rules, facts, slices, trace)
    entitled_fen = sum(piece.amount_fen for piece in slices)
    if entitled_fen and not _reaches(rules, entitled_fen, trace):
        for piece in slices:
            piece.amount_fen = 0
        entitled_fen = 0
    if not entitled_fen and not trace.reductions:  # a rate of nothing, or an amount that rounds to nothing
        code = Reason.ROUNDED_TO_NOTHING if exact else Reason.NO_RATE
        trace.reductions.append({"code": code, "subsidy_fen": 0})
    due_fen = max(0, entitled_fen - facts.granted_before_fen)
    if facts.granted_before_fen:
        trace.steps.append(
            {
                "step": "granted_before",
                "entitled_fen": entitled_fen,
                "granted_before_fen": facts.granted_before_fen,
                "subsidy_fen": due_fen,
                "overpaid_fen": max(0, facts.granted_before_fen - entitled_fen),
            }
        )
    return Assessment(
        amount_fen=due_fen,
        entitled_fen=entitled_fen,
        eligible_fen=eligible_fen,
        steps=tuple(trace.steps),
        reductions=tuple(trace.reductions),
        years_fen={piece.period: piece.amount_fen for piece in slices if piece.period},
        counted=counts_of(rules, facts, slices, {*rules.kept, *also_kept}),
        bases_fen=trace.bases_fen,
    )


def counts_of(
    rules: Rules, facts: Facts, slices: list[Slice], series: Iterable[Kept]
) -> tuple[tuple[Bucket, Counter], ...]:
    """What a claim adds to each series of counters. Where its own rules know no years, it belongs to its day's."""
    counted: dict[Bucket, Counter] = {}
    for kept in series:
        for piece in slices:
            year = piece.period or period_of(rules, facts.on)
            period = ALL if kept.per == "all" else year if kept.per == "year" else facts.on.isoformat()
            bucket = Bucket(kept.holder, period, kept.category)
            if kept.when is not None:
                own = 1 if piece.amount_fen and Judge(facts).holds(kept.when) else 0
                counted[bucket] = Counter(claims=max(own, counted.get(bucket, NOTHING).claims))
                continue
            found = counted.get(bucket, NOTHING).plus(_count(rules, piece, kept.category))
            counted[bucket] = found._replace(claims=1 if found.granted_fen else 0)
    return tuple(sorted(counted.items()))


def _count(rules: Rules, piece: Slice, category: str) -> Counter:
    if not category:
        base_fen = round_to(piece.base, 1, Rounding.HALF_UP)
        return Counter(base_fen, piece.gross_fen, piece.amount_fen)
    within = [category in rules.lineage(based.line.category) for based in piece.lines]
    base = total_of(based.base for based, counts in zip(piece.lines, within, strict=True) if counts)
    exact = total_of(piece.exact)
    share = total_of(amount for amount, counts in zip(piece.exact, within, strict=True) if counts)
    granted = Fraction(piece.amount_fen) * share / exact if exact else 0
    return Counter(round_to(base, 1, Rounding.HALF_UP), 0, round_to(granted, 1, Rounding.HALF_UP))


def _nothing(trace: Trace, eligible_fen: int) -> Assessment:
    steps, reductions = tuple(trace.steps), tuple(trace.reductions)
    return Assessment(0, 0, eligible_fen, steps, reductions, bases_fen=trace.bases_fen)


WINDOW_AT = {"apply": "apply", "redeem": "claim"}
"""Which windows are looked at when; offices issue and pay at any time."""


def _why_not(rules: Rules, facts: Facts, trace: Trace) -> dict[str, Any] | None:
    """Why the whole claim is not eligible: window, expiry, side, conditions, related parties. D6, D15, D16, D25."""
    wanted = WINDOW_AT.get(facts.checkpoint)
    windows = [
        window
        for window in rules.windows
        if window.of == wanted and (window.when is None or Judge(facts).holds(window.when) is not False)
    ]
    if windows and not any(window.first_instant() <= facts.at < window.end_instant() for window in windows):
        return {"code": Reason.OUTSIDE_WINDOW}
    if (late := _too_late(rules, facts)) is not None:
        return late
    if facts.claim.get("side", rules.side) != rules.side and rules.side != "either_exclusive":
        return {"code": Reason.NOT_ELIGIBLE, "requirement": "side"}
    if rules.side == "either_exclusive" and facts.claim.get("side", "") != rules.side_priority:
        other = facts.claim.get("other_side_claimed")
        if other is None:
            return {"code": Reason.FACT_MISSING, "requirement": "side", "missing": ["claim.other_side_claimed"]}
        if other is True:
            return {"code": Reason.NOT_ELIGIBLE, "requirement": "side"}
    for requirement in rules.claim_requirements:
        if facts.checkpoint not in requirement.checkpoints:
            continue
        judge = Judge(facts)
        holds = judge.holds(requirement.when)
        if holds is None:
            missing = sorted(set(judge.missing))
            return {"code": Reason.FACT_MISSING, "requirement": requirement.name, "missing": missing}
        if not holds:
            return {"code": Reason.NOT_ELIGIBLE, "requirement": requirement.name}
    signs = signs_of_relation(rules, facts.claim)
    if signs and rules.related_parties.action == "block":
        return {"code": Reason.RELATED_PARTY, "signs": signs}
    if signs:
        trace.steps.append({"step": "related_parties", "flagged": signs})
    return None


def _too_late(rules: Rules, facts: Facts) -> dict[str, Any] | None:
    """A voucher's claim must come before its end and grace, and its event before its end. Service is judged by line."""
    voucher = facts.voucher
    if voucher is None:
        return None
    if facts.at >= voucher.redeemable_until and facts.checkpoint != "pay":  # the claim was in time, its payment follows
        return {"code": Reason.EXPIRED}
    event = {"contract": "contract_signed_on", "invoice": "invoiced_on"}.get(rules.must_precede_expiry)
    if event is None:
        return None
    happened_on = facts.claim.get(event)
    if happened_on is None:
        return {"code": Reason.FACT_MISSING, "missing": [f"claim.{event}"]}
    return (
        None if start_of_day(date.fromisoformat(str(happened_on))) < voucher.valid_until else {"code": Reason.EXPIRED}
    )


def signs_of_relation(rules: Rules, claim: Mapping[str, Value]) -> list[str]:
    """What of a claim's facts says, by these rules, that firm and provider are related. D25."""
    related, signs = rules.related_parties, []
    held = claim.get("shareholding")
    threshold = related.shareholding_at_least
    if threshold is not None and held is not None and number(held) >= Fraction(threshold):
        signs.append("shareholding")
    if related.same_controller and claim.get("same_controller") is True:
        signs.append("same_controller")
    if related.same_legal_representative and claim.get("same_legal_representative") is True:
        signs.append("same_legal_representative")
    if related.shared_contact and claim.get("shared_contact") is True:
        signs.append("shared_contact")
    if related.same_group and claim.get("same_group") is True:
        signs.append("same_group")
    return signs


def _above_floors(rules: Rules, facts: Facts, lines: list[Based], trace: Trace) -> bool:
    """Whether base and contract reach their floors. D12."""
    base = total_of(based.base for based in lines)
    for floor in rules.floors:
        if floor.of == "subsidy":
            continue
        if floor.of == "base":
            actual = base
        elif (stated := facts.claim.get("contract_fen")) is not None:
            actual = number(stated)
        else:
            trace.cut_base(Reason.FACT_MISSING, base, missing=["claim.contract_fen"])
            return False
        if not _enough(floor, actual):
            _tell_floor(floor, round_to(actual, 1, Rounding.HALF_UP), trace)
            trace.cut_base(Reason.BELOW_MIN, base)
            return False
    return True


def _reaches(rules: Rules, entitled_fen: int, trace: Trace) -> bool:
    """Whether the subsidy itself reaches its floors, the least that one bill may draw among them."""
    least_fen = rules.use.minimum_draw_fen
    floors = [floor for floor in rules.floors if floor.of == "subsidy"]
    if least_fen:
        floors.append(Floor(of="subsidy", at_least_fen=least_fen))
    for floor in floors:
        if not _enough(floor, entitled_fen):
            _tell_floor(floor, entitled_fen, trace)
            trace.reductions.append({"code": Reason.BELOW_MIN, "subsidy_fen": entitled_fen})
            return False
    return True


def _enough(floor: Floor, actual: int | Fraction) -> bool:
    return actual > floor.at_least_fen or (floor.inclusive and actual == floor.at_least_fen)


def _tell_floor(floor: Floor, actual_fen: int, trace: Trace) -> None:
    trace.steps.append({"step": "minimum", "of": floor.of, "minimum_fen": floor.at_least_fen, "actual_fen": actual_fen})


def _slices(rules: Rules, facts: Facts, lines: list[Based], trace: Trace) -> list[Slice] | None:
    """The lines by the year to which they belong; one slice where no rule looks at years. D23."""
    if not any(kept.per == "year" for kept in rules.kept):
        return [Slice("", lines, [])]
    by_period: dict[str, list[Based]] = {}
    for based in lines:
        day = _day_of(rules.attribution.by, facts, based)
        if day is None:
            missing = "line.used_until" if rules.attribution.by == "usage" else f"claim.{DAYS[rules.attribution.by]}"
            trace.cut_base(Reason.FACT_MISSING, total_of(one.base for one in lines), missing=[missing])
            return None
        by_period.setdefault(period_of(rules, day), []).append(based)
    return [Slice(period, by_period[period], []) for period in sorted(by_period)]


DAYS = {"contract": "contract_signed_on", "invoice": "invoiced_on", "payment": "paid_on"}
"""Which fact says when an event happened."""


def _day_of(event: str, facts: Facts, based: Based) -> date | None:
    if event == "usage":
        return based.line.used_on
    if event == "claim":
        return facts.on
    stated = facts.claim.get(DAYS[event])
    return date.fromisoformat(str(stated)) if stated is not None else None


def period_of(rules: Rules, day: date) -> str:
    """The year of a day, as counters name it: `2026`, or `2026/04` from April to March."""
    if rules.attribution.year == "calendar":
        return str(day.year)
    return f"{day.year if day.month >= 4 else day.year - 1}/04"


def _rate(rules: Rules, facts: Facts, position: Position, slices: list[Slice], trace: Trace) -> None:
    """What each year's lines earn exactly. Brackets over a lifetime, or the claim, see its earlier years too."""
    claim_base = total_of(piece.base for piece in slices)
    earlier = NOTHING
    for piece in slices:
        so_far = {(holder, "claim"): earlier for holder in ("firm", "group", "contract")}
        for kept in rules.kept:
            if kept.category or kept.per == "day":
                continue
            counter = position.of(Bucket(kept.holder, piece.period if kept.per == "year" else ALL))
            per = "year" if kept.per == "year" else "lifetime"
            so_far[kept.holder, per] = counter if per == "year" else counter.plus(earlier)
        rated = rate_lines(rules, rules.rate, facts, piece.lines, so_far, claim_base)
        piece.exact, piece.whole = rated.exact, rated.whole
        step: dict[str, Any] = {"step": "rate", "kind": rules.rate.kind, "parts": rated.parts}
        if piece.period:
            step["period"] = piece.period
        exact = total_of(rated.exact)
        trace.steps.append(step | rated.notes | {"exact_fen": shown(exact)})
        trace.reductions += rated.reductions
        gross = exact if rated.gross is None else rated.gross
        piece.gross_fen = round_to(gross, rules.rounding.unit_fen, rules.rounding.rounding)
        if len(slices) > 1:
            earlier = earlier.plus(Counter(round_to(piece.base, 1, Rounding.HALF_UP), piece.gross_fen))


def split_by_source(rules: Rules, amount_fen: int) -> list[tuple[str, int]]:
    """An amount over the fund sources by peeling: the declared order takes the spare fen. D13, D22."""
    parts = split_by_peeling(amount_fen, [share.share for share in rules.fund_sources])
    return [(share.source, part) for share, part in zip(rules.fund_sources, parts, strict=True)]
