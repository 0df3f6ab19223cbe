from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from app.api.principal_cache import PrincipalCache
from app.kernel.clock import utc_now
from app.services.identity.principals import Principal

SOMEBODY = Principal("usr_1", "org_1", "330100", ())
TOMORROW = utc_now() + timedelta(days=1)


class Timer:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_a_verified_token_is_remembered_for_a_moment_only() -> None:
    timer = Timer()
    cache = PrincipalCache(15, timer=timer)
    cache.put("token", SOMEBODY, expires_at=TOMORROW)
    assert cache.get("token") is SOMEBODY
    timer.s += 14.9
    assert cache.get("token") is SOMEBODY
    timer.s += 0.1
    assert cache.get("token") is None


def test_it_is_never_remembered_past_its_own_end() -> None:
    timer = Timer()
    cache = PrincipalCache(15, timer=timer)
    cache.put("token", SOMEBODY, expires_at=utc_now() + timedelta(seconds=5))
    timer.s += 5
    assert cache.get("token") is None


def test_an_ended_token_is_not_remembered_at_all() -> None:
    cache = PrincipalCache(15)
    cache.put("token", SOMEBODY, expires_at=utc_now() - timedelta(seconds=1))
    assert cache.get("token") is None


def test_nothing_is_remembered_where_nothing_shall_be() -> None:
    cache = PrincipalCache(0)
    cache.put("token", SOMEBODY, expires_at=TOMORROW)
    assert cache.get("token") is None


def test_a_stranger_finds_nothing() -> None:
    cache = PrincipalCache(15)
    cache.put("token", SOMEBODY, expires_at=TOMORROW)
    assert cache.get("other") is None


def test_it_stays_bounded_while_threads_share_it() -> None:
    cache = PrincipalCache(15, size=100)

    def use(number: int) -> None:
        for turn in range(200):
            cache.put(f"{number}-{turn}", SOMEBODY, expires_at=TOMORROW)
            cache.get(f"{number}-{turn // 2}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert sum(cache.get(f"{number}-{turn}") is not None for number in range(8) for turn in range(200)) <= 100
