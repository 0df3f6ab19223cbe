"""When a provider is left alone for a moment, so that not everybody waits for one that does not answer."""

from __future__ import annotations

from collections.abc import Callable

AWAY_S = 5.0
"""So long it is not asked again; meanwhile everybody is told at once."""
ERRORS_IN_A_ROW = 3
"""A provider that answers with errors is there: one of them may be a worker of its that is just being replaced."""


class Pause:
    """What is remembered of how a provider's own documents were answered: its metadata and its keys.

    Answers of its token endpoint do not count. Whoever began to sign in chooses what is sent there, and would otherwise
    keep everybody out with a code that the provider stumbles over.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._until = -1.0
        self._errors = 0

    @property
    def is_on(self) -> bool:
        """Whether it is to be left alone now."""
        return self._timer() < self._until

    def not_reached(self) -> None:
        """It gave no answer: no connection, or none in time."""
        self._until = self._timer() + AWAY_S

    def answered_with_an_error(self) -> None:
        """It answered, but not with what was asked for: only several in a row count."""
        self._errors += 1
        if self._errors >= ERRORS_IN_A_ROW:
            self.not_reached()

    def answered(self) -> None:
        """It answered as it should."""
        self._errors = 0
