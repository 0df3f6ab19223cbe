"""How much longer a voucher may be valid: what the rules let officials extend, and what takes an exception. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.kernel.clock import LAST_DAY, civil_date, end_of_day
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ExtensionGround
from app.services.rules.model import Rules

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Validity:
    """Until when a voucher may be drawn on, and until when what happened in time may be claimed; both exclusive."""

    valid_until: datetime
    redeemable_until: datetime


@dataclass(frozen=True, slots=True)
class Before:
    """An extension that a voucher has had."""

    ground: ExtensionGround
    valid_until_before: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new last day, or so many days more; with the number of a document it is an exception to the rules."""

    last_day: date | None = None
    days: int | None = None
    exception_document_no: str | None = None


@dataclass(frozen=True, slots=True)
class Extended:
    """What an extension makes of a voucher's validity, and on what ground."""

    validity: Validity
    ground: ExtensionGround
    days: int


def decide_extension(
    present: Validity, earlier: Sequence[Before], open_years: Sequence[int], rules: Rules, wanted: Wanted
) -> Extended:
    """The validity that was asked for. The voucher lives; `open_years` are the years of its pools that are not closed.

    The grace follows from the rules and never gets shorter. Raises AppError: `extension_not_later`;
    `extension_beyond_rules` where that needs an exception and none was asked for; `year_closed` where no pool is left
    that could pay.
    """
    last_day = wanted.last_day or last_day_of(present.valid_until) + timedelta(days=wanted.days or 0)
    if last_day > LAST_DAY or end_of_day(last_day) <= present.valid_until:
        raise AppError(Code.EXTENSION_NOT_LATER, limit=str(last_day_of(present.valid_until)), actual=str(last_day))
    if not open_years:
        raise AppError(Code.YEAR_CLOSED, fiscal_year=last_day_of(present.valid_until).year)
    valid_until = end_of_day(last_day)
    validity = Validity(valid_until, max(present.redeemable_until, rules.redeemable_until(valid_until)))
    days = (last_day - last_day_of(present.valid_until)).days
    if wanted.exception_document_no is not None:
        return Extended(validity, ExtensionGround.EXCEPTION, days)
    _within(rules, present, earlier, last_day, budget_year=max(open_years))
    return Extended(validity, ExtensionGround.RULES, days)


def stood_still(present: Validity, *, frozen_at: datetime, at: datetime) -> Validity:
    """The validity after a freeze during which it stood: what was left then is left now, the last day to its end."""

    def moved(until: datetime) -> datetime:
        return until if until <= frozen_at else max(until, end_of_day(civil_date(until + (at - frozen_at) - INSTANT)))

    return Validity(moved(present.valid_until), moved(present.redeemable_until))


def last_day_of(until: datetime) -> date:
    """The last day, in Shanghai, before an exclusive instant."""
    return civil_date(until - INSTANT)


def _within(rules: Rules, present: Validity, earlier: Sequence[Before], last_day: date, *, budget_year: int) -> None:
    """Raise `extension_beyond_rules` for the first limit that is passed. Freezes count for nothing."""
    allowed = rules.extension
    decided = [one for one in earlier if one.ground is not ExtensionGround.FREEZE]
    times = len(decided) + 1
    if times > allowed.times:
        raise _beyond("times", "延期次数", limit=str(allowed.times), actual=str(times))
    so_far = sum((last_day_of(one.valid_until) - last_day_of(one.valid_until_before)).days for one in decided)
    days = so_far + (last_day - last_day_of(present.valid_until)).days
    if days > allowed.days:
        raise _beyond("days in all", "累计延期天数", limit=str(allowed.days), actual=str(days))
    year_end = date(budget_year, 12, 31)
    if last_day_of(present.valid_until) <= year_end < last_day and not allowed.past_year_end:
        raise _beyond(
            "last day within the budget year", "预算年度内的最后有效日", limit=str(year_end), actual=str(last_day)
        )


def _beyond(what_en: str, what_zh: str, *, limit: str, actual: str) -> AppError:
    return AppError(Code.EXTENSION_BEYOND_RULES, what_en=what_en, what_zh=what_zh, limit=limit, actual=actual)
