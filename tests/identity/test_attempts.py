from __future__ import annotations

import tracemalloc

import pytest

from app.kernel.problems import AppError, Code
from app.services.identity.attempts import FAILURES, REST_S, Attempts


class Timer:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def rests(attempts: Attempts, login: str = "maker") -> bool:
    try:
        attempts.check(login)
    except AppError as refusal:
        return refusal.code is Code.TOO_MANY_ATTEMPTS and refusal.retry_after_s == REST_S
    return False


def test_a_login_rests_after_the_last_failure_allowed_and_others_do_not() -> None:
    attempts = Attempts()
    for _ in range(FAILURES):
        assert not rests(attempts)
        attempts.failed("maker")
    assert rests(attempts)
    assert not rests(attempts, "checker")


@pytest.mark.parametrize("asked_meanwhile", [0, 50])
def test_it_rests_no_longer_however_often_it_is_tried(asked_meanwhile: int) -> None:
    timer = Timer()
    attempts = Attempts(timer=timer)
    for _ in range(FAILURES):
        attempts.failed("maker")
    for _ in range(asked_meanwhile):
        timer.s += REST_S / 100
        assert rests(attempts)
    timer.s = REST_S
    assert not rests(attempts)


def test_whoever_gets_in_begins_anew() -> None:
    attempts = Attempts()
    for _ in range(FAILURES - 1):
        attempts.failed("maker")
    attempts.succeeded("maker")
    attempts.failed("maker")
    assert not rests(attempts)


def test_what_is_remembered_of_a_login_is_short_however_long_it_is() -> None:
    attempts = Attempts()
    tracemalloc.start()
    for number in range(20):
        attempts.failed(f"{number}{'x' * 1_000_000}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    assert not rests(attempts, f"0{'x' * 1_000_000}")


def test_strangers_logins_take_a_bounded_place() -> None:
    attempts = Attempts()
    for number in range(20_000):
        attempts.failed(f"login{number}")
    assert not rests(attempts, "login0")


def test_who_makes_one_login_rest_does_not_bring_another_nearer_to_it() -> None:
    attempts = Attempts(timer=Timer())
    for _ in range(FAILURES):
        attempts.failed("attacked")
    for _ in range(FAILURES - 1):
        attempts.failed("another")
    attempts.check("another")
