"""Caps of every scope, in order, over years and windows, with exceptions; and what a claim counts for the next."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.assess import assess
from app.services.rules.facts import Line
from app.services.rules.position import Bucket, Counter, Position
from tests.rules.builders import bill, codes, firm_cap, granted, is_one_of, one_after_another, position, rules, shanghai

CONTRACT: dict[str, Any] = {"claim": {"contract_no": "HT-1"}}


def cap(scope: str, limit_fen: int, **others: Any) -> dict[str, Any]:
    return {"scope": scope, "name": f"{scope}_cap", "limit_fen": limit_fen} | others


def used(day: str, fen: int) -> Line:
    return Line("compute", fen, used_until=shanghai(f"{day}T12:00"))


@pytest.mark.parametrize(
    ("caps", "so_far", "amount_fen", "reasons"),
    [
        ([cap("claim", 500)], None, 500, ["CAP_CLAIM"]),
        ([cap("claim", 1000)], None, 1000, []),
        ([cap("line", 300)], None, 600, ["CAP_LINE"]),
        ([cap("contract", 900)], granted("contract", 500), 400, ["CAP_CONTRACT"]),
        ([cap("voucher", 900)], granted("voucher", 900), 0, ["CAP_VOUCHER"]),
        ([cap("voucher", 900)], granted("voucher", 1200), 0, ["CAP_VOUCHER"]),
        ([cap("firm", 900)], granted("firm", 500, period="2026"), 400, ["CAP_FIRM_PERIOD"]),
        ([cap("firm", 900)], granted("firm", 500, period="2025"), 900, ["CAP_FIRM_PERIOD"]),
        ([cap("firm", 900, per="lifetime")], granted("firm", 500), 400, ["CAP_FIRM_PERIOD"]),
        ([cap("group", 900, per="lifetime")], granted("group", 500), 400, ["CAP_GROUP"]),
        ([{"scope": "claims", "name": "three", "limit": 3}], granted("firm", 1, claims=2), 1000, []),
        ([{"scope": "claims", "name": "three", "limit": 3}], granted("firm", 1, claims=3), 0, ["CAP_COUNT"]),
        ([{"scope": "claims", "name": "one", "limit": 1, "holder": "group"}], granted("group", 1), 0, ["CAP_COUNT"]),
        (
            [{"scope": "claims", "name": "one", "limit": 1, "per": "year"}],
            granted("firm", 1, period="2025"),
            1000,
            [],
        ),
        # Whatever their order in the document: claim, contract, voucher, firm, group.
        (
            [cap("group", 300), cap("firm", 400), cap("voucher", 500), cap("contract", 600), cap("claim", 700)],
            None,
            300,
            ["CAP_CLAIM", "CAP_CONTRACT", "CAP_VOUCHER", "CAP_FIRM_PERIOD", "CAP_GROUP"],
        ),
    ],
)
def test_each_cap_pays_what_it_leaves(
    caps: list[dict[str, Any]], so_far: Position | None, amount_fen: int, reasons: list[str]
) -> None:
    assessment = assess(rules("1", caps=caps), bill(500, 500, **CONTRACT), so_far or Position())
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)
    assert sum(one["subsidy_fen"] for one in assessment.reductions) == 1000 - amount_fen


def test_a_contract_cap_counts_all_claims_of_the_contract_and_needs_its_number() -> None:
    given = rules("0.50", caps=[cap("contract", 1000)])
    claims = one_after_another(given, [bill(900, **CONTRACT), bill(900, **CONTRACT), bill(900, **CONTRACT)])
    assert [one.amount_fen for one in claims] == [450, 450, 100]
    unnamed = assess(given, bill(900))
    assert (unnamed.amount_fen, unnamed.refusal) == (0, "FACT_MISSING")
    assert unnamed.reductions == (
        {"code": "FACT_MISSING", "cap": "contract_cap", "subsidy_fen": 450, "missing": ["claim.contract_no"]},
    )


def test_a_lifetime_count_admits_so_many_claims_and_counts_only_those_that_earned() -> None:
    given = rules("1", caps=[{"scope": "claims", "name": "three", "limit": 3}])
    claims = one_after_another(given, [bill(10), bill(Line("food", 10)), bill(10), bill(10), bill(10)])
    assert [one.amount_fen for one in claims] == [10, 0, 10, 10, 0]
    assert claims[-1].refusal == "CAP_COUNT"


@pytest.mark.parametrize(
    ("granted_on", "amount_fen"),
    [
        ("2023-06-30", 1000),  # three years ago to the day: outside
        ("2023-07-01", 400),  # the first day of the window
        ("2026-06-30", 400),  # the day itself
        ("2026-07-01", 1000),  # later than the claim
    ],
)
def test_a_rolling_window_ends_with_the_day_of_the_claim_and_begins_the_day_after_three_years_ago(
    granted_on: str, amount_fen: int
) -> None:
    given = rules("1", caps=[cap("group", 1000, per={"months": 36})])
    so_far = granted("group", 600, period=granted_on)
    assert assess(given, bill(5000), so_far).amount_fen == amount_fen


def test_a_rolling_window_at_the_end_of_february() -> None:
    given = rules("1", caps=[cap("firm", 1000, per={"months": 1})])
    on_the_31st = bill(5000, at=shanghai("2026-03-31T12:00"))
    assert assess(given, on_the_31st, granted("firm", 600, period="2026-02-28")).amount_fen == 1000
    assert assess(given, on_the_31st, granted("firm", 600, period="2026-03-01")).amount_fen == 400


def test_claims_in_a_rolling_window_see_each_other_day_by_day() -> None:
    given = rules("1", caps=[cap("firm", 1000, per={"months": 12})])
    days = ["2025-01-10", "2025-12-31", "2026-01-09", "2026-01-10", "2027-01-09"]
    claims = one_after_another(given, [bill(600, at=shanghai(day)) for day in days])
    assert [one.amount_fen for one in claims] == [600, 400, 0, 600, 400]
    assert claims[0].counted == ((Bucket("firm", "2025-01-10"), Counter(600, 600, 600, 1)),)


def test_a_category_has_its_own_yearly_cap_and_takes_in_what_lies_below() -> None:
    given = rules(
        "1",
        categories=["compute", "token"],
        category_parents={"chat": "token"},
        caps=[cap("firm", 500, name="tokens", category="token"), cap("firm", 2000, name="all")],
    )
    claims = one_after_another(
        given,
        [
            bill(Line("compute", 1000), Line("chat", 300)),
            bill(Line("compute", 100), Line("token", 300)),
            bill(Line("token", 300)),
            bill(Line("compute", 1000)),
        ],
    )
    assert [one.amount_fen for one in claims] == [1300, 300, 0, 400]
    assert [codes(one) for one in claims] == [[], ["CAP_CATEGORY"], ["CAP_CATEGORY"], ["CAP_FIRM_PERIOD"]]


def test_a_narrow_cap_does_not_use_up_a_wide_one() -> None:
    tree = {"chat": "token"}
    narrow = cap("firm", 10, name="chat", category="chat")
    wide = cap("firm", 100, name="tokens", category="token")
    lines = [Line("chat", 1000), Line("token", 90)]
    for caps in ([narrow, wide], [wide, narrow]):
        given = rules("1", categories=["token"], category_parents=tree, caps=caps)
        assert assess(given, bill(*lines)).amount_fen == 100
    for caps in ([cap("line", 20), wide], [wide, cap("line", 20)]):
        given = rules("1", categories=["token"], category_parents=tree, caps=caps)
        assert assess(given, bill(Line("chat", 1000), Line("token", 80))).amount_fen == 40


SOFT = cap("firm", 1000, hard_limit_fen=2000)
HARD = cap("firm", 1000)


@pytest.mark.parametrize(
    ("limits", "approved", "amount_fen"),
    [
        (SOFT, {}, 1000),
        (SOFT, {"firm_cap": 1500}, 1500),
        (SOFT, {"firm_cap": 2000}, 2000),
        (SOFT, {"firm_cap": 9000}, 2000),  # never above the hard limit
        (SOFT, {"firm_cap": 500}, 1000),  # an exception never lowers
        (SOFT, {"other_cap": 1500}, 1000),
        (HARD, {"firm_cap": 1500}, 1000),  # no hard limit, no exception
    ],
)
def test_an_approved_exception_lifts_a_soft_cap_up_to_the_hard_one(
    limits: dict[str, Any], approved: dict[str, int], amount_fen: int
) -> None:
    given = rules("1", caps=[limits], exceptions=[{"cap": "firm_cap"}])
    assert assess(given, bill(5000, exceptions_fen=approved)).amount_fen == amount_fen


BY_LEVEL = {
    "scope": "firm",
    "name": "level",
    "limit_by": "claim.project_level",
    "limits_fen": {"national": 3000, "provincial": 1500},
}


@pytest.mark.parametrize(
    ("limits", "claim", "amount_fen", "reasons"),
    [
        (BY_LEVEL, {"project_level": "national"}, 3000, ["CAP_FIRM_PERIOD"]),
        (BY_LEVEL, {"project_level": "provincial"}, 1500, ["CAP_FIRM_PERIOD"]),
        (BY_LEVEL, {"project_level": "county"}, 0, ["FACT_MISSING"]),
        (BY_LEVEL, {}, 0, ["FACT_MISSING"]),
        (BY_LEVEL | {"limit_fen": 500}, {"project_level": "county"}, 500, ["CAP_FIRM_PERIOD"]),
        (BY_LEVEL | {"limit_fen": 500}, {}, 500, ["CAP_FIRM_PERIOD"]),
        (BY_LEVEL | {"scope": "claim"}, {}, 0, ["FACT_MISSING"]),
        (BY_LEVEL | {"scope": "line"}, {}, 0, ["FACT_MISSING"]),
        (BY_LEVEL | {"scope": "line"}, {"project_level": "national"}, 3000, ["CAP_LINE"]),
    ],
)
def test_a_limit_can_follow_from_a_fact(
    limits: dict[str, Any], claim: dict[str, Any], amount_fen: int, reasons: list[str]
) -> None:
    assessment = assess(rules("1", caps=[limits]), bill(5000, claim=claim))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)
    assert sum(one["subsidy_fen"] for one in assessment.reductions) == 5000 - amount_fen


@pytest.mark.parametrize(
    ("holder", "amount_fen", "reasons"),
    [
        ({"other_aid_fen": 0}, 1000, ["CAP_GROUP"]),
        ({"other_aid_fen": 700}, 300, ["CAP_GROUP"]),
        ({"other_aid_fen": "2000"}, 0, ["CAP_GROUP"]),
        ({}, 0, ["FACT_MISSING"]),
    ],
)
def test_aid_from_elsewhere_counts_as_used_where_the_rules_say_so(
    holder: dict[str, Any], amount_fen: int, reasons: list[str]
) -> None:
    given = rules("1", caps=[cap("group", 1000, per={"months": 36}, also_counts="holder.other_aid_fen")])
    assessment = assess(given, bill(5000, holder=holder))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)
    assert sum(one["subsidy_fen"] for one in assessment.reductions) == 5000 - amount_fen


def test_years_from_april_to_march() -> None:
    given = rules("1", caps=[cap("firm", 1000)], attribution={"by": "usage", "year": "april"})
    lines = [used("2026-03-31", 700), used("2026-04-01", 700), used("2027-03-31", 700), used("2027-04-01", 700)]
    assessment = assess(given, bill(*lines))
    assert assessment.years_fen == {"2025/04": 700, "2026/04": 1000, "2027/04": 700}


@pytest.mark.parametrize(
    ("by", "claim", "year"),
    [
        ("claim", {}, "2026"),
        ("usage", {}, "2025"),
        ("contract", {"contract_signed_on": "2024-12-31"}, "2024"),
        ("invoice", {"invoiced_on": "2023-12-31"}, "2023"),
        ("payment", {"paid_on": "2027-01-01"}, "2027"),
    ],
)
def test_the_rules_say_whose_day_decides_the_year(by: str, claim: dict[str, Any], year: str) -> None:
    given = rules("1", caps=[cap("firm", 1000)], attribution={"by": by})
    assert assess(given, bill(used("2025-12-31", 700), claim=claim)).years_fen == {year: 700}


@pytest.mark.parametrize(
    ("by", "missing"),
    [
        ("usage", "line.used_until"),
        ("contract", "claim.contract_signed_on"),
        ("invoice", "claim.invoiced_on"),
        ("payment", "claim.paid_on"),
    ],
)
def test_a_year_that_nobody_can_tell_earns_nothing(by: str, missing: str) -> None:
    assessment = assess(rules("1", caps=[cap("firm", 1000)], attribution={"by": by}), bill(700))
    assert (assessment.amount_fen, assessment.reductions[-1]["missing"]) == (0, [missing])


TWO_YEARS = (used("2026-12-31", 800), used("2027-01-01", 800))
YEARLY = {"attribution": {"by": "usage"}}


@pytest.mark.parametrize(
    ("caps", "years_fen"),
    [
        ([cap("firm", 600)], {"2026": 600, "2027": 600}),
        # A cap that looks at no year holds for the claim as a whole, however many years it has.
        ([cap("firm", 5000), cap("group", 900, per="lifetime")], {"2026": 450, "2027": 450}),
        ([cap("firm", 5000), cap("group", 901, per={"months": 36})], {"2026": 451, "2027": 450}),
        ([cap("firm", 5000), cap("claim", 900)], {"2026": 450, "2027": 450}),
        (
            [cap("firm", 5000), cap("firm", 900, name="life", per="lifetime", category="compute")],
            {"2026": 450, "2027": 450},
        ),
        ([cap("firm", 5000), {"scope": "claims", "name": "one", "limit": 1}], {"2026": 800, "2027": 800}),
    ],
)
def test_caps_over_a_claim_of_two_years(caps: list[dict[str, Any]], years_fen: dict[str, int]) -> None:
    assessment = assess(rules("1", caps=caps, **YEARLY), bill(*TWO_YEARS))
    assert assessment.years_fen == years_fen


def test_a_claim_cap_takes_nothing_from_one_year_that_another_years_cap_refuses_anyway() -> None:
    given = rules("1", caps=[cap("claim", 800), cap("firm", 1000)], **YEARLY)
    nearly_used_up = granted("firm", 900, period="2026")
    alone = assess(given, bill(TWO_YEARS[1]), nearly_used_up)
    both = assess(given, bill(*TWO_YEARS), nearly_used_up)
    assert (alone.amount_fen, both.amount_fen) == (800, 800)
    assert both.years_fen == {"2026": 89, "2027": 711}  # 100 : 800, the earlier year takes the spare fen


def test_a_claim_counts_in_each_of_its_years_and_once_in_a_lifetime() -> None:
    given = rules("0.5", caps=[cap("firm", 5000), {"scope": "claims", "name": "ten", "limit": 10}], **YEARLY)
    assert assess(given, bill(*TWO_YEARS)).counted == (
        (Bucket("firm", "2026"), Counter(800, 400, 400, 1)),
        (Bucket("firm", "2027"), Counter(800, 400, 400, 1)),
        (Bucket("firm", "all"), Counter(1600, 800, 800, 1)),
    )


def test_rules_without_memory_count_nothing() -> None:
    assert assess(rules("1", caps=[cap("claim", 10), cap("line", 5)]), bill(100)).counted == ()


def test_taking_counts_away_leaves_the_position_as_it_was() -> None:
    given = rules("0.5", caps=[firm_cap(1000)])
    so_far = position({("firm", "2026"): Counter(100, 50, 50, 1)})
    counted = assess(given, bill(600), so_far).counted
    later = Position(so_far.items())
    later.add(counted)
    assert dict(later.without(counted).items()) == dict(so_far.items())
    assert later.of(Bucket("firm", "2026")) == Counter(700, 350, 350, 2)


@pytest.mark.parametrize(
    ("limits", "level", "lines", "amount_fen"),
    [
        (cap("line", 15_000), "line", [17_000], 15_000),  # half up to 20,000 would break the cap
        (cap("line", 18_000), "claim", [17_000], 17_000),
        (cap("firm", 18_000, category="compute"), "claim", [17_000], 17_000),
        (
            cap("firm", 18_000, category="compute"),
            "line",
            [8_500, 8_500],
            18_000,
        ),  # 20,000 rounded, the cap leaves 18,000
        (cap("line", 20_000), "line", [17_000, 17_000], 40_000),
    ],
)
def test_rounding_up_to_a_coarse_unit_breaks_no_cap(
    limits: dict[str, Any], level: str, lines: list[int], amount_fen: int
) -> None:
    rounding = {"unit_fen": 10_000, "mode": "half_up", "level": level}
    facts = bill(*(fen * 2 for fen in lines))
    assert assess(rules("0.5", caps=[limits], rounding=rounding), facts).amount_fen == amount_fen


def test_a_count_may_look_at_some_claims_only() -> None:
    """At most two standard vouchers; fast-track ones are not counted by it."""
    count = {"scope": "claims", "name": "standard", "limit": 2, "when": is_one_of("claim.kind", "standard")}
    declared = [{"name": "claim.kind", "type": "words"}]
    given = rules("1.00", caps=[count], facts=declared)
    kinds = ("standard", "fast", "standard", "fast", "standard", "fast")
    found = one_after_another(given, [bill(100, claim={"kind": kind}) for kind in kinds])
    assert [assessment.amount_fen for assessment in found] == [100, 100, 100, 100, 0, 100]
    assert codes(found[4]) == ["CAP_COUNT"]
    unknown = assess(given, bill(100))
    assert (unknown.amount_fen, codes(unknown)) == (0, ["FACT_MISSING"])


def test_a_cap_tells_what_it_is_and_what_it_leaves() -> None:
    caps = [firm_cap(1_000), firm_cap(5_000, name="rolling", per={"months": 36}), cap("contract", 700)]
    steps = assess(
        rules("1.00", caps=caps), bill(900, claim={"contract_no": "A"}), granted("firm", 400, period="2026")
    ).steps
    told = [
        (step["scope"], step["cap_fen"], step["limit_fen"], step.get("per")) for step in steps if step["step"] == "cap"
    ]
    assert told == [("contract", 700, 700, None), ("firm", 1_000, 600, "year"), ("firm", 5_000, 5_000, 36)]
