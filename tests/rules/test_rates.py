"""Rate functions that the worked examples leave out, alone and within each other, over lines and years."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.assess import assess
from app.services.rules.facts import Line
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter
from tests.rules.builders import bill, codes, firm_cap, flat, is_one_of, one_after_another, position, rules, shanghai

YEARLY = {"caps": [firm_cap(10**9)], "attribution": {"by": "usage"}}


def used(day: str, fen: int) -> Line:
    return Line("compute", fen, used_until=shanghai(f"{day}T12:00"))


def by(fact: str, rates: dict[str, str], otherwise: str | None = None) -> dict[str, Any]:
    return {"kind": "by", "fact": fact, "rates": rates, "otherwise": otherwise}


@pytest.mark.parametrize(
    ("rate", "known", "amount_fen", "reasons"),
    [
        (by("holder.size", {"small": "0.5", "large": "0.1"}), {"holder": {"size": "small"}}, 500, []),
        (by("holder.size", {"small": "0.5"}), {"holder": {"size": "large"}}, 0, ["NO_RATE"]),
        (by("holder.size", {"small": "0.5"}, "0.2"), {"holder": {"size": "large"}}, 200, []),
        (by("holder.size", {"small": "0.5"}, "0.2"), {}, 200, []),
        (by("holder.size", {"small": "0.5"}), {}, 0, ["NO_RATE"]),
        (by("holder.tags", {"a": "0.3", "b": "0.6"}), {"holder": {"tags": ("b", "a")}}, 300, []),  # the first listed
        (by("holder.tags", {"a": "0.3"}, "0.1"), {"holder": {"tags": ()}}, 100, []),
        (by("line.category", {"compute": "0.4"}), {}, 400, []),
    ],
)
def test_a_rate_follows_from_one_fact(
    rate: dict[str, Any], known: dict[str, Any], amount_fen: int, reasons: list[str]
) -> None:
    assessment = assess(rules(rate), bill(1000, **known))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)


def test_a_category_without_a_rate_takes_its_nearest_parents() -> None:
    tree = {"gpu": "compute", "gpu_rent": "gpu"}
    given = rules(by("line.category", {"compute": "0.2", "gpu": "0.5"}), category_parents=tree)
    earned = [assess(given, bill(Line(category, 1000))).amount_fen for category in ("compute", "gpu", "gpu_rent")]
    assert earned == [200, 500, 500]


def test_the_first_case_that_fits_a_line_gives_its_rate() -> None:
    domestic = {"when": is_one_of("line.facility_class", "domestic"), "rate": flat("0.3")}
    given = rules({"kind": "line_cases", "cases": [domestic], "otherwise": by("line.unit", {"hour": "0.1"})})
    lines = [
        Line("compute", 1000, facility_class="domestic", unit="hour"),
        Line("compute", 1000, facility_class="other", unit="hour"),
        Line("compute", 1000, facility_class="other"),
    ]
    assessment = assess(given, bill(*lines))
    assert (assessment.amount_fen, codes(assessment)) == (400, ["NO_RATE"])
    assert assessment.reductions[0] == {"code": "NO_RATE", "line": 3, "base_fen": 1000}


ATTAINMENT = {
    "kind": "attainment",
    "steps": [
        {"at_least": "0.5", "share": "0.50"},
        {"at_least": "0.8", "share": "attained"},
        {"at_least": "1", "share": "1"},
    ],
    "of": flat("0.20"),
}


@pytest.mark.parametrize(
    ("attained", "amount_fen", "reasons"),
    [
        ("0.49", 0, ["BELOW_MIN"]),
        ("0.5", 100, []),
        ("0.79", 100, []),
        ("0.8", 160, []),
        ("0.905", 181, []),
        ("1", 200, []),
        ("1.7", 200, []),
        (None, 0, ["FACT_MISSING"]),
    ],
)
def test_a_target_is_paid_by_how_far_it_was_reached(attained: str | None, amount_fen: int, reasons: list[str]) -> None:
    claim = {"attainment": attained} if attained else {}
    assessment = assess(rules(ATTAINMENT), bill(1000, claim=claim))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)


def test_attained_pays_the_degree_and_never_more_than_all() -> None:
    attained = ATTAINMENT | {"steps": [{"at_least": "0.1", "share": "attained"}]}
    for degree, amount_fen in (("0.333333", 67), ("1.5", 200)):  # 66.6666 fen, and not 300
        assert assess(rules(attained), bill(1000, claim={"attainment": degree})).amount_fen == amount_fen


def test_what_a_missed_target_cost_is_not_made_good_by_a_recomputing_bracket() -> None:
    bands = [{"up_to_fen": 500, "rate": flat("0.5")}, {"rate": flat("0.3")}]
    half = {"kind": "attainment", "steps": [{"at_least": "0", "share": "attained"}]}
    given = rules(half | {"of": {"kind": "bracket", "method": "cliff_recalc", "bands": bands}})
    first, second = one_after_another(
        given, [bill(200, claim={"attainment": "0.5"}), bill(200, claim={"attainment": "1"})]
    )
    assert (first.amount_fen, second.amount_fen) == (50, 100)


@pytest.mark.parametrize(
    ("claim", "if_missing", "amount_fen", "reasons"),
    [
        ({}, "maximum", 500, []),
        ({}, "nothing", 0, ["FACT_MISSING"]),
        ({"approved_rate": "0"}, "maximum", 0, ["NO_RATE"]),
        ({"approved_rate": "0.333333"}, "maximum", 333, []),
        ({"approved_rate": "0.500001"}, "maximum", 0, ["RATE_ABOVE_MAXIMUM"]),
    ],
)
def test_an_officer_sets_a_rate_up_to_the_maximum(
    claim: dict[str, Any], if_missing: str, amount_fen: int, reasons: list[str]
) -> None:
    given = rules({"kind": "up_to", "maximum": flat("0.50"), "if_missing": if_missing})
    assessment = assess(given, bill(1000, claim=claim))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)


def test_an_approved_rate_lies_below_each_lines_own_maximum() -> None:
    maximum = by("line.facility_class", {"domestic": "0.30", "other": "0.20"})
    given = rules({"kind": "up_to", "maximum": maximum})
    lines = [Line("compute", 1000, facility_class="domestic"), Line("compute", 1000, facility_class="other")]
    assert assess(given, bill(*lines, claim={"approved_rate": "0.25"})).amount_fen == 250 + 200
    assert assess(given, bill(*lines, claim={"approved_rate": "0.31"})).amount_fen == 0


def test_the_first_case_that_fits_the_claim_gives_its_rate_function() -> None:
    fixed = {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"1": 700}}
    cases = [
        {"when": is_one_of("holder.type", "maker"), "rate": fixed},
        {"when": is_one_of("holder.size", "small"), "rate": flat("0.5")},
    ]
    given = rules({"kind": "cases", "cases": cases})
    known = [{"type": "maker", "size": "small"}, {"type": "legal_person", "size": "small"}, {"type": "legal_person"}]
    earned = [assess(given, bill(1000, holder=holder, claim={"tier": "1"})) for holder in known]
    assert [one.amount_fen for one in earned] == [700, 500, 0]
    assert earned[2].reductions[0]["missing"] == ["holder.size"]


FIXED = {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"1": 1000}}
TIER: dict[str, Any] = {"claim": {"tier": "1"}}


@pytest.mark.parametrize("level", ["claim", "line"])
@pytest.mark.parametrize("mode", ["floor", "half_up"])
@pytest.mark.parametrize("unit_fen", [1, 100])
def test_a_fixed_amount_is_whole_however_many_lines_and_years(level: str, mode: str, unit_fen: int) -> None:
    rounding = {"unit_fen": unit_fen, "mode": mode, "level": level}
    three_lines = bill(700, 700, 700, **TIER)
    assert assess(rules(FIXED, rounding=rounding), three_lines).amount_fen == 1000
    three_years = bill(used("2026-01-01", 700), used("2027-01-01", 700), used("2028-01-01", 700), **TIER)
    assessment = assess(rules(FIXED, rounding=rounding, **YEARLY), three_years)
    assert assessment.amount_fen == 1000
    assert all(fen in {300, 333, 334, 400} for fen in assessment.years_fen.values())


def test_a_fixed_amount_is_never_more_than_the_base() -> None:
    assessment = assess(rules(FIXED), bill(600, **TIER))
    assert (assessment.amount_fen, codes(assessment)) == (600, ["STACK_CEILING"])
    assert assess(rules(FIXED), bill(Line("compute", 600, claimed_fen=600), **TIER)).amount_fen == 0


def bracket(method: str, *bands: tuple[int | None, Any], **others: Any) -> Rules:
    wire = [{"rate": rate} | ({"up_to_fen": up_to} if up_to else {}) for up_to, rate in bands]
    settings = {name: others.pop(name) for name in ("holder", "per") if name in others}
    return rules({"kind": "bracket", "method": method, "bands": wire} | settings, **others)


def test_marginal_stretches_run_through_the_lines_in_their_order() -> None:
    domestic_first = by("line.facility_class", {"domestic": "0.5", "other": "0.4"})
    given = bracket("marginal", (1000, domestic_first), (1500, flat("0.2")), (None, flat("0.1")))
    lines = [Line("compute", 700, facility_class="domestic"), Line("compute", 1300, facility_class="other")]
    # 700 × 50 %, then 300 × 40 %, 500 × 20 %, 500 × 10 %.
    assert assess(given, bill(*lines)).amount_fen == 350 + 120 + 100 + 50


def test_a_marginal_claim_that_begins_in_the_last_band() -> None:
    given = bracket("marginal", (1000, flat("0.5")), (None, flat("0.1")))
    so_far = position({("firm", "2026"): Counter(base_fen=5000)})
    assert assess(given, bill(1000), so_far).amount_fen == 100


@pytest.mark.parametrize("holder", ["firm", "group"])
def test_a_bracket_adds_up_the_base_of_its_own_holder(holder: str) -> None:
    given = bracket("marginal", (1000, flat("0.5")), (None, flat("0.1")), holder=holder)
    other = "group" if holder == "firm" else "firm"
    assert assess(given, bill(1000), position({(other, "2026"): Counter(base_fen=5000)})).amount_fen == 500
    assert assess(given, bill(1000), position({(holder, "2026"): Counter(base_fen=1000)})).amount_fen == 100


def test_a_yearly_bracket_begins_anew_each_year() -> None:
    given = bracket("marginal", (1000, flat("0.5")), (None, flat("0.1")), attribution={"by": "usage"})
    assessment = assess(given, bill(used("2026-12-31", 2000), used("2027-01-01", 2000)))
    assert assessment.years_fen == {"2026": 600, "2027": 600}


@pytest.mark.parametrize(
    ("method", "amount_fen"),
    [
        ("marginal", 800),  # 1,000 × 50 % + 3,000 × 10 %
        ("cliff_prospective", 800),  # the first year at 50 %, the second at 10 %
        ("cliff_recalc", 500),  # 4,000 × 10 % is less than the first year earned; nothing is taken back
    ],
)
def test_a_lifetime_bracket_sees_the_earlier_years_of_the_same_claim(method: str, amount_fen: int) -> None:
    given = bracket(method, (1000, flat("0.5")), (None, flat("0.1")), per="lifetime", **YEARLY)
    years = [used("2026-12-31", 1000), used("2027-01-01", 3000)]
    assert assess(given, bill(*years)).amount_fen == amount_fen


def test_recomputing_sets_off_what_was_computed_before_caps() -> None:
    given = bracket("cliff_recalc", (1000, flat("0.5")), (None, flat("0.3")), caps=[firm_cap(100)])
    first, second = one_after_another(given, [bill(600), bill(600)])
    assert first.counted == ((Bucket("firm", "2026"), Counter(600, 300, 100, 1)),)
    assert (first.amount_fen, second.amount_fen) == (100, 0)  # 360 − 300 are due, the cap leaves nothing


@pytest.mark.parametrize(
    ("mode", "years_fen"),
    [("half_up", {"2026": 1001, "2027": 1000}), ("floor", {"2026": 1000, "2027": 1001})],
)
def test_a_claim_over_two_years_is_rounded_once(mode: str, years_fen: dict[str, int]) -> None:
    given = rules("0.30", rounding={"mode": mode}, **YEARLY)
    assessment = assess(given, bill(used("2026-12-31", 3335), used("2027-01-01", 3335)))  # 1000.5 + 1000.5
    assert assessment.years_fen == years_fen


@pytest.mark.parametrize(
    ("approved", "amounts", "reasons"),
    [
        (None, [15_000, 11_500], []),
        ("0.40", [12_000, 10_000], []),
        ("0.50", [15_000, 11_500], []),
        ("0.51", [0, 0], ["RATE_ABOVE_MAXIMUM"]),
    ],
)
def test_an_officer_may_go_below_a_bracket(approved: str | None, amounts: list[int], reasons: list[str]) -> None:
    bands = [{"up_to_fen": 50_000, "rate": flat("0.50")}, {"rate": flat("0.30")}]
    given = rules({"kind": "up_to", "maximum": {"kind": "bracket", "method": "marginal", "bands": bands}})
    claim = {"approved_rate": approved} if approved else {}
    found = one_after_another(given, [bill(30_000, claim=claim), bill(25_000, claim=claim)])
    assert [assessment.amount_fen for assessment in found] == amounts
    assert codes(found[1]) == reasons


@pytest.mark.parametrize(("method", "amounts"), [("marginal", [500, 550, 250]), ("cliff_prospective", [500, 150, 250])])
def test_each_claim_by_itself_has_its_bands(method: str, amounts: list[int]) -> None:
    """1,000 at 50 %, what is above at 10 %; the second claim has 1,500, of which a line of the year after 700."""
    given = bracket(method, (1000, flat("0.5")), (None, flat("0.1")), per="claim", **YEARLY)
    of_two_years = bill(
        Line("compute", 800, used_until=shanghai("2026-12-01")), Line("compute", 700, used_until=shanghai("2027-02-01"))
    )
    lines = [bill(Line("compute", fen, used_until=shanghai("2026-06-01"))) for fen in (1000, 500)]
    found = one_after_another(given, [lines[0], of_two_years, lines[1]])
    assert [one.amount_fen for one in found] == amounts


def test_the_base_of_each_contract_is_added_up() -> None:
    """1,000 at 50 %, then 10 %: two bills of one contract, one of another, one that names none."""
    given = bracket("marginal", (1000, flat("0.5")), (None, flat("0.1")), holder="contract", per="lifetime")
    first, second = (bill(fen, claim={"contract_no": "A"}) for fen in (800, 700))
    found = one_after_another(given, [first, second])
    assert [one.amount_fen for one in found] == [400, 100 + 50]
    assert assess(given, bill(700, claim={"contract_no": "B"})).amount_fen == 350
    (reduction,) = assess(given, bill(700)).reductions
    assert (reduction["code"], reduction["missing"]) == ("FACT_MISSING", ["claim.contract_no"])


@pytest.mark.parametrize(("unit_fen", "amount_fen"), [(10, 123_450), (1_000, 123_000), (100_000, 100_000)])
def test_amounts_are_rounded_to_any_power_of_ten(unit_fen: int, amount_fen: int) -> None:
    given = rules("1.00", rounding={"unit_fen": unit_fen, "mode": "floor"})
    assert assess(given, bill(123_456)).amount_fen == amount_fen
