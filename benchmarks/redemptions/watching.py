"""What processes use: processor seconds and memory, as the system counts them."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds so far."""

    service_s: float
    postgres_s: float


class Watch:
    """The database server of a data folder, and the workers of services."""

    def __init__(self, data: Path) -> None:
        self._postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))

    def cpu(self, workers: Iterable[int]) -> Cpu:
        """What these workers and the whole server have used; of ended backends too."""
        return Cpu(
            sum(_used(psutil.Process(pid)) for pid in workers),
            sum(_used(process) for process in (self._postmaster, *self._postmaster.children(recursive=True))),
        )


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def children_s() -> float:
    """Processor seconds of our own children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_mib(workers: Iterable[int]) -> list[float]:
    """The resident memory of each worker."""
    return [psutil.Process(pid).memory_info().rss / MIB for pid in workers]
