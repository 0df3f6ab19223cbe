"""How far a long piece of work has come, told from within it; whoever wants to know listens from outside.

Where nobody listens telling costs nothing, so the work itself is the same whether or not it is somebody's job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.kernel.vocabulary import JobStage


@dataclass(slots=True)
class Progress:
    """What was told last; `total` is None where nobody knows how much there is."""

    stage: JobStage | None = None
    done: int = 0
    total: int | None = None

    def now(self) -> tuple[JobStage | None, int, int | None]:
        """The three together."""
        return self.stage, self.done, self.total


_heard: ContextVar[Progress | None] = ContextVar("progress", default=None)


def tell(stage: JobStage, done: int = 0, total: int | None = None) -> None:
    """Say which part of the work is under way, and how many of its pieces are done."""
    heard = _heard.get()
    if heard is not None:
        heard.stage, heard.done, heard.total = stage, done, total


@contextmanager
def listening(progress: Progress) -> Iterator[None]:
    """Within it, in this thread, what is told stands in `progress`."""
    token = _heard.set(progress)
    try:
        yield
    finally:
        _heard.reset(token)
