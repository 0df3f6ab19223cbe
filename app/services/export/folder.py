"""The files of a pack while it is written: each appears whole or not at all, with its size and hash noted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

MANIFEST = "manifest.json"
PROGRESS = "export-progress.json"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is there."""

    path: str
    bytes: int
    sha256: str


class Folder:
    """A pack's folder. `files` are those that belong to the pack so far; `finished` is told of each that is there."""

    def __init__(self, path: Path, finished: Callable[[Written], None] = lambda _written: None) -> None:
        self.path = path
        self._finished = finished
        self.files: dict[str, Written] = {}
        self._keeps: dict[str, list[str]] = {}
        path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Write a file, block by block, with what is given. It is there when this is left without an exception."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(place.name + ".new")
        digest, length = sha256(), 0
        with draft.open("wb") as file:

            def write(block: bytes) -> None:
                nonlocal length
                file.write(block)
                digest.update(block)
                length += len(block)

            yield write
        draft.replace(place)
        self.files[name] = written = Written(name, length, digest.hexdigest())
        self._finished(written)

    def write(self, name: str, blocks: Iterable[bytes]) -> int:
        """Write a file from its blocks, and how many there were."""
        count = 0
        with self.open(name) as write:
            for block in blocks:
                write(block)
                count += 1
        return count

    def keep(self, part: str, names: Iterable[str], options: Mapping[str, Any]) -> None:
        """Remember files that will never change, so that an interrupted export finds them again."""
        self._keeps[part] = list(names)
        kept = {part: [_row(self.files[name]) for name in names] for part, names in self._keeps.items()}
        draft = self.path / (PROGRESS + ".new")
        with draft.open("wb") as file:
            file.write(orjson.dumps({"options": options, "parts": kept}))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / PROGRESS)

    def resume(self, options: Mapping[str, Any]) -> tuple[dict[str, list[Written]], str | None]:
        """The parts that an interrupted export left whole; where there are none to go on from, why."""
        try:
            saved = orjson.loads((self.path / PROGRESS).read_bytes())
            was, rows = saved["options"], saved["parts"]
        except FileNotFoundError:
            return {}, None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return {}, "progress_unreadable"
        if was != options:
            return {}, "other_options"
        parts = {part: [Written(**row) for row in files] for part, files in rows.items()}
        return {part: files for part, files in parts.items() if all(map(self._is_there, files))}, None

    def adopt(self, part: str, files: Iterable[Written]) -> None:
        """Take over a part that is there already."""
        adopted = list(files)
        self.files |= {file.path: file for file in adopted}
        self._keeps[part] = [file.path for file in adopted]

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, the last of all files, and remove whatever does not belong to the pack."""
        listed = [_row(self.files[name]) for name in sorted(self.files)]
        self.write(MANIFEST, [orjson.dumps({**manifest, "files": listed}, option=orjson.OPT_INDENT_2)])
        for place in self.path.rglob("*"):
            if place.is_file() and str(place.relative_to(self.path)) not in self.files:
                place.unlink()

    def _is_there(self, file: Written) -> bool:
        digest, length = sha256(), 0
        try:
            with (self.path / file.path).open("rb") as opened:
                while block := opened.read(BLOCK):
                    digest.update(block)
                    length += len(block)
        except OSError:
            return False
        return (length, digest.hexdigest()) == (file.bytes, file.sha256)


def _row(file: Written) -> dict[str, Any]:
    return {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
