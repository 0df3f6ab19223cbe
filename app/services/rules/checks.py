"""Contradictions within a rule document, and what an official should think about before publishing it. Pure.

What a single part can know of itself is refused when the document is read; here the parts are held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.kernel.clock import SHANGHAI, end_of_day
from app.kernel.problems import AppError, Code, FieldError
from app.services.rules.base import InKind
from app.services.rules.check_amounts import check_amounts
from app.services.rules.check_conditions import check_conditions
from app.services.rules.check_names import check_names
from app.services.rules.facts import KNOWN
from app.services.rules.findings import Finding, finding
from app.services.rules.model import Rules
from app.services.rules.needs import EVENT_DAYS, Place, facts_needed
from app.services.rules.position import kept_counters, series_of
from app.services.rules.predicates import InRegion, Is
from app.services.rules.rates import By, Flat
from app.services.rules.validity import FixedDate, Window
from app.services.rules.walking import parts_of

REDEEMED_MODES = frozenset({"deduct_at_provider", "face_value"})
"""What a redemption by the provider carries out."""

EVENT_NAMES = {"invoice": "开票", "payment": "付款"}


@dataclass(frozen=True, slots=True)
class Need:
    """A fact that rules look at: its type, who states it, and what it means."""

    fact: str
    type: str
    stated_by: str
    en: str | None
    zh: str | None


def check(rules: Rules, *, opens_at: datetime | None = None, closes_at: datetime | None = None) -> tuple[Finding, ...]:
    """Everything that is contradictory (errors) or doubtful (warnings) in a rule document; the errors come first.

    `opens_at` and `closes_at` are the programme's, where they are known. Pointers lead into the document, to an
    entry of a table by its value. A document that passes is not thereby right: whether it says what the policy says
    only its worked cases show.
    """
    found = [*check_names(rules), *check_amounts(rules), *check_conditions(rules), *_scheme(rules)]
    found += [*_dates(rules, opens_at, closes_at)]
    found += [*_unknowable(rules), *_local_providers(rules), *_not_carried_out(rules)]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.severity))


def begins_anew(rules: Rules, published: Sequence[Rules]) -> tuple[Finding, ...]:
    """Caps and brackets whose counters no published version has kept: they know nothing of what was granted before."""
    known = {series_of(kept) for one in published for kept in one.kept}
    found = []
    for number, cap in enumerate(rules.caps):
        if any(series_of(kept) not in known for kept in kept_counters((cap,), _NO_BRACKET)):
            found.append(finding("begins_anew", ("caps", number), name=cap.name))
    if any(series_of(kept) not in known for kept in kept_counters((), rules.rate)):
        found.append(finding("begins_anew", ("rate",), name=rules.rate.kind))
    return tuple(found)


_NO_BRACKET = Flat(rate="0")


def raise_if_wrong(
    rules: Rules,
    *,
    pointer_prefix: str = "/rules",
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> tuple[Finding, ...]:
    """The warnings of a document. Raises `validation_failed`, naming every place, where it contradicts itself."""
    found = check(rules, opens_at=opens_at, closes_at=closes_at)
    errors = [
        FieldError(f"{pointer_prefix}{one.pointer}", one.code, detail=f"{one.en.replace(' / ', '/')} / {one.zh}")
        for one in found
        if one.severity == "error"
    ]
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    return found


def needs_of(rules: Rules) -> tuple[Need, ...]:
    """The facts that may change what these rules grant, by name; the rules must have passed the checks."""
    declared = {fact.name: fact for fact in rules.facts}
    needs = []
    for name in sorted(facts_needed(rules)):
        fact = declared.get(name) or KNOWN.get(name)
        if fact is not None:
            needs.append(Need(name, fact.type, fact.stated_by, fact.en, fact.zh))
    return tuple(needs)


def _scheme(rules: Rules) -> Iterator[Finding]:
    unit = rules.unit
    if isinstance(unit, InKind) and not unit.exchange:
        yield finding("unit_without_exchange", ("unit", "exchange"), unit=unit.name)
    if isinstance(unit, InKind) != (rules.mode == "in_kind"):
        yield finding("mode_and_unit", ("mode",), mode=rules.mode, unit=unit.kind)
    for name in ("required", "contract_required"):
        if isinstance(unit, InKind) and getattr(rules.bill_checks.invoice, name):
            yield finding("invoice_in_kind", ("bill_checks", "invoice", name), unit=unit.name)
    if rules.side_priority is not None and rules.side != "either_exclusive":
        yield finding("priority_without_choice", ("side_priority",), side=rules.side)


def _dates(rules: Rules, opens_at: datetime | None, closes_at: datetime | None) -> Iterator[Finding]:
    ends_at = end_of_day(rules.validity.until) if isinstance(rules.validity, FixedDate) else None
    if isinstance(rules.validity, FixedDate) and ends_at is not None:
        until = rules.validity.until
        if opens_at is not None and ends_at <= opens_at:
            yield finding("ends_before_opening", ("validity", "until"), until=until, opens=_local(opens_at))
        for window in rules.windows:
            last = rules.redeemable_until(ends_at) if window.of == "claim" else ends_at
            if last <= window.first_instant():
                opens = _local(window.first_instant())
                yield finding("ends_before_window", ("validity", "until"), until=until, opens=opens)
    for number, window in enumerate(rules.windows):
        yield from _window(window, ("windows", number), opens_at, closes_at)
    trial_on = rules.basis.trial_until_on
    if trial_on is not None and opens_at is not None and end_of_day(trial_on) <= opens_at:
        yield finding("trial_over", ("basis", "trial_until_on"), until=trial_on, opens=_local(opens_at))


def _window(window: Window, place: Place, opens_at: datetime | None, closes_at: datetime | None) -> Iterator[Finding]:
    if opens_at is not None and window.end_instant() <= opens_at:
        closes = _local(window.end_instant())
        yield finding("window_before_opening", (*place, "closes_at"), closes=closes, opens=_local(opens_at))
    if closes_at is not None and window.first_instant() >= closes_at:
        opens = _local(window.first_instant())
        yield finding("window_after_closing", (*place, "opens_at"), opens=opens, closes=_local(closes_at))


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _unknowable(rules: Rules) -> Iterator[Finding]:
    """Days and amounts that come to be only after the bill was deducted."""
    if rules.mode != "deduct_at_provider" or rules.claimant != "provider":
        return
    by_year = any(kept.per == "year" for kept in rules.kept)
    events: tuple[tuple[Place, str], ...] = (
        (("attribution", "by"), rules.attribution.by if by_year else "claim"),
        (("budget_attribution", "by"), rules.budget_attribution.by),
        (("must_precede_expiry",), rules.must_precede_expiry),
    )
    for place, event in events:
        if event in EVENT_NAMES and event in EVENT_DAYS:
            yield finding("event_not_known", place, event=event, event_zh=EVENT_NAMES[event])
    for number, amount in enumerate(rules.base.least_of):
        if amount in {"invoiced", "paid"}:
            yield finding("amount_not_known", ("base", "least_of", number), name=amount)


def _local_providers(rules: Rules) -> Iterator[Finding]:
    if rules.basis.fair_competition_review is not None:
        return
    for place, part in parts_of(rules):
        if isinstance(part, Is | InRegion | By) and part.fact == "provider.region_code":
            yield finding("local_providers", (*place, "fact"))


def _not_carried_out(rules: Rules) -> Iterator[Finding]:
    """What may be written and published but has no procedure in this service yet."""
    if rules.claimant != "provider":
        yield finding("not_redeemed_by_provider", ("claimant",), claimant=rules.claimant)
    elif rules.mode not in REDEEMED_MODES:
        yield finding("redeemed_as_deduction", ("mode",), mode=rules.mode)
    settings: Sequence[tuple[Place, str | int, bool]] = (
        (("budget", "commit_at"), rules.budget.commit_at, rules.budget.commit_at == "issue"),
        (("budget", "paid_by"), rules.budget.paid_by, rules.budget.paid_by == "programme"),
        (("use", "pooled_by"), rules.use.pooled_by, rules.use.pooled_by == 1),
        (("use", "transfer"), rules.use.transfer, rules.use.transfer == "none"),
    )
    for place, value, carried_out in settings:
        if not carried_out:
            yield finding("not_carried_out", place, field=".".join(str(key) for key in place), value=value)
