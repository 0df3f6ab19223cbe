"""Contradictions are refused and doubts told, each at its place, with a sentence and the numbers in 元."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from app.kernel.places import field_errors, in_language
from app.kernel.problems import AppError, Code
from app.services.rules.checks import check, needs_of, raise_if_wrong
from app.services.rules.model import Rules

FLAT = {"kind": "flat", "rate": "0.30"}
FIRM_CAP = {"scope": "firm", "name": "year", "limit_fen": 80_000}
LOCAL = {"name": "local", "when": {"kind": "in_region", "fact": "provider.region_code", "regions": ["330100"]}}
LINE_TEST = {"kind": "is", "fact": "line.category", "one_of": ["training"]}
OPENS, CLOSES = datetime.fromisoformat("2026-03-01T00:00:00+08:00"), datetime.fromisoformat("2027-01-01T00:00:00+08:00")
AGED = {"kind": "age", "fact": "holder.registered_on"}
CREDITS = {"kind": "in_kind", "name": "credit"}
PRICE = {"category": "training", "unit": "node_hour", "price": "2", "from_on": "2026-01-01"}


def rules(**changes: Any) -> Rules:
    return Rules.model_validate({"categories": ["training"], "rate": FLAT} | changes)


def bracket(method: str, first: str = "0.50", second: str = "0.30", **band: Any) -> dict[str, Any]:
    bands = [{"up_to_fen": 50_000_000, "rate": {"kind": "flat", "rate": first}} | band]
    return {"kind": "bracket", "method": method, "bands": [*bands, {"rate": {"kind": "flat", "rate": second}}]}


def number_within(**bounds: str) -> list[dict[str, Any]]:
    return [{"name": "a", "when": {"kind": "number", "fact": "provider.racks"} | bounds}]


def cases_for(*sizes: list[str]) -> dict[str, Any]:
    """Rates by the sizes of firms, the first that holds."""
    tests = [{"kind": "is", "fact": "holder.size", "one_of": words} for words in sizes]
    return {"rate": {"kind": "cases", "cases": [{"when": test, "rate": FLAT} for test in tests]}}


def told(document: Rules, severity: str, **context: datetime) -> list[tuple[str, str]]:
    return [(one.code, one.pointer) for one in check(document, **context) if one.severity == severity]


def test_a_plain_document_has_no_findings() -> None:
    assert check(rules(caps=[FIRM_CAP])) == ()


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"categories": ["training", "training"]}, "named_twice", "/categories/1"),
        ({"excluded_categories": ["training"]}, "category_in_both", "/excluded_categories/0"),
        ({"category_units": {"gpu": ["card_hour"]}}, "category_unknown", "/category_units/gpu"),
        ({"category_units": {"training": ["hour", "hour"]}}, "named_twice", "/category_units/training/1"),
        ({"category_parents": {"a": "b", "b": "a"}}, "category_cycle", "/category_parents/a"),
        ({"category_parents": {"a": "a"}}, "category_cycle", "/category_parents/a"),
        (
            {"rate": {"kind": "by", "fact": "line.category", "rates": {"trainnig": "0.3"}, "otherwise": "0.1"}},
            "category_unknown",
            "/rate/rates/trainnig",
        ),
        (
            {"base": {"ceilings": [{"unit": "hour", "categories": ["gpu"], "unit_price": "5"}]}},
            "category_unknown",
            "/base/ceilings/0/categories/0",
        ),
        ({"caps": [FIRM_CAP | {"category": "model"}]}, "category_unknown", "/caps/0/category"),
        (
            {"unit": CREDITS | {"exchange": [PRICE | {"category": "gpu"}]}, "mode": "in_kind"},
            "category_unknown",
            "/unit/exchange/0/category",
        ),
        (
            {"rate": {"kind": "line_cases", "cases": [{"when": LINE_TEST | {"one_of": ["gpu"]}, "rate": FLAT}]}},
            "category_unknown",
            "/rate/cases/0/when/one_of/0",
        ),
        (
            {"fund_sources": [{"source": "city", "share": 1}, {"source": "city", "share": 2}]},
            "named_twice",
            "/fund_sources/1/source",
        ),
        ({"caps": [FIRM_CAP, FIRM_CAP]}, "named_twice", "/caps/1/name"),
        ({"requirements": [LOCAL, LOCAL]}, "named_twice", "/requirements/1/name"),
        ({"facts": [{"name": "claim.chips", "type": "words"}] * 2}, "named_twice", "/facts/1/name"),
        ({"facts": [{"name": "holder.size", "type": "number"}]}, "fact_known_otherwise", "/facts/0/type"),
        ({"stacking": {"layers": [{"name": "national"}] * 2}}, "named_twice", "/stacking/layers/1/name"),
        (
            {"requirements": [{"name": "a", "when": {"kind": "true", "fact": "holder.honest"}}]},
            "fact_unknown",
            "/requirements/0/when/fact",
        ),
        (
            {"requirements": [{"name": "a", "when": {"kind": "all", "of": [{"kind": "true", "fact": "holder.size"}]}}]},
            "fact_wrong_type",
            "/requirements/0/when/of/0/fact",
        ),
        ({"caps": [FIRM_CAP | {"also_counts": "claim.aid"}]}, "fact_unknown", "/caps/0/also_counts"),
        (
            {"rate": {"kind": "cases", "cases": [{"when": LINE_TEST, "rate": FLAT}]}},
            "fact_of_a_line",
            "/rate/cases/0/when/fact",
        ),
        (
            {"rate": {"kind": "fixed", "fact": "line.unit", "amounts_fen": {"a": 1}}},
            "fact_of_a_line",
            "/rate/fact",
        ),
        ({"exceptions": [{"cap": "year"}]}, "exception_unknown_cap", "/exceptions/0/cap"),
        ({"caps": [FIRM_CAP], "exceptions": [{"cap": "year"}]}, "exception_without_hard_limit", "/exceptions/0/cap"),
        (
            {"caps": [{"scope": "claims", "name": "once", "limit": 1}], "exceptions": [{"cap": "once"}]},
            "exception_without_hard_limit",
            "/exceptions/0/cap",
        ),
        ({"rate": {"kind": "flat", "rate": "0.00"}}, "rate_never_grants", "/rate/rate"),
        (
            {"rate": {"kind": "by", "fact": "holder.size", "rates": {"micro": "0"}}},
            "rate_never_grants",
            "/rate/rates",
        ),
        ({"rate": bracket("marginal", "0", "0")}, "rate_never_grants", "/rate"),
        ({"stacking": {"ceiling": "0"}}, "ceiling_never_grants", "/stacking/ceiling"),
        (
            {"caps": [FIRM_CAP], "floors": [{"of": "subsidy", "at_least_fen": 80_001}]},
            "cap_below_floor",
            "/caps/0/limit_fen",
        ),
        (
            {"caps": [FIRM_CAP], "floors": [{"of": "subsidy", "at_least_fen": 80_000, "inclusive": False}]},
            "cap_below_floor",
            "/caps/0/limit_fen",
        ),
        ({"caps": [FIRM_CAP], "use": {"minimum_draw_fen": 80_001}}, "cap_below_floor", "/caps/0/limit_fen"),
        (
            {
                "rate": {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"一": 500, "二": 900}},
                "floors": [{"of": "subsidy", "at_least_fen": 600}],
            },
            "amount_below_floor",
            "/rate/amounts_fen/一",
        ),
        ({"caps": [FIRM_CAP], "rounding": {"unit_fen": 1_000_000}}, "cap_below_rounding", "/caps/0/limit_fen"),
        (
            {
                "allocation": {
                    "method": "quota_tiers",
                    "quotas": [{"tier": "1", "share": "0.3"}, {"tier": "2", "share": "0.6"}],
                }
            },
            "quotas_not_whole",
            "/allocation/quotas",
        ),
        ({"unit": CREDITS, "mode": "in_kind"}, "unit_without_exchange", "/unit/exchange"),
        ({"mode": "in_kind"}, "mode_and_unit", "/mode"),
        ({"unit": CREDITS | {"exchange": [PRICE]}}, "mode_and_unit", "/mode"),
        (
            {"unit": CREDITS | {"exchange": [PRICE, PRICE]}, "mode": "in_kind"},
            "named_twice",
            "/unit/exchange/1",
        ),
        ({"side_priority": "supply"}, "priority_without_choice", "/side_priority"),
        (
            {
                "unit": CREDITS | {"exchange": [PRICE]},
                "mode": "in_kind",
                "bill_checks": {"invoice": {"required": True}},
            },
            "invoice_in_kind",
            "/bill_checks/invoice/required",
        ),
        ({"validity": {"kind": "date", "until": "2026-02-28"}}, "ends_before_opening", "/validity/until"),
        (
            {
                "validity": {"kind": "date", "until": "2026-06-30"},
                "windows": [{"of": "claim", "opens_at": "2026-07-01T00:00", "closes_at": "2026-08-01T00:00"}],
            },
            "ends_before_window",
            "/validity/until",
        ),
        (
            {"windows": [{"of": "apply", "opens_at": "2026-02-01T00:00", "closes_at": "2026-02-28T23:59"}]},
            "window_before_opening",
            "/windows/0/closes_at",
        ),
        ({"basis": {"trial_until_on": "2026-02-28"}}, "trial_over", "/basis/trial_until_on"),
        ({"requirements": number_within(at_least="50", at_most="20")}, "never_holds", "/requirements/0/when/at_most"),
        ({"requirements": number_within(at_least="20", below="20")}, "never_holds", "/requirements/0/when/below"),
        ({"requirements": number_within(above="20", at_most="20")}, "never_holds", "/requirements/0/when/at_most"),
        (
            {"requirements": [{"name": "a", "when": AGED | {"years_at_least": 5, "years_below": 5}}]},
            "never_holds",
            "/requirements/0/when/years_below",
        ),
    ],
)
def test_a_contradiction_is_an_error_at_its_place(changes: dict[str, Any], code: str, pointer: str) -> None:
    assert told(rules(**changes), "error", opens_at=OPENS, closes_at=CLOSES) == [(code, pointer)]


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        (
            {"rate": {"kind": "by", "fact": "line.category", "rates": {"inference": "0.3"}},
             "categories": ["training", "inference"]},
            "category_without_rate",
            "/rate/rates",
        ),
        ({"requirements": [LOCAL]}, "local_providers", "/requirements/0/when/fact"),
        ({"rounding": {"unit_fen": 100}, "floors": [{"of": "base", "at_least_fen": 99}]}, "rounding_above_floor",
         "/rounding/unit_fen"),
        ({"must_precede_expiry": "invoice"}, "event_not_known", "/must_precede_expiry"),
        ({"caps": [FIRM_CAP], "attribution": {"by": "payment"}}, "event_not_known", "/attribution/by"),
        ({"base": {"least_of": ["billed", "paid"]}}, "amount_not_known", "/base/least_of/1"),
        ({"claimant": "firm"}, "not_redeemed_by_provider", "/claimant"),
        ({"mode": "post_reimburse"}, "redeemed_as_deduction", "/mode"),
        ({"mode": "post_reimburse", "claimant": "firm"}, "not_redeemed_by_provider", "/claimant"),
        ({"budget": {"commit_at": "hold"}}, "not_carried_out", "/budget/commit_at"),
        ({"use": {"pooled_by": 3}}, "not_carried_out", "/use/pooled_by"),
        ({"use": {"transfer": "within_group"}}, "not_carried_out", "/use/transfer"),
        (
            {"windows": [{"of": "claim", "opens_at": "2027-02-01T00:00", "closes_at": "2027-02-28T23:59"}]},
            "window_after_closing",
            "/windows/0/opens_at",
        ),
        (
            {"rate": {"kind": "attainment", "of": FLAT,
                      "steps": [{"at_least": "0.5", "share": "0.8"}, {"at_least": "1", "share": "0.5"}]}},
            "attainment_falls",
            "/rate/steps/1/share",
        ),
        (
            {"rate": {"kind": "attainment", "of": FLAT, "steps": [{"at_least": "50", "share": "1"}]}},
            "share_as_percent",
            "/rate/steps/0/at_least",
        ),
        (
            {"requirements": [{"name": "a", "when": {"kind": "number", "fact": "claim.shareholding", "below": "25"}}]},
            "share_as_percent",
            "/requirements/0/when/below",
        ),
        (
            {"requirements": [{"name": "a", "when": {"kind": "in_region", "fact": "holder.region_code",
                                                     "regions": ["330100", "339999"]}}]},
            "region_unknown",
            "/requirements/0/when/regions/1",
        ),
        ({"facts": [{"name": "line.chips", "type": "words"}]}, "line_fact_of_official", "/facts/0/stated_by"),
        (cases_for(["micro", "small"], ["medium"], ["small", "medium"]), "case_never_reached", "/rate/cases/2/when"),
    ],
)  # fmt: skip
def test_a_doubt_is_a_warning_at_its_place(changes: dict[str, Any], code: str, pointer: str) -> None:
    document = rules(**changes)
    assert told(document, "warning", opens_at=OPENS, closes_at=CLOSES) == [(code, pointer)]
    assert told(document, "error", opens_at=OPENS, closes_at=CLOSES) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"requirements": number_within(at_least="20", at_most="20")},
        {"requirements": [{"name": "a", "when": AGED | {"years_at_least": 4, "years_below": 5}}]},
        {"rate": {"kind": "attainment", "of": FLAT, "steps": [{"at_least": "1.2", "share": "1"}]}},
        cases_for(["micro"], ["micro", "small"]),
    ],
)
def test_what_may_hold_is_no_finding(changes: dict[str, Any]) -> None:
    assert check(rules(**changes)) == ()


def test_a_cliff_names_both_sums_at_the_limit_and_one_fen_above() -> None:
    [cliff] = check(rules(rate=bracket("cliff_recalc")))
    assert (cliff.code, cliff.severity, cliff.pointer) == ("cliff", "warning", "/rate/bands/0/up_to_fen")
    for number in ("500,000.00", "250,000.00", "500,000.01", "150,000.00"):
        assert f"{number} yuan" in cliff.en
        assert f"{number} 元" in cliff.zh


def test_a_cliff_at_an_exclusive_limit_lies_one_fen_lower() -> None:
    [cliff] = check(rules(rate=bracket("cliff_prospective", inclusive=False)))
    assert cliff.code == "cliff_for_the_claim"
    assert "499,999.99 yuan" in cliff.en
    assert "500,000.00 yuan" in cliff.en


@pytest.mark.parametrize("rate", [bracket("marginal"), bracket("cliff_recalc", "0.30", "0.50")])
def test_where_more_never_earns_less_there_is_no_cliff(rate: dict[str, Any]) -> None:
    assert check(rules(rate=rate)) == ()


def test_layers_above_the_ceiling_are_told_in_percent() -> None:
    national = {"name": "national", "rate": {"kind": "flat", "rate": "0.30"}}
    [finding] = check(rules(stacking={"layers": [national], "ceiling": "0.50"}))
    assert finding.code == "layers_above_ceiling"
    assert "60%" in finding.en
    assert "50%" in finding.zh
    assert check(rules(stacking={"layers": [national], "ceiling": "0.60"})) == ()


def test_amounts_of_vouchers_in_kind_are_told_in_their_unit() -> None:
    document = rules(
        unit=CREDITS | {"exchange": [PRICE]},
        mode="in_kind",
        caps=[FIRM_CAP],
        floors=[{"of": "subsidy", "at_least_fen": 90_000}],
    )
    finding = check(document)[0]
    assert "800.00 credit" in finding.en
    assert "900.00 credit" in finding.zh


def test_a_local_condition_with_its_review_is_no_finding() -> None:
    assert check(rules(requirements=[LOCAL], basis={"fair_competition_review": "竞审〔2026〕3号"})) == ()


def test_a_category_below_a_rated_one_has_that_rate() -> None:
    parents = {"training": "compute", "inference": "compute"}
    by_parent = {"kind": "by", "fact": "line.category", "rates": {"compute": "0.3"}}
    by_children = {"kind": "by", "fact": "line.category", "rates": {"training": "0.3", "inference": "0.2"}}
    for rate in (by_parent, by_children):
        assert check(rules(categories=["compute"], category_parents=parents, rate=rate)) == ()


def test_the_errors_are_raised_together_under_their_prefix() -> None:
    document = rules(categories=["training", "training"], rate={"kind": "flat", "rate": "0"}, mode="auto_match")
    with pytest.raises(AppError) as raised:
        raise_if_wrong(document, pointer_prefix="/body/rules")
    assert raised.value.code is Code.VALIDATION_FAILED
    assert [one.pointer for one in raised.value.errors] == ["/body/rules/categories/1", "/body/rules/rate/rate"]
    detail = raised.value.errors[1].detail or ""
    assert in_language(detail, "en") == "A rate of 0 never grants anything. Give a rate above 0."
    assert in_language(detail, "zh") == "比例为 0，永远不会产生补贴。请填写大于 0 的比例。"


def test_warnings_alone_are_handed_back() -> None:
    assert [one.code for one in raise_if_wrong(rules(mode="auto_match"))] == ["redeemed_as_deduction"]


def test_the_needs_name_type_and_who_states_it() -> None:
    document = rules(
        facts=[{"name": "claim.chips", "type": "words", "stated_by": "claimant", "zh": "芯片型号"}],
        requirements=[
            {"name": "a", "when": {"kind": "is", "fact": "claim.chips", "one_of": ["910B"]}},
            {"name": "b", "when": {"kind": "is", "fact": "holder.size", "one_of": ["micro"]}},
        ],
        caps=[{"scope": "contract", "name": "contract", "limit_fen": 100}],
    )
    needs = {one.fact: (one.type, one.stated_by, one.zh) for one in needs_of(document)}
    assert needs["claim.chips"] == ("words", "claimant", "芯片型号")
    assert needs["holder.size"] == ("words", "registry", "企业规模")
    assert needs["claim.contract_no"] == ("words", "claimant", "合同编号")


def test_a_word_that_the_registry_never_writes_is_pointed_out() -> None:
    size = {"kind": "is", "fact": "holder.size", "one_of": ["small", "小型"]}
    document = {"categories": ["compute"], "rate": {"kind": "flat", "rate": "0.30"}}
    rules = Rules.model_validate(document | {"requirements": [{"name": "size", "when": size}]})
    (found,) = [one for one in check(rules) if one.code == "value_unknown"]
    assert (found.pointer, found.severity) == ("/requirements/0/when/one_of/1", "warning")
    assert "micro, small, medium, large" in found.zh


def test_a_unit_that_nobody_uses_and_a_ceiling_that_never_holds_are_told() -> None:
    ceiling = {"unit": "hour", "categories": ["training"], "unit_price": "5"}
    document = rules(category_units={"training": ["card_hour", "card_houer"]}, base={"ceilings": [ceiling]})
    assert told(document, "warning") == [
        ("unit_not_published", "/category_units/training/1"),
        ("unit_never_billed", "/base/ceilings/0/unit"),
    ]
    assert told(rules(base={"ceilings": [ceiling]}), "warning") == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"category_units": {"training": []}}, "/category_units/training"),
        ({"category_units": {"training": ["Card Hour"]}}, "/category_units/training/0"),
        ({"bill_checks": {"capacity": {"beyond": "block"}}}, "/bill_checks/capacity/beyond"),
        ({"bill_checks": {"usage_ref": {"required": "yes"}}}, "/bill_checks/usage_ref/required"),
        ({"bill_checks": {"tax": {}}}, "/bill_checks/tax"),
    ],
)
def test_what_the_section_cannot_say_is_refused_at_its_place(changes: dict[str, Any], pointer: str) -> None:
    document = {"categories": ["training"], "rate": FLAT} | changes
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate(document)
    assert [error.pointer for error in field_errors(refused.value.errors(), document)] == [pointer]


def test_documents_of_before_mean_what_they_meant() -> None:
    """No unit is refused, and a usage that was billed before is noted at most."""
    before = rules()
    assert before.units_of("training") is None
    checks = before.bill_checks
    assert (checks.usage_ref.repeated, checks.usage_ref.required) == ("flag", False)
    assert (checks.capacity.beyond, checks.price.above_list) == (None, None)
