"""Who and what counts: conditions with three answers, windows to the minute, sides, relations, a voucher's end."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line, VoucherTerms
from tests.rules.builders import NOON, bill, codes, is_one_of, requires, rules, shanghai

COMPUTE = 10_000
SMALL = is_one_of("holder.size", "micro", "small")
YOUNG = {"kind": "age", "fact": "holder.registered_on", "years_below": 5}
CLEAN = {"kind": "not", "of": {"kind": "true", "fact": "holder.debarred"}}
PASSES = {"if_missing": "passes"}


def number(**bounds: str) -> dict[str, Any]:
    return {"kind": "number", "fact": "provider.capacity_pflops"} | bounds


def in_region(*regions: str) -> dict[str, Any]:
    return {"kind": "in_region", "fact": "holder.region_code", "regions": list(regions)}


def both(*of: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "all", "of": list(of)}


def either(*of: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "any", "of": list(of)}


@pytest.mark.parametrize(
    ("when", "known", "answer"),
    [
        (SMALL, {"holder": {"size": "micro"}}, "met"),
        (SMALL, {"holder": {"size": "large"}}, "failed"),
        (SMALL, {}, "unknown"),
        (SMALL | PASSES, {}, "met"),
        (is_one_of("holder.tags", "高新", "专精特新"), {"holder": {"tags": ("初创", "高新")}}, "met"),
        (is_one_of("holder.tags", "高新"), {"holder": {"tags": ()}}, "failed"),
        (in_region("330100"), {"holder": {"region_code": "330106"}}, "met"),
        (in_region("330000"), {"holder": {"region_code": "330106"}}, "met"),
        (in_region("330000"), {"holder": {"region_code": "330000"}}, "met"),
        (in_region("330200"), {"holder": {"region_code": "330106"}}, "failed"),
        (in_region("330106"), {"holder": {"region_code": "330100"}}, "failed"),  # a district does not take in its city
        (in_region("330200", "310000"), {"holder": {"region_code": "310115"}}, "met"),
        (in_region("330000"), {}, "unknown"),
        (number(at_least="100"), {"provider": {"capacity_pflops": "100"}}, "met"),
        (number(at_least="100"), {"provider": {"capacity_pflops": "99.99999999"}}, "failed"),
        (number(above="100"), {"provider": {"capacity_pflops": 100}}, "failed"),
        (number(above="100"), {"provider": {"capacity_pflops": "100.00000001"}}, "met"),
        (number(at_most="0.3"), {"provider": {"capacity_pflops": "0.30"}}, "met"),
        (number(below="0.3"), {"provider": {"capacity_pflops": "0.3"}}, "failed"),
        (number(at_least="1", below="2"), {"provider": {"capacity_pflops": "1.5"}}, "met"),
        (YOUNG, {"holder": {"registered_on": "2021-07-01"}}, "met"),  # five years are full tomorrow
        (YOUNG, {"holder": {"registered_on": "2021-06-30"}}, "failed"),
        (YOUNG | {"fact": "holder.founded_on"}, {"holder": {"founded_on": "2026-06-30"}}, "met"),
        (
            {"kind": "age", "fact": "holder.registered_on", "years_at_least": 1},
            {"holder": {"registered_on": "2025-06-30"}},
            "met",
        ),
        (
            {"kind": "age", "fact": "holder.registered_on", "years_at_least": 1},
            {"holder": {"registered_on": "2025-07-01"}},
            "failed",
        ),
        (
            {"kind": "date", "fact": "claim.paid_on", "from_on": "2026-01-01", "until_on": "2026-03-31"},
            {"claim": {"paid_on": "2026-03-31"}},
            "met",
        ),
        (
            {"kind": "date", "fact": "claim.paid_on", "until_on": "2026-03-31"},
            {"claim": {"paid_on": "2026-04-01"}},
            "failed",
        ),
        (
            {"kind": "date", "fact": "claim.paid_on", "from_on": "2026-01-01"},
            {"claim": {"paid_on": "2026-01-01"}},
            "met",
        ),
        (
            {"kind": "not_before", "fact": "claim.contract_signed_on", "other": "claim.applied_on"},
            {"claim": {"contract_signed_on": "2026-02-01", "applied_on": "2026-02-01"}},
            "met",
        ),
        (
            {"kind": "not_before", "fact": "claim.contract_signed_on", "other": "claim.applied_on"},
            {"claim": {"contract_signed_on": "2026-01-31", "applied_on": "2026-02-01"}},
            "failed",
        ),
        (
            {"kind": "not_before", "fact": "claim.contract_signed_on", "other": "claim.applied_on"},
            {"claim": {"contract_signed_on": "2026-01-31"}},
            "unknown",
        ),
        ({"kind": "true", "fact": "claim.same_controller"} | PASSES, {}, "met"),
        ({"kind": "true", "fact": "holder.debarred"}, {"holder": {"debarred": False}}, "failed"),
        (CLEAN, {"holder": {"debarred": False}}, "met"),
        (CLEAN, {"holder": {"debarred": True}}, "failed"),
        (CLEAN, {}, "unknown"),  # the opposite of unknown is unknown
        (both(SMALL, CLEAN), {"holder": {"size": "small", "debarred": False}}, "met"),
        (both(SMALL, CLEAN), {"holder": {"size": "small"}}, "unknown"),
        (both(SMALL, CLEAN), {"holder": {"size": "large"}}, "failed"),  # whatever the unknown would be
        (either(SMALL, CLEAN), {"holder": {"size": "small"}}, "met"),
        (either(SMALL, CLEAN), {"holder": {"size": "large"}}, "unknown"),
        (either(SMALL, CLEAN), {"holder": {"size": "large", "debarred": True}}, "failed"),
    ],
)
def test_a_condition_is_met_or_failed_or_unknown(when: dict[str, Any], known: dict[str, Any], answer: str) -> None:
    assessment = assess(rules("1", **requires(when)), bill(COMPUTE, **known))
    expected = {"met": (COMPUTE, []), "failed": (0, ["NOT_ELIGIBLE"]), "unknown": (0, ["FACT_MISSING"])}[answer]
    assert (assessment.amount_fen, codes(assessment)) == expected


def test_only_the_facts_that_matter_are_named_as_missing() -> None:
    when = both(either(SMALL, is_one_of("holder.type", "maker")), CLEAN)
    assessment = assess(rules("1", **requires(when)), bill(COMPUTE, holder={"size": "small"}))
    assert assessment.reductions[0]["missing"] == ["holder.debarred"]


def test_a_case_that_fails_for_sure_names_no_missing_fact() -> None:
    cases = {"kind": "cases", "cases": [{"when": both(SMALL, CLEAN), "rate": {"kind": "flat", "rate": "0.5"}}]}
    assert codes(assess(rules(cases), bill(COMPUTE, holder={"size": "large"}))) == ["NO_RATE"]
    unsure = assess(rules(cases), bill(COMPUTE, holder={"size": "small"}))
    assert (codes(unsure), unsure.reductions[0]["missing"]) == (["FACT_MISSING"], ["holder.debarred"])


@pytest.mark.parametrize(
    ("checkpoint", "amount_fen"), [("apply", 0), ("issue", COMPUTE), ("redeem", COMPUTE), ("pay", 0)]
)
def test_a_condition_is_judged_at_its_checkpoints_only(checkpoint: Any, amount_fen: int) -> None:
    given = rules("1", **requires(SMALL, checkpoints=["apply", "pay"]))
    assert assess(given, bill(COMPUTE, holder={"size": "large"}, checkpoint=checkpoint)).amount_fen == amount_fen


def test_a_condition_on_lines_leaves_out_the_lines_that_fail_it() -> None:
    domestic = is_one_of("line.facility_class", "domestic")
    lines = [
        Line("compute", 100, facility_class="domestic"),
        Line("compute", 20, facility_class="other"),
        Line("compute", 3),
    ]
    assessment = assess(rules("1", **requires(domestic)), bill(*lines))
    assert (assessment.amount_fen, codes(assessment)) == (100, ["NOT_ELIGIBLE_LINE", "FACT_MISSING"])
    assert [(one["line"], one.get("missing")) for one in assessment.steps[0]["left_out"]] == [
        (2, None),
        (3, ["line.facility_class"]),
    ]
    of_the_provider = assess(rules("1", **requires(domestic)), bill(*lines, provider={"facility_class": "domestic"}))
    assert of_the_provider.amount_fen == 103


def test_the_nearest_named_category_decides() -> None:
    tree = {"gpu": "compute", "gpu_rent": "gpu", "gpu_insurance": "gpu_rent", "cpu": "compute"}
    given = rules("1", category_parents=tree, excluded_categories=["gpu"], categories=["compute", "gpu_rent"])
    earned = {
        category: assess(given, bill(Line(category, 100))).amount_fen
        for category in ("compute", "cpu", "gpu", "gpu_rent", "gpu_insurance", "food")
    }
    assert earned == {"compute": 100, "cpu": 100, "gpu": 0, "gpu_rent": 100, "gpu_insurance": 100, "food": 0}


def test_a_line_counts_only_where_the_provider_is_admitted_for_it_or_for_what_lies_above() -> None:
    given = rules("1", categories=["compute", "advice"], category_parents={"gpu": "compute"})
    lines = [Line("gpu", 100), Line("advice", 20)]
    assert assess(given, bill(*lines, provider_categories=("compute",))).amount_fen == 100
    assert assess(given, bill(*lines, provider_categories=("gpu",))).amount_fen == 100
    assert assess(given, bill(*lines, provider_categories=())).amount_fen == 0
    assert assess(given, bill(*lines)).amount_fen == 120


def test_a_bill_without_a_covered_line_says_so_whatever_the_floors() -> None:
    given = rules("1", floors=[{"of": "base", "at_least_fen": 1}, {"of": "contract", "at_least_fen": 1}])
    assert assess(given, bill(Line("food", 100))).refusal == "NOT_ELIGIBLE_LINE"


def window(of: str = "claim", *, inclusive: bool = True) -> dict[str, Any]:
    minutes = {"opens_at": "2026-10-01T09:00", "closes_at": "2026-10-12T17:00"}
    return {"windows": [{"of": of, "inclusive": inclusive} | minutes]}


@pytest.mark.parametrize(
    ("at", "settings", "checkpoint", "amount_fen"),
    [
        ("2026-10-01T08:59:59", window(), "redeem", 0),
        ("2026-10-01T09:00:00", window(), "redeem", COMPUTE),
        ("2026-10-12T16:59:59", window(inclusive=False), "redeem", COMPUTE),
        ("2026-10-12T17:00:00", window(inclusive=False), "redeem", 0),
        ("2026-10-12T17:00:59.999999", window(), "redeem", COMPUTE),
        ("2026-10-12T17:01:00", window(), "redeem", 0),
        ("2026-10-12T09:00:00+00:00", window(), "redeem", COMPUTE),  # 17:00 in Shanghai
        ("2026-10-12T09:01:00+00:00", window(), "redeem", 0),
        ("2027-01-01T00:00:00", window("apply"), "redeem", COMPUTE),
        ("2027-01-01T00:00:00", window("apply"), "apply", 0),
        ("2027-01-01T00:00:00", window("claim"), "pay", COMPUTE),  # the office pays after the window
    ],
)
def test_a_window_opens_and_closes_to_the_minute_in_shanghai(
    at: str, settings: dict[str, Any], checkpoint: Any, amount_fen: int
) -> None:
    instant = shanghai(at) if "+" not in at else shanghai(at[:-6]).fromisoformat(at)
    assessment = assess(rules("1", **settings), bill(COMPUTE, at=instant, checkpoint=checkpoint))
    assert (assessment.amount_fen, assessment.refusal) == (amount_fen, None if amount_fen else "OUTSIDE_WINDOW")


def test_any_one_of_several_windows_is_enough() -> None:
    quarters = [
        {"of": "claim", "opens_at": f"2026-{first}-01T00:00", "closes_at": f"2026-{first}-15T23:59"}
        for first in ("03", "06", "09")
    ]
    inside = bill(COMPUTE, at=shanghai("2026-06-15T23:59:30"))
    between = bill(COMPUTE, at=shanghai("2026-06-16"))
    assert assess(rules("1", windows=quarters), inside).amount_fen == COMPUTE
    assert assess(rules("1", windows=quarters), between).amount_fen == 0


@pytest.mark.parametrize(
    ("settings", "claim", "refusal"),
    [
        ({}, {}, None),
        ({}, {"side": "demand"}, None),
        ({}, {"side": "supply"}, "NOT_ELIGIBLE"),
        ({"side": "supply"}, {"side": "supply"}, None),
        ({"side": "either_exclusive"}, {"side": "supply"}, "FACT_MISSING"),
        ({"side": "either_exclusive", "side_priority": "supply"}, {"side": "supply"}, None),
        ({"side": "either_exclusive"}, {"side": "demand", "other_side_claimed": False}, None),
        ({"side": "either_exclusive"}, {"side": "demand", "other_side_claimed": True}, "NOT_ELIGIBLE"),
        (
            {"side": "either_exclusive", "side_priority": "supply"},
            {"side": "demand", "other_side_claimed": True},
            "NOT_ELIGIBLE",
        ),
        ({"side": "either_exclusive", "side_priority": "supply"}, {"side": "supply", "other_side_claimed": True}, None),
        ({"side": "either_exclusive", "side_priority": "supply"}, {"other_side_claimed": True}, "NOT_ELIGIBLE"),
    ],
)
def test_one_side_only_and_the_one_with_priority_first(
    settings: dict[str, Any], claim: dict[str, Any], refusal: str | None
) -> None:
    assert assess(rules("1", **settings), bill(COMPUTE, claim=claim)).refusal == refusal


@pytest.mark.parametrize(
    ("related_parties", "claim", "signs"),
    [
        ({}, {"shareholding": "0.249999"}, None),
        ({}, {"shareholding": "0.25"}, ["shareholding"]),
        ({"shareholding_at_least": "0.50"}, {"shareholding": "0.49"}, None),
        ({"shareholding_at_least": None}, {"shareholding": "1"}, None),
        (
            {},
            {"same_controller": True, "same_legal_representative": True},
            ["same_controller", "same_legal_representative"],
        ),
        ({"same_controller": False}, {"same_controller": True}, None),
        ({}, {"shared_contact": True}, None),
        ({"shared_contact": True}, {"shared_contact": True}, ["shared_contact"]),
        ({}, {"same_group": True}, None),
        ({"same_group": True}, {"same_group": True}, ["same_group"]),
    ],
)
def test_related_parties_are_told_by_their_signs(
    related_parties: dict[str, Any], claim: dict[str, Any], signs: list[str] | None
) -> None:
    blocked = assess(rules("1", related_parties=related_parties), bill(COMPUTE, claim=claim))
    flagged = assess(rules("1", related_parties={"action": "flag"} | related_parties), bill(COMPUTE, claim=claim))
    assert [one.get("signs") for one in blocked.reductions] == ([signs] if signs else [])
    assert blocked.amount_fen == (0 if signs else COMPUTE)
    assert flagged.amount_fen == COMPUTE
    assert [step["flagged"] for step in flagged.steps if step["step"] == "related_parties"] == (
        [signs] if signs else []
    )


def held(at: str, *, used_until: str | None = None, checkpoint: Any = "redeem", **claim: Any) -> Facts:
    """A claim on a voucher that ends with 2026 and can be claimed on until 30 January."""
    voucher = VoucherTerms(shanghai("2027-01-01"), shanghai("2027-01-31"))
    used = shanghai(used_until) if used_until else None
    return bill(
        Line("compute", COMPUTE, used_until=used), at=shanghai(at), voucher=voucher, checkpoint=checkpoint, claim=claim
    )


@pytest.mark.parametrize(
    ("event", "facts", "refusal"),
    [
        ("claim", held("2027-01-30T23:59:59"), None),
        ("claim", held("2027-01-31"), "EXPIRED"),
        ("claim", held("2027-03-01", checkpoint="pay"), None),  # claimed in time, paid later
        ("service", held("2027-01-10", used_until="2027-01-01T00:00"), None),
        ("service", held("2027-01-10", used_until="2027-01-01T00:01"), "EXPIRED"),
        ("service", held("2027-01-10"), "FACT_MISSING"),
        ("service", held("2026-12-31"), None),  # what is claimed before the end was used before it
        ("contract", held("2027-01-10", contract_signed_on="2026-12-31"), None),
        ("contract", held("2027-01-10", contract_signed_on="2027-01-01"), "EXPIRED"),
        ("contract", held("2026-12-01"), "FACT_MISSING"),
        ("invoice", held("2027-01-10", invoiced_on="2026-12-31"), None),
        ("invoice", held("2027-01-10", invoiced_on="2027-01-01"), "EXPIRED"),
    ],
)
def test_the_event_must_precede_the_end_of_the_voucher(event: str, facts: Facts, refusal: str | None) -> None:
    assert assess(rules("1", must_precede_expiry=event), facts).refusal == refusal


def test_a_claim_is_judged_by_the_day_in_shanghai() -> None:
    turned_five = {"holder": {"registered_on": "2021-07-01"}}
    last_minute = NOON.replace(hour=23, minute=59)
    midnight = shanghai("2026-07-01")
    given = rules("1", **requires(YOUNG))
    assert assess(given, bill(COMPUTE, at=last_minute, **turned_five)).amount_fen == COMPUTE
    assert assess(given, bill(COMPUTE, at=midnight, **turned_five)).amount_fen == 0


def test_a_window_may_be_for_some_claims_only() -> None:
    window = {"of": "claim", "opens_at": "2026-03-01T00:00", "closes_at": "2026-03-31T17:00"}
    given = rules(windows=[window | {"when": is_one_of("claim.tier", "standard")}])
    assert assess(given, bill(100, claim={"tier": "fast"})).amount_fen == 30
    assert codes(assess(given, bill(100, claim={"tier": "standard"}))) == ["OUTSIDE_WINDOW"]
    assert codes(assess(given, bill(100))) == ["OUTSIDE_WINDOW"]
