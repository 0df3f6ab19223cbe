"""`make bench`: redemptions a second of the whole service over HTTP, beside what pgbench does on the same PostgreSQL.

On one embedded PostgreSQL with its durable settings, in turn and several times over, medians:

(a) pgbench's TPC-B; (b) pgbench with a redemption in five statements; (c) the same in one function of the server;
(d) the service: real worker processes, signed tokens checked, bills validated, rules assessed, keys claimed, entries
    and postings written, leaves queued for sealing. Closed loop with 1, 32 and 128 clients, open loop, batches, one
    hot voucher, one city and twenty, few vouchers and many.

Nothing is asserted about speed: what a second holds depends on the machine, so compare the lines of one run with each
other. At the end every invariant of the books is checked; the exit status is 1 where one does not hold, where a
redemption that was answered is missing, or where the service answered with anything but success.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.redemptions.bench import Bench, Options
from benchmarks.redemptions.report import as_json, show


def main() -> int:
    """Measure, print, check."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts (default 3)")
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement (default 4)")
    parser.add_argument("--warm", type=float, default=1, help="seconds of load before each measurement (default 1)")
    parser.add_argument("--scale", type=int, default=50, help="scale of pgbench's TPC-B (default 50)")
    parser.add_argument("--vouchers", type=int, default=10_000, help="vouchers of the ordinary case (default 10,000)")
    parser.add_argument(
        "--many", type=int, default=100_000, help="vouchers of the case with many; 0 leaves it out (default 100,000)"
    )
    parser.add_argument("--rows", type=int, default=200, help="redemptions in one batch request (default 200)")
    parser.add_argument(
        "--soak", type=int, default=0, metavar="N", help="at the end N more requests, watching the workers' memory"
    )
    parser.add_argument(
        "--full", action="store_true", help="1,000,000 vouchers and a soak of 500,000 requests: about half an hour"
    )
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="only the cases of (d) whose name matches, such as '2 workers, 128'"
    )
    parser.add_argument("--no-pgbench", action="store_true", help="leave out (a), (b), (c) and the ratios to them")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="another checkout with the same schema: its service takes its turn beside this one's, with two workers",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    asked = parser.parse_args()
    options = Options(
        rounds=asked.rounds,
        seconds=asked.seconds,
        warm_s=asked.warm,
        scale=asked.scale,
        vouchers=asked.vouchers,
        many=1_000_000 if asked.full else asked.many,
        rows=asked.rows,
        soak=500_000 if asked.full and not asked.soak else asked.soak,
        only=asked.only,
        pgbench=not asked.no_pgbench,
        against=asked.against,
    )
    results = Bench(options).run()
    show(results)
    if asked.json:
        asked.json.write_text(as_json(results), encoding="utf-8")
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
