from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import ValidationError

from app.api.principal_cache import PrincipalCache
from app.kernel.clock import utc_now
from app.services.identity.principals import Principal
from app.settings import Settings

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


def settings(**given: object) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://nobody@localhost/none"} | given)


@pytest.mark.parametrize(
    ("name", "longest_s"),
    [("principal_cache_s", 60), ("access_token_ttl_s", 600), ("personal_token_ttl_s", 12 * 3600)],
)
def test_no_setting_makes_a_token_outlive_what_is_promised(name: str, longest_s: int) -> None:
    """A revocation counts within a minute everywhere; a machine's token lives ten minutes, a person's half a day."""
    assert getattr(settings(**{name: longest_s}), name) == longest_s
    with pytest.raises(ValidationError):
        settings(**{name: longest_s + 1})


def test_what_is_safe_is_the_default() -> None:
    default = Settings(database_url="postgresql://nobody@localhost/none")
    assert default.staff_second_factor is True
    assert default.step_up_max_age_s <= 900 and default.session_idle_s <= 1800 and default.session_max_s <= 12 * 3600
    assert default.limit_client and default.limit_source and default.limit_voucher
    assert default.proxies == default.outbound_networks == default.hosts == ""
