"""From what amount a subsidy is computed: ceilings, the least of several amounts, claimed base, VAT, netting, units."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.assess import assess
from app.services.rules.facts import Line
from tests.rules.builders import bill, codes, rules, shanghai, yuan


def days(quantity: str, price: str, amount_yuan: str, category: str = "compute") -> Line:
    return Line(category, yuan(amount_yuan), quantity=quantity, unit="day", unit_price=price)


DAY_RATE = {"ceilings": [{"unit": "day", "unit_price": "1100", "quantity": "30"}]}


@pytest.mark.parametrize(
    ("lines", "amount_yuan", "reasons"),
    [
        ([days("10", "1000", "10,000")], "5,000", []),
        ([days("10", "1100", "11,000")], "5,500", []),
        ([days("10", "1500", "15,000")], "5,500", ["PRICE_CEILING"]),
        ([days("40", "1000", "40,000")], "15,000", ["QUANTITY_CEILING"]),
        ([days("40", "1500", "60,000")], "16,500", ["PRICE_CEILING", "QUANTITY_CEILING"]),
        # 20 days at 1,000, then only 10 of the next 20 at 800.
        ([days("20", "1000", "20,000"), days("20", "800", "16,000")], "14,000", ["QUANTITY_CEILING"]),
        # The first 20 days were refunded, so the next 20 all count.
        ([days("20", "1000", "0"), days("20", "800", "16,000")], "8,000", []),
        # Whoever leaves the unit out, or takes another one, does not escape the ceiling.
        ([Line("compute", yuan("99,999"), quantity="40", unit="hour")], "0", ["NOT_ELIGIBLE_LINE"]),
        ([Line("compute", yuan("99,999"), quantity="40")], "0", ["FACT_MISSING"]),
        ([Line("compute", yuan("99,999"), unit="day")], "0", ["FACT_MISSING"]),
    ],
)
def test_prices_and_quantities_count_up_to_their_ceilings(
    lines: list[Line], amount_yuan: str, reasons: list[str]
) -> None:
    assessment = assess(rules("0.50", base=DAY_RATE), bill(*lines))
    assert (assessment.amount_fen, codes(assessment)) == (yuan(amount_yuan), reasons)


def test_other_units_may_go_unlimited_where_the_rules_say_so() -> None:
    ceiling = DAY_RATE["ceilings"][0] | {"other_units": "unlimited"}
    hours = Line("compute", yuan("99,999"), quantity="40", unit="hour")
    assert assess(rules("0.50", base={"ceilings": [ceiling]}), bill(hours)).amount_fen == yuan("49,999.50")


def test_a_ceiling_holds_for_its_categories_and_what_lies_below_them() -> None:
    ceilings = [{"unit": "day", "categories": ["compute"], "unit_price": "1000"}]
    given = rules(
        "1", categories=["compute", "advice"], category_parents={"gpu": "compute"}, base={"ceilings": ceilings}
    )
    assert assess(given, bill(days("1", "2000", "2,000", "gpu"))).amount_fen == yuan("1,000")
    assert assess(given, bill(days("1", "2000", "2,000", "advice"))).amount_fen == yuan("2,000")


def test_a_price_below_a_fen_is_exact() -> None:
    ceilings = [{"unit": "token", "unit_price": "0.0035"}]
    tokens = Line("compute", 2_000, quantity="3001", unit="token")
    assert assess(rules("1", base={"ceilings": ceilings}), bill(tokens)).amount_fen == 1050  # 1050.35 fen


def least_of(*names: str, **others: Any) -> dict[str, Any]:
    return {"base": {"least_of": list(names)} | others}


@pytest.mark.parametrize("least", ["billed", "contracted", "assessed", "invoiced", "paid", "metered"])
def test_each_amount_can_be_the_least(least: str) -> None:
    names = ["contracted", "assessed", "invoiced", "paid", "metered"]
    amounts_fen = {name: 700 if name == least else 1000 for name in names}
    assessment = assess(
        rules("1", **least_of("billed", *names)), bill(700 if least == "billed" else 1000, amounts_fen=amounts_fen)
    )
    assert assessment.amount_fen == 700


def test_the_base_is_never_more_than_was_billed() -> None:
    assert assess(rules("1", **least_of("paid")), bill(1000, amounts_fen={"paid": 5000})).amount_fen == 1000


def test_an_amount_that_nobody_gave_earns_nothing_and_is_named() -> None:
    assessment = assess(rules("1", **least_of("billed", "paid", "metered")), bill(1000, amounts_fen={"paid": 900}))
    assert (assessment.amount_fen, assessment.reductions[-1]["missing"]) == (0, ["amounts.metered"])


def test_a_line_counts_with_no_more_than_was_paid_for_it() -> None:
    rate = {"kind": "by", "fact": "line.facility_class", "rates": {"domestic": "0.30", "other": "0.20"}}
    lines = [
        Line("compute", 1000, facility_class="domestic", amounts_fen={"paid": 0}),
        Line("compute", 1000, facility_class="other", amounts_fen={"paid": 1000}),
    ]
    assert assess(rules(rate, **least_of("paid")), bill(*lines)).amount_fen == 200


def test_one_line_overpaid_does_not_make_up_for_another() -> None:
    lines = [Line("compute", 1000, amounts_fen={"paid": 400}), Line("compute", 1000, amounts_fen={"paid": 1600})]
    assessment = assess(rules("1", **least_of("paid")), bill(*lines))
    assert (assessment.amount_fen, codes(assessment)) == (1400, ["LEAST_OF"])


def test_a_total_shrinks_the_lines_in_proportion() -> None:
    rate = {"kind": "by", "fact": "line.facility_class", "rates": {"domestic": "0.30", "other": "0.20"}}
    lines = [Line("compute", 600, facility_class="domestic"), Line("compute", 400, facility_class="other")]
    assert assess(rules(rate, **least_of("paid")), bill(*lines, amounts_fen={"paid": 500})).amount_fen == 130  # 90 + 40


def test_amounts_of_lines_that_do_not_count_are_not_needed() -> None:
    lines = [Line("compute", 1000, amounts_fen={"paid": 800}), Line("storage", 500)]
    assert assess(rules("1", **least_of("paid")), bill(*lines)).amount_fen == 800


@pytest.mark.parametrize(
    ("settings", "line", "amount_fen", "reasons"),
    [
        ({}, Line("compute", 1000, claimed_fen=1000), 0, ["DUP_BASE"]),
        ({}, Line("compute", 1000, claimed_fen=9999), 0, ["DUP_BASE"]),
        ({"stacking": {"base": "stackable"}}, Line("compute", 1000, claimed_fen=1000), 1000, []),
        # Of 500 paid 300 were claimed: the other 200 are left, not 500 of the 700 unclaimed ones.
        (
            least_of("paid"),
            Line("compute", 1000, claimed_fen=300, amounts_fen={"paid": 500}),
            200,
            ["LEAST_OF", "DUP_BASE"],
        ),
        (
            {"base": {"vat": "excluded"}},
            Line("compute", 1060, claimed_fen=530, tax_rate="0.06"),
            500,
            ["DUP_BASE", "VAT_EXCLUDED"],
        ),
        ({"base": {"less_other_grants": True}}, Line("compute", 1000, other_grants_fen=400), 600, ["NETTED"]),
        ({"base": {"less_other_grants": True}}, Line("compute", 1000, other_grants_fen=4000), 0, ["NETTED"]),
        ({}, Line("compute", 1000, other_grants_fen=400), 1000, []),
        (
            {"base": {"vat": "excluded", "less_other_grants": True}},
            Line("compute", 1060, other_grants_fen=100, tax_rate="0.06"),
            900,
            ["VAT_EXCLUDED", "NETTED"],
        ),
        ({"base": {"vat": "excluded"}}, Line("compute", 1060), 0, ["FACT_MISSING"]),
        ({"base": {"vat": "excluded", "default_tax_rate": "0.06"}}, Line("compute", 1060), 1000, ["VAT_EXCLUDED"]),
        ({"base": {"vat": "excluded", "default_tax_rate": "0.06"}}, Line("compute", 1060, tax_rate="0"), 1060, []),
    ],
)
def test_what_is_taken_off_the_base(settings: dict[str, Any], line: Line, amount_fen: int, reasons: list[str]) -> None:
    assessment = assess(rules("1", **settings), bill(line))
    assert (assessment.amount_fen, codes(assessment)) == (amount_fen, reasons)


def test_a_base_of_nothing_says_why_it_is_nothing() -> None:
    floored = rules("1", floors=[{"of": "base", "at_least_fen": 100}])
    assert assess(floored, bill(Line("compute", 1000, claimed_fen=1000))).refusal == "DUP_BASE"


def test_a_floor_of_the_contract_looks_at_the_whole_contract() -> None:
    given = rules("1", floors=[{"of": "contract", "at_least_fen": 5000}])
    assert assess(given, bill(10, claim={"contract_fen": 5000})).amount_fen == 10
    assert assess(given, bill(10, claim={"contract_fen": 4999})).refusal == "BELOW_MIN"
    assert assess(given, bill(10)).refusal == "FACT_MISSING"


@pytest.mark.parametrize(
    ("settings", "bill_fen", "amount_fen"),
    [
        ({"floors": [{"of": "subsidy", "at_least_fen": 300}]}, 1000, 300),
        ({"floors": [{"of": "subsidy", "at_least_fen": 300}]}, 999, 300),  # 299.7 rounds to the floor itself
        ({"floors": [{"of": "subsidy", "at_least_fen": 300}]}, 998, 0),
        ({"floors": [{"of": "subsidy", "at_least_fen": 300, "inclusive": False}]}, 1000, 0),
        ({"use": {"minimum_draw_fen": 300}}, 1000, 300),
        ({"use": {"minimum_draw_fen": 300}}, 997, 0),
    ],
)
def test_a_subsidy_has_its_own_least(settings: dict[str, Any], bill_fen: int, amount_fen: int) -> None:
    assessment = assess(rules("0.30", **settings), bill(bill_fen))
    assert (assessment.amount_fen, assessment.refusal) == (amount_fen, None if amount_fen else "BELOW_MIN")


CREDITS = {
    "unit": {
        "kind": "in_kind",
        "name": "credit",
        "exchange": [
            {"category": "compute", "unit": "node_hour", "price": "2.5", "from_on": "2026-01-01"},
            {"category": "compute", "unit": "node_hour", "price": "2", "from_on": "2026-07-01"},
        ],
    }
}


@pytest.mark.parametrize(
    ("used_until", "hundredths", "reasons"),
    [
        ("2026-06-30T12:00", 2500, []),
        ("2026-07-01T00:00", 2500, []),  # used until the end of June
        ("2026-07-01T00:01", 2000, ["PRICE_CEILING"]),
        ("2025-12-31T12:00", 0, ["NOT_ELIGIBLE_LINE"]),
    ],
)
def test_units_are_exchanged_at_the_price_of_the_day_of_use(
    used_until: str, hundredths: int, reasons: list[str]
) -> None:
    ten_hours = Line("compute", 2500, quantity="10", unit="node_hour", used_until=shanghai(used_until))
    assessment = assess(rules("1", mode="in_kind", **CREDITS), bill(ten_hours, at=shanghai("2026-08-01")))
    assert (assessment.amount_fen, codes(assessment)) == (hundredths, reasons)


def test_without_a_day_of_use_the_day_of_the_claim_gives_the_price() -> None:
    ten_hours = Line("compute", 2500, quantity="10", unit="node_hour")
    assert assess(rules("1", **CREDITS), bill(ten_hours, at=shanghai("2026-06-30"))).amount_fen == 2500
    assert assess(rules("1", **CREDITS), bill(ten_hours, at=shanghai("2026-07-01"))).amount_fen == 2000


def test_a_resource_without_a_price_does_not_count() -> None:
    assert assess(rules("1", **CREDITS), bill(Line("compute", 2500, quantity="10", unit="card_hour"))).amount_fen == 0
