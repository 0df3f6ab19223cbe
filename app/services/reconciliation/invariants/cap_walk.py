"""Whether a cap was ever exceeded: what a holder has come to, claim by claim, beside the limits of each. Pure.

Says again in few words what `rules.capping` lets pass, from what was stored: neither calls the other. Amounts are fen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from app.kernel.rates import Rounding, round_to
from app.services.redemption.assessing import Counts
from app.services.rules.eligibility import Judge, number
from app.services.rules.facts import Facts
from app.services.rules.limits import ClaimCap, CountCap, HolderCap, Rolling
from app.services.rules.model import Rules
from app.services.rules.position import Counter, key_of, window_of
from app.services.rules.rating import worth_of

Series = tuple[str, str]
"""The shape of a period (`all`, `year`, `day`) and a category: which counters of a holder belong together."""
CumulativeCap = ClaimCap | HolderCap | CountCap


@dataclass(frozen=True, slots=True)
class Event:
    """What changed the counters of a holder. `drawn_fen` is what was held or drawn from the voucher itself by it.

    `rules` and `facts` are those it was judged by; None for what draws nothing. `split` says that its money counts
    elsewhere: a redemption from a hold is counted by the hold.
    """

    subject: str
    at: datetime
    counted: Counts
    rules: Rules | None = None
    facts: Facts | None = None
    drawn_fen: int = 0
    split: bool = False


class Excess(NamedTuple):
    """A cap and what it was exceeded by."""

    subject: str
    cap: str
    limit: int
    actual: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A redemption in one step, or a hold with all that was redeemed from it.

    `gross_fen` is the most that was ever held or drawn at once, `net_fen` what of it was not given back, `counted`
    what it has in the counters by now. `gave_back` says whether it was refunded, be it that no subsidy went back.
    """

    subject: str
    rules: Rules
    facts: Facts
    lines: int
    gross_fen: int
    net_fen: int
    counted: Counts
    gave_back: bool


def shape_of(period: str) -> str:
    """What sort of period a counter's is."""
    return "all" if period == "all" else "day" if len(period) == len("2026-01-01") else "year"


def series_of(cap: CumulativeCap) -> tuple[str, Series] | None:
    """Whose counters a cap reads, and which of them; None for a cap that looks at one claim alone."""
    match cap:
        case ClaimCap(scope="contract" | "voucher"):
            return cap.scope, ("all", "")
        case HolderCap():
            return cap.scope, (_shape(cap.per), cap.category or "")
        case CountCap():
            return cap.holder, (_shape(cap.per), key_of(cap))
    return None


def limit_of(cap: ClaimCap | HolderCap, facts: Facts) -> int:
    """What a cap lets one claim come to: its limit, or an approved exception up to the hard limit.

    Less what counts as used besides. Nothing, where the limit needs a fact that was not given.
    """
    limit_fen = cap.limit_fen
    if cap.limit_by is not None:
        limit_fen = worth_of(cap.limits_fen, Judge(facts).value(cap.limit_by), limit_fen)
    if limit_fen is None or (cap.scope == "contract" and not isinstance(facts.claim.get("contract_no"), str)):
        return 0
    if cap.hard_limit_fen is not None:
        limit_fen = max(limit_fen, min(facts.exceptions_fen.get(cap.name, 0), cap.hard_limit_fen))
    if isinstance(cap, HolderCap) and cap.also_counts is not None:
        besides = Judge(facts).value(cap.also_counts)
        limit_fen = max(0, limit_fen - round_to(number(besides), 1, Rounding.HALF_UP)) if besides is not None else 0
    return limit_fen


def exceeded(holder: str, events: Sequence[Event]) -> Iterator[Excess]:
    """Every cap that the counters of one holder exceeded, at the first claim of each period that did.

    `holder` is firm, group, contract or voucher. Only what draws is judged: caps that are lowered later take nothing
    back. Events of one instant are taken in the order that suits them best: those of one batch share it.
    """
    found: set[tuple[str, str]] = set()
    series = {
        of[1]
        for event in events
        for cap in (event.rules.caps if event.rules else ())
        if (of := series_of(cap)) is not None and of[0] == holder
    }
    for one in sorted(series):
        used: dict[str, Counter] = {}
        for step in sorted(_steps(holder, one, events), key=_Step.order):
            used[step.period] = used.get(step.period, Counter()).plus(step.counter)
            for cap, limit in step.limits:
                actual = _used(cap, step, used)
                if actual > limit and (cap.name, step.period) not in found:
                    found.add((cap.name, step.period))
                    yield Excess(step.event.subject, cap.name, limit, actual)


