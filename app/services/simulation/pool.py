"""The money that bills are paid from, first come first served. Pure. D14."""

from __future__ import annotations

from typing import Literal

OnExhaustion = Literal["partial", "stop", "skip", "waitlist"]


class Pool:
    """So many fen, or no limit. Says what a bill gets of what it is entitled to."""

    def __init__(self, budget_fen: int | None, on_exhaustion: OnExhaustion) -> None:
        self.left_fen = budget_fen
        self.closed = False
        """Whether nobody gets anything any more."""
        self._on_exhaustion = on_exhaustion

    def draw(self, asked_fen: int) -> int:
        """What is paid of `asked_fen`: all of it while there is enough, then as the rules choose.

        partial: what is left, then nothing; stop and waitlist: nothing from here on; skip: nothing this time.
        """
        if self.left_fen is None:
            return asked_fen
        if self.closed:
            return 0
        if asked_fen <= self.left_fen:
            self.left_fen -= asked_fen
            return asked_fen
        paid_fen = 0
        if self._on_exhaustion == "partial":
            paid_fen, self.left_fen = self.left_fen, 0
        self.closed = self._on_exhaustion != "skip"
        return paid_fen
