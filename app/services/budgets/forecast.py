"""What is to be expected of a pool: the day it runs out, and what of it lapses at the end of the year. Pure, no float.

The method is a straight line, stated with every answer: what was issued and drawn in the window goes on at the same
daily rate. Rates are exact fractions; amounts are whole fen, what is expected to be used rounded down. Where the window
is too short, or nothing happened in it, the answer is `unknown` with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from app.kernel.clock import LAST_DAY

WINDOW_DAYS = 90
"""The observed days, up to and without today; fewer where the pool is younger."""

LEAST_DAYS = 14
LEAST_ACTIVE_DAYS = 3
"""Below these a rate says nothing: one batch on one day would be taken for a daily habit."""

ASSUMPTIONS = ("rates_go_on", "today_counts_as_a_whole_day", "ended_vouchers_draw_nothing", "nothing_is_appropriated")
"""What the straight line takes for granted, as codes."""


class RunsOut(StrEnum):
    """What can be said of the day a pool runs out."""

    ON_A_DAY = "on_a_day"
    EXHAUSTED = "exhausted"  # nothing is available
    NOT_THIS_YEAR = "not_this_year"  # at the observed rate something is left on 31 December
    UNKNOWN = "unknown"


class Unknown(StrEnum):
    """Why nothing can be said."""

    YEAR_OVER = "year_over"
    YEAR_CLOSED = "year_closed"
    WINDOW_TOO_SHORT = "window_too_short"
    TOO_FEW_DAYS = "too_few_days"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a pool is on a day, and what moved it in the `days` before that day. Amounts are fen."""

    fiscal_year: int
    on: date
    closed: bool
    days: int
    issued_fen: int
    """Onto vouchers, less what came back from voids and expiries; not below zero."""
    issue_days: int
    """Days on which something was issued."""
    drawn_fen: int
    """Redeemed, less refunds and reversals; not below zero."""
    draw_days: int
    available_fen: int
    promised_fen: int
    """Free and held on vouchers, whether or not these can still be used."""
    usable_fen: int
    """Of it on vouchers that have not ended."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The answer, with its method: what the window saw, and the rates by day. Amounts are fen."""

    window_days: int
    issued_fen: int
    drawn_fen: int
    issued_per_day_fen: Fraction | None
    drawn_per_day_fen: Fraction | None
    days_left: int
    runs_out: RunsOut
    runs_out_on: date | None
    runs_out_unknown: Unknown | None
    expected_drawn_fen: int | None
    lapsing_fen: int | None
    """On 31 December: what is available then, and what vouchers have not drawn by then. None where unknown."""
    lapsing_unknown: Unknown | None


def forecast(seen: Observed) -> Forecast:
    """What is to be expected of a pool if the window goes on."""
    days_left = max(0, (date(seen.fiscal_year, 12, 31) - seen.on).days + 1)
    over = Unknown.YEAR_CLOSED if seen.closed else Unknown.YEAR_OVER if not days_left else None
    no_issues = over or _too_little(seen, seen.issue_days)
    no_draws = over or _too_little(seen, seen.draw_days)
    issued = None if no_issues else Fraction(seen.issued_fen, seen.days)
    drawn = None if no_draws else Fraction(seen.drawn_fen, seen.days)
    runs_out, on, why = _run_out(seen, issued, no_issues)
    expected_fen = None if drawn is None else _expected_drawn(seen, issued, drawn, days_left)
    lapsing_fen = None if expected_fen is None else seen.available_fen + seen.promised_fen - expected_fen
    return Forecast(
        window_days=seen.days,
        issued_fen=seen.issued_fen,
        drawn_fen=seen.drawn_fen,
        issued_per_day_fen=issued,
        drawn_per_day_fen=drawn,
        days_left=days_left,
        runs_out=runs_out,
        runs_out_on=on,
        runs_out_unknown=why,
        expected_drawn_fen=expected_fen,
        lapsing_fen=lapsing_fen,
        lapsing_unknown=no_draws,
    )


def _too_little(seen: Observed, active_days: int) -> Unknown | None:
    if seen.days < LEAST_DAYS:
        return Unknown.WINDOW_TOO_SHORT
    return Unknown.TOO_FEW_DAYS if active_days < LEAST_ACTIVE_DAYS else None


def _run_out(
    seen: Observed, issued: Fraction | None, unknown: Unknown | None
) -> tuple[RunsOut, date | None, Unknown | None]:
    """The day in whose course the last of what is available is issued."""
    if unknown in {Unknown.YEAR_CLOSED, Unknown.YEAR_OVER}:
        return RunsOut.UNKNOWN, None, unknown
    if seen.available_fen == 0:
        return RunsOut.EXHAUSTED, None, None
    if issued is None:
        return RunsOut.UNKNOWN, None, unknown
    if not issued:
        return RunsOut.NOT_THIS_YEAR, None, None
    days = -(-seen.available_fen // issued)  # the last of them is the day
    if days > (LAST_DAY - seen.on).days:
        return RunsOut.NOT_THIS_YEAR, None, None
    on = seen.on + timedelta(days=int(days) - 1)
    return (RunsOut.ON_A_DAY, on, None) if on.year <= seen.fiscal_year else (RunsOut.NOT_THIS_YEAR, None, None)


def _expected_drawn(seen: Observed, issued: Fraction | None, drawn: Fraction, days_left: int) -> int:
    """What will be drawn until 31 December: at most what can be used, with what is issued until then."""
    to_come_fen = min(seen.available_fen, int((issued or 0) * days_left))
    return min(int(drawn * days_left), seen.usable_fen + to_come_fen)
