"""Sending again: what is worth it, and how long to wait."""

from __future__ import annotations

import pytest

from app.client.retries import LONGEST_PAUSE_S, PATIENCE_S, is_transient, pause_s


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (201, None, False),
        (409, "insufficient_balance", False),
        (409, "request_in_progress", True),
        (422, "validation_failed", False),
        (429, "throttled", True),
        (500, "internal_error", False),
        (502, None, True),
        (503, "busy", True),
    ],
)
def test_only_what_was_not_decided_is_sent_again(status: int, code: str | None, *, again: bool) -> None:
    assert is_transient(status, code) is again


def test_pauses_double_and_are_bounded() -> None:
    assert [pause_s(attempt) for attempt in range(1, 5)] == [0.1, 0.2, 0.4, 0.8]
    assert pause_s(1000) == LONGEST_PAUSE_S


def test_a_pause_is_at_least_what_the_service_asks_for_and_no_eternity() -> None:
    assert pause_s(1, {"retry-after": "2"}) == 2
    assert pause_s(1, {"retry-after": "10"}) == 10 > LONGEST_PAUSE_S  # the window of a rate limit
    assert pause_s(1, {"retry-after": "86400"}) == PATIENCE_S
    assert pause_s(1, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) == 0.1
