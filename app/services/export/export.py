"""The export: one snapshot, while redemptions go on, written as a stream with constant memory.

What is sealed never changes, so full files of leaves are kept across an interruption; all else is read anew, from the
snapshot of the run that finishes. Nothing is judged here: what is wrong in the database is written as it is, for the
verifier to name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, text

from app.database import Database
from app.kernel.clock import rfc3339
from app.services.export import journal
from app.services.export.folder import MANIFEST, Folder, Written
from app.services.export.leaves import framed, slices, tiles, waiting
from app.services.export.stored import TABLES, cosignature_lines, head_lines, rule_lines, table_lines
from app.services.reach import region_prefix
from app.sql import now

FORMAT, VERSION = "voucher-pack", 1
LEAVES_PER_FILE = 64 * 256
"""Whole entry bundles and tiles; some 16 MB of leaves."""

PART_KINDS = ("leaves.bin", "hashes.bin", "tiles.bin", "texts.jsonl", "journal.beancount")

_REGIONS = """
    SELECT region_code, max(origin) AS origin, coalesce(max(size), 0) AS size FROM (
        SELECT region_code, origin, size FROM logs
        UNION ALL SELECT DISTINCT region_code, NULL, CAST(NULL AS bigint) FROM seal_queue
    ) AS region
    WHERE starts_with(region_code, :prefix) GROUP BY region_code ORDER BY region_code
"""


class PackExists(Exception):
    """A finished pack lies there already; another one needs another place."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export. A region takes those below it along; None is all. `vkeys` gives a log's keys by its origin."""

    path: Path
    region_code: str | None = None
    every_head: bool = False
    vkeys: Callable[[str], Sequence[str]] = lambda _origin: ()
    more_vkeys: Sequence[str] = ()
    leaves_per_file: int = LEAVES_PER_FILE
    begun: Callable[[Mapping[str, int]], None] = lambda _sizes: None
    """Told the size of each log before anything is written; what it raises ends the export."""
    finished: Callable[[Written], None] = lambda _written: None
    """Told of each file when it is there, the manifest last."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `kept_leaves` were there from an interrupted run; `anew` says why none were kept, if so."""

    regions: int
    leaves: int
    unsealed: int
    kept_leaves: int
    bytes: int
    anew: str | None


Progress = Callable[[int, int], None]


def export(database: Database, request: Request, *, progress: Progress = lambda _done, _total: None) -> Exported:
    """Write a pack. Raises PackExists; what was written before an interruption is used again."""
    if (request.path / MANIFEST).exists():
        raise PackExists(str(request.path))
    return database.snapshot(lambda tx: _Export(tx, request, progress).all())


class _Export:
    def __init__(self, tx: Connection, request: Request, progress: Progress) -> None:
        self._tx, self._request, self._progress = tx, request, progress
        self._folder = Folder(request.path, request.finished)
        self._kept = self._done = self._total = self._unsealed = 0

    def all(self) -> Exported:
        request = self._request
        taken_at = rfc3339(now(self._tx))
        prefix = "" if request.region_code is None else region_prefix(request.region_code)
        regions = self._tx.execute(text(_REGIONS), {"prefix": prefix}).all()
        self._total = sum(region.size for region in regions)
        request.begun({region.region_code: region.size for region in regions})
        self._options = {
            "version": VERSION,
            "region": request.region_code,
            "leaves_per_file": request.leaves_per_file,
            "origins": {region.region_code: region.origin for region in regions},
        }
        found, anew = self._folder.resume(self._options)
        listed = [self._region(region, found) for region in regions]
        vkeys = [vkey for region in regions if region.origin for vkey in request.vkeys(region.origin)]
        self._folder.write("keys.txt", [f"{vkey}\n".encode() for vkey in (*vkeys, *request.more_vkeys)])
        self._folder.finish(
            {
                "format": FORMAT,
                "version": VERSION,
                "taken_at": taken_at,
                "leaves_per_file": request.leaves_per_file,
                "every_head": request.every_head,
                "regions": listed,
            }
        )
        size = sum(file.bytes for file in self._folder.files.values())
        return Exported(len(regions), self._total, self._unsealed, self._kept, size, anew)

    def _region(self, region: Any, found: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        tx, code, folder = self._tx, region.region_code, self._folder
        touched: set[journal.Side] = set()
        parts = range(0, region.size, self._request.leaves_per_file)
        for first in parts:
            self._part(code, first, region.size, found, touched)
        names = [f"{first:012d}.beancount" for first in parts]
        folder.write(f"{code}/journal.beancount", [journal.head(code, touched, names).encode()])
        unsealed = folder.write(f"{code}/unsealed.bin", map(framed, waiting(tx, region_code=code)))
        self._unsealed += unsealed
        heads = head_lines(tx, region_code=code, every_head=self._request.every_head)
        folder.write(f"{code}/checkpoints.jsonl", heads)
        folder.write(f"{code}/cosignatures.jsonl", cosignature_lines(tx, region_code=code))
        folder.write(f"{code}/rules.jsonl", rule_lines(tx, region_code=code))
        for table in TABLES:
            folder.write(f"{code}/stored/{table}.jsonl", table_lines(tx, table, region_code=code))
        return {"region": code, "origin": region.origin or "", "size": region.size, "unsealed": unsealed}

    def _part(
        self, code: str, first: int, size: int, found: Mapping[str, Sequence[Any]], touched: set[journal.Side]
    ) -> None:
        """One file of leaves with all that belongs to it: taken over where it is full and there already."""
        last = min(first + self._request.leaves_per_file, size)
        is_full = last - first == self._request.leaves_per_file
        name = f"{code}/{first:012d}"
        names = [f"{code}/{kind.split('.')[0]}/{first:012d}.{kind.split('.')[1]}" for kind in PART_KINDS]
        if is_full and name in found:
            self._folder.adopt(name, found[name])
            touched |= self._touched(names[0])
            self._kept += last - first
        else:
            self._write_part(code, first, last, names, touched)
            if is_full:
                self._folder.keep(name, names, self._options)
        self._done += last - first
        self._progress(self._done, self._total)

    def _write_part(self, code: str, first: int, last: int, names: Sequence[str], touched: set[journal.Side]) -> None:
        """Five files side by side, slice by slice."""
        with ExitStack() as stack:
            leaves, hashes, tiled, texts, told = (stack.enter_context(self._folder.open(name)) for name in names)
            tiled(tiles(self._tx, region_code=code, first=first, last=last))
            for one in slices(self._tx, region_code=code, first=first, last=last):
                leaves(b"".join(map(framed, one.leaves)))
                hashes(b"".join(one.hashes))
                texts(b"".join(_text_line(found.entry_id, found.kind, found.text) for found in one.texts))
                told("".join(one.transactions).encode())
                for leaf in one.entries:
                    touched |= journal.sides(leaf)

    def _touched(self, name: str) -> set[journal.Side]:
        """The accounts that the leaves of a file touch that was written before."""
        written = (self._request.path / name).read_bytes()
        return {side for leaf in _entries(written) for side in journal.sides(leaf)}


def _text_line(entry_id: str, kind: str, written: str) -> bytes:
    return orjson.dumps({"entry": entry_id, "kind": kind, "text": written}) + b"\n"


def _entries(written: bytes) -> Iterable[dict[str, Any]]:
    place = 0
    while place < len(written):
        start = place + 2
        place = start + int.from_bytes(written[place:start], "big")
        try:
            leaf = orjson.loads(written[start:place])
        except orjson.JSONDecodeError:
            continue
        if isinstance(leaf, dict) and leaf.get("type") == "entry":
            yield leaf
