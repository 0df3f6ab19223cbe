"""`make bench-rules`: how many bills a second assess() and simulate() judge on one core, and what the trace costs.

Nothing is asserted: what a second holds depends on the machine. Compare the lines of one run with each other, and runs
on one machine before and after a change.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from typing import Any

from app.kernel.canonical import canonical
from app.services.rules.assess import Assessment, assess
from app.services.simulation.engine import simulate
from benchmarks.cases import Case, cases, simulated
from benchmarks.measuring import in_turn, peak_mib, table

SEED = 65


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=5_000, help="claims of each kind in a round")
    parser.add_argument("--bills", type=int, default=100_000, help="bills of the simulation")
    parser.add_argument("--firms", type=int, default=1_000, help="firms of the simulation")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of which the median counts")
    parser.add_argument("--simulations", type=int, default=3, help="rounds of the simulation")
    asked = parser.parse_args()
    _claims(cases(asked.claims, seed=SEED), asked.claims, asked.rounds)
    print()
    _simulations(asked.bills, asked.firms, asked.simulations)
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, one thread")


def _claims(kinds: list[Case], claims: int, rounds: int) -> None:
    works: dict[str, Callable[[], object]] = {}
    for kind in kinds:
        done = [assess(kind.rules, facts, kind.position) for facts in kind.facts]
        works[f"assess {kind.name}"] = _assessing(kind)
        works[f"trace {kind.name}"] = _tracing(done)
    seconds = in_turn(works, rounds=rounds)
    rows = []
    for kind in kinds:
        judging, writing = seconds[f"assess {kind.name}"], seconds[f"trace {kind.name}"]
        rows.append(
            [
                kind.name,
                f"{claims / judging:,.0f}",
                f"{judging / claims * 1e6:.1f}",
                f"{writing / claims * 1e6:.1f}",
                f"{writing / judging:.0%}",
                f"{claims / (judging + writing):,.0f}",
            ]
        )
    table(["claim", "assess/s", "µs", "+ trace bytes µs", "trace ÷ assess", "with trace/s"], rows)
    print(f"medians of {rounds} rounds of {claims:,} claims each, in turn; peak memory {peak_mib()} MiB")


def _assessing(kind: Case) -> Callable[[], None]:
    rules, position = kind.rules, kind.position

    def work() -> None:
        for facts in kind.facts:
            assess(rules, facts, position)

    return work


def _tracing(done: list[Assessment]) -> Callable[[], None]:
    traces: list[dict[str, Any]] = [
        {"v": 2, "steps": list(one.steps), "reductions": list(one.reductions)} for one in done
    ]

    def work() -> None:
        for trace in traces:
            canonical(trace)

    return work


def _simulations(count: int, firms: int, rounds: int) -> None:
    rules, bills = simulated(count, firms=firms, seed=SEED)
    before_mib = peak_mib()
    seconds = in_turn(
        {
            "no budget": lambda: simulate(rules, bills, budget_fen=None),
            "budget for a half": lambda: simulate(rules, bills, budget_fen=count * 400_000),
        },
        rounds=rounds,
    )
    rows = [[name, f"{count / taken:,.0f}", f"{taken:.2f}"] for name, taken in seconds.items()]
    table([f"simulate {count:,} bills of {firms:,} firms", "bills/s", "s"], rows)
    print(f"medians of {rounds} rounds; peak memory {before_mib} MiB with the bills, {peak_mib()} MiB after")


if __name__ == "__main__":
    main()
