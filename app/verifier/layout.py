"""Which files a pack has, by its format: whatever else it lists nobody judges, so nobody may take it for judged."""

from __future__ import annotations

import re

from app.verifier.counters import TABLES
from app.verifier.manifest import RegionListed
from app.verifier.pack import Pack

KEYS_FILE = "keys.txt"
PARTS = {"leaves": "bin", "hashes": "bin", "tiles": "bin", "texts": "jsonl", "journal": "beancount"}
"""Folders of a region with a file for each so many leaves, and how these end."""
SINGLE = frozenset(
    {"journal.beancount", "checkpoints.jsonl", "cosignatures.jsonl", "unsealed.bin", "rules.jsonl"}
    | {f"stored/{table}.jsonl" for table in TABLES}
)

_part = re.compile(r"([a-z]+)/([0-9]{12})\.([a-z]+)").fullmatch


def unknown_files(pack: Pack) -> list[str]:
    """The listed files that the format does not know."""
    regions = {listed.region: listed for listed in pack.regions}
    return [name for name in sorted(pack.files) if name != KEYS_FILE and not _is_known(pack, regions, name)]


def _is_known(pack: Pack, regions: dict[str, RegionListed], name: str) -> bool:
    region, _, rest = name.partition("/")
    listed = regions.get(region)
    if listed is None:
        return False
    part = _part(rest)
    if part is None:
        return rest in SINGLE
    first = int(part[2])
    return PARTS.get(part[1]) == part[3] and first < listed.size and first % pack.leaves_per_file == 0
