"""The long run: `make fuzz`, or `python -m tests.fuzzing.run --help`. Ends with 1 where something was found."""

from __future__ import annotations

import argparse
import logging
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

import migrations
from app.embedded import databases
from app.embedded.server import temporary
from app.main import openapi_document
from tests.fuzzing.city import ASKERS, standing_city
from tests.fuzzing.running import PHASES, Outcome, fuzz
from tests.fuzzing.seeding import operations_of

LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}
"""Nothing of it survives the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz as each role that was asked for, each on a city of its own, and print what came of it."""
    said = _parsed(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted = [label for label, _ in operations_of(openapi_document()) if re.search(said.only, label)]
    found = 0
    with temporary(settings=LOOSE) as server, tempfile.TemporaryDirectory() as folder:
        urls = databases.prepare(server, database="template")
        migrations.upgrade(urls.owner_url)
        for asker in said.role or ASKERS:
            own = Path(folder) / asker
            own.mkdir()
            with standing_city(server, "template", own, database=f"fuzz_{asker}") as tenant:
                outcome = fuzz(
                    tenant,
                    asker,
                    examples=said.examples,
                    seed=said.seed,
                    phases=said.phase or PHASES,
                    operations=wanted,
                    steps=said.steps,
                )
                differences = tenant.world.differences()
            print(summary(outcome, differences), flush=True)
            found += len(outcome.findings) + len(differences)
    return 1 if found else 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=", description=__doc__)
    parser.add_argument("--role", action="append", choices=list(ASKERS), help="who asks; default: each in turn")
    parser.add_argument("--phase", action="append", choices=PHASES, help="default: all of them")
    parser.add_argument("--examples", type=int, default=20, help="made-up requests per operation (default 20)")
    parser.add_argument("--steps", type=int, default=6, help="requests of one story in the phase stateful (default 6)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes up the same requests (default 1)")
    parser.add_argument("--only", default="", metavar="REGEX", help='operations such as "POST /v1/holds"; default: all')
    return parser.parse_args(arguments)


def summary(outcome: Outcome, differences: Sequence[str] = ()) -> str:
    """What was asked and answered, what was found, and how to ask it again by hand."""
    cases = ", ".join(f"{phase} {number:,}" for phase, number in outcome.cases.items())
    statuses = ", ".join(f"{status}: {number:,}" for status, number in sorted(outcome.statuses.items()))
    excluded = [f"  passed over {number:,} times: {reason}" for reason, number in outcome.excluded.items()]
    wrong = [f"books: {difference}" for difference in differences]
    wrong += [str(finding) for finding in outcome.findings.values()]
    return "\n".join(
        [
            f"{outcome.asker}: {sum(outcome.cases.values()):,} requests in {outcome.seconds:.0f} s ({cases})",
            f"  answers {statuses}",
            f"  {len(outcome.by_operation)} operations asked, {len(outcome.succeeded)} of them with success",
            *excluded,
            *(wrong or ["  nothing found"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
