"""What a witness remembers, in a private folder of its own: one file for all logs, replaced as a whole.

A witness that forgets is worse than none: it would sign a second history. So a change is on the disk before anybody
learns of it, the folder serves one process at a time, and a memory that is damaged or gone is never begun anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.tlog.checkpoints import read_checkpoint
from app.tlog.notes import read_note
from app.witness.faults import WitnessFault
from app.witness.submissions import Head

HEADS = "heads.json"
FORKS = "forks"
_LOCK = "lock"
_VERSION = 1


class Memory:
    """The newest head of each log. Threads take turns: whoever reads a head to act on it does so while `held`."""

    def __init__(self, folder: Path, heads: dict[str, Head]) -> None:
        self._folder = folder
        self._heads = heads
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else reads or changes a head while inside."""
        with self._lock:
            yield

    def head(self, origin: str) -> Head:
        """What is remembered of a log; the empty tree where nothing is."""
        assert self._lock.locked(), "a head is read while held"
        return self._heads.get(origin, Head())

    def known(self) -> int:
        """How many logs something is remembered of."""
        return len(self._heads)

    def remember(self, origin: str, head: Head) -> None:
        """Remember this head from now on; it is on the disk when this returns."""
        assert self._lock.locked(), "a head is changed while held"
        heads = self._heads | {origin: head}
        _write_heads(self._folder, heads)
        self._heads = heads

    def keep_fork(self, origin: str, note: str) -> Path:
        """Keep what contradicts a log's remembered checkpoint, both notes in one file, as evidence, and say where."""
        folder = self._folder / FORKS
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{sha256(note.encode()).hexdigest()[:32]}.txt"
        if not path.exists():
            write_durably(path, f"{self.head(origin).note}\n{note}")
        return path


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """The folder for this process alone while inside, made where it is missing (0700). Raises WitnessFault."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WitnessFault("该目录已有见证进程在运行。", "another witness is running on this folder") from error
        yield
    finally:
        os.close(descriptor)


def begin_memory(folder: Path) -> None:
    """Write an empty memory; only for a witness that has no key yet and so has signed nothing.

    Raises WitnessFault where something is remembered: then there was a key.
    """
    path = folder / HEADS
    if path.exists() and open_memory(folder).known():
        raise WitnessFault(
            "见证记录尚在而密钥丢失，请从备份恢复。",
            "the key is gone though there is a memory: bring it back from a copy",
        )
    _write_heads(folder, {})


def open_memory(folder: Path) -> Memory:
    """What was remembered. Raises WitnessFault where it is gone or damaged."""
    try:
        kept = json.loads((folder / HEADS).read_text(encoding="utf-8"))
        if kept["v"] != _VERSION:
            raise WitnessFault("见证记录属于本程序的另一版本。", "the memory is of another version of this program")
        heads = {origin: _head(origin, head) for origin, head in kept["logs"].items()}
    except FileNotFoundError as error:
        raise WitnessFault(
            "密钥尚在而见证记录丢失，请从备份恢复。",
            "the memory is gone though there is a key: bring it back from a copy",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WitnessFault(
            "见证记录已损坏，请从备份恢复。", "the memory is damaged: bring it back from a copy"
        ) from error
    return Memory(folder, heads)


def _head(origin: str, kept: Mapping[str, Any]) -> Head:
    """A head as it was kept. Raises ValueError, KeyError or TypeError where it is not what its checkpoint says.

    A head that shrank to an earlier tree, or to the empty one, would let a second history be signed.
    """
    text, _ = read_note(kept["checkpoint"])
    checkpoint = read_checkpoint(text)
    told = (checkpoint.origin, checkpoint.size, checkpoint.root.hex())
    if told != (origin, kept["size"], kept["root"]):
        raise ValueError(f"{origin}: the head is not its checkpoint's")
    return Head(checkpoint.size, checkpoint.root, kept["checkpoint"])


def write_durably(path: Path, text: str) -> None:
    """Write the file, readable by its owner alone: all of it or nothing, and on the disk when this returns."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the name too
    finally:
        os.close(folder)


def _write_heads(folder: Path, heads: dict[str, Head]) -> None:
    logs = {
        origin: {"size": head.size, "root": head.root.hex(), "checkpoint": head.note} for origin, head in heads.items()
    }
    written = json.dumps({"v": _VERSION, "logs": logs}, ensure_ascii=False, indent=1, sort_keys=True)
    write_durably(folder / HEADS, written + "\n")
