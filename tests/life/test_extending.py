"""What an extension makes of a validity, and what the rules let officials do: pure, with days worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.kernel.clock import end_of_day
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ExtensionGround
from app.services.rules.model import Rules
from app.services.vouchers.extending import Before, Validity, Wanted, decide_extension, stood_still


def rules(grace_days: int = 0, **extension: Any) -> Rules:
    document = {"categories": ["training"], "rate": {"kind": "flat", "rate": "0.3"}, "grace_days": grace_days}
    return Rules.model_validate(document | {"extension": extension})


def until(day: str, grace: str | None = None) -> Validity:
    return Validity(end_of_day(date.fromisoformat(day)), end_of_day(date.fromisoformat(grace or day)))


def decided(present: Validity, allowed: Rules, earlier: tuple[Before, ...] = (), **wanted: Any) -> Any:
    day = wanted.pop("last_day", None)
    asked = Wanted(last_day=date.fromisoformat(day) if day else None, **wanted)
    return decide_extension(present, earlier, wanted.pop("open_years", [2026]), allowed, asked)


TWICE = {"times": 2, "days": 60}


def test_days_are_added_to_the_last_day_and_the_grace_follows_the_rules() -> None:
    made = decided(until("2026-06-30", "2026-07-05"), rules(10, **TWICE), days=30)
    assert made.validity == until("2026-07-30", "2026-08-09")
    assert (made.ground, made.days) == (ExtensionGround.RULES, 30)


def test_a_grace_that_later_rules_shorten_is_kept() -> None:
    made = decided(until("2026-06-30", "2026-09-30"), rules(0, **TWICE), last_day="2026-07-31")
    assert made.validity == until("2026-07-31", "2026-09-30")


def once(days: int, ground: ExtensionGround = ExtensionGround.RULES) -> Before:
    before = end_of_day(date(2026, 5, 1))
    return Before(ground, before, end_of_day(date(2026, 5, 1 + days)))


@pytest.mark.parametrize(
    ("allowed", "earlier", "wanted", "actual"),
    [
        ({}, (), {"days": 1}, "1"),
        ({"times": 1, "days": 60}, (once(10),), {"days": 1}, "2"),
        ({"times": 2, "days": 60}, (once(10),), {"days": 51}, "61"),
        ({"times": 2, "days": 365}, (), {"last_day": "2027-01-01"}, "2027-01-01"),
    ],
)
def test_beyond_the_rules_it_takes_an_exception(
    allowed: dict[str, Any], earlier: tuple[Before, ...], wanted: dict[str, Any], actual: str
) -> None:
    with pytest.raises(AppError) as refused:
        decided(until("2026-06-30"), rules(**allowed), earlier, **wanted)
    assert (refused.value.code, refused.value.context["actual"]) == (Code.EXTENSION_BEYOND_RULES, actual)
    made = decided(until("2026-06-30"), rules(**allowed), earlier, exception_document_no="杭财〔2026〕9号", **wanted)
    assert made.ground is ExtensionGround.EXCEPTION


def test_to_its_limits_it_takes_none() -> None:
    assert decided(until("2026-06-30"), rules(**TWICE), (once(10),), days=50).days == 50
    assert decided(until("2026-06-30"), rules(times=1, days=184), last_day="2026-12-31").days == 184
    past = rules(times=1, days=365, past_year_end=True)
    assert decided(until("2026-12-31"), past, last_day="2027-06-30").days == 181


def test_a_freeze_that_stopped_the_time_is_no_extension_by_the_rules() -> None:
    stood = once(20, ExtensionGround.FREEZE)
    assert decided(until("2026-06-30"), rules(times=1, days=30), (stood,), days=30).days == 30


@pytest.mark.parametrize("wanted", [{"last_day": "2026-06-30"}, {"last_day": "2026-01-01"}, {"last_day": "2999-12-31"}])
def test_it_ends_later_and_within_the_calendar(wanted: dict[str, Any]) -> None:
    known = rules(times=1, days=3660, past_year_end=True)
    if wanted["last_day"] == "2999-12-31":
        with pytest.raises(AppError, match=Code.EXTENSION_NOT_LATER):
            decided(until("2999-12-31"), known, days=1)
        return
    with pytest.raises(AppError, match=Code.EXTENSION_NOT_LATER):
        decided(until("2026-06-30"), known, **wanted)


def test_not_even_an_exception_revives_what_no_open_year_pays() -> None:
    with pytest.raises(AppError, match=Code.YEAR_CLOSED):
        decide_extension(until("2026-12-31"), (), [], rules(), Wanted(days=9, exception_document_no="9"))


@pytest.mark.parametrize(
    ("thawed_at", "last_day"),
    [
        (datetime(2026, 6, 10, 4, 0, tzinfo=UTC), "2026-07-10"),  # ten days to the second
        (datetime(2026, 6, 10, 4, 0, 1, tzinfo=UTC), "2026-07-11"),  # the day that has begun is given in full
        (datetime(2026, 5, 31, 4, 0, tzinfo=UTC), "2026-06-30"),
    ],
)
def test_time_that_stood_is_given_back_to_the_end_of_a_day(thawed_at: datetime, last_day: str) -> None:
    frozen_at = datetime(2026, 5, 31, 4, 0, tzinfo=UTC)
    assert stood_still(until("2026-06-30"), frozen_at=frozen_at, at=thawed_at) == until(last_day)


def test_only_the_grace_is_moved_where_the_validity_was_over_before() -> None:
    frozen_at, thawed_at = datetime(2026, 7, 2, tzinfo=UTC), datetime(2026, 7, 4, tzinfo=UTC)
    present = until("2026-06-30", "2026-07-10")
    assert stood_still(present, frozen_at=frozen_at, at=thawed_at) == until("2026-06-30", "2026-07-12")
