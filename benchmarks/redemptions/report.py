"""What was found, as tables for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict

from benchmarks.measuring import table
from benchmarks.redemptions.bench import BESIDE_A_SEALER, MAIN, UNSEALED, Results
from benchmarks.redemptions.cases import Samples

NAMES = {"a": "TPC-B", "b": "redemption, five statements", "c": "redemption, one function"}


def ratios(results: Results) -> list[tuple[str, float, str, bool]]:
    """What the run says in itself: name, value, what is aimed at, and whether it is reached."""
    cases = results.cases
    main = _rate(results, MAIN)
    batch = _rate(results, f"2 workers, batches of {results.options.rows}")
    a, b, c = ((best[0] if (best := results.best(name)) else None) for name in "abc")
    lone = cases["2 workers, 1 client"].median("p50_ms") if "2 workers, 1 client" in cases else None
    medians = sorted(told.median_ms for told in results.yardsticks.get("b", {}).get(1, []) if told.median_ms)
    b_lone = medians[len(medians) // 2] if medians else None
    asked: list[tuple[str, float | None, float | None, str, float]] = [
        ("d ÷ a (128 clients, two workers)", main, a, "≥", 0.6),
        ("d ÷ b", main, b, "≥", 0.6),
        ("d ÷ c", main, c, "≥", 0),
        (
            "processor time of one (b) ÷ processor time of one d",
            _used_us(results, "b"),
            _used_us(results, MAIN),
            "≥",
            0,
        ),
        ("batch endpoint ÷ b", batch, b, "≥", 1.5),
        ("median of a lone request ÷ median of (b) at one client", lone, b_lone, "≤", 6),
        (f"{results.options.many:,} vouchers ÷ {results.options.vouchers:,}", _many(results), main, "≥", 0.9),
        ("one city ÷ twenty", main, _rate(results, "twenty cities"), "≥", 0.8),
        ("one hot voucher ÷ many", _rate(results, "one hot voucher"), main, "≥", 0.1),
        ("sealing a full queue ÷ redeeming", max(results.sealing.rates, default=None), main, "≥", 4),
        ("redeeming beside a sealer ÷ without", _rate(results, BESIDE_A_SEALER), _rate(results, UNSEALED), "≥", 0.9),
    ]
    if results.sealing.lag_s:
        lag_s = statistics.quantiles(results.sealing.lag_s, n=100)[98]
        asked.append(("seconds from entry to signed head beside it, 99th percentile", lag_s, 1, "<", 2))
    told = []
    for name, upper, lower, sign, target in asked:
        if upper is not None and lower:
            value = upper / lower
            reached = value >= target if sign == "≥" else value <= target
            told.append((name, value, f"{sign} {target:g}" if target else "", reached))
    if results.soak:
        settled, last = (sum(memory) for _, memory in (results.soak[1], results.soak[-1]))
        told.append(("memory after the soak ÷ after its first tenth", last / settled, "< 1.1", last / settled < 1.1))
    return told


def show(results: Results) -> None:
    """Print everything."""
    options = results.options
    print(f"\n{results.server}")
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    )
    print(
        f"medians of {options.rounds} rounds of {options.seconds:g} s each, in turn; "
        f"load average {os.getloadavg()[0]:.1f}\n"
    )
    if results.yardsticks:
        rows = []
        for name, of_clients in results.yardsticks.items():
            best = results.best(name)
            assert best is not None
            numbers = ", ".join(
                f"{clients}: {max(told.per_second for told in taken):,.0f}" for clients, taken in of_clients.items()
            )
            used_us = statistics.median(told.processor_us for told in of_clients[best[1]])
            rows.append([f"({name}) {NAMES[name]}", f"{best[0]:,.0f}", str(best[1]), f"{used_us:.0f}", numbers])
        table(["pgbench", "per second", "clients", "processor µs", "best of each number of clients"], rows)
        print()
    headings = [
        "(d) the service",
        "redemptions/s",
        "p50 ms",
        "p99 ms",
        "service µs",
        "postgres µs",
        "generator µs",
        "MiB",
    ]
    table(headings, [_row(name, samples) for name, samples in results.cases.items()])
    print(
        "processor time is per redemption; memory is that of all workers, before the first and after the last round\n"
    )
    table(
        ["in this run", "", "aim", ""],
        [
            [name, f"{value:.2f}", aim, "" if not aim else "✓" if reached else "✗"]
            for name, value, aim, reached in ratios(results)
        ],
    )
    if results.sealing.as_of_ms:
        _show_sealing(results)
    if results.soak:
        print()
        table(
            ["requests", "MiB of each worker"],
            [[f"{requests:,}", ", ".join(f"{one:.1f}" for one in memory)] for requests, memory in results.soak],
        )
    print(f"\n{results.checked} checks of invariants in {results.taken_s:.0f} s of the whole run")
    for line in results.wrong or ["every invariant holds, every redemption that was answered is in the books"]:
        print(line)


def _show_sealing(results: Results) -> None:
    found = results.sealing
    slowest, median = max(found.as_of_ms), statistics.median(found.as_of_ms)
    print(f"\nsealed {found.leaves:,} leaves at {found.rates[0]:,.0f} a second")
    if found.lag_s:
        cut = statistics.quantiles(found.lag_s, n=100)
        print(
            f"beside redemptions, from entry to signed head: median {cut[49]:.2f} s, 99% within {cut[98]:.2f} s, "
            f"slowest {max(found.lag_s):.2f} s (aim: 99% within 2), of {len(found.lag_s):,}"
        )
    print(
        f"all accounts of a pool as of any moment among {found.entries:,} entries: median {median:.1f} ms, "
        f"slowest {slowest:.1f} ms (aim ≤ 50)"
    )


def as_json(results: Results) -> str:
    """Every single measurement."""
    return json.dumps(
        {
            "server": results.server,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "options": {name: str(value) for name, value in asdict(results.options).items()},
            "pgbench": {
                name: {clients: [asdict(told) for told in taken] for clients, taken in of_clients.items()}
                for name, of_clients in results.yardsticks.items()
            },
            "service": {name: samples.asdict() for name, samples in results.cases.items()},
            "ratios": {name: round(value, 4) for name, value, _, _ in ratios(results)},
            "soak": results.soak,
            "sealing": asdict(results.sealing) | {"lag_s": [round(lag_s, 3) for lag_s in results.sealing.lag_s]},
            "wrong": results.wrong,
            "seconds": round(results.taken_s),
        },
        ensure_ascii=False,
        indent=2,
    )


def _row(name: str, samples: Samples) -> list[str]:
    figures = [f"{samples.median('per_second'):,.0f}"]
    figures += [f"{samples.median(figure):.1f}" for figure in ("p50_ms", "p99_ms")]
    figures += [f"{samples.median(figure):.0f}" for figure in ("service_us", "postgres_us", "generator_us")]
    return [name, *figures, f"{samples.taken[0].begin_mib:.0f} → {samples.taken[-1].end_mib:.0f}"]


def _rate(results: Results, name: str) -> float | None:
    samples = results.cases.get(name)
    return samples.median("per_second") if samples else None


def _used_us(results: Results, name: str) -> float | None:
    """Processor time of one transaction, whoever spends it: hardly changed by what else the machine does."""
    if (samples := results.cases.get(name)) is not None:
        return sum(samples.median(part) for part in ("service_us", "postgres_us", "generator_us"))
    best = results.best(name)
    return statistics.median(told.processor_us for told in results.yardsticks[name][best[1]]) if best else None


def _many(results: Results) -> float | None:
    return _rate(results, f"{results.options.many:,} vouchers")
