"""Durations of things that are done again and again in turn, so that a machine's moods fall on all of them alike."""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil


def in_turn(works: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Processor seconds that each piece of work takes: the median of `rounds`, in each of which every one has its turn.

    Processor time, not the clock's: what else the machine does at the time counts for little.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for name, work in works.items():
        work()  # once for nothing: caches fill, code is specialised
        print(f"· {name}", file=sys.stderr)
    for number in range(1, rounds + 1):
        for name, work in works.items():
            gc.collect()
            began = time.process_time()
            work()
            found[name].append(time.process_time() - began)
        print(f"· round {number}/{rounds}", file=sys.stderr)
    return {name: statistics.median(durations) for name, durations in found.items()}


def processor_s(data: Path) -> float:
    """Processor seconds that this process and the PostgreSQL with this data have used, its ended sessions too."""
    server = psutil.Process(int((data / "postmaster.pid").read_text(encoding="ascii").split()[0]))
    own = server.cpu_times()
    used = time.process_time() + own.user + own.system + own.children_user + own.children_system
    for process in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used


def peak_mib() -> int:
    """The most memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024) if sys.platform == "darwin" else peak // 1024


def table(headings: list[str], rows: list[list[str]]) -> None:
    """Print rows under headings, numbers to the right."""
    widths = [max(len(row[place]) for row in [headings, *rows]) for place in range(len(headings))]
    for row in [headings, ["-" * width for width in widths], *rows]:
        first, *others = (
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))