def uncounted(claim: Claim) -> Iterator[Excess]:
    """Money that a claim holds and the counters of its own rules do not know of: no cap could have stopped it.

    A share of a year or of what was drawn is rounded down, so a claim over several years may count a fen less for each.
    What a refund left of one over several years is not judged: it never raises a year's counter.
    """
    for kept in claim.rules.kept:
        if kept.category:
            continue
        granted = [
            counter.granted_fen
            for bucket, counter in claim.counted
            if (bucket.holder, shape_of(bucket.period), bucket.category) == (kept.holder, kept.per, "")
        ]
        several = max(0, len(granted) - 1)
        if claim.net_fen > sum(granted) + several and not (several and claim.gave_back):
            yield Excess(claim.subject, f"counted {kept.holder} {kept.per}", sum(granted), claim.net_fen)
            return


def exceeded_alone(claim: Claim) -> Iterator[Excess]:
    """The caps of a claim, and those of a line as far as all lines together show it, that a claim exceeds by itself."""
    for cap in claim.rules.caps:
        if isinstance(cap, ClaimCap) and cap.scope in {"claim", "line"}:
            limit_fen = limit_of(cap, claim.facts) * (claim.lines if cap.scope == "line" else 1)
            if claim.gross_fen > limit_fen:
                yield Excess(claim.subject, cap.name, limit_fen, claim.gross_fen)


def _shape(per: str | Rolling) -> str:
    return "day" if isinstance(per, Rolling) else "year" if per == "year" else "all"


class _Step(NamedTuple):
    """One event's change of one counter, and the caps that look at it."""

    event: Event
    period: str
    counter: Counter
    limits: tuple[tuple[CumulativeCap, int], ...]

    def order(self) -> tuple[datetime, bool, int]:
        return self.event.at, bool(self.limits), min((limit for _, limit in self.limits), default=0)


def _steps(holder: str, series: Series, events: Sequence[Event]) -> Iterator[_Step]:
    for event in events:
        rows = [
            (bucket.period, counter)
            for bucket, counter in event.counted
            if bucket.holder == holder and (shape_of(bucket.period), bucket.category) == series
        ]
        if len(rows) == 1 and not series[1] and not event.split and event.drawn_fen:
            # one counter has all of it: what left the voucher counts, whatever the facts say
            ((period, counter),) = rows
            rows = [(period, counter._replace(granted_fen=max(counter.granted_fen, event.drawn_fen)))]
        spread = _years(event.counted) - 1 if series[1] and len(rows) == 1 else 0
        for period, counter in rows:
            yield _Step(event, period, counter, tuple(_limits(holder, series, event, counter, spread)))


def _years(counted: Counts) -> int:
    return max(1, len({bucket.period for bucket, _ in counted if shape_of(bucket.period) == "year"}))


def _limits(
    holder: str, series: Series, event: Event, counter: Counter, spread: int
) -> Iterator[tuple[CumulativeCap, int]]:
    """The caps that bind an event that draws; a category's share of each of several years is rounded on its own."""
    if event.rules is None or event.facts is None or not event.drawn_fen:
        return
    for cap in event.rules.caps:
        if series_of(cap) != (holder, series):
            continue
        if isinstance(cap, CountCap):
            if counter.claims > 0:
                yield cap, cap.limit
        elif counter.granted_fen > 0:
            yield cap, limit_of(cap, event.facts) + spread


def _used(cap: CumulativeCap, step: _Step, used: Mapping[str, Counter]) -> int:
    """What the counters that a cap reads come to, with this step."""
    counters = [used[step.period]]
    if not isinstance(cap, ClaimCap) and isinstance(cap.per, Rolling):
        first_on, last_on = window_of(cap.per, date.fromisoformat(step.period))
        counters = [of for day, of in used.items() if first_on.isoformat() <= day <= last_on.isoformat()]
    return sum(of.claims if isinstance(cap, CountCap) else of.granted_fen for of in counters)
