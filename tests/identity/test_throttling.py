"""How long guessing waits: the rule, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.services.identity.throttling import Count, Scope, counted, key, network, rest_after, rest_left

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def failed(scope: Scope, times: int, *, every: timedelta = timedelta(0)) -> Count:
    count: Count | None = None
    for number in range(times):
        count = counted(scope, count, at=NOON + number * every)
    assert count is not None
    return count


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        (1, 0),
        (4, 0),
        (5, 1),
        (6, 2),
        (7, 4),
        (8, 8),
        (9, 16),
        (10, 900),
        (11, 1800),
        (16, 57_600),
        (17, 86_400),
        (90, 86_400),
    ],
)
def test_each_failure_after_the_fourth_makes_the_next_try_wait_longer(failures: int, seconds: int) -> None:
    assert rest_after(failures) == timedelta(seconds=seconds)
    assert rest_left(failed(Scope.OWN, failures), at=NOON) == timedelta(seconds=seconds)


def test_failures_are_forgotten_an_hour_after_the_rest_they_brought() -> None:
    locked = failed(Scope.OWN, 10)
    assert locked.forgotten_at == NOON + timedelta(minutes=75)
    assert counted(Scope.OWN, locked, at=NOON + timedelta(minutes=74)).failures == 11
    assert counted(Scope.OWN, locked, at=NOON + timedelta(minutes=75)).failures == 1


@pytest.mark.parametrize(
    ("scope", "limit", "within"),
    [
        (Scope.ACCOUNT, 100, timedelta(hours=1)),
        (Scope.SOURCE, 100, timedelta(hours=1)),
        (Scope.CODE, 20, timedelta(days=1)),
    ],
)
def test_a_budget_rests_until_its_time_is_over_and_no_longer(scope: Scope, limit: int, within: timedelta) -> None:
    almost = failed(scope, limit - 1, every=timedelta(seconds=1))
    assert rest_left(almost, at=NOON) == timedelta(0)
    spent = counted(scope, almost, at=NOON + timedelta(minutes=2))
    assert rest_left(spent, at=NOON + timedelta(minutes=2)) == within - timedelta(minutes=2)
    assert counted(scope, spent, at=NOON + within) == Count(1, None, NOON + 2 * within)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("unknown", "unknown", True),
    ],
)
def test_one_line_is_one_source(one: str, other: str, *, same: bool) -> None:
    assert (network(one) == network(other)) is same


def test_a_key_is_short_and_of_its_own_for_each_scope_and_account() -> None:
    keys = {key(Scope.OWN, "a", "b").sha256, key(Scope.OWN, "ab").sha256, key(Scope.ACCOUNT, "a", "b").sha256}
    assert len(keys) == 3
    assert len(key(Scope.OWN, "x" * 1_000_000, "\ud800").sha256) == 32
