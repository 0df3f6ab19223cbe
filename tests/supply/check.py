"""`make vulnerabilities ARGS="--database all.zip"`: the pinned packages against a recorded database of advisories.

Works without a network. Whoever has one fetches the database, and says with it how old it is:

    curl -O https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip

Ends with 0 where nothing is known, 1 where something is, 2 where the database or the requirements cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.kernel.clock import civil_date, utc_now
from tests.supply.advisories import Database, Hit, read_database
from tests.supply.pins import REQUIREMENTS, read_pins

NONE, FOUND, UNREADABLE = 0, 1, 2
OLD_DAYS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--database", type=Path, required=True, help="a .zip, a folder or a file in the format of OSV")
    given.add_argument("--requirements", type=Path, nargs="+", default=[REQUIREMENTS / "runtime.txt"])
    asked = given.parse_args(arguments)
    console = Console(soft_wrap=True)
    try:
        pins = list(dict.fromkeys(pin for path in asked.requirements for pin in read_pins(path)))
        database = read_database(asked.database)
        hits = database.hits(pins)
    except (OSError, ValueError, KeyError, TypeError) as error:
        Console(stderr=True).print(f"无法读取 / Cannot be read: {error}", markup=False)
        return UNREADABLE
    _tell(console, database, len(pins))
    if hits:
        console.print(_table(hits))
        console.print(f"发现 {len(hits)} 条已知漏洞。 / {len(hits)} known vulnerabilities.")
        return FOUND
    console.print("未发现已知漏洞。 / Nothing is known against them.")
    return NONE


def _tell(console: Console, database: Database, packages: int) -> None:
    dated = database.as_of or "日期不详 / of no date"
    console.print(
        f"{packages} 个软件包；漏洞库 {database.count} 条，截至 {dated}。\n"
        f"{packages} packages; {database.count} advisories as of {dated}."
    )
    if database.as_of and (age := (civil_date(utc_now()) - date.fromisoformat(database.as_of)).days) > OLD_DAYS:
        console.print(f"漏洞库已过期 {age} 天，请更新。 / The database is {age} days old: fetch a newer one.")


def _table(hits: Sequence[Hit]) -> Table:
    table = Table("软件包\nPackage", "版本\nVersion", "编号\nAdvisory", "修复版本\nFixed in", "说明\nSummary")
    for hit in hits:
        names = "\n".join((hit.advisory, *hit.aliases))
        table.add_row(hit.pin.name, hit.pin.version, names, ", ".join(hit.fixed) or "-", hit.summary)
    return table


if __name__ == "__main__":
    sys.exit(main())
