"""A recorded database of advisories in the format of OSV, read without a network, and which versions it says are hit.

https://ossf.github.io/osv-schema/ - ranges of PyPI are of the type ECOSYSTEM, ordered as Python orders versions.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.supply.pins import Pin

ECOSYSTEM = "PyPI"


@dataclass(frozen=True, slots=True)
class Hit:
    """A pinned package that an advisory names; `fixed` are the versions in which it is mended."""

    pin: Pin
    advisory: str
    aliases: tuple[str, ...]
    summary: str
    fixed: tuple[str, ...]


@dataclass(frozen=True)
class Database:
    """Advisories by the package's normalized name; `as_of` is when the youngest of them was last changed."""

    by_package: Mapping[str, Sequence[Mapping[str, Any]]]
    count: int
    as_of: str | None

    def hits(self, pins: Iterable[Pin]) -> list[Hit]:
        """What is known against these packages, by name."""
        return sorted((hit for pin in pins for hit in self._against(pin)), key=lambda hit: (hit.pin.name, hit.advisory))

    def _against(self, pin: Pin) -> Iterator[Hit]:
        for record in self.by_package.get(pin.name, ()):
            of_package = [one for one in record["affected"] if _package(one) == pin.name]
            if any(is_affected(pin.version, one) for one in of_package):
                fixed = dict.fromkeys(
                    event["fixed"] for one in of_package for event in _events(one) if "fixed" in event
                )
                yield Hit(pin, record["id"], tuple(record.get("aliases", ())), record.get("summary", ""), tuple(fixed))


def read_database(path: Path) -> Database:
    """A .zip of records as OSV hands it out, a folder of them, or one file with a record or a list.

    Raises ValueError for what is none of these, and for a database without one advisory about a package of PyPI: a
    check against nothing would find nothing.
    """
    by_package: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    count, changed = 0, []
    for record in _records(path):
        if not isinstance(record, dict) or "id" not in record:
            raise ValueError(f"{path}: not advisories in the format of OSV")
        names = {name for one in record.get("affected", ()) if (name := _package(one))}
        if not names or record.get("withdrawn"):
            continue
        count += 1
        changed.append(str(record.get("modified", "")))
        for name in names:
            by_package[name].append(record)
    if not count:
        raise ValueError(f"{path}: no advisory about a package of {ECOSYSTEM} in it")
    return Database(by_package, count, max(changed)[:10] or None)


def is_affected(version: str, affected: Mapping[str, Any]) -> bool:
    """Whether the version is listed, or lies in one of the ranges. Pure, as the format's own pseudocode has it."""
    if version in affected.get("versions", ()):
        return True
    at = Version(version)
    return any(
        _in_range(at, one["events"]) for one in affected.get("ranges", ()) if one.get("type") in {"ECOSYSTEM", "SEMVER"}
    )


def _in_range(at: Version, events: Iterable[Mapping[str, str]]) -> bool:
    ordered = sorted(((_place(value), kind) for event in events for kind, value in event.items()), key=lambda e: e[0])
    if any(kind == "limit" and at >= place for place, kind in ordered):
        return False
    hit = False
    for place, kind in ordered:
        if kind == "introduced" and at >= place:
            hit = True
        elif (kind == "fixed" and at >= place) or (kind == "last_affected" and at > place):
            hit = False
    return hit


def _place(value: str) -> Version:
    try:
        return Version("0.dev0" if value == "0" else value)
    except InvalidVersion as error:
        raise ValueError(f"{value!r} is no version") from error


def _package(affected: Mapping[str, Any]) -> str | None:
    package = affected.get("package", {})
    return canonicalize_name(package["name"]) if package.get("ecosystem") == ECOSYSTEM else None


def _events(affected: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    for one in affected.get("ranges", ()):
        yield from one["events"]


def _records(path: Path) -> Iterator[Any]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield json.loads(file.read_bytes())
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(".json"):
                        yield json.loads(archive.read(name))
        else:
            read = json.loads(path.read_bytes())
            yield from read if isinstance(read, list) else [read]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
