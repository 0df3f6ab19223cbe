"""What holds for every bill: bounds, caps over any split, order, sameness, refunds, and sums that come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.canonical import canonical
from app.services.rules.assess import Assessment, assess
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import Position
from tests.rules.builders import bill, flat, one_after_another, rules, shanghai

FEW = settings(max_examples=60, deadline=None)
CATEGORIES = ("compute", "gpu", "token", "food")
DAYS = tuple(shanghai(day) for day in ("2025-12-31T12:00", "2026-01-01T12:00", "2026-12-31T12:00", "2027-03-31T12:00"))

amounts = st.integers(1, 10**7)
rate_texts = st.integers(0, 10**6).map(lambda millionths: f"{millionths // 10**6}.{millionths % 10**6:06d}")
flats = rate_texts.map(flat)
lines = st.builds(
    Line,
    category=st.sampled_from(CATEGORIES),
    amount_fen=amounts,
    tax_rate=st.sampled_from(["0", "0.06", "0.13"]),
    used_until=st.sampled_from(DAYS),
    facility_class=st.sampled_from(["domestic", "other", None]),
    claimed_fen=st.just(0) | amounts,
    other_grants_fen=st.just(0) | amounts,
    amounts_fen=st.fixed_dictionaries({"paid": amounts}),
)
bills = st.lists(lines, min_size=1, max_size=4).map(lambda some: bill(*some, claim={"tier": "1", "attainment": "0.7"}))
by_facility = st.tuples(rate_texts, rate_texts).map(
    lambda two: {"kind": "by", "fact": "line.facility_class", "rates": {"domestic": two[0]}, "otherwise": two[1]}
)
line_rates = st.one_of(flats, by_facility)
ends = st.lists(st.integers(1, 10**7), min_size=1, max_size=3, unique=True).map(sorted)


@st.composite
def brackets(draw: st.DrawFn, methods: Sequence[str]) -> dict[str, Any]:
    tops = draw(ends)
    bands = [{"up_to_fen": top, "rate": draw(flats)} for top in tops] + [{"rate": draw(flats)}]
    per = draw(st.sampled_from(["year", "lifetime"]))
    return {"kind": "bracket", "method": draw(st.sampled_from(methods)), "bands": bands, "per": per}


fixed = st.integers(1, 10**7).map(lambda fen: {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"1": fen}})
steps = [{"at_least": "0.5", "share": "attained"}]
simple_rates = st.one_of(line_rates, fixed)
all_rates = st.one_of(
    simple_rates,
    brackets(["marginal", "cliff_recalc", "cliff_prospective"]),
    simple_rates.map(lambda rate: {"kind": "attainment", "steps": steps, "of": rate}),
)
memories: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"scope": "firm", "per": "year"},
        {"scope": "firm", "per": "lifetime"},
        {"scope": "group", "per": {"months": 36}},
        {"scope": "group", "per": "year"},
        {"scope": "voucher"},
        {"scope": "contract"},
    ]
)


@st.composite
def caps(draw: st.DrawFn) -> list[dict[str, Any]]:
    scopes = [
        *draw(st.lists(memories, max_size=3)),
        *draw(st.lists(st.sampled_from([{"scope": "line"}, {"scope": "claim"}]))),
    ]
    categories = draw(st.lists(st.sampled_from(["compute", "gpu", "token"]), max_size=2))
    scopes += [{"scope": "firm", "category": category} for category in categories]
    return [one | {"name": f"cap_{place}", "limit_fen": draw(amounts)} for place, one in enumerate(scopes[:5])]


@st.composite
def documents(draw: st.DrawFn, rates: st.SearchStrategy[Any] = all_rates, *, whole: bool = False) -> Rules:
    """Any rules, or with `whole` those whose caps look at no part of a claim: no line, no category, no single year."""
    some = draw(caps())
    if whole:
        some = [cap for cap in some if cap["scope"] != "line" and "category" not in cap]
    return rules(
        draw(rates),
        categories=["compute", "token"],
        category_parents={"gpu": "compute"},
        caps=some,
        attribution={
            "by": "claim" if whole else draw(st.sampled_from(["claim", "usage"])),
            "year": draw(st.sampled_from(["calendar", "april"])),
        },
        base={
            "vat": draw(st.sampled_from(["included", "excluded"])),
            "least_of": draw(st.sampled_from([["billed"], ["paid"]])),
            "less_other_grants": draw(st.booleans()),
        },
        stacking={
            "base": draw(st.sampled_from(["exclusive", "stackable"])),
            "layers": draw(st.sampled_from([[], [{"name": "national", "rate": flat("0.3")}]])),
            "ceiling": draw(st.sampled_from(["1.00", "0.6"])),
        },
        rounding={
            "unit_fen": draw(st.sampled_from([1, 100, 10_000])),
            "mode": draw(st.sampled_from(["floor", "half_up"])),
            "level": draw(st.sampled_from(["line", "claim"])),
        },
        floors=draw(st.sampled_from([[], [{"of": "base", "at_least_fen": 50_000}]])),
    )


def on_contract(facts: Facts) -> Facts:
    return replace(facts, claim={**facts.claim, "contract_no": "HT-1"})


def moved_by_rounding(document: Rules, facts: Facts) -> int:
    """What rounding may shift between lines or years, which some cap may then cut; nothing where the claim is one."""
    apart = document.rounding.level == "line" or document.attribution.by == "usage"
    return document.rounding.unit_fen * len(facts.lines) if apart else 0


def as_bytes(assessment: Assessment) -> bytes:
    return canonical({"steps": assessment.steps, "reductions": assessment.reductions, "years": assessment.years_fen})


@settings(max_examples=200, deadline=None)
@given(documents(), bills)
def test_never_more_than_the_base_and_always_whole_fen(document: Rules, facts: Facts) -> None:
    assessment = assess(document, on_contract(facts))
    assert 0 <= assessment.amount_fen <= assessment.eligible_fen
    base = [step["base_fen"] for step in assessment.steps if step["step"] == "base"]
    assert assessment.amount_fen <= (base[0] if base else 0)
    numbers = [assessment.amount_fen, *assessment.years_fen.values()]
    numbers += [number for _, counter in assessment.counted for number in counter]
    assert {type(number) for number in numbers} == {int}
    assert all(number >= 0 for number in numbers)
    assert sum(assessment.years_fen.values()) in {0, assessment.amount_fen}
    as_bytes(assessment)  # nothing but what has a canonical form, so no float either


@FEW
@given(documents(), bills)
def test_the_same_input_gives_the_same_bytes(document: Rules, facts: Facts) -> None:
    again = Rules.model_validate_json(document.canonical())
    assert as_bytes(assess(document, facts)) == as_bytes(assess(again, replace(facts)))


@FEW
@given(documents(), st.lists(bills, min_size=1, max_size=5), st.lists(st.sampled_from(DAYS), min_size=5, max_size=5))
def test_caps_hold_for_any_split_into_bills(document: Rules, some: list[Facts], days: list[Any]) -> None:
    dated = [replace(on_contract(facts), at=day) for facts, day in zip(some, sorted(days), strict=False)]
    assessments = one_after_another(document, dated)
    total_fen = sum(one.amount_fen for one in assessments)
    by_year: dict[str, int] = {}
    for one in assessments:
        for year, fen in one.years_fen.items():
            by_year[year] = by_year.get(year, 0) + fen
    for cap in document.caps:
        limit_fen = getattr(cap, "limit_fen", None) or 0
        if cap.scope in {"voucher", "contract"} or (cap.scope == "firm" and cap.per == "lifetime"):
            assert total_fen <= limit_fen
        elif cap.scope == "group" and cap.per != "year":
            assert total_fen <= limit_fen  # all days lie within 36 months
        elif cap.scope == "claim":
            assert all(one.amount_fen <= limit_fen for one in assessments)
        elif cap.scope in {"firm", "group"} and cap.category is None:
            assert all(fen <= limit_fen for fen in by_year.values())


@FEW
@given(brackets(["marginal"]), st.lists(amounts, min_size=1, max_size=6), st.sampled_from(["floor", "half_up"]))
def test_splitting_a_bill_gains_nothing_under_marginal(rate: dict[str, Any], parts: list[int], mode: str) -> None:
    """Exactly nothing where fractions of a fen are dropped; half up each bill may round up by half a fen."""
    given = rules(rate, rounding={"mode": mode})
    whole_fen = assess(given, bill(sum(parts))).amount_fen
    split_fen = sum(one.amount_fen for one in one_after_another(given, [bill(part) for part in parts]))
    assert split_fen <= whole_fen + (0 if mode == "floor" else (len(parts) + 1) // 2)


@FEW
@given(
    documents(line_rates) | documents(st.one_of(brackets(["marginal"]), fixed), whole=True),
    bills,
    st.integers(0, 3),
    amounts,
)
def test_a_larger_bill_never_earns_less_without_a_cliff(
    document: Rules, facts: Facts, place: int, more_fen: int
) -> None:
    """To the fen where the claim is rounded as one; otherwise each line or year may lose what rounding moved.

    A bracket and a fixed amount are the claim's: where a cap sees only part of it, more of one line leaves less of the
    bracket for the next, and no rule can have both.
    """
    facts = on_contract(facts)
    grown = list(facts.lines)
    line = grown[place % len(grown)]
    paid = {"paid": line.amounts_fen["paid"] + more_fen}
    grown[place % len(grown)] = replace(line, amount_fen=line.amount_fen + more_fen, amounts_fen=paid)
    more = assess(document, replace(facts, lines=grown))
    assert assess(document, facts).amount_fen <= more.amount_fen + moved_by_rounding(document, facts)


@FEW
@given(
    documents(line_rates), bills, st.lists(bills, max_size=2), st.lists(st.integers(0, 10**7), min_size=4, max_size=4)
)
def test_a_refund_never_returns_more_than_was_granted(
    document: Rules, facts: Facts, earlier: list[Facts], refunds: list[int]
) -> None:
    so_far = Position()
    one_after_another(document, [on_contract(one) for one in earlier], so_far)
    before = dict(so_far.items())
    paid = assess(document, on_contract(facts), so_far)
    so_far.add(paid.counted)
    left = [
        replace(line, amount_fen=max(0, line.amount_fen - refund))
        for line, refund in zip(facts.lines, refunds, strict=False)
    ]
    without = so_far.without(paid.counted)
    assert {bucket: counter for bucket, counter in without.items() if any(counter)} == {
        bucket: counter for bucket, counter in before.items() if any(counter)
    }
    entitled = assess(document, replace(on_contract(facts), lines=left), without)
    assert 0 <= entitled.amount_fen <= paid.amount_fen + moved_by_rounding(document, facts)
    nothing_left = [replace(line, amount_fen=0) for line in facts.lines]
    assert assess(document, replace(on_contract(facts), lines=nothing_left), without).amount_fen == 0
    assert assess(document, on_contract(facts), without).amount_fen == paid.amount_fen


@FEW
@given(
    flats,
    st.lists(amounts, min_size=1, max_size=4),
    caps(),
    st.sampled_from(["1.00", "0.6"]),
    st.sampled_from([1, 100, 10_000]),
    st.integers(0, 10**7),
)
def test_product_less_rounding_less_reductions_is_the_amount(
    rate: dict[str, Any], amounts_fen: list[int], some_caps: list[Any], ceiling: str, unit_fen: int, before_fen: int
) -> None:
    whole = [one for one in some_caps if one["scope"] != "line" and "category" not in one]
    document = rules(rate, caps=whole, stacking={"ceiling": ceiling}, rounding={"unit_fen": unit_fen})
    assessment = assess(document, on_contract(bill(*amounts_fen)))
    product = sum(amounts_fen) * Fraction(rate["rate"])
    (rounded_fen,) = (step["subsidy_fen"] for step in assessment.steps if step["step"] == "rounding")
    assert abs(rounded_fen - product) * 2 <= unit_fen
    assert rounded_fen - sum(one["subsidy_fen"] for one in assessment.reductions) == assessment.amount_fen
    topped_up = assess(document, replace(on_contract(bill(*amounts_fen)), granted_before_fen=before_fen))
    assert topped_up.amount_fen == max(0, assessment.amount_fen - before_fen)


@pytest.mark.parametrize("level", ["line", "claim"])
@FEW
@given(lines_=st.lists(lines, min_size=1, max_size=4), rate=line_rates)
def test_rounding_is_within_half_a_unit_of_the_exact_product(
    level: str, lines_: list[Line], rate: dict[str, Any]
) -> None:
    document = rules(rate, categories=["compute"], stacking={"base": "stackable"}, rounding={"level": level})
    covered = [line for line in lines_ if line.category == "compute"]

    def rate_of(line: Line) -> Fraction:
        if rate["kind"] == "flat":
            return Fraction(rate["rate"])
        return Fraction(rate["rates"]["domestic"] if line.facility_class == "domestic" else rate["otherwise"])

    exact = sum((line.amount_fen * rate_of(line) for line in covered), Fraction(0))
    allowed = len(covered) if level == "line" else 1
    assert abs(assess(document, bill(*lines_)).amount_fen - exact) * 2 <= allowed
