"""A pack as a stream: the same files as `voucher export` writes, in one .tar, while they are being written.

A thread reads the database into files of a temporary folder, as fast as the database gives them: however slowly the
receiver takes them, the snapshot ends when all is read, and no transaction waits for anybody. What has been sent is
removed. Memory holds a block; the disk what is written and not yet sent.
"""

from __future__ import annotations

import queue
import shutil
import tarfile
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from app.database import Database
from app.services.export.export import Request, export
from app.services.export.folder import Written

BLOCK = 1 << 18


class Abandoned(Exception):
    """Nobody takes the pack any more."""


@dataclass(slots=True)
class _Shared:
    """What the writing thread and the stream know together."""

    folder: Path
    files: queue.SimpleQueue[Written | BaseException | None] = field(default_factory=queue.SimpleQueue)
    """Files in the order in which they are there; at the end nothing, or what went wrong."""
    sizes: queue.SimpleQueue[Mapping[str, int] | BaseException] = field(default_factory=queue.SimpleQueue)
    over: threading.Event = field(default_factory=threading.Event)
    """Everything is sent, or nobody takes it any more."""


class PackStream:
    """A pack in the making. Iterate it once; dropped before its end, the export ends too.

    `sizes` are those of the logs in it. Making one raises what the export raises before its first file.
    """

    def __init__(
        self, database: Database, request: Request, *, name: str, at: datetime, ended: Callable[[], None]
    ) -> None:
        """The archive's folder is called `name`, its files are dated `at`; `ended` is called when all is removed."""
        self._name, self._at = name, int(at.timestamp())
        self._shared = shared = _Shared(request.path)
        weakref.finalize(self, shared.over.set)
        writing = threading.Thread(target=_write, args=(database, request, shared, ended), name="export", daemon=True)
        writing.start()
        told = shared.sizes.get()
        if isinstance(told, BaseException):
            shared.over.set()
            raise told
        self.sizes = told

    def __iter__(self) -> Iterator[bytes]:
        """The bytes of the archive. Raises what ends the export before its end: then the archive has no manifest."""
        length = 0
        try:
            while (file := self._shared.files.get()) is not None:
                if isinstance(file, BaseException):
                    raise file
                for block in self._member(file):
                    length += len(block)
                    yield block
            yield bytes(2 * tarfile.BLOCKSIZE + -(length + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE)
        finally:
            self._shared.over.set()

    def _member(self, file: Written) -> Iterator[bytes]:
        member = tarfile.TarInfo(f"{self._name}/{file.path}")
        member.size, member.mtime = file.bytes, self._at
        yield member.tobuf()
        place = self._shared.folder / file.path
        with place.open("rb") as opened:
            while block := opened.read(BLOCK):
                yield block
        place.unlink()
        yield bytes(-file.bytes % tarfile.BLOCKSIZE)


def stream(
    database: Database, request: Request, *, name: str, at: datetime, ended: Callable[[], None] = lambda: None
) -> PackStream:
    """Begin a pack in a folder of its own; `request.path` is where that folder is made."""
    folder = Path(tempfile.mkdtemp(prefix="voucher-export-", dir=request.path))
    return PackStream(database, replace(request, path=folder), name=name, at=at, ended=ended)


def _write(database: Database, request: Request, shared: _Shared, ended: Callable[[], None]) -> None:
    asked = request.begun
    attempts = 0

    def begun(sizes: Mapping[str, int]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 1:  # a lost connection; what was sent cannot be taken back
            raise Abandoned("the export began twice")
        asked(sizes)
        shared.sizes.put(sizes)

    def progress(_done: int, _total: int) -> None:
        if shared.over.is_set():
            raise Abandoned("nobody takes it any more")

    try:
        try:
            export(database, replace(request, begun=begun, finished=shared.files.put), progress=progress)
            shared.files.put(None)
        except BaseException as error:  # noqa: BLE001 - whoever takes the stream is told, whatever it is
            shared.sizes.put(error)
            shared.files.put(error)
        shared.over.wait()
    finally:
        shutil.rmtree(shared.folder, ignore_errors=True)
        ended()
