"""How much of a use still fits beside others, worked out by hand: 8 cards are 192 card-hours a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.redemption.day_fitting import DayUse, room_beside
from app.services.redemption.fitting import Use, first_overfull

EIGHT = Fraction(8)
FIRST = date(2026, 3, 1)


def use(first: int, last: int, amount: int | str) -> DayUse:
    """From one day to another, the first of March being day 1."""
    return DayUse(FIRST + timedelta(days=first - 1), FIRST + timedelta(days=last - 1), Fraction(amount))


def test_a_day_has_what_its_other_uses_leave() -> None:
    assert room_beside([use(1, 1, 150)], use(1, 1, 42), EIGHT) == 42
    assert room_beside([use(1, 1, 100), use(1, 1, 50)], use(1, 1, 43), EIGHT) == 42
    assert room_beside([use(1, 1, 192)], use(2, 2, 192), EIGHT) == 192, "another day"
    assert room_beside([use(1, 1, 192)], use(1, 1, "0.000001"), EIGHT) == 0
    assert room_beside([use(1, 1, "191.5")], use(1, 1, 1), EIGHT) == Fraction(1, 2)


def test_a_use_of_several_days_may_lie_on_any_of_them() -> None:
    """March, 31 days, is 5,952. With 5,000 somewhere in it each day has 192 until 952 are taken of all of them."""
    month = use(1, 31, 5_000)
    assert room_beside([month], use(15, 15, 192), EIGHT) == 192
    four_days = [use(day, day, 192) for day in (1, 2, 3, 4)]
    assert room_beside([month, *four_days], use(5, 5, 192), EIGHT) == 184  # 952 − 4 × 192
    assert room_beside([month, use(40, 40, 192)], use(5, 5, 192), EIGHT) == 192, "a day outside"
    assert room_beside(four_days, use(1, 31, 5_952), EIGHT) == 5_184  # 27 × 192


def test_a_use_across_midnight_takes_what_is_free_on_either_day() -> None:
    across = use(1, 2, 100)
    assert room_beside([across], use(1, 1, 192), EIGHT) == 192, "all of it may have been after midnight"
    assert room_beside([across, use(1, 1, 192)], use(2, 2, 192), EIGHT) == 92
    assert room_beside([use(1, 1, 192), use(2, 2, 180)], across, EIGHT) == 12


def test_what_was_too_much_before_is_not_laid_to_a_day_that_is_free() -> None:
    """500 were drawn on the first with a flag; a job of both days has the second."""
    flagged = use(1, 1, 500)
    assert room_beside([flagged], use(2, 2, 192), EIGHT) == 192
    assert room_beside([flagged, use(1, 2, 10)], use(2, 2, 192), EIGHT) == 182
    assert room_beside([flagged], use(1, 2, 193), EIGHT) == 192
    assert room_beside([flagged], use(1, 1, 1), EIGHT) == 0


def test_days_are_looked_at_as_far_as_the_uses_that_share_a_day() -> None:
    """Days 1–2 are full, and so are 2–3: what is new on day 1 has met the first job, and with it day 2."""
    beside = [use(1, 2, 192), use(2, 2, 192)]
    assert room_beside(beside, use(1, 1, 10), EIGHT) == 0
    further = [use(1, 2, 192), use(2, 3, 192), use(3, 3, 192)]
    assert room_beside(further, use(1, 1, 10), EIGHT) == 10, "it has not met the job of days 2–3"


@pytest.mark.parametrize(
    ("rate", "room"), [(Fraction(1), 24), (Fraction(5, 2), 60), (Fraction("0.3"), Fraction("7.2"))]
)
def test_it_goes_by_the_rate(rate: Fraction, room: Fraction) -> None:
    assert room_beside([], use(1, 1, 1_000), rate) == room


MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = st.tuples(st.integers(0, 95), st.integers(1, 60), st.integers(1, 60))


def days_of(used: Use) -> DayUse:
    return DayUse(used.since.date(), (used.until - timedelta(microseconds=1)).date(), used.amount)


@given(st.lists(HOURS, min_size=1, max_size=8), st.sampled_from([Fraction(1), Fraction(3, 2)]))
def test_uses_that_can_all_be_true_are_never_found_short(drawn: list[tuple[int, int, int]], rate: Fraction) -> None:
    """The promise: whatever by the instant has room together has it by the day, each beside those before it."""
    uses: list[Use] = []
    for since, hours, amount in drawn:
        start = MIDNIGHT + timedelta(hours=since)
        one = Use(Fraction(amount), start, start + timedelta(hours=hours))
        if first_overfull([*uses, one], rate) is None:
            uses.append(one)
    by_day = [days_of(one) for one in uses]
    for place, own in enumerate(by_day):
        others = by_day[:place] + by_day[place + 1 :]
        assert room_beside(by_day[:place], own, rate) == own.amount
        assert room_beside(others, own, rate) == own.amount


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(1, 60)), max_size=7),
    st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(1, 100)),
)
def test_what_is_short_is_proved_by_days_that_are_too_few(
    drawn: list[tuple[int, int, int]], own: tuple[int, int, int]
) -> None:
    """Where the others fit, and this does not, there are days that hold it and uses within them that are too much."""
    rate, day = Fraction(1), 24

    def span(one: tuple[int, int, int]) -> DayUse:
        first, more, amount = one
        return use(first, first + more, amount)

    def too_much(uses: list[DayUse]) -> bool:
        windows = [(one.first_on, other.last_on) for one in uses for other in uses if one.first_on <= other.last_on]
        return any(
            sum(one.amount for one in uses if since <= one.first_on and one.last_on <= until)
            > day * ((until - since).days + 1)
            for since, until in windows
        )

    others: list[DayUse] = []
    for one in map(span, drawn):
        if not too_much([*others, one]):
            others.append(one)
    mine = span(own)
    room = room_beside(others, mine, rate)
    assert 0 <= room <= mine.amount
    if room < mine.amount:
        assert too_much([*others, mine])
    met = [one for one in others if one.first_on <= mine.last_on and mine.first_on <= one.last_on]
    if met == others:
        assert (room < mine.amount) == too_much([*others, mine])
        assert not too_much([*others, mine._replace(amount=room)])
