"""The bytes of uploads: files in the state folder under their SHA-256, each once, none ever changed.

No web server serves this folder, and no file in it is executable or has a name that anybody chose. A file is written
to a name of its own, brought to the disk, and only then renamed; who is stopped half-way leaves something that no row
names, which `sweep` removes. Storing and its row's COMMIT happen under a shared lock, sweeping under an exclusive one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.kernel.clock import utc_now
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import DocumentType
from app.services.uploads.kinds import MAX_BYTES, type_of

CHUNK = 256 * 1024
UNFINISHED_KEPT_S = 3600
"""A file that is being written is younger than that."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document that lies in the store. `is_new` says that nothing of the same bytes was there."""

    sha256: str
    size: int
    type: DocumentType
    is_new: bool


@dataclass(frozen=True, slots=True)
class Store:
    """The folder."""

    folder: Path

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Keep what is stored within from being swept until its row is there."""
        with self._locked(fcntl.LOCK_SH):
            yield

    def put(self, source: BinaryIO) -> Stored:
        """Write a document into the store, as it is read. The caller is within `storing`.

        Raises `body_too_large` over 20 MiB, and what `type_of` raises; then nothing is kept.
        """
        incoming = self._made(self.folder / "incoming")
        descriptor, name = tempfile.mkstemp(dir=incoming)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                sha256, size = _copy(source, file)
                kind = type_of(file, size)
                file.flush()
                os.fsync(file.fileno())
            is_new = self._keep(Path(name), sha256)
        finally:
            Path(name).unlink(missing_ok=True)
        return Stored(sha256, size, kind, is_new)

    def read(self, sha256: str, size: int) -> bytes:
        """The bytes that were stored, every time held against their hash. Raises `document_lost`."""
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise AppError(Code.DOCUMENT_LOST, sha256=sha256) from error
        if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
            raise AppError(Code.DOCUMENT_LOST, sha256=sha256)
        return content

    def holds(self, sha256: str) -> bool:
        """Whether the bytes of this hash are there and are those."""
        try:
            return hashlib.sha256(self._path(sha256).read_bytes()).hexdigest() == sha256
        except OSError:
            return False

    def sweep(self, known: Callable[[Collection[str]], Collection[str]]) -> int:
        """Remove what no row names, and what was never finished; how many files that were.

        `known` says which of these hashes have a row. Nothing is stored meanwhile.
        """
        if not self.folder.is_dir():
            return 0
        with self._locked(fcntl.LOCK_EX):
            now_s = utc_now().timestamp()
            unfinished = [
                path
                for path in (self.folder / "incoming").glob("*")
                if now_s - path.stat().st_mtime > UNFINISHED_KEPT_S
            ]
            stored = {path.name: path for path in self.folder.glob("[0-9a-f][0-9a-f]/*")}
            kept = set(known(sorted(stored))) if stored else set()
            orphans = [path for sha256, path in stored.items() if sha256 not in kept]
            for path in (*unfinished, *orphans):
                path.unlink(missing_ok=True)
        return len(unfinished) + len(orphans)

    def _keep(self, written: Path, sha256: str) -> bool:
        final = self._path(sha256)
        self._made(final.parent)
        if final.exists():
            return False
        written.chmod(0o400)
        written.rename(final)
        _to_disk(final.parent)
        return True

    def _path(self, sha256: str) -> Path:
        assert len(sha256) == 64 and sha256.isalnum(), "a hash, never a name that somebody sent"
        return self.folder / sha256[:2] / sha256

    def _made(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._made(self.folder)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def store_in(state_dir: Path) -> Store:
    """The store of a service with this state folder."""
    return Store(state_dir / "uploads")


def _copy(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise AppError(Code.BODY_TOO_LARGE, limit=MAX_BYTES)
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest(), size


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
