from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app.kernel.problems import AppError, Code
from app.services.identity.passwords import IN_LINE, Passwords

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


@pytest.fixture(scope="module")
def stored(passwords: Passwords) -> str:
    return passwords.hash(PASSWORD, login="maker")


def matches(passwords: Passwords, password: str, stored: str | None, *, known: bool = True) -> bool:
    with passwords.in_line(known=known) as turn:
        return turn.matches(password, stored)


def test_the_right_password_matches_and_no_other_does(passwords: Passwords, stored: str) -> None:
    assert matches(passwords, PASSWORD, stored)
    assert not matches(passwords, PASSWORD + "!", stored)
    assert not matches(passwords, "", stored)


def test_it_is_kept_as_argon2id_with_64_mib(stored: str) -> None:
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_same_password_is_kept_differently_each_time(passwords: Passwords, stored: str) -> None:
    assert passwords.hash(PASSWORD, login="maker") != stored


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 129])
def test_too_short_and_too_long_ones_are_refused(passwords: Passwords, password: str) -> None:
    with pytest.raises(AppError) as refusal:
        passwords.hash(password, login="maker")
    assert refusal.value.code is Code.PASSWORD_TOO_WEAK


def test_the_login_is_no_password(passwords: Passwords) -> None:
    with pytest.raises(AppError) as refusal:
        passwords.hash("Maker.Hangzhou", login="maker.hangzhou")
    assert refusal.value.code is Code.PASSWORD_TOO_WEAK


def test_length_is_counted_in_characters_so_that_a_chinese_sentence_will_do(passwords: Passwords) -> None:
    sentence = "今天天气真好我们去西湖边"
    assert matches(passwords, sentence, passwords.hash(sentence, login="maker"))


def test_two_ways_of_typing_the_same_letters_are_one_password(passwords: Passwords) -> None:
    composed, decomposed = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    assert matches(passwords, decomposed, passwords.hash(composed, login="maker"))


def test_nobody_has_no_password_that_matches(passwords: Passwords) -> None:
    assert not matches(passwords, PASSWORD, None)


def test_an_overlong_password_does_not_match_by_its_beginning(passwords: Passwords) -> None:
    longest = "x" * 128
    stored = passwords.hash(longest, login="maker")
    assert matches(passwords, longest, stored)
    assert not matches(passwords, longest + "x", stored)


def test_unknown_people_take_as_long_as_known_ones(passwords: Passwords, stored: str) -> None:
    pairs = [(seconds(passwords, stored), seconds(passwords, None)) for _ in range(7)]
    known, unknown = (min(taken) for taken in zip(*pairs, strict=True))
    assert unknown == pytest.approx(known, rel=0.5)


def test_a_flood_is_turned_away_instead_of_queueing_without_end(passwords: Passwords, stored: str) -> None:
    def one(_: int) -> str:
        try:
            return "let in" if matches(passwords, PASSWORD, stored) else "refused"
        except AppError as refusal:
            return refusal.code

    with ThreadPoolExecutor(IN_LINE + 20) as pool:
        answers = list(pool.map(one, range(IN_LINE + 20)))
    assert set(answers) == {"let in", Code.BUSY}
    assert answers.count("let in") >= IN_LINE
    assert matches(passwords, PASSWORD, stored), "everybody who stood in line has left it"


def test_strangers_fill_their_own_line_and_nobody_elses(passwords: Passwords, stored: str) -> None:
    with ExitStack() as line:
        for _ in range(IN_LINE):
            line.enter_context(passwords.in_line(known=False))
        with pytest.raises(AppError) as refusal:
            matches(passwords, PASSWORD, stored, known=False)
        assert refusal.value.code is Code.BUSY
        assert matches(passwords, PASSWORD, stored, known=True)
    assert matches(passwords, PASSWORD, stored, known=False)


def seconds(passwords: Passwords, stored: str | None) -> float:
    """Of the processor, in all its threads: what else the machine does at the time counts for little."""
    begun = time.process_time()
    matches(passwords, "wrong password", stored)
    return time.process_time() - begun
