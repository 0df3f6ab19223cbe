"""When a request is worth sending again, and how long to wait before. Pure.

Every repetition carries the Idempotency-Key of the first, so none of them can do anything twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PATIENCE_S = 60.0
"""For one request, all its repetitions included: longer than a service or its database needs to come back."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0

TRANSIENT = frozenset({429, 502, 503, 504})
TRANSIENT_CODES = frozenset({"request_in_progress"})


def is_transient(status: int, code: str | None) -> bool:
    """Whether nothing was decided, so that the same request may get another answer."""
    return status in TRANSIENT or code in TRANSIENT_CODES


def pause_s(attempt: int, headers: Mapping[str, str] | None = None) -> float:
    """Seconds to wait after the `attempt`-th try (from 1): doubling to a few, and what the service asks for if longer.

    Of that at most PATIENCE_S: it is the window of a rate limit, or it is not worth waiting for.
    """
    asked = (headers or {}).get("retry-after", "")
    doubled = FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 16)
    return max(min(doubled, LONGEST_PAUSE_S), min(float(asked), PATIENCE_S) if asked.isdigit() else 0.0)


def retry_after_s(headers: Mapping[str, str], *, at: datetime) -> float | None:
    """What the Retry-After of RFC 9110 asks for, as seconds or as an instant; None without one that can be read."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) <= 9:
        return float(asked)
    try:
        instant = parsedate_to_datetime(asked)
    except (ValueError, TypeError):
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return max((instant - at).total_seconds(), 0.0)


def jittered_s(attempt: int, draw: float, asked_s: float | None = None) -> float:
    """The same for many clients at once: spread over the upper half of the pause by `draw` (0 to 1).

    Never sooner than was asked, and not bounded by it: whoever cannot wait that long gives up instead.
    """
    doubled = min(FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE_S)
    spread = doubled * (0.5 + draw / 2)
    return spread if asked_s is None else asked_s + spread / 2
