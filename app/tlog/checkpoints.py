"""Checkpoints (C2SP tlog-checkpoint): the signed note in which a log says its tree's size and root."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.tlog.encoding import decode_base64, encode_base64
from app.tlog.merkle import HASH_BYTES
from app.tlog.notes import MalformedNote, Note, Verifier, open_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's origin, its number of leaves, their root, and lines that only the log understands."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note's text, to be signed. Raises MalformedNote where it would not read back as this checkpoint."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        written = "".join(f"{line}\n" for line in lines)
        if read_checkpoint(written) != self:
            raise MalformedNote("a line of a checkpoint may not hold a newline")
        return written


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text is. Raises MalformedNote where it is none."""
    if not text.endswith("\n"):
        raise MalformedNote("a checkpoint ends in a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise MalformedNote("a checkpoint has an origin, a size and a root, each on a line, and no empty line")
    origin, size, root, *extensions = lines
    return Checkpoint(origin, read_size(size), read_hash(root), tuple(extensions))


def open_checkpoint(note: bytes | str, verifiers: Iterable[Verifier]) -> tuple[Checkpoint, Note]:
    """A signed checkpoint, its signatures checked. Raises what `open_note` and `read_checkpoint` raise.

    Whether the verified signatures suffice (the log's, so many witnesses') is for the caller to say.
    """
    opened = open_note(note, verifiers)
    return read_checkpoint(opened.text), opened


def read_size(text: str) -> int:
    """A tree size: decimal, no leading zeroes, below 2^63. Raises MalformedNote."""
    if not _SIZE.fullmatch(text) or int(text) > _MAX_SIZE:
        raise MalformedNote("a tree's size is a decimal number without leading zeroes")
    return int(text)


def read_hash(text: str) -> bytes:
    """A hash: the canonical base64 of 32 bytes. Raises MalformedNote."""
    data = decode_base64(text)
    if data is None or len(data) != HASH_BYTES:
        raise MalformedNote("a hash is the base64 of 32 bytes")
    return data
