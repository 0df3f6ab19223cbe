"""What a bill counts of its provider's capacity, what other bills leave it, and what is stored of both."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from typing import Any

import pytest

from app.kernel.vocabulary import Sign
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.capacity_uses import Counted, counted_by, days_of, given_back
from app.services.redemption.evidence import flagged_again, flags_of, grounds_to_store, judge_evidence, with_flags
from app.services.redemption.grounds import Capacity, Grounds, Taken
from app.services.rules.bill_checks import Verdict
from app.services.rules.model import Rules
from tests.redemption.test_evidence import bill_of, found, line_of, rules_of

MARCH_1, MARCH_2 = date(2026, 3, 1), date(2026, 3, 2)


def asking(verdict: Verdict | None = "refuse") -> Rules:
    return rules_of(bill_checks={"capacity": {"beyond": verdict}})


def used(since: str, until: str, quantity: str = "10", **changes: Any) -> BillLine:
    """A line between two instants such as `2026-03-01T08:00+08:00`."""
    times = {"used_from": datetime.fromisoformat(since), "used_until": datetime.fromisoformat(until)}
    return line_of(quantity=quantity, **times, **changes)


def on_day(quantity: str, **changes: Any) -> BillLine:
    """On the first of March, all day."""
    return used("2026-03-01T00:00+08:00", "2026-03-02T00:00+08:00", quantity, **changes)


def taken(
    amount: str, *, site: str = "", unit: str = "card_hour", first: date = MARCH_1, last: date = MARCH_1
) -> Taken:
    return Taken(site, unit, first, last, Fraction(amount))


def evidence(bill: Bill, rules: Rules, grounds: Grounds) -> dict[str, Any]:
    stored = grounds_to_store(rules, bill, grounds, judge_evidence(bill, rules, grounds))
    assert stored is not None
    return stored


# -- which days


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("2026-03-01T00:00+08:00", "2026-03-02T00:00+08:00", (MARCH_1, MARCH_1)),
        ("2026-03-01T22:00+08:00", "2026-03-02T02:00+08:00", (MARCH_1, MARCH_2)),
        ("2026-03-01T00:00+00:00", "2026-03-01T16:00+00:00", (MARCH_1, MARCH_1)),  # 08:00 to midnight in Shanghai
        ("2026-03-01T00:00+00:00", "2026-03-01T16:00:01+00:00", (MARCH_1, MARCH_2)),
        ("2026-02-28T16:00+00:00", "2026-02-28T17:00+00:00", (MARCH_1, MARCH_1)),
        ("2026-03-01T12:00+08:00", "2026-03-01T12:00+08:00", (MARCH_1, MARCH_1)),
    ],
)
def test_days_are_those_of_shanghai_and_midnight_belongs_to_the_day_before(
    since: str, until: str, days: tuple[date, date]
) -> None:
    assert days_of(Bill(1, (used(since, until),))) == ({1: days}, {})


def test_only_compute_with_both_times_has_days() -> None:
    start = datetime.fromisoformat("2026-03-01T00:00+08:00")
    bill = Bill(
        1, (line_of(), line_of(used_from=start), on_day("1", unit="node_hour"), on_day("1", unit="pflops_hour"))
    )
    assert days_of(bill) == ({4: (MARCH_1, MARCH_1)}, {})


def test_a_bill_touches_a_years_days_at_most() -> None:
    year = used("2024-01-01T00:00+08:00", "2025-01-01T00:00+08:00")  # 366 days
    longer = used("2024-01-01T00:00+08:00", "2025-01-01T00:00:01+08:00")
    within = used("2024-06-01T00:00+08:00", "2024-07-01T00:00+08:00")
    days, too_many = days_of(Bill(1, (year, within, on_day("1"))))
    assert (sorted(days), too_many) == ([1, 2], {3: 367})
    grounds, rules = Grounds(provider=Capacity(cards=8)), asking()
    too_long = (Sign.USAGE_TIMES_TOO_LONG, 1, "used_until", "refuse", "366", "367")
    assert found(bill_of(longer), rules, grounds) == [too_long]
    assert evidence(bill_of(longer), asking("flag"), grounds)["uses"] == []
    assert "uses" not in evidence(bill_of(longer), asking("flag"), Grounds())
    assert found(bill_of(longer), rules, Grounds())[0][0] == Sign.CAPACITY_NOT_DECLARED
    assert found(bill_of(longer), asking(None), grounds) == []


# -- what is counted


def test_covered_lines_count_in_each_measure_and_for_the_sites_that_are_registered() -> None:
    """100 card-hours of a 910B3 are 31.3 PFLOPS·h."""
    bill = bill_of(
        on_day("100", accelerator="ascend_910b3", provider_site="a"),
        on_day("5", category="storage"),
        on_day("0"),
        on_day("2.5", unit="pflops_hour", provider_site="elsewhere"),
        used("2026-03-01T22:00+08:00", "2026-03-02T02:00+08:00", "7"),
    )
    grounds = Grounds(provider=Capacity(cards=8), sites={"a": Capacity()})
    assert counted_by(evidence(bill, asking("flag"), grounds)) == [
        Counted(1, taken("100", site="a")),
        Counted(1, taken("31.3", site="a", unit="pflops_hour")),
        Counted(4, taken("2.5", unit="pflops_hour")),
        Counted(5, taken("7", last=MARCH_2)),
    ]


def test_nothing_is_counted_where_nobody_asks_or_nothing_is_declared() -> None:
    bill, declared = bill_of(on_day("10")), Grounds(provider=Capacity(cards=8))
    assert "uses" not in evidence(bill, asking(), Grounds())
    prices_only = rules_of(bill_checks={"price": {"above_list": "flag"}})
    assert "uses" not in evidence(bill, prices_only, declared)
    assert grounds_to_store(rules_of(), bill, declared, ()) is None


def test_a_refund_takes_off_what_it_cancels_rounded_so_that_nothing_is_left_of_the_whole() -> None:
    """Of 10 card-hours for 20,000 fen each fen is 0.0005; a third of 10 that stays is 3.333333333333."""
    bill = bill_of(on_day("10"), on_day("3"))
    facts = {"bill": bill.stored(), "evidence": evidence(bill, asking(), Grounds(provider=Capacity(cards=8)))}
    first = given_back(facts, {1: 13_333}, {1: 13_333})
    assert first == [Counted(1, taken("-6.6665"))]
    second = given_back(facts, {1: 1, 2: 20_000}, {1: 13_334, 2: 20_000})
    assert second == [Counted(1, taken("-0.0005")), Counted(2, taken("-3"))]
    third = given_back(facts, {1: 6_666}, {1: 20_000, 2: 20_000})
    assert sum(one.taken.amount for one in (*first, *second, *third)) == -13
    thirds = {"bill": {"lines": [{"amount_fen": 3}]}, "evidence": {"uses": facts["evidence"]["uses"][:1]}}
    (one,) = given_back(thirds, {1: 1}, {1: 1})
    assert one.taken.amount == -Fraction("3.333333333334"), "what stays is rounded down"
    assert sum(given_back(thirds, {1: 1}, {1: n})[0].taken.amount for n in (1, 2, 3)) == -10
    assert given_back({"bill": bill.stored()}, {1: 1}, {1: 1}) == [], "what was redeemed before counted nothing"
    assert counted_by({"uses": [one.stored()]}) == [one]


# -- what other bills leave


def test_a_bill_that_does_not_fit_beside_others_is_told_what_they_leave() -> None:
    """8 cards are 192 on that day; 150 are taken."""
    grounds = Grounds(provider=Capacity(cards=8), taken=(taken("100", site="b"), taken("50")))
    assert found(bill_of(on_day("42")), asking(), grounds) == []
    short = (Sign.CAPACITY_USED_UP, 1, "quantity", "refuse", "42", "42.5")
    assert found(bill_of(on_day("42.5")), asking(), grounds) == [short]
    assert found(bill_of(on_day("42"), on_day("1")), asking(), grounds) == [
        (Sign.CAPACITY_USED_UP, 2, "quantity", "refuse", "0", "1")
    ], "the lines before it take theirs"
    tomorrow = used("2026-03-02T00:00+08:00", "2026-03-03T00:00+08:00", "192")
    assert found(bill_of(tomorrow), asking(), grounds) == []


def test_what_the_bill_alone_shows_goes_before_what_others_show() -> None:
    grounds = Grounds(provider=Capacity(cards=8), taken=(taken("150"),))
    assert found(bill_of(on_day("193")), asking(), grounds) == [
        (Sign.BEYOND_CAPACITY, 1, "quantity", "refuse", "192", "193")
    ]


def test_lines_that_alone_are_too_many_are_no_other_bills_fault() -> None:
    """Of three lines the second is beyond 192; what is taken of the next day adds nothing."""
    bill, beyond = bill_of(on_day("150"), on_day("150"), on_day("10")), (Sign.BEYOND_CAPACITY, 2)
    for others in ((), (taken("5", first=MARCH_2, last=MARCH_2),)):
        found_there = found(bill, asking(), Grounds(provider=Capacity(cards=8), taken=others))
        assert [one[:2] for one in found_there] == [beyond]
    beside = Grounds(provider=Capacity(cards=8), taken=(taken("5"),))
    assert [one[:2] for one in found(bill_of(on_day("190")), asking(), beside)] == [(Sign.CAPACITY_USED_UP, 1)]


def test_two_sites_have_their_own_and_the_provider_all_together() -> None:
    """Site a has 4 cards (96), b has 8 (192), the provider 10 (240)."""
    sites = {"a": Capacity(cards=4), "b": Capacity(cards=8)}
    grounds = Grounds(provider=Capacity(cards=10), sites=sites, taken=(taken("90", site="a"), taken("100", site="b")))
    rules = asking()
    assert found(bill_of(on_day("6", provider_site="a")), rules, grounds) == []
    assert found(bill_of(on_day("7", provider_site="a")), rules, grounds)[0][4:] == ("6", "7")
    assert found(bill_of(on_day("50", provider_site="b")), rules, grounds) == []
    assert found(bill_of(on_day("51", provider_site="b")), rules, grounds)[0][4:] == ("50", "51"), "240 − 190"
    assert found(bill_of(on_day("51")), rules, grounds)[0][4:] == ("50", "51")
    (finding,) = judge_evidence(bill_of(on_day("7", provider_site="a")), rules, grounds)
    assert finding.context["place_en"] == "the site a"


def test_card_hours_of_named_cards_fill_the_pflops_too() -> None:
    """1 PFLOPS is 24 PFLOPS·h a day; 20 are taken. 16 card-hours of a 910B3 are 5.008."""
    grounds = Grounds(provider=Capacity(cards=8, pflops="1"), taken=(taken("20", unit="pflops_hour"),))
    short = (Sign.CAPACITY_USED_UP, 1, "quantity", "refuse", "4", "5.008")
    assert found(bill_of(on_day("16", accelerator="ascend_910b3")), asking(), grounds) == [short]
    assert found(bill_of(on_day("16")), asking(), grounds) == [], "a card that is not named computes nobody knows what"
    assert found(bill_of(on_day("4", unit="pflops_hour")), asking(), grounds) == []


def test_a_smaller_declaration_leaves_less_and_a_greater_one_more() -> None:
    takes = (taken("150"),)
    bill = bill_of(on_day("10"))
    for cards, left in ((8, None), (6, "0"), (7, None)):  # 192, 144, 168
        grounds = Grounds(provider=Capacity(cards=cards), taken=takes)
        assert [one[4] for one in found(bill, asking(), grounds)] == ([] if left is None else [left])


def test_flags_come_out_of_what_is_stored_without_the_other_bills() -> None:
    rules, bill = asking("flag"), bill_of(on_day("50"))
    grounds = Grounds(provider=Capacity(cards=8), taken=(taken("150"), *(taken("1", site=f"s{n}") for n in range(50))))
    bare = {"v": 2, "steps": [{"step": "rule_version"}], "reductions": []}
    trace = with_flags(bare, judge_evidence(bill, rules, grounds))
    assert flags_of(trace) == [{"code": "capacity_used_up", "line": 1, "limit": "0", "actual": "50"}]
    stored = evidence(bill, rules, grounds)
    assert stored["short"] == [{"line": 1, "site": None, "unit": "card_hour", "left": "0"}]
    assert "taken" not in stored
    assert flagged_again(bill, rules, stored, bare) == trace
    fits = Grounds(provider=Capacity(cards=8), taken=(taken("1"),))
    assert "short" not in evidence(bill, rules, fits)
    assert flagged_again(bill, rules, evidence(bill, rules, fits), bare) is bare


def test_a_long_bill_that_was_drawn_before_days_were_counted_comes_out_as_it_was() -> None:
    """Its stored grounds say nothing of uses, its trace nothing of days."""
    rules, bill = asking("flag"), bill_of(used("2024-01-01T00:00+08:00", "2025-01-01T00:00:01+08:00"))
    bare = {"v": 2, "steps": [{"step": "rule_version"}], "reductions": []}
    before = {"provider": {"cards": 8, "pflops": None}, "sites": {}, "prices": [], "billed": {}}
    assert flagged_again(bill, rules, before, bare) is bare
    stored = evidence(bill, rules, Grounds(provider=Capacity(cards=8)))
    assert stored == before | {"uses": []}
    (flag,) = flags_of(flagged_again(bill, rules, stored, bare))
    assert flag["code"] == "usage_times_too_long"
