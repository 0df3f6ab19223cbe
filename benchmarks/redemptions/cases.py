"""The service under load: which cases there are, and one measurement of a case."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count

from app.cli.serving import Service
from benchmarks.redemptions.generator import Found, Plan
from benchmarks.redemptions.watching import Watch, memory_mib

SEND_FOR_OPEN = 0.7
"""An open loop asks for this part of what the closed loop of the same round has reached."""

_runs = count(1)


@dataclass(frozen=True, slots=True)
class Running:
    """A service with the tokens that it accepts."""

    service: Service
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One way of loading one service. `open_after` names the closed loop whose rate an open loop goes by."""

    name: str
    running: Running
    targets: Sequence[tuple[str, int]]
    clients: int
    rows: int = 0
    open_after: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measurement found; processor time is per redemption, memory the sum of the workers."""

    found: Found
    service_us: float
    postgres_us: float
    generator_us: float
    begin_mib: float
    end_mib: float


@dataclass(slots=True)
class Samples:
    """All measurements of a case."""

    taken: list[Sample] = field(default_factory=list)

    def median(self, name: str) -> float:
        """Of a value of the sample, or of what its generator found."""
        return statistics.median(float(getattr(one if hasattr(one, name) else one.found, name)) for one in self.taken)

    @property
    def others(self) -> dict[str, int]:
        """Answers that were no success, by status; requests that got none."""
        summed: dict[str, int] = {}
        for one in self.taken:
            for status, number in one.found.others.items():
                summed[status] = summed.get(status, 0) + number
        return summed

    @property
    def acknowledged(self) -> int:
        """Redemptions that were answered with 201."""
        return sum(one.found.acknowledged for one in self.taken)

    def asdict(self) -> list[Mapping[str, object]]:
        """For a machine to read."""
        return [asdict(one) for one in self.taken]


def measure(case: Case, watch: Watch, *, seconds: float, warm_s: float, rate: float = 0, requests: int = 0) -> Sample:
    """Load the case's service for a while."""
    service = case.running.service
    host, port = service.url.removeprefix("http://").rsplit(":", 1)
    number = next(_runs)
    plan = Plan(
        host=host,
        port=int(port),
        tokens=list(case.running.tokens),
        targets=list(case.targets),
        clients=case.clients,
        seconds=seconds,
        warm_s=warm_s,
        name=f"bench-{number}",
        seed=number,
        rate=rate,
        rows=case.rows,
        requests=requests,
    )
    begin_mib, before = sum(memory_mib(service.pids)), watch.cpu(service.pids)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.redemptions.generator"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the generator failed:\n{done.stderr}")
    after, end_mib = watch.cpu(service.pids), sum(memory_mib(service.pids))
    found = Found(**json.loads(done.stdout))
    each = 1e6 / max(1, found.acknowledged)
    return Sample(
        found,
        service_us=(after.service_s - before.service_s) * each,
        postgres_us=(after.postgres_s - before.postgres_s) * each,
        generator_us=found.cpu_s * each,
        begin_mib=begin_mib,
        end_mib=end_mib,
    )
