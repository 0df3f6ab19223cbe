"""What speaks against a bill, worked out by hand: units, references, capacity, prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.clock import SHANGHAI
from app.kernel.vocabulary import Sign
from app.services.redemption.bills import Bill, BillLine, bill_of_facts
from app.services.redemption.evidence import (
    flagged_again,
    flags_of,
    grounds_to_store,
    judge_evidence,
    judge_units,
    refusal_of,
    with_flags,
)
from app.services.redemption.fitting import Use, first_overfull
from app.services.redemption.grounds import Billed, Capacity, Grounds, ListedPrice
from app.services.rules.model import Rules

NOON = datetime(2026, 3, 1, 12, tzinfo=SHANGHAI)


def rules_of(**changes: Any) -> Rules:
    document = {
        "categories": ["compute"],
        "category_parents": {"training": "compute", "storage": "compute"},
        "excluded_categories": ["storage"],
        "rate": {"kind": "flat", "rate": "0.30"},
    }
    return Rules.model_validate(document | changes)


def line_of(**changes: Any) -> BillLine:
    fields: dict[str, Any] = {
        "category": "training",
        "quantity": "10",
        "unit": "card_hour",
        "unit_price": "20",
        "amount_fen": 20_000,
    }
    return BillLine(**(fields | changes))


def used(hours: float, **changes: Any) -> BillLine:
    return line_of(used_from=NOON, used_until=NOON + timedelta(hours=hours), **changes)


def bill_of(*lines: BillLine) -> Bill:
    return Bill(sum(line.amount_fen for line in lines), lines).converted()


def found(bill: Bill, rules: Rules, grounds: Grounds | None = None) -> list[tuple[Any, ...]]:
    return [
        (one.code, one.line, one.member, one.verdict, one.limit, one.actual)
        for one in judge_evidence(bill, rules, grounds or Grounds())
    ]


BEYOND = {"bill_checks": {"capacity": {"beyond": "refuse"}}}
LISTED = {"bill_checks": {"price": {"above_list": "refuse"}}}


# -- units


def test_a_unit_that_the_category_does_not_know_is_refused() -> None:
    rules = rules_of(category_units={"compute": ["card_hour", "pflops_hour"]})
    bill = bill_of(line_of(), line_of(unit="month"), line_of(category="storage", unit="gigabyte_month"))
    assert found(bill, rules) == [(Sign.UNIT_NOT_KNOWN, 2, "unit", "refuse", "card_hour, pflops_hour", "month")]
    problem = refusal_of(judge_evidence(bill, rules, Grounds()))
    assert problem is not None
    assert (problem.code, problem.errors[0].pointer) == ("unit_not_known", "/bill/lines/1/unit")
    assert [one.line for one in judge_units(bill, rules)] == [2]


def test_the_nearest_category_in_the_tree_says_the_units_and_none_means_any() -> None:
    rules = rules_of(category_units={"compute": ["card_hour"], "training": ["node_hour"]})
    assert rules.units_of("training") == ("node_hour",)
    assert rules.units_of("inference") is None
    assert found(bill_of(line_of(unit="anything")), rules_of()) == []


# -- usage references


@pytest.mark.parametrize(("said", "verdict"), [({}, "flag"), ({"repeated": "refuse"}, "refuse")])
def test_a_usage_that_another_redemption_billed(said: dict[str, Any], verdict: str) -> None:
    """Rules that say nothing note it: what they granted before they grant still. D25."""
    rules = rules_of(bill_checks={"usage_ref": said}) if said else rules_of()
    grounds = Grounds(billed={"job-1": Billed("rdm_1", 3)})
    bill = bill_of(line_of(usage_ref="job-2"), line_of(usage_ref="job-1"))
    assert found(bill, rules, grounds) == [(Sign.USAGE_ALREADY_BILLED, 2, "usage_ref", verdict, "rdm_1", "job-1")]
    problem = refusal_of(judge_evidence(bill, rules, grounds))
    assert (problem is None) == (verdict == "flag")
    if problem is not None:
        assert problem.extra == {"redemption_id": "rdm_1"}


def test_nobody_looks_where_the_rules_say_so() -> None:
    rules = rules_of(bill_checks={"usage_ref": {"repeated": None}})
    assert found(bill_of(line_of(usage_ref="j")), rules, Grounds(billed={"j": Billed("rdm_1", 1)})) == []


def test_one_job_stands_on_several_lines_but_not_twice_for_the_same() -> None:
    bill = bill_of(
        line_of(usage_ref="job"),
        line_of(usage_ref="job", category="inference"),
        line_of(usage_ref="job", unit="node_hour"),
        line_of(usage_ref="job"),
    )
    rules = rules_of(
        category_parents={"training": "compute", "inference": "compute"},
        excluded_categories=[],
        bill_checks={"usage_ref": {"repeated": "refuse"}},
    )
    assert found(bill, rules) == [(Sign.USAGE_ALREADY_BILLED, 4, "usage_ref", "refuse", "line 1", "job")]


def test_a_reference_may_be_demanded_of_covered_lines() -> None:
    rules = rules_of(bill_checks={"usage_ref": {"required": True}})
    bill = bill_of(line_of(category="storage"), line_of(), line_of(usage_ref="j"))
    assert found(bill, rules) == [(Sign.USAGE_REF_MISSING, 2, "usage_ref", "refuse", None, None)]


# -- capacity


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("80", []), ("80.000001", [(Sign.BEYOND_CAPACITY, 1, "quantity", "refuse", "80", "80.000001")])],
)
def test_card_hours_fit_into_the_cards_and_hours_that_there_are(quantity: str, expected: list[Any]) -> None:
    """8 cards × 10 h = 80 card-hours."""
    grounds = Grounds(provider=Capacity(cards=8))
    assert found(bill_of(used(10, quantity=quantity)), rules_of(**BEYOND), grounds) == expected


def test_the_site_holds_before_the_provider_and_the_provider_for_all_its_sites() -> None:
    grounds = Grounds(provider=Capacity(cards=12), sites={"a": Capacity(cards=8), "b": Capacity()})
    rules = rules_of(**BEYOND)
    assert found(bill_of(used(1, quantity="9", provider_site="a")), rules, grounds) == [
        (Sign.BEYOND_CAPACITY, 1, "quantity", "refuse", "8", "9")
    ]
    assert found(bill_of(used(1, quantity="9", provider_site="b")), rules, grounds) == []
    together = bill_of(used(1, quantity="8", provider_site="a"), used(1, quantity="5", provider_site="b"))
    assert found(together, rules, grounds) == [(Sign.BEYOND_CAPACITY, 2, "quantity", "refuse", "12", "13")]


def test_splitting_a_line_gains_nothing() -> None:
    """Two lines of 50 in the same ten hours of 8 cards are 100 of 80; in hours of their own they are 50 of 80."""
    grounds, rules = Grounds(provider=Capacity(cards=8)), rules_of(**BEYOND)
    same = bill_of(used(10, quantity="50"), used(10, quantity="50"))
    assert found(same, rules, grounds) == [(Sign.BEYOND_CAPACITY, 2, "quantity", "refuse", "80", "100")]
    later = NOON + timedelta(hours=10)
    after = line_of(quantity="50", used_from=later, used_until=later + timedelta(hours=10))
    assert found(bill_of(used(10, quantity="50"), after), rules, grounds) == []
    long = bill_of(used(100, quantity="1"), used(1, quantity="9"))
    assert found(long, rules, grounds) == [(Sign.BEYOND_CAPACITY, 2, "quantity", "refuse", "8", "9")]


def between(first: float, last: float, quantity: str, **changes: Any) -> BillLine:
    used_from, used_until = NOON + timedelta(hours=first), NOON + timedelta(hours=last)
    return line_of(quantity=quantity, used_from=used_from, used_until=used_until, **changes)


def test_each_moment_of_many_lines_counts_once() -> None:
    """Hours 0–10, 20–30, 30–40, then 5–25: of its 20 hours on 8 cards ten are taken, and ten hours are 80."""
    apart = [between(20, 30, "80"), between(0, 10, "80"), between(30, 40, "80")]
    grounds, rules = Grounds(provider=Capacity(cards=8)), rules_of(**BEYOND)
    assert found(bill_of(*apart, between(5, 25, "80")), rules, grounds) == []
    assert found(bill_of(*apart, between(5, 25, "80.5")), rules, grounds) == [
        (Sign.BEYOND_CAPACITY, 4, "quantity", "refuse", "240", "240.5")  # within hours 0–30
    ]
    within = [between(0, 40, "300"), between(10, 10, "0"), between(12, 14, "16"), between(39, 40, "5")]
    assert found(bill_of(*within), rules, grounds) == [(Sign.BEYOND_CAPACITY, 4, "quantity", "refuse", "320", "321")]


def test_a_long_thin_line_hides_no_dense_ones() -> None:
    """A month of one card-hour beside three lines that are 24 card-hours in two hours of 8 cards."""
    dense = [between(0, 1, "8"), between(1, 2, "8"), between(0, 2, "8")]
    grounds, rules = Grounds(provider=Capacity(cards=8)), rules_of(**BEYOND)
    assert found(bill_of(between(0, 720, "1"), *dense), rules, grounds) == [
        (Sign.BEYOND_CAPACITY, 4, "quantity", "refuse", "16", "24")
    ]
    assert found(bill_of(between(0, 720, "5744"), *dense[:2]), rules, grounds) == [], "720 × 8 − 16: just so"


def test_of_lines_that_do_not_fit_together_the_first_is_named_and_each_that_does_not_fit_alone() -> None:
    rules = rules_of(**BEYOND)
    grounds = Grounds(provider=Capacity(cards=8), sites={"a": Capacity(cards=4)})
    lines = [between(0, 1, "5"), between(0, 1, "9"), between(0, 1, "4"), between(0, 1, "4", provider_site="a")]
    assert found(bill_of(*lines), rules, grounds) == [
        (Sign.BEYOND_CAPACITY, 2, "quantity", "refuse", "8", "9"),
        (Sign.BEYOND_CAPACITY, 3, "quantity", "refuse", "8", "9"),
    ]


@given(
    st.lists(st.tuples(st.integers(-3, 12), st.integers(1, 8), st.integers(0, 12)), max_size=7),
    st.sampled_from([Fraction(1), Fraction(3), Fraction(5, 2)]),
)
def test_uses_fit_unless_some_time_is_too_short_for_those_within_it(
    drawn: list[tuple[int, int, int]], rate: Fraction
) -> None:
    """Held against the definition: for every two instants, what lies between them is no more than fits between them."""
    start = datetime(2000, 1, 1, tzinfo=UTC)
    uses = [
        Use(Fraction(amount, 2), start + timedelta(hours=since), start + timedelta(hours=since + hours))
        for since, hours, amount in drawn
    ]

    def short(some: list[Use]) -> bool:
        return any(
            sum(use.amount for use in some if first.since <= use.since and use.until <= last.until)
            > rate * Fraction((last.until - first.since) // timedelta(hours=1))
            for first in some
            for last in some
            if first.since < last.until
        )

    overfull = first_overfull(uses, rate)
    expected = next((place for place in range(len(uses)) if short(uses[: place + 1])), None)
    assert (overfull and overfull.place) == expected
    if overfull is not None:
        assert overfull.actual > overfull.limit


def test_pflops_hours_are_held_against_pflops_also_those_of_named_cards() -> None:
    """100 card-hours of a 910B3 are 31.3 PFLOPS·h; 3 PFLOPS over 10 h are 30."""
    grounds, rules = Grounds(provider=Capacity(pflops="3")), rules_of(**BEYOND)
    by_card = bill_of(used(10, quantity="100", accelerator="ascend_910b3"))
    assert found(by_card, rules, grounds) == [(Sign.BEYOND_CAPACITY, 1, "quantity", "refuse", "30", "31.3")]
    assert found(bill_of(used(10, quantity="30", unit="pflops_hour")), rules, grounds) == []
    assert found(bill_of(used(10, quantity="30.5", unit="pflops_hour")), rules, grounds) != []


def test_a_limit_without_end_is_told_rounded_down() -> None:
    """One card for 20 s is 1/180 of a card-hour: 0.005555…"""
    line = line_of(quantity="1", used_from=NOON, used_until=NOON + timedelta(seconds=20))
    ((_, _, _, _, limit, _),) = found(bill_of(line), rules_of(**BEYOND), Grounds(provider=Capacity(cards=1)))
    assert limit == "0.005555"


def test_leaving_the_times_out_escapes_nothing() -> None:
    grounds, rules = Grounds(provider=Capacity(cards=8)), rules_of(**BEYOND)
    assert found(bill_of(line_of()), rules, grounds) == [
        (Sign.USAGE_TIMES_MISSING, 1, "used_from", "refuse", "used_from, used_until", None)
    ]
    assert found(bill_of(line_of(used_from=NOON, used_until=NOON)), rules, grounds)[0][0] == Sign.BEYOND_CAPACITY
    assert found(bill_of(line_of(unit="report")), rules, grounds) == []


def test_a_capacity_that_nobody_declared_is_noted_and_never_refused() -> None:
    expected = [(Sign.CAPACITY_NOT_DECLARED, 1, "unit", "flag", None, "card_hour")]
    assert found(bill_of(used(1)), rules_of(**BEYOND), Grounds()) == expected
    assert found(bill_of(used(1)), rules_of(**BEYOND), Grounds(provider=Capacity(pflops="3"))) == expected


def test_nought_in_the_registry_is_nothing_declared() -> None:
    assert Capacity.of_profile({"capacity_cards": 0, "capacity_pflops": "0.0"}) == Capacity()
    assert Capacity.of_profile({"capacity_cards": 8, "capacity_pflops": "2.5"}) == Capacity(8, "2.5")


# -- prices

PRICES = (
    ListedPrice("training", "card_hour", "20"),
    ListedPrice("training", "card_hour", "35", "nvidia_h800"),
    ListedPrice("compute", "pflops_hour", "60"),
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (line_of(unit_price="20.00"), []),
        (line_of(unit_price="20.01"), [(Sign.PRICE_ABOVE_LIST, 1, "unit_price", "refuse", "20", "20.01")]),
        (line_of(unit_price="35", accelerator="nvidia_h800"), []),
        (
            line_of(unit_price="36", accelerator="nvidia_h800"),
            [(Sign.PRICE_ABOVE_LIST, 1, "unit_price", "refuse", "35", "36")],
        ),
        (
            line_of(unit_price="21", accelerator="nvidia_a100"),
            [(Sign.PRICE_ABOVE_LIST, 1, "unit_price", "refuse", "20", "21")],
        ),
        (line_of(unit_price="60", unit="pflops_hour"), []),
        (
            line_of(unit_price="1", unit="node_hour"),
            [
                (
                    Sign.PRICE_NOT_LISTED,
                    1,
                    "unit_price",
                    "refuse",
                    "training / card_hour, training / card_hour / nvidia_h800, compute / pflops_hour",
                    "training / node_hour",
                )
            ],
        ),
        (line_of(unit_price="999", category="storage"), []),
    ],
)
def test_prices_are_held_against_the_admitted_list(line: BillLine, expected: list[Any]) -> None:
    assert found(bill_of(line), rules_of(**LISTED), Grounds(prices=PRICES)) == expected


def test_a_provider_admitted_without_a_list_is_noted_and_never_refused() -> None:
    expected = [(Sign.PRICE_NOT_LISTED, 1, "unit_price", "flag", None, "training / card_hour")]
    assert found(bill_of(line_of()), rules_of(**LISTED), Grounds()) == expected


def test_a_list_for_other_categories_is_a_list() -> None:
    grounds = Grounds(prices=(ListedPrice("model", "million_token", "5"), ListedPrice("model", "token", "0.1")))
    ((_, _, _, verdict, limit, _),) = found(bill_of(line_of()), rules_of(**LISTED), grounds)
    assert (verdict, limit) == ("refuse", "model / million_token")


# -- what is told and stored


def test_all_that_refuses_is_named_and_the_first_gives_the_code() -> None:
    rules = rules_of(
        category_units={"compute": ["card_hour"]},
        bill_checks={"usage_ref": {"required": True}, "price": {"above_list": "flag"}},
    )
    problem = refusal_of(judge_evidence(bill_of(line_of(), line_of(unit="day", usage_ref="j")), rules, Grounds()))
    assert problem is not None
    assert problem.code == "unit_not_known"
    assert [(one.pointer, one.code) for one in problem.errors] == [
        ("/bill/lines/1/unit", "unit_not_known"),
        ("/bill/lines/0/usage_ref", "usage_ref_missing"),
    ]


def test_flags_stand_in_the_trace_and_are_found_again_from_what_is_stored() -> None:
    rules = rules_of(
        bill_checks={
            "usage_ref": {"repeated": "flag"},
            "capacity": {"beyond": "flag"},
            "price": {"above_list": "flag"},
        }
    )
    bill = bill_of(used(1, quantity="9", provider_site="a", usage_ref="job"), line_of(category="inference"))
    grounds = Grounds(
        provider=Capacity(cards=8),
        sites={"a": Capacity(cards=4), "z": Capacity(cards=1)},
        prices=(*PRICES, ListedPrice("model", "token", "1")),
        billed={"job": Billed("rdm_1", 1)},
    )
    bare = {"v": 2, "steps": [{"step": "rule_version"}, {"step": "base"}], "reductions": []}
    findings = judge_evidence(bill, rules, grounds)
    trace = with_flags(bare, findings)
    assert [step["step"] for step in trace["steps"]] == ["rule_version", "evidence", "base"]
    assert [(flag["code"], flag["line"]) for flag in flags_of(trace)] == [
        ("usage_already_billed", 1),
        ("beyond_capacity", 1),
    ]
    assert flags_of(trace)[1] == {"code": "beyond_capacity", "line": 1, "limit": "4", "actual": "9"}
    stored = grounds_to_store(rules, bill, grounds, findings)
    assert stored is not None
    assert stored["sites"] == {"a": {"cards": 4, "pflops": None}}
    assert {row["category"] for row in stored["prices"]} == {"training", "compute"}
    assert flagged_again(bill, rules, stored, bare) == trace


def test_what_was_decided_before_has_nothing_stored_and_no_flags() -> None:
    bill = bill_of(line_of(usage_ref="j"), line_of(usage_ref="j"))
    bare = {"v": 2, "steps": [{"step": "rule_version"}], "reductions": []}
    assert flagged_again(bill, rules_of(), None, bare) is bare
    plain = bill_of(line_of(usage_ref="j"))
    assert grounds_to_store(rules_of(), plain, Grounds(), judge_evidence(plain, rules_of(), Grounds())) is None


def test_what_is_left_of_a_line_has_its_share_of_the_converted_hours() -> None:
    """10 card-hours of an A100 for 20,000 fen are 3.12 PFLOPS·h; a quarter cancelled leaves 7.5 and 2.34."""
    stored = bill_of(line_of(accelerator="nvidia_a100")).stored()
    assert stored["lines"][0]["pflops_hours"] == "3.12"
    (left,) = bill_of_facts(stored, {1: 5_000}).lines
    assert (Fraction(left.quantity), Fraction(left.pflops_hours or "0")) == (Fraction("7.5"), Fraction("2.34"))
    assert bill_of_facts(stored, {}).stored() == stored
