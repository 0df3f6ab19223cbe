"""When a request is worth sending again, and how long to wait before. Pure.

Every repetition carries the Idempotency-Key of the first, so none of them can do anything twice.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    """Seconds to wait after the `attempt`-th try (from 1): doubling, at least what the service asks for, bounded."""
    asked = (headers or {}).get("retry-after", "")
    doubled = FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 16)
    return min(max(doubled, float(asked) if asked.isdigit() else 0.0), LONGEST_PAUSE_S)
