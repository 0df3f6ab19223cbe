"""Giving out a pool: every method to the fen, and properties that hold for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.rules.allocation import Ask, allocate, largest_remainder
from app.services.rules.budget import Allocation

METHODS = ("first_come", "ranked", "pro_rata", "lottery", "quota_tiers", "entitlement")
EXHAUSTION = ("partial", "stop", "skip", "waitlist")
TIERS = [{"tier": "1", "share": "0.30"}, {"tier": "2", "share": "0.50"}, {"tier": "3", "share": "0.20"}]


def allocation(method: str, on_exhaustion: str = "partial", **others: Any) -> Allocation:
    quotas = {"quotas": TIERS} if method == "quota_tiers" else {}
    return Allocation.model_validate({"method": method, "on_exhaustion": on_exhaustion} | quotas | others)


def asks(*amounts: int) -> list[Ask]:
    return [Ask(chr(ord("A") + place), fen) for place, fen in enumerate(amounts)]


@pytest.mark.parametrize(
    ("asked", "pool_fen", "granted"),
    [
        ((100, 100, 100), 100, [34, 33, 33]),  # equal remainders: in the order given
        ((100, 200, 400), 100, [14, 29, 57]),  # 14.29, 28.57, 57.14: the largest remainder takes the spare fen
        ((1, 1, 1), 2, [1, 1, 0]),
        ((0, 5, 5), 3, [0, 2, 1]),
        ((100, 200, 400), 700, [100, 200, 400]),
        ((100, 200, 400), 9999, [100, 200, 400]),
        ((100, 200, 400), 0, [0, 0, 0]),
        ((0, 0), 100, [0, 0]),
        ((), 100, []),
        ((10**15, 10**15), 10**15 - 1, [5 * 10**14, 5 * 10**14 - 1]),
    ],
)
def test_pro_rata_adds_up_to_the_pool_by_largest_remainder(
    asked: tuple[int, ...], pool_fen: int, granted: list[int]
) -> None:
    assert [award.granted_fen for award in allocate(allocation("pro_rata"), asks(*asked), pool_fen)] == granted


def test_ranks_go_by_score_and_ties_by_order() -> None:
    applied = [Ask("A", 100, score=7), Ask("B", 100, score=9), Ask("C", 100, score=7), Ask("D", 100, score=8)]
    awards = allocate(allocation("ranked", "waitlist"), applied, 250)
    assert [(award.id, award.granted_fen, award.waits) for award in awards] == [
        ("B", 100, False),
        ("D", 100, False),
        ("A", 0, True),
        ("C", 0, True),
    ]


def test_a_lottery_is_replayed_from_its_published_seed() -> None:
    # printf '2026-06-30\n%s' A | sha256sum, and so on: the hashes sort the claims.
    awards = allocate(allocation("lottery", "stop"), asks(10, 10, 10, 10), 20, seed="2026-06-30")
    again = allocate(allocation("lottery", "stop"), asks(10, 10, 10, 10)[::-1], 20, seed="2026-06-30")
    assert [award.id for award in awards] == ["A", "B", "D", "C"]
    assert awards == again
    assert [award.granted_fen for award in awards] == [10, 10, 0, 0]


@settings(max_examples=100)
@given(st.data(), st.text(min_size=1), st.sampled_from(EXHAUSTION), st.integers(0, 60))
def test_the_order_of_the_list_does_not_touch_a_lottery(
    data: st.DataObject, seed: str, on_exhaustion: str, pool_fen: int
) -> None:
    applied = asks(*data.draw(st.lists(st.integers(0, 20), max_size=8)))
    otherwise = data.draw(st.permutations(applied))
    drawn = allocate(allocation("lottery", on_exhaustion), applied, pool_fen, seed=seed)
    assert allocate(allocation("lottery", on_exhaustion), otherwise, pool_fen, seed=seed) == drawn


def test_another_seed_draws_another_order() -> None:
    drawn = {
        tuple(award.id for award in allocate(allocation("lottery"), asks(1, 1, 1, 1), 4, seed=seed))
        for seed in ("a", "b", "c", "d", "e", "f")
    }
    assert len(drawn) > 1


def test_tiers_share_the_money() -> None:
    applied = [Ask(f"{tier}{number}", 30, tier=tier) for tier in "123" for number in range(3)]
    awards = allocate(allocation("quota_tiers"), applied, 150)  # 45, 75 and 30
    assert [award.granted_fen for award in awards] == [30, 15, 0, 30, 30, 15, 30, 0, 0]


def test_what_a_tier_leaves_goes_to_no_other() -> None:
    awards = allocate(allocation("quota_tiers"), [Ask("A", 1000, tier="3")], 1000)
    assert [award.granted_fen for award in awards] == [200]


@pytest.mark.parametrize(
    ("pool_fen", "shares"), [(100, [30, 50, 20]), (101, [30, 51, 20]), (7, [2, 4, 1]), (1, [0, 1, 0])]
)
def test_the_tiers_shares_add_up_to_the_pool(pool_fen: int, shares: list[int]) -> None:
    applied = [Ask(tier, 10**6, tier=tier) for tier in "123"]
    assert [award.granted_fen for award in allocate(allocation("quota_tiers"), applied, pool_fen)] == shares


def test_tiers_share_the_places_and_pass_over_a_full_tier() -> None:
    applied = [Ask("a", 5, 9, "1"), Ask("b", 5, 8, "1"), Ask("c", 5, 7, "1"), Ask("d", 5, 6, "1"), Ask("e", 5, 5, "2")]
    awards = allocate(allocation("quota_tiers", "stop", places=10), applied, 1000)
    assert [award.granted_fen for award in awards] == [5, 5, 5, 0, 5]
    assert [award.reason for award in awards] == [None, None, None, "TIER_FULL", None]


def test_places_help_nobody_once_the_money_is_used_up() -> None:
    applied = [Ask(f"{tier}{number}", 40, tier=tier) for number in range(2) for tier in "123"]
    awards = allocate(allocation("quota_tiers", "stop", places=10), applied, 100)
    assert [award.granted_fen for award in awards] == [40, 40, 0, 0, 0, 0]


@pytest.mark.parametrize("places", [{}, {"places": 10}])
def test_a_claim_of_no_known_tier_gets_nothing_and_waits_for_nothing(places: dict[str, int]) -> None:
    (award,) = allocate(allocation("quota_tiers", "waitlist", **places), [Ask("A", 10, tier="9")], 1000)
    assert (award.granted_fen, award.reason, award.waits) == (0, "TIER_UNKNOWN", False)


def test_nobody_gets_more_than_his_project_is_entitled_to() -> None:
    applied = [Ask("A", 50, entitled_fen=30), Ask("B", 20, entitled_fen=30), Ask("C", 40, entitled_fen=40)]
    awards = allocate(allocation("entitlement", "waitlist"), applied, 60)
    assert [(award.granted_fen, award.reason, award.waits_fen) for award in awards] == [
        (30, "ENTITLEMENT", 0),
        (20, None, 0),
        (0, "BUDGET_EXHAUSTED", 40),
    ]


def test_who_waits_waits_for_no_more_than_is_due() -> None:
    awards = allocate(allocation("entitlement", "waitlist"), [Ask("A", 50, entitled_fen=30)], 10)
    assert [(award.granted_fen, award.reason, award.waits_fen) for award in awards] == [(0, "BUDGET_EXHAUSTED", 30)]


@pytest.mark.parametrize("method", ["first_come", "entitlement"])
def test_the_order_given_is_the_order_of_service(method: str) -> None:
    awards = allocate(allocation(method), asks(50, 60, 70), 100)
    assert [(award.id, award.granted_fen) for award in awards] == [("A", 50), ("B", 50), ("C", 0)]


def test_a_claim_that_asks_for_nothing_is_not_cut() -> None:
    assert [award.reason for award in allocate(allocation("first_come", "stop"), asks(9, 0), 5)] == [
        "BUDGET_EXHAUSTED",
        None,
    ]


@pytest.mark.parametrize(
    ("method", "applied", "pool_fen", "others"),
    [
        ("first_come", asks(1), -1, {}),
        ("first_come", [Ask("A", -1)], 1, {}),
        ("first_come", [Ask("A", 1), Ask("A", 1)], 1, {}),
        ("lottery", asks(1), 1, {}),
        ("lottery", asks(1), 1, {"seed": ""}),
        ("quota_tiers", asks(1), 1, {"places": -1}),
        ("entitlement", [Ask("A", 1, entitled_fen=-1)], 1, {}),
    ],
)
def test_what_cannot_be_allocated_is_refused(
    method: str, applied: list[Ask], pool_fen: int, others: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"zero|id|seed"):
        allocate(allocation(method), applied, pool_fen, **others)


applications = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 3),
        st.sampled_from(["1", "2", "3", "9"]),
        st.none() | st.integers(0, 10**6),
    ),
    max_size=12,
).map(lambda rows: [Ask(f"c{place}", *row) for place, row in enumerate(rows)])


@settings(max_examples=150)
@given(
    st.sampled_from(METHODS),
    st.sampled_from(EXHAUSTION),
    applications,
    st.integers(0, 3 * 10**6),
    st.none() | st.integers(1, 12),
)
def test_a_pool_is_never_overdrawn_and_nobody_forgotten(
    method: str, on_exhaustion: str, applied: list[Ask], pool_fen: int, places: int | None
) -> None:
    stated = {"places": places} if method == "quota_tiers" else {}
    awards = allocate(allocation(method, on_exhaustion, **stated), applied, pool_fen, seed="s")
    assert sorted(award.id for award in awards) == sorted(ask.id for ask in applied)
    assert sum(award.granted_fen for award in awards) <= pool_fen
    for award in awards:
        due_fen = next(ask.due_fen for ask in applied if ask.id == award.id)
        assert 0 <= award.granted_fen <= award.granted_fen + award.waits_fen <= due_fen <= award.asked_fen
        assert (award.reason is not None) == (award.granted_fen < award.asked_fen)
        assert not award.waits or (award.reason and on_exhaustion == "waitlist")


@settings(max_examples=100)
@given(st.lists(st.integers(0, 10**9), max_size=10), st.integers(0, 10**10))
def test_pro_rata_gives_all_of_the_pool_or_all_that_is_asked(asked: list[int], pool_fen: int) -> None:
    awards = allocate(allocation("pro_rata"), asks(*asked), pool_fen)
    assert sum(award.granted_fen for award in awards) == min(pool_fen, sum(asked))
    total = sum(asked)
    for award in awards:  # within a fen of the exact share
        assert abs(award.granted_fen * total - award.asked_fen * min(pool_fen, total)) < max(total, 1)


@settings(max_examples=100)
@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), max_size=10))
def test_the_largest_remainders_take_what_is_spare(total: int, weights: list[int]) -> None:
    assert sum(largest_remainder(total, weights)) == (total if any(weights) else 0)
