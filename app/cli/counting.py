"""Progress on standard error, so that standard output is the answer alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY_S = 2.0


@contextmanager
def counted(zh: str, en: str) -> Iterator[Callable[[int, int], None]]:
    """Tell how far something is: what is given is called with how much is done, of how much."""
    is_watched = sys.stderr.isatty()
    shown_at = 0.0

    def show(done: int, total: int) -> None:
        nonlocal shown_at
        if done < total and time.monotonic() - shown_at < (0.1 if is_watched else LINE_EVERY_S):
            return
        shown_at = time.monotonic()
        print(f"· {zh} / {en} {done:,}/{total:,}", end="\r" if is_watched else "\n", file=sys.stderr, flush=True)

    yield show
    if is_watched and shown_at:
        print(file=sys.stderr)
