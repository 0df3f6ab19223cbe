"""Locks between processes, by file. They end with their holder, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from app.embedded.private import open_private

PAUSE_S = 0.02


class FileLock:
    """A lock on a file of its own.

    The open file is the holder: a program that is started does not inherit it unless it is `handed_over`, and a forked
    child closes it at once. Otherwise a stray child could hold the lock for a dead parent.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = open_private(path, os.O_RDWR)
        _open_locks.add(self)

    def take(self, *, shared: bool = False) -> bool:
        """Whether the lock could be had now. Asking in another mode lets go of the one held before."""
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, *, shared: bool = False, patience_s: float) -> bool:
        """Whether the lock could be had within that time."""
        deadline = time.monotonic() + patience_s
        while not self.take(shared=shared):
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE_S)
        return True

    @contextmanager
    def handed_over(self) -> Iterator[int]:
        """A descriptor of the same open file, for a program started inside to inherit; it then holds the lock too."""
        descriptor = os.dup(self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let go, also for those who inherited the open file."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file here. Whoever inherited it keeps the lock."""
        if self in _open_locks:
            _open_locks.remove(self)
            os.close(self.descriptor)


_open_locks: WeakSet[FileLock] = WeakSet()


def _close_in_forked_child() -> None:
    for lock in list(_open_locks):
        lock.close()


os.register_at_fork(after_in_child=_close_in_forked_child)
