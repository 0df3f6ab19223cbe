"""Caps beside what was drawn, claim by claim: every number is worked out by hand. Amounts are fen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from app.services.reconciliation.invariants.cap_walk import (
    Claim,
    Event,
    exceeded,
    exceeded_alone,
    uncounted,
)
from app.services.rules.facts import Facts
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter

FIRST = datetime(2026, 3, 31, 4, tzinfo=UTC)
YEARLY: dict[str, Any] = {"scope": "firm", "name": "yearly", "limit_fen": 5_000}
_hours = count()


def rules(*caps: dict[str, Any], **more: Any) -> Rules:
    document = {"categories": ["training"], "rate": {"kind": "flat", "rate": "0.30"}, "caps": list(caps), **more}
    return Rules.model_validate(document)


def facts(at: datetime = FIRST, **given: Any) -> Facts:
    return Facts((), at=at, **given)


def drew(
    fen: int, by: Rules, *, bucket: Bucket | None = None, at: datetime | None = None, claims: int = 1, **given: Any
) -> Event:
    """A redemption that counts what it drew, an hour after the last."""
    at = at or FIRST + timedelta(hours=next(_hours))
    counted = ((bucket or Bucket("firm", "2026"), Counter(0, 0, fen, claims)),)
    return Event(f"drew {fen}", at, counted, by, facts(at, **given), fen)


def gave_back(fen: int, *, bucket: Bucket | None = None, claims: int = 0) -> Event:
    counted = ((bucket or Bucket("firm", "2026"), Counter(0, 0, -fen, -claims)),)
    return Event(f"gave back {fen}", FIRST + timedelta(hours=next(_hours)), counted)


def told(*events: Event, holder: str = "firm") -> list[Any]:
    return [tuple(one) for one in exceeded(holder, events)]


def test_a_yearly_cap_is_reached_and_not_passed() -> None:
    by = rules(YEARLY)
    assert told(drew(3_000, by), drew(2_000, by)) == []
    assert told(drew(3_000, by), drew(2_001, by), drew(1, by)) == [("drew 2001", "yearly", 5_000, 5_001)]
    last_year = drew(3_000, by, bucket=Bucket("firm", "2025"))
    assert told(last_year, drew(5_000, by)) == []


def test_a_refund_gives_back_for_what_comes_after_it_alone() -> None:
    by = rules(YEARLY)
    assert told(drew(3_000, by), drew(2_000, by), gave_back(1_000), drew(1_000, by)) == []
    assert told(drew(3_000, by), drew(2_000, by), drew(1_000, by), gave_back(1_000)) == [
        ("drew 1000", "yearly", 5_000, 6_000)
    ]


def test_a_group_has_one_cap_and_a_firms_counter_is_none_of_it() -> None:
    by = rules({**YEARLY, "scope": "group", "name": "of_all"})
    group = Bucket("group", "2026")
    events = (drew(3_000, by, bucket=group), drew(2_500, by, bucket=group), drew(9_000, by))
    assert told(*events, holder="group") == [("drew 2500", "of_all", 5_000, 5_500)]
    assert told(*events) == []


def test_a_version_that_lowers_the_cap_takes_nothing_back_and_grants_nothing_more() -> None:
    before, after = rules(YEARLY), rules({**YEARLY, "limit_fen": 4_000})
    assert told(drew(5_000, before), gave_back(500)) == []
    assert told(drew(5_000, before), drew(1, after)) == [("drew 1", "yearly", 4_000, 5_001)]
    assert told(drew(5_000, before), gave_back(2_000), drew(1_000, after)) == []


def test_a_cap_that_is_new_begins_anew() -> None:
    """What was drawn before it was published counts in no counter of its own."""
    before, after = rules(), rules({**YEARLY, "per": "lifetime"})
    ever = Bucket("firm", "all")
    old = Event("drew 9000", FIRST - timedelta(days=1), (), before, facts(), 9_000)
    assert told(old, drew(5_000, after, bucket=ever)) == []
    assert told(old, drew(5_000, after, bucket=ever), drew(2, after, bucket=ever)) == [
        ("drew 2", "yearly", 5_000, 5_002)
    ]


def test_an_exception_lifts_the_cap_to_what_was_approved_and_never_above_the_hard_limit() -> None:
    by = rules({**YEARLY, "hard_limit_fen": 8_000})
    approved: dict[str, Any] = {"exceptions_fen": {"yearly": 7_000}}
    assert told(drew(7_000, by, **approved)) == []
    assert told(drew(7_001, by, **approved)) == [("drew 7001", "yearly", 7_000, 7_001)]
    assert told(drew(8_001, by, exceptions_fen={"yearly": 9_000})) == [("drew 8001", "yearly", 8_000, 8_001)]
    assert told(drew(5_001, by, exceptions_fen={"another": 9_000})) == [("drew 5001", "yearly", 5_000, 5_001)]
    assert told(drew(7_000, by, **approved), drew(1, by)) == [("drew 1", "yearly", 5_000, 7_001)]
    assert told(drew(5_001, rules(YEARLY), **approved)) == [("drew 5001", "yearly", 5_000, 5_001)]


def test_aid_from_elsewhere_uses_up_a_cap_too() -> None:
    by = rules({**YEARLY, "limit_fen": 30_000, "also_counts": "holder.other_aid_fen"}, facts=OTHER_AID)
    aid: dict[str, Any] = {"holder": {"other_aid_fen": 29_000}}
    assert told(drew(1_000, by, **aid)) == []
    assert told(drew(600, by, **aid), drew(401, by, **aid)) == [("drew 401", "yearly", 1_000, 1_001)]
    assert told(drew(1, by)) == [("drew 1", "yearly", 0, 1)]


OTHER_AID = [{"name": "holder.other_aid_fen", "type": "number"}]


def test_the_limit_follows_the_fact_that_it_is_by() -> None:
    limits = {"国家级": 3_000, "省级": 1_500}
    by = rules({"scope": "firm", "name": "by_level", "limit_by": "claim.project_level", "limits_fen": limits})
    assert told(drew(3_000, by, claim={"project_level": "国家级"})) == []
    assert told(drew(1_501, by, claim={"project_level": "省级"})) == [("drew 1501", "by_level", 1_500, 1_501)]
    assert told(drew(1, by)) == [("drew 1", "by_level", 0, 1)]


def test_a_rolling_window_is_counted_to_the_day() -> None:
    """Three months up to 30 June begin on 31 March, for 30 March is three months before."""
    by = rules({**YEARLY, "per": {"months": 3}})

    def on(day: str, fen: int) -> Event:
        at = datetime.fromisoformat(f"{day}T04:00:00+00:00")
        return drew(fen, by, bucket=Bucket("firm", day), at=at)

    assert told(on("2026-03-30", 4_000), on("2026-06-30", 5_000)) == []
    assert told(on("2026-03-31", 4_000), on("2026-06-30", 5_000)) == [("drew 5000", "yearly", 5_000, 9_000)]


def test_claims_are_counted_and_one_that_was_cancelled_whole_is_none() -> None:
    by = rules({"scope": "claims", "name": "twice", "limit": 2})
    ever = Bucket("firm", "all")
    three = [drew(n, by, bucket=ever) for n in (1, 2, 3)]
    assert told(*three) == [("drew 3", "twice", 2, 3)]
    assert told(*three[:2], gave_back(2, bucket=ever, claims=1), drew(4, by, bucket=ever)) == []


def test_a_category_has_its_own_counter() -> None:
    by = rules({**YEARLY, "category": "training"})
    training = Bucket("firm", "2026", "training")
    assert told(drew(9_000, by), drew(5_000, by, bucket=training)) == []
    assert told(drew(5_001, by, bucket=training)) == [("drew 5001", "yearly", 5_000, 5_001)]


def test_claims_of_one_batch_may_have_come_in_any_order() -> None:
    low, high = rules(YEARLY), rules({**YEARLY, "limit_fen": 6_000})
    for events in ((drew(4_000, low, at=FIRST), drew(2_000, high, at=FIRST)),) * 2:
        assert told(*events) == told(*reversed(events)) == []
    assert told(drew(4_001, low, at=FIRST), drew(2_000, high, at=FIRST)) == [("drew 2000", "yearly", 6_000, 6_001)]


def test_what_left_the_voucher_counts_whatever_the_facts_say() -> None:
    by = rules(YEARLY)
    lying = Event("lies", FIRST, ((Bucket("firm", "2026"), Counter(0, 0, 3_000, 1)),), by, facts(), 6_000)
    assert told(lying) == [("lies", "yearly", 5_000, 6_000)]
    of_a_hold = Event("part", FIRST, ((Bucket("firm", "2026"), Counter(0, 0, 1, 0)),), by, facts(), 6_000, split=True)
    assert told(of_a_hold) == []


def claim(
    *counted: tuple[str, int], by: Rules, gross_fen: int = 0, net_fen: int = 0, lines: int = 1, gave_back: bool = False
) -> Claim:
    counts = tuple((Bucket("firm", period), Counter(0, 0, fen, 1)) for period, fen in counted)
    return Claim("it", by, facts(), lines, gross_fen, net_fen, counts, gave_back)


@pytest.mark.parametrize(
    ("counted", "net_fen", "gave_back", "found"),
    [
        ([("2026", 3_000)], 3_000, False, []),
        ([("2026", 3_000)], 2_000, True, []),  # rules that restore no cap
        ([("2026", 3_000)], 3_001, False, [("it", "counted firm year", 3_000, 3_001)]),
        ([("2026", 2_000)], 2_500, True, [("it", "counted firm year", 2_000, 2_500)]),
        ([("all", 3_000)], 3_000, False, [("it", "counted firm year", 0, 3_000)]),
        ([], 1, False, [("it", "counted firm year", 0, 1)]),
        ([], 0, True, []),
        ([("2026", 1_000), ("2027", 1_999)], 3_000, False, []),  # each year's share is rounded down
        ([("2026", 1_000), ("2027", 1_998)], 3_000, False, [("it", "counted firm year", 2_998, 3_000)]),
    ],
)
def test_money_that_no_cap_knows_of_is_found(
    counted: list[tuple[str, int]], net_fen: int, *, gave_back: bool, found: list[Any]
) -> None:
    judged = claim(*counted, by=rules(YEARLY), net_fen=net_fen, gave_back=gave_back)
    assert [tuple(one) for one in uncounted(judged)] == found


def test_a_bracket_without_a_cap_is_no_cap() -> None:
    bands = [{"up_to_fen": 9, "rate": {"kind": "flat", "rate": "0.50"}}, {"rate": {"kind": "flat", "rate": "0.30"}}]
    by = rules(rate={"kind": "bracket", "method": "marginal", "bands": bands})
    assert told(drew(10**12, by)) == []


def test_a_claim_and_its_lines_have_caps_of_their_own() -> None:
    by = rules(
        {"scope": "claim", "name": "bill", "limit_fen": 900}, {"scope": "line", "name": "line", "limit_fen": 400}
    )
    assert list(exceeded_alone(claim(by=by, gross_fen=800, lines=2))) == []
    assert [tuple(one) for one in exceeded_alone(claim(by=by, gross_fen=901, lines=2))] == [
        ("it", "bill", 900, 901),
        ("it", "line", 800, 901),
    ]
